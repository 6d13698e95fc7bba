"""Loading a state dict: everything is checked before anything changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph.errors import ArgumentError
from ..graph.together import reset_together
from ..tensor import Tensor
from .structure import logger

if TYPE_CHECKING:
    from .module import Module


def load_state(module: Module, state: Any, strict: bool) -> None:
    """What :meth:`Module.load_state_dict` does."""
    if isinstance(state, dict):
        take: Callable[[str, Tensor], Any] = lambda key, _: state.get(key)  # noqa: E731
        offered = list(state)
    elif callable(state):
        take, offered = state, []
    else:
        raise ValueError(f"`state_dict` must load a dict or callable, got {type(state)}")
    found: list[tuple[Tensor, Tensor]] = []
    missing: list[str] = []
    known: set[str] = set()
    for key, tensor, flat in entries(module, ""):
        value = take(key, tensor)
        if value is None:
            missing.append(key)
        else:
            known.add(key)
            found.append((tensor, as_state(key, tensor, fitted(key, tensor, value, flat))))
    report([key for key in offered if key not in known], missing, strict)
    reset_together([tensor for tensor, _ in found], [made for _, made in found])


def entries(module: Module, prefix: str) -> Iterator[tuple[str, Tensor, bool]]:
    """Names and tensors in the order of ``state_dict``, and whether the tensor is listed flattened."""
    for key, tensor in module.named_tensors(recursive=False):
        yield prefix + key, tensor, module._flat_state
    for key, child in module.named_children():
        yield from entries(child, f"{prefix}{key}.")


def fitted(key: str, tensor: Tensor, value: Any, flat: bool) -> np.ndarray:
    """The array in the tensor's shape; only where states are listed flattened may its own differ."""
    if not isinstance(value, np.ndarray):
        raise AssertionError(f"the state of {key} must be a NumPy array, got {type(value).__name__}: {value}")
    if value.shape == tensor.shape:
        return value
    if flat and value.size == tensor.size:
        return value.reshape(tensor.shape)
    raise ValueError(f"param `{key}` shape mismatch, should be {tuple(tensor.shape)}, get {value.shape}")


def as_state(key: str, tensor: Tensor, value: np.ndarray) -> Tensor:
    """The array as a tensor beside the one that it is for."""
    try:
        return Tensor(value, device=tensor.device)
    except ArgumentError as error:
        raise type(error)(f"the state of {key}: {error}") from None


def report(unused: list[str], missing: list[str], strict: bool) -> None:
    """Raise, or log, what did not match."""
    parts = [f"unused={unused}"] if unused else []
    if missing:
        parts.append(f"missing={missing}")
    if parts and strict:
        raise KeyError(f"names violate `strict=True`: {', '.join(parts)}")
    if parts:
        logger.warning("names did not match in `strict=False` mode: %s", ", ".join(parts))
