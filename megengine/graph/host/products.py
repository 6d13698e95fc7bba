"""Products of matrices and tensors: one BLAS product each, or a few where that saves a copy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import Any

import numpy as np

from .matmul import matmul
from .rules import Equation, Run, rule

# A product of this many multiplications is worth a call of its own: to copy an operand would cost more.
WORTH_A_CALL = 1 << 16
_BY_BLAS = (np.float32, np.float64, np.complex64)
Counts = tuple[int, int, int, int]  # of batch dimensions, dimensions summed over, and those of each operand


@rule("dot_general")
def dot_general(eqn: Equation) -> Run:
    (left_sum, right_sum), (left_batch, right_batch) = eqn.params["dimension_numbers"]
    left, right = (v.aval for v in eqn.invars)
    out = eqn.outvars[0].aval
    left_free = [d for d in range(left.ndim) if d not in (*left_sum, *left_batch)]
    right_free = [d for d in range(right.ndim) if d not in (*right_sum, *right_batch)]
    left_order, right_order = (*left_batch, *left_free, *left_sum), (*right_batch, *right_free, *right_sum)
    batch, terms = len(left_batch), len(left_sum)
    dtype = np.dtype(out.dtype)
    integers = dtype.kind in "iu"
    depth = prod(left.shape[d] for d in left_sum) if integers else 0

    def run(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = x.transpose(left_order), y.transpose(right_order)
        x, y = exactly(x, y, depth, dtype) if integers else (wide(x, dtype), wide(y, dtype))
        return narrowed(contracted(x, y, batch, terms), dtype)

    if not left.dtype == right.dtype == dtype in _BY_BLAS:
        return run
    if (terms, batch, left.ndim, right.ndim) == (1, 0, 2, 2):
        run = _of_matrices(left_sum[0] == 0, right_sum[0] == 1)
    counts = batch, terms, left.ndim, right.ndim
    orders = _order(left_order, left_sum, counts), _order(right_order, right_sum, counts)
    return run if None in orders else _of_contiguous(*orders, counts, run)  # type: ignore[arg-type]


def _order(order: Sequence[int], summed: Sequence[int], counts: Counts) -> bool | None:
    """Whether the dimensions summed over come last, of an operand that is matrices as it is; None of others."""
    batch, terms, *_ = counts
    ndim = len(order)
    if tuple(order) == tuple(range(ndim)):
        return True
    first = batch <= ndim - terms and tuple(summed) == tuple(range(batch, batch + terms))
    return False if first and sorted(order[:batch]) == list(order[:batch]) == list(range(batch)) else None


def _of_contiguous(left_last: bool, right_last: bool, counts: Counts, otherwise: Run) -> Run:
    """A product of operands in C order as one of matrices, which takes no copy; ``otherwise`` for other operands."""
    batch, terms, left, right = counts
    plain = terms == 1 and left == right == batch + 2

    def matrices(a: np.ndarray, last: bool) -> np.ndarray:
        shape, cut = a.shape, a.ndim - terms if last else batch + terms
        return a.reshape(*shape[:batch], prod(shape[batch:cut]), prod(shape[cut:]))

    def run(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if not (x.flags.c_contiguous and y.flags.c_contiguous):
            return otherwise(x, y)
        if not plain:
            free = x.shape[batch : left - terms] if left_last else x.shape[batch + terms :]
            others = y.shape[batch : right - terms] if right_last else y.shape[batch + terms :]
            shape = *x.shape[:batch], *free, *others
            x, y = matrices(x, left_last), matrices(y, right_last)
        if not left_last:
            x = x.swapaxes(-1, -2)
        if right_last:
            y = y.swapaxes(-1, -2)
        z = x * y if x.shape[-1] == 1 else matmul(x, y)
        return z if plain else z.reshape(shape)

    return run


def _of_matrices(turns_left: bool, turns_right: bool) -> Run:
    """A product of two matrices, each of which may be transposed."""

    def run(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = (a if _for_blas(a) else np.ascontiguousarray(a) for a in (x, y))
        return matmul(x.T if turns_left else x, y.T if turns_right else y)

    return run


def wide(x: np.ndarray, result: Any) -> np.ndarray:
    """An operand in the type that sums are taken in: half types in float32."""
    dtype = np.result_type(np.float32, result) if result.kind in "fc" and result.itemsize >= 4 else np.float32
    return x if result.kind == "b" else x.astype(dtype, copy=False)


def exactly(x: np.ndarray, y: np.ndarray, depth: int, result: Any) -> tuple[np.ndarray, np.ndarray]:
    """Integer operands in the fastest type in which no sum of ``depth`` products is rounded."""
    largest = _largest(x) * _largest(y) * max(depth, 1)
    for dtype, exact in ((np.float32, 1 << 24), (np.float64, 1 << 53)):
        if largest <= exact:
            return x.astype(dtype), y.astype(dtype)
    return x.astype(result, copy=False), y.astype(result, copy=False)


def _largest(x: np.ndarray) -> int:
    if x.dtype.itemsize == 1:
        return 255
    return max(abs(int(x.max())), abs(int(x.min()))) if x.size else 0


def narrowed(y: np.ndarray, dtype: Any) -> np.ndarray:
    """A result in its own type; integers wrap."""
    if dtype.kind in "iu" and y.dtype.kind == "f":
        y = y.astype(np.int64)
    return y.astype(dtype, copy=False)


def contracted(x: np.ndarray, y: np.ndarray, batch: int, terms: int) -> np.ndarray:
    """Sums of products of ``(*batch, *free, *summed)`` and ``(*batch, *others, *summed)``: ``(*batch, *free, *others)``."""
    # The summed dimensions in the order in which the larger operand has them.
    larger = x if x.size >= y.size else y
    order = sorted(range(-terms, 0), key=lambda d: -abs(larger.strides[d]))
    x, y = (a.transpose(*range(a.ndim - terms), *(a.ndim + d for d in order)) for a in (x, y))
    apart = max(_apart(a, a.ndim - terms) for a in (x, y))
    places = x.shape[x.ndim - terms : x.ndim - terms + apart]
    rows, columns = prod(x.shape[: x.ndim - terms]), prod(y.shape[batch : y.ndim - terms])
    if apart and x.size and y.size and 2 * rows * columns * prod(places) < x.size + y.size:
        behind = (slice(None),) * (terms - apart)
        pieces: list[Any] = [(..., *at, *behind) for at in np.ndindex(places)]
        return reduce(np.add, (contracted(x[piece], y[piece], batch, terms - apart) for piece in pieces))
    return _product(x, y, batch, terms)


def _product(x: np.ndarray, y: np.ndarray, batch: int, terms: int) -> np.ndarray:
    x_free, y_free = x.shape[batch : x.ndim - terms], y.shape[batch : y.ndim - terms]
    x, x_split = _matrices(x, batch, terms, prod(y_free))
    y, y_split = _matrices(y, batch, terms, prod(x_free))
    x = x.reshape(*x.shape[: batch + x_split], *(1,) * y_split, *x.shape[-2:])
    y = y.reshape(*y.shape[:batch], *(1,) * x_split, *y.shape[batch:]).swapaxes(-1, -2)
    z = x * y if x.shape[-1] == 1 else matmul(x, y)
    # (*batch, *split off x, *split off y, rows, columns) to (*batch, *free of x, *free of y)
    z = z.reshape((*z.shape[:-2], *x_free[x_split:], *y_free[y_split:]))
    at_x, at_y = batch + x_split, batch + x_split + y_split
    rest_y = at_y + len(x_free) - x_split
    return z.transpose((*range(at_x), *range(at_y, rest_y), *range(at_x, at_y), *range(rest_y, z.ndim)))


def _matrices(a: np.ndarray, batch: int, terms: int, others: int) -> tuple[np.ndarray, int]:
    """``(*batch, *split, rows, depth)`` as BLAS takes it, and how many dimensions are split off the free ones."""
    first_term = a.ndim - terms
    free, depth = a.shape[batch:first_term], prod(a.shape[first_term:])
    first: Any = (..., *(0,) * terms)
    split = _apart(a[first], batch) if a.size else 0
    if split and prod(free[split:]) * depth * others < WORTH_A_CALL:
        split = 0
    head = a.shape[: batch + split]
    made = a.reshape(*head, prod(free[split:]), depth)
    if not _for_blas(made):
        made = np.ascontiguousarray(made)
    return made, split


def _apart(a: np.ndarray, first: int) -> int:
    """How many dimensions from ``first`` on cannot be merged with those behind them without a copy."""
    for d in range(a.ndim - 2, first - 1, -1):
        if a.shape[d] != 1 and a.strides[d] != a.strides[d + 1] * a.shape[d + 1]:
            return d + 1 - first
    return 0


def _for_blas(a: np.ndarray) -> bool:
    (rows, columns), (down, across) = a.shape[-2:], a.strides[-2:]
    if min(rows, columns) <= 1:
        return down == a.itemsize or across == a.itemsize
    return (across == a.itemsize and down >= columns * across) or (down == a.itemsize and across >= rows * down)
