"""Loading a state dict: everything is checked before anything changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph.errors import ArgumentError
from ..graph.partition import is_divided
from ..graph.together import reset_together
from ..tensor import Tensor
from .structure import is_module, logger

if TYPE_CHECKING:
    from .module import Module


def load_state(module: Module, state: Any, strict: bool) -> None:
    """What :meth:`Module.load_state_dict` does."""
    if isinstance(state, Mapping):
        take: Callable[[str, Tensor], Any] = lambda key, _: state.get(key)  # noqa: E731
        offered = list(state)
    elif callable(state) and not is_module(state):
        take, offered = state, []
    else:
        raise ValueError(f"`state_dict` must load a dict or callable, got {type(state)}{_instead(state)}")
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
    names = {key for key, _, _ in entries(module, "")}
    report([key for key in offered if key not in known], missing, strict, _advice(names, known, state))
    reset_together([tensor for tensor, _ in found], [made for _, made in found])


def entries(module: Module, prefix: str) -> Iterator[tuple[str, Tensor, bool]]:
    """Names and tensors in the order of ``state_dict``, and whether the tensor is listed flattened."""
    for key, tensor in module.named_tensors(recursive=False):
        yield prefix + key, tensor, module._flat_state
    for key, child in module.named_children():
        yield from entries(child, f"{prefix}{key}.")


def fitted(key: str, tensor: Tensor, value: Any, flat: bool) -> np.ndarray | Tensor:
    """The array, or tensor that is divided among devices, in the shape that is wanted; it may differ where states are flat."""
    if not (isinstance(value, np.ndarray) or (isinstance(value, Tensor) and is_divided(value))):
        hint = "; pass its numpy()" if isinstance(value, Tensor) else ""
        raise AssertionError(f"the state of {key} must be a NumPy array, got {type(value).__name__}{hint}: {value}")
    if value.shape == tensor.shape:
        return value
    if flat and value.size == tensor.size:
        return value.reshape(tensor.shape)
    raise ValueError(f"param `{key}` shape mismatch, should be {tuple(tensor.shape)}, get {value.shape}")


def as_state(key: str, tensor: Tensor, value: np.ndarray | Tensor) -> Tensor:
    """The array as a tensor beside the one that it is for."""
    if isinstance(value, Tensor):
        return value.detach().to(tensor.device)
    try:
        return Tensor(value, device=tensor.device)
    except ArgumentError as error:
        raise type(error)(f"the state of {key}: {error}") from None


def _instead(state: Any) -> str:
    """What to pass in place of something that is no state dict."""
    if is_module(state):
        return ": pass its state_dict()"
    if isinstance(state, (str, bytes, os.PathLike)):
        return f": pass what megengine.load({os.fspath(state)!r}) returns"
    if isinstance(state, (list, tuple)) and all(isinstance(item, (list, tuple)) and len(item) == 2 for item in state):
        return ": pass a dict of these pairs"
    return ""


def _advice(names: set[str], known: set[str], state: Any) -> str:
    """What to pass in place of a dict that holds little of what a module needs."""
    if not isinstance(state, Mapping) or len(known) * 2 >= len(names):
        return ""
    for path, inner in _within(state, 2):
        if names and len(names & inner.keys()) * 2 >= len(names):
            keys = "".join(f"[{key!r}]" for key in path)
            return f"; the dict holds them one level further in: pass its {keys}"
    prefixes = {key.partition(".")[0] + "." for key in state if isinstance(key, str) and "." in key}
    for prefix in sorted(prefixes):
        if len({key.removeprefix(prefix) for key in state if isinstance(key, str)} & names) * 2 >= len(names) > 0:
            return f"; the names in the dict begin with {prefix!r}: take that off"
    wrapped = {name.partition(".")[0] + "." for name in names if "." in name}
    for prefix in sorted(wrapped):
        if len({f"{prefix}{key}" for key in state} & names) * 2 >= len(names) > 0:
            return f"; the names in the dict lack {prefix!r}: put that before them, or load them into that part of the module"
    if {"param_groups", "state"} <= state.keys():
        return "; the dict is the state of an optimizer"
    return ""


def _within(
    state: Mapping[Any, Any], depth: int, path: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[Any, ...], Mapping[Any, Any]]]:
    """The dicts within a dict, with the keys that lead to them."""
    for key, value in state.items():
        if isinstance(value, Mapping):
            yield (*path, key), value
            if depth > 1:
                yield from _within(value, depth - 1, (*path, key))


def report(unused: list[str], missing: list[str], strict: bool, advice: str = "") -> None:
    """Raise, or log, what did not match."""
    parts = [f"unused={unused}"] if unused else []
    if missing:
        parts.append(f"missing={missing}")
    if parts and strict:
        raise KeyError(f"names violate `strict=True`: {', '.join(parts)}{advice}")
    if parts:
        logger.warning("names did not match in `strict=False` mode: %s%s", ", ".join(parts), advice)
