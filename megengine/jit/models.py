"""What a module, a function, a dump or a graph computes in one call, as a :class:`~megengine.graph.exchange.Model`."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..graph.exchange import GraphFileError, Model
from ..network import files
from ..network.conversion import to_model
from ..network.network import Network
from ..network.running import Runnable
from ..tensor import Tensor
from .tracing import trace


def model_of(
    target: Any,
    args: Sequence[Any] | None = None,
    arg_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> Model:
    """The graph of one call.

    Args:
        target: a module or function; a function traced with ``capture_as_const=True``, whose last call is taken where ``args``
            is None; a dump's path or open file; a ``Network``; a ``Model``.
        args: what to call it with: tensors and arrays, in lists and dictionaries too, become inputs; anything else is part
            of the graph.
        arg_names, output_names: names of inputs and results; default those of the function's parameters and the keys of a
            dictionary of results.

    Raises:
        GraphFileError: the call cannot be kept, or the file is no graph.
        TypeError: the target is none of these, or ``args`` is missing.
        ValueError: a wrong number of names.
    """
    if isinstance(target, (str, os.PathLike)) or hasattr(target, "read"):
        return _renamed(files.read(target), arg_names, output_names)
    if isinstance(target, Network):
        outputs = {v._itself for v in target.output_vars}
        model = to_model(target.output_vars, target.input_vars, lambda v: v.name if v in outputs else v.given_name)
        return _renamed(model, arg_names, output_names)
    if isinstance(target, Model):
        return _renamed(target, arg_names, output_names)
    if not callable(target):
        raise TypeError(f"a module, a function, a dump or a graph is wanted, not {type(target).__name__}")
    if args is None:
        if isinstance(target, trace) and target._kept is not None:
            return target._kept.model(arg_names, output_names)
        raise TypeError("args is missing: tensors or arrays to call the function with")
    return _of_call(target, tuple(args), arg_names, output_names)


def at_two_sizes(target: Any, args: Sequence[Any] | None, model: Model) -> tuple[Model, Model]:
    """The graph at two batch sizes, from which one that takes any is found.

    Args:
        target, args: as of :func:`model_of`.
        model: its graph.

    Raises:
        GraphFileError: no input has a batch as its first dimension.
    """
    shape = next((v.aval.shape for v in model.function.inputs if v.aval.shape), None)
    if not shape or not shape[0]:
        raise GraphFileError("no input has a batch as its first dimension")
    size = shape[0]
    if size == 1:  # ops that broadcast look otherwise at a batch of one
        model = with_batch(target, args, model, (1, 2))
        args, size = (None if args is None else [batched(a, 1, 2) for a in args]), 2
    return model, with_batch(target, args, model, (size, 2 * size))


def with_batch(target: Any, args: Sequence[Any] | None, first: Model, sizes: tuple[int, int]) -> Model:
    """The graph of another batch size.

    Args:
        target, args: as of :func:`model_of`.
        first: its graph.
        sizes: the batch size there, and the new one; inputs whose first dimension is the former have the latter.
    """
    names = [v.name for v in first.function.inputs], [v.name for v in first.function.outputs]
    if args is not None and callable(target):
        return model_of(target, [batched(a, *sizes) for a in args], *names)
    zeros = [np.zeros(_sized(v.aval.shape, sizes), v.aval.dtype) for v in first.function.inputs]
    runnable = Runnable(first)
    return _of_call(lambda *tensors: runnable(tensors), tuple(zeros), *names)


def batched(arg: Any, old: int, new: int) -> Any:
    """Arrays whose first dimension is ``old`` repeated or cut to ``new``; containers of them likewise."""
    if isinstance(arg, (Tensor, np.ndarray)):
        array = np.asarray(arg.numpy() if isinstance(arg, Tensor) else arg)
        if array.ndim and array.shape[0] == old:
            return np.resize(array, (new, *array.shape[1:]))
        return arg
    if isinstance(arg, Mapping):
        return type(arg)({k: batched(v, old, new) for k, v in arg.items()})  # type: ignore[call-arg]
    if isinstance(arg, (list, tuple)):
        return type(arg)(batched(v, old, new) for v in arg)
    return arg


def _sized(shape: tuple[int, ...], sizes: tuple[int, int]) -> tuple[int, ...]:
    return (sizes[1], *shape[1:]) if shape and shape[0] == sizes[0] else shape


def leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The tensors and arrays of nested containers, with the names of their places."""
    if isinstance(value, (Tensor, np.ndarray)):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for k, item in enumerate(value):
            yield from leaves(item, f"{name}.{k}" if name else str(k))


def _replaced(value: Any, tensors: Iterator[Any]) -> Any:
    """The same containers with these tensors in the places of theirs."""
    if isinstance(value, (Tensor, np.ndarray)):
        return next(tensors)
    if isinstance(value, Mapping):
        return type(value)({k: _replaced(v, tensors) for k, v in value.items()})  # type: ignore[call-arg]
    if isinstance(value, (list, tuple)):
        items = [_replaced(v, tensors) for v in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def _parameters(function: Callable[..., Any], count: int) -> list[str]:
    """What the function calls its positional arguments."""
    called = getattr(function, "forward", function)
    try:
        found = [p for p in inspect.signature(called).parameters.values() if p.kind < p.KEYWORD_ONLY]
    except (TypeError, ValueError):
        found = []
    names = [f"{p.name}_{k}" if p.kind is p.VAR_POSITIONAL else p.name for k, p in enumerate(found)]
    return [*names[:count], *(f"arg_{k}" for k in range(len(names), count))]


def _of_call(
    function: Callable[..., Any], args: tuple[Any, ...], arg_names: Any, output_names: Sequence[str] | None
) -> Model:
    given = dict(zip(_parameters(function, len(args)), args, strict=True))
    found = [leaf for name, arg in given.items() for leaf in leaves(arg, name)]
    results: list[str] = []

    def flat(*tensors: Tensor) -> list[Tensor]:
        rest = iter(tensors)
        returned = list(leaves(function(*(_replaced(a, rest) for a in args)), ""))
        if not returned:
            raise GraphFileError("the function returned no tensor")
        results[:] = [name or "output" for name, _ in returned]
        return [t for _, t in returned]

    traced = trace(getattr(flat, "__wrapped__", flat), symbolic=True, capture_as_const=True)
    traced(*(t if isinstance(t, Tensor) else Tensor(t) for _, t in found))
    assert traced._kept is not None
    names = [name if not name.isdigit() else f"output_{name}" for name in results]
    return traced._kept.model(list(arg_names or (name for name, _ in found)), list(output_names or names))


def _renamed(model: Model, arg_names: Sequence[str] | None, output_names: Sequence[str] | None) -> Model:
    for variables, names in ((model.function.inputs, arg_names), (model.function.outputs, output_names)):
        if names is not None:
            if len(names) != len(variables):
                raise ValueError(f"{len(names)} names are given for {len(variables)} variables")
            for var, name in zip(variables, names, strict=True):
                var.name = name
    return model
