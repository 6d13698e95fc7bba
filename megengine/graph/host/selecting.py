"""Selection between arrays, element by element.

NumPy's where has a branch an element, which is mispredicted as often as not; for many elements masks are several times quicker.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .narrow import bits_of
from .rules import Equation, Run, rule

BRANCHLESS = 2048  # elements; below it the calls cost more than the branches


def by_masks(p: Any, if_false: Any, if_true: Any) -> Any:
    """``where`` for a predicate with the shape of the result, of elements up to 8 bytes."""
    dtype = if_false.dtype
    bits = bits_of(dtype)
    mask = np.negative(p.view(np.int8)).astype(f"i{dtype.itemsize}", copy=False).view(bits)
    if_false, if_true = if_false.view(bits), if_true.view(bits)
    chosen = np.bitwise_xor(if_false, if_true)
    np.bitwise_and(chosen, mask, out=chosen)
    return np.bitwise_xor(chosen, if_false, out=chosen).view(dtype)


@rule("select_n")
def select_n(eqn: Equation) -> Run:
    predicate, out = eqn.invars[0].aval, eqn.outvars[0].aval
    cases = len(eqn.invars) - 1
    if cases == 1:
        return lambda p, x: x
    if predicate.dtype != np.bool_:
        return _choice(cases)
    if not out.shape:
        return lambda p, if_false, if_true: if_true if p else if_false
    if predicate.shape != out.shape or out.size < BRANCHLESS or out.dtype.itemsize > 8:
        return lambda p, if_false, if_true: np.where(p, if_true, if_false)
    return by_masks


@rule("select_or_zero", "zero_or_select")
def against_zero(eqn: Equation) -> Run:
    """An operand where a predicate of its shape holds, else 0; or the other way round."""
    out, first = eqn.outvars[0].aval, eqn.primitive.name == "select_or_zero"
    if out.size < BRANCHLESS or out.dtype.itemsize > 8:
        zero = out.dtype.type(0)
        return (lambda p, x: np.where(p, x, zero)) if first else lambda p, x: np.where(p, zero, x)
    if first:
        return lambda p, x: _kept(np.negative(p.view(np.int8)), x)
    return lambda p, x: _kept(np.subtract(p.view(np.int8), np.int8(1)), x)


def _kept(mask: Any, x: Any) -> Any:
    """The elements where a mask of 8 bits is set."""
    bits = bits_of(x.dtype)
    wide = mask.astype(f"i{x.dtype.itemsize}", copy=False).view(bits)
    return np.bitwise_and(x.view(bits), wide).view(x.dtype)


@rule("wrap_index")
def wrap_index(eqn: Equation) -> Run:
    """Indices, counted from the end of a dimension where they are below 0."""
    if not eqn.outvars[0].aval.ndim:
        return lambda index, size: index + size if index < 0 else index

    def run(index: Any, size: Any) -> Any:
        below = index < 0
        return np.where(below, index + size, index) if below.any() else index

    return run


def _choice(cases: int) -> Run:
    def run(which: Any, *options: Any) -> Any:
        out = np.array(options[0])
        for k in range(1, cases):
            np.copyto(out, options[k], where=which == k if k < cases - 1 else which >= k)
        return out

    return run
