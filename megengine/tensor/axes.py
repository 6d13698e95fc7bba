"""Axes and shapes as users write them, checked and made static."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..graph.errors import ArgumentError
from ..graph.value import Handle
from ..ops.sizes import fill_in

_INT = {int}


def as_int(value: Any, what: str) -> int:
    """A Python int from an int, a NumPy integer, a whole number as a float (``n / 2``) or a one-element integer tensor.

    Raises:
        ArgumentError: something else.
    """
    if isinstance(value, Handle):
        if value.size != 1:  # type: ignore[attr-defined]
            raise ArgumentError(f"{what} must be an integer, not a tensor of shape {value._value.aval.shape}")
        value = value.item()  # type: ignore[attr-defined]
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "iu":
        return int(value.item())
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return int(value)
    raise ArgumentError(f"{what} must be an integer, not {value!r}")


def as_shape(shape: Any, what: str = "shape") -> tuple[int, ...]:
    """A tuple of ints from an int, a sequence, an array or a tensor, which may hold whole numbers as floats."""
    if type(shape) is int:
        return (shape,)
    if type(shape) in (tuple, list) and {*map(type, shape)} <= _INT:
        return tuple(shape)
    if isinstance(shape, Handle):
        shape = shape.numpy()  # type: ignore[attr-defined]
        shape = shape.astype(np.int32) if shape.dtype.kind == "f" and (shape % 1 == 0).all() else shape
    if isinstance(shape, np.ndarray):
        shape = shape.reshape(-1).tolist()
    if isinstance(shape, (int, float, np.number)):
        return (as_int(shape, what),)
    if not isinstance(shape, Iterable) or isinstance(shape, str):
        raise ArgumentError(f"{what} must be an integer or a sequence of integers, not {shape!r}")
    return tuple(as_int(n, f"each entry of {what}") for n in shape)


def one_axis(axis: Any, ndim: int, name: str) -> int:
    """A non-negative axis.

    Raises:
        RuntimeError: outside ``[-ndim, ndim)``.
    """
    axis = as_int(axis, "axis")
    if not -ndim <= axis < ndim:
        raise RuntimeError(f"{name}: axis {axis} is out of range for a tensor of {ndim} dimension{'s' * (ndim != 1)}")
    return axis % ndim


def reduction_axes(axis: Any, ndim: int, name: str) -> tuple[int, ...] | None:
    """Sorted distinct non-negative axes; None stays None.

    Raises:
        AssertionError: an axis is named twice or out of range.
    """
    if axis is None or (ndim == 0 and not isinstance(axis, np.ndarray) and axis in (0, -1)):
        return None
    if isinstance(axis, Iterable) and not isinstance(axis, str) and not isinstance(axis, Handle):
        axes = [as_int(a, "axis") for a in axis]
        for a in axes:
            if not -ndim <= a < ndim:
                raise AssertionError(f"{name}: axis {a} is out of range for a tensor of {ndim} dimensions")
        axes = [a % ndim for a in axes]
        if len(set(axes)) < len(axes):
            raise AssertionError(f"{name}: axes {tuple(axis)} name a dimension twice")
        return tuple(sorted(axes))
    return (one_axis(axis, ndim, name),)


def reshape_target(shape: tuple[int, ...], target: Sequence[int], name: str = "reshape") -> tuple[int, ...]:
    """The target with its -1 filled in.

    Raises:
        RuntimeError: the sizes do not fit.
    """
    size = prod(shape)
    unknown = [k for k, n in enumerate(target) if n < 0]
    if len(unknown) > 1 or (unknown and target[unknown[0]] != -1):
        raise RuntimeError(f"{name}: cannot reshape {shape} to {tuple(target)}: at most one dimension can be -1")
    full = fill_in(shape, target)
    if full is None:
        open_ = unknown and not size and not prod(n for n in target if n != -1)
        why = "; beside a size of 0, what -1 stands for is left open" if open_ else ""
        raise RuntimeError(f"{name}: cannot reshape {shape} ({size} elements) to {tuple(target)}{why}")
    return full


def as_pattern(pattern: Any) -> tuple[Any, ...]:
    """The entries of a transpose pattern given as one argument."""
    if not isinstance(pattern, Iterable):
        raise ArgumentError(f"transpose: the pattern must be a sequence, not {pattern!r}")
    return tuple(pattern)


def transpose_pattern(ndim: int, pattern: Sequence[Any]) -> tuple[Any, ...]:
    """A pattern of axes and ``"x"`` (new axis), checked.

    Raises:
        RuntimeError: not a permutation.
    """
    what = "each entry of the pattern"
    if any(isinstance(p, float) for p in pattern):  # no numbers here that a program computes
        raise ArgumentError(f"{what} must be an integer, not {next(p for p in pattern if isinstance(p, float))!r}")
    pattern = tuple(p if p == "x" else as_int(p, what) for p in pattern)
    axes = [p for p in pattern if p != "x"]
    if sorted(axes) != list(range(ndim)):
        raise RuntimeError(
            f"transpose: {pattern} is not a permutation of the {ndim} dimensions (negative axes are not taken)"
        )
    return pattern


def flatten_target(shape: tuple[int, ...], start_axis: int, end_axis: int) -> tuple[int, ...]:
    """The shape with axes ``start_axis .. end_axis`` made one; a scalar becomes a vector."""
    shape = shape or (1,)
    ndim = len(shape)
    start_axis, end_axis = as_int(start_axis, "start_axis"), as_int(end_axis, "end_axis")
    start = start_axis + ndim if start_axis < 0 else start_axis
    end = end_axis + ndim if end_axis < 0 else end_axis
    if not (0 <= start < ndim and 0 <= end < ndim):
        raise RuntimeError(f"flatten: axes {start_axis} to {end_axis} are out of range for shape {shape}")
    return (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :])
