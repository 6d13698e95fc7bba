"""Tensors from shapes and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.apply import apply, apply_on
from ..graph.dtypes import dtype_of
from ..graph.errors import ArgumentError, RangeError
from ..graph.host_data import as_constant, checked_for, to_array
from ..graph.sized import apply_sized, sizes_follow
from ..ops import shape as ops
from ..ops import sized
from ..tensor import Tensor
from ..tensor import axes as _axes
from ..tensor.graph_sizes import in_graph
from ._args import plain, require_tensor, vector_of

Shape = int | Sequence[int] | Tensor


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    sizes = _axes.as_shape(shape)
    if any(n < 0 for n in sizes):
        raise RuntimeError(f"{name}: the sizes of a shape cannot be negative: {sizes}")
    if math.prod(sizes) >= 2**62:
        raise RangeError(f"{name}: no memory holds a tensor of shape {sizes}")
    return sizes


def zeros(shape: Shape, *, dtype: Any = "float32", device: Any = None) -> Tensor:
    """Tensor of zeros.

    Args:
        shape: sizes of the dimensions.
        dtype: element type.
        device: where; default the default device.

    Raises:
        RuntimeError: a negative size, or a dtype or device that does not exist.

    Example:
        >>> F.zeros((2, 3))
        Tensor([[0. 0. 0.]
         [0. 0. 0.]], device=xpux:0)
    """
    return apply_on(device, ops.constant, value=0, shape=_shape("zeros", shape), dtype=dtype_of(dtype))


def ones(shape: Shape, *, dtype: Any = "float32", device: Any = None) -> Tensor:
    """Tensor of ones.

    Args:
        shape: sizes of the dimensions.
        dtype: element type.
        device: where; default the default device.

    Raises:
        RuntimeError: a negative size, or a dtype or device that does not exist.

    Example:
        >>> F.ones((2, 3), dtype="int32")
        Tensor([[1 1 1]
         [1 1 1]], dtype=int32, device=xpux:0)
    """
    return apply_on(device, ops.constant, value=1, shape=_shape("ones", shape), dtype=dtype_of(dtype))


def full(shape: Shape, value: Tensor | float, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Tensor filled with one value.

    Args:
        shape: sizes of the dimensions.
        value: a number, or what broadcasts to the shape.
        dtype: element type; default that of the value: float32 for floats, int32 for ints, bool for bools.
        device: where; default the default device.

    Raises:
        RuntimeError: a negative size, or a dtype or device that does not exist.

    Example:
        >>> F.full((2, 2), 2.5)
        Tensor([[2.5 2.5]
         [2.5 2.5]], device=xpux:0)
    """
    wanted = None if dtype is None else dtype_of(dtype)
    operand: Any = value
    if type(value) in (bool, int, float):
        operand = value if wanted is None else checked_for(value, wanted)
    elif not isinstance(value, Tensor):
        operand = as_constant(to_array(value, wanted))
    return apply_on(device, ops.full, operand, shape=_shape("full", shape), dtype=wanted)


def zeros_like(inp: Tensor) -> Tensor:
    """Tensor of zeros with the shape, dtype and device of another.

    Args:
        inp: the tensor to copy the form of.

    Raises:
        TypeError: not a tensor.

    Example:
        >>> F.zeros_like(Tensor([1, 2]))
        Tensor([0 0], dtype=int32, device=xpux:0)
    """
    return full_like(inp, 0)


def ones_like(inp: Tensor) -> Tensor:
    """Tensor of ones with the shape, dtype and device of another.

    Args:
        inp: the tensor to copy the form of.

    Raises:
        TypeError: not a tensor.

    Example:
        >>> F.ones_like(Tensor([1.5, 2.5]))
        Tensor([1. 1.], device=xpux:0)
    """
    return full_like(inp, 1)


def full_like(inp: Tensor, value: float) -> Tensor:
    """Tensor filled with one value, with the shape, dtype and device of another.

    Args:
        inp: the tensor to copy the form of.
        value: the number; it is converted to the tensor's dtype.

    Raises:
        TypeError: not a tensor.

    Example:
        >>> F.full_like(Tensor([1, 2]), 7)
        Tensor([7 7], dtype=int32, device=xpux:0)
    """
    require_tensor(inp, "inp")
    return apply(ops.full_like, inp, checked_for(value, inp.dtype))


def arange(
    start: Tensor | float = 0,
    stop: Tensor | float | None = None,
    step: Tensor | float = 1,
    *,
    dtype: Any = "float32",
    device: Any = None,
) -> Tensor:
    """Evenly spaced numbers in ``[start, stop)``.

    Args:
        start: first number; with one positional argument that is ``stop`` and ``start`` is 0.
        stop: end, not included.
        step: difference of neighbours, also negative.
        dtype: element type; the numbers are computed in float32, those of ints for an integer dtype in int32.
        device: where; default the default device.

    Raises:
        TypeError: not numbers.
        RuntimeError: ``step`` is 0.

    Example:
        >>> F.arange(0, 10, 3)
        Tensor([0. 3. 6. 9.], device=xpux:0)
    """
    if stop is None:
        start, stop = 0, start
    if any(map(sizes_follow, (start, stop, step))):
        bounds = in_graph([start, stop, step], whole=False)
        return apply_sized(sized.arange_by, bounds, dtype=dtype_of(dtype), at_most=0)  # type: ignore[no-any-return]
    first, end, by = (_number("arange", name, x) for name, x in (("start", start), ("stop", stop), ("step", step)))
    if by == 0:
        raise RuntimeError("arange: step cannot be 0")
    wanted = dtype_of(dtype)
    if isinstance(first, int) and isinstance(end, int) and isinstance(by, int):
        count = len(range(first, end, by))
        last = first + by * (count - 1)
    else:  # in float32, as the reference counts
        count = max(int(np.ceil((np.float32(end) - np.float32(first)) / np.float32(by))), 0)
        last = end
    for number in (first, last) if count else ():
        checked_for(float(number), wanted)
    return apply_on(device, ops.arange, first, by, count=count, dtype=wanted)


def linspace(
    start: Tensor | float, stop: Tensor | float, num: int, *, dtype: Any = "float32", device: Any = None
) -> Tensor:
    """``num`` evenly spaced numbers from ``start`` to ``stop``, both included.

    Args:
        start: first number.
        stop: last number.
        num: how many.
        dtype: element type; the numbers are computed in float32.
        device: where; default the default device.

    Raises:
        RuntimeError: ``num`` is negative or no integer.

    Example:
        >>> F.linspace(0, 1, 5)
        Tensor([0.   0.25 0.5  0.75 1.  ], device=xpux:0)
    """
    if sizes_follow(num):
        ends = [x if isinstance(x, Tensor) else Tensor(plain(x), dtype="float32") for x in (start, stop)]
        return apply_sized(sized.linspace_by, *ends, num, dtype=dtype_of(dtype), at_most=0)  # type: ignore[no-any-return]
    count = _number("linspace", "num", num)
    if count < 0 or count != int(count):
        raise RuntimeError(f"linspace: num must be a whole number from 0 on, not {num}")
    wanted = dtype_of(dtype)
    ends = [checked_for(plain(x), wanted) for x in (start, stop)]
    return apply_on(device, ops.linspace, *ends, count=int(count), dtype=wanted)


def _number(name: str, argument: str, value: Any) -> Any:
    if isinstance(value, Tensor | np.generic) or (isinstance(value, np.ndarray) and value.size == 1):
        value = value.item()
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ArgumentError(f"{name}: {argument} must be a finite number, not {value!r}")
    return value


def eye(N: Any, M: int | None = None, *, dtype: Any = "float32", device: Any = None) -> Tensor:
    """Identity matrix: ones on the diagonal and zeros elsewhere.

    Args:
        N: number of rows, or the shape as two numbers.
        M: number of columns; default as many as rows.
        dtype: element type.
        device: where; default the default device.

    Raises:
        RuntimeError: a negative size, or a dtype or device that does not exist.

    Example:
        >>> F.eye(2, 3)
        Tensor([[1. 0. 0.]
         [0. 1. 0.]], device=xpux:0)
    """
    rows, *columns = _shape("eye", N if M is None else (N, M))
    if len(columns) > 1:
        raise RuntimeError(f"eye: a shape of two numbers is needed, not {N}")
    return apply_on(device, ops.eye, rows=rows, columns=columns[0] if columns else rows, dtype=dtype_of(dtype))


def diag(inp: Tensor, k: int = 0) -> Tensor:
    """Diagonal of a matrix, or the matrix with a vector on its diagonal. A scalar counts as a vector of one element.

    Args:
        inp: a matrix or a vector.
        k: which diagonal: 0 the main one, positive above, negative below.

    Raises:
        RuntimeError: the input is neither a vector nor a matrix.

    Example:
        >>> F.diag(Tensor([[1.0, 2.0], [3.0, 4.0]]))
        Tensor([1. 4.], device=xpux:0)
    """
    inp = vector_of(inp)
    if inp.ndim > 2:
        raise RuntimeError(f"diag takes a vector or a matrix, not shape {inp.shape}")
    return apply(ops.diag, inp, k=_axes.as_int(k, "k"))


def meshgrid(*inputs: Tensor, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Coordinate grids: the coordinates of the points of a grid, one tensor for each axis.

    Args:
        inputs: vectors of coordinates, or single ones, one for each axis.
        indexing: ``"ij"`` for axes in order, ``"xy"`` with the first two swapped.

    Raises:
        RuntimeError: an input has more than one dimension.
        ValueError: another ``indexing``.

    Example:
        >>> F.meshgrid(Tensor([1, 2]), Tensor([5, 6, 7]), indexing="ij")[0]
        Tensor([[1 1 1]
         [2 2 2]], dtype=int32, device=xpux:0)
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f'meshgrid: indexing={indexing!r}: write "xy" or "ij"')
    return apply(ops.meshgrid, *map(vector_of, inputs), indexing=indexing)
