"""Division, shifts and bit counts of integers as XLA defines them, and division of the other dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .narrow import bits_of, is_integer, through_float32
from .rules import Equation, Run, rule


@rule("div")
def div(eqn: Equation) -> Run:
    """Integers: towards zero; all bits set where the divisor is 0."""
    dtype = eqn.outvars[0].aval.dtype
    if not is_integer(dtype):
        return through_float32(np.true_divide, eqn)

    def run(x: Any, y: Any) -> Any:
        zero = y == 0
        quotient = np.floor_divide(x, y)
        if dtype.kind == "i":
            inexact = (quotient * y != x) & ((x < 0) != (y < 0)) & ~zero
            quotient = quotient + inexact.astype(dtype)
        return np.where(zero, np.invert(np.zeros((), dtype)), quotient) if zero.any() else quotient

    return run


@rule("rem")
def rem(eqn: Equation) -> Run:
    """With the sign of the dividend, which is itself the remainder where the divisor is 0."""
    if not is_integer(eqn.outvars[0].aval.dtype):
        return through_float32(np.fmod, eqn)

    def run(x: Any, y: Any) -> Any:
        zero = y == 0
        remainder = np.fmod(x, y)
        return np.where(zero, x, remainder) if zero.any() else remainder

    return run


@rule("shift_left", "shift_right_logical")
def shift(eqn: Equation) -> Run:
    dtype = eqn.outvars[0].aval.dtype
    bits, width = bits_of(dtype), 8 * dtype.itemsize
    ufunc = np.left_shift if eqn.primitive.name == "shift_left" else np.right_shift

    def run(x: Any, y: Any) -> Any:
        x, y = x.view(bits), y.view(bits)
        shifted = ufunc(x, y)
        within = y < width
        return (shifted if within.all() else np.where(within, shifted, bits.type(0))).view(dtype)

    return run


@rule("shift_right_arithmetic")
def shift_right_arithmetic(eqn: Equation) -> Run:
    dtype = eqn.outvars[0].aval.dtype
    bits, signed, width = bits_of(dtype), np.dtype(f"i{dtype.itemsize}"), 8 * dtype.itemsize

    def run(x: Any, y: Any) -> Any:
        by = np.minimum(y.view(bits), bits.type(width - 1))
        return np.right_shift(x.view(signed), by.view(signed)).view(dtype)

    return run


@rule("population_count")
def population_count(eqn: Equation) -> Run:
    dtype = eqn.outvars[0].aval.dtype
    bits = bits_of(dtype)
    return lambda x: np.bitwise_count(x.view(bits)).astype(dtype)


@rule("clz")
def clz(eqn: Equation) -> Run:
    """By smearing the highest bit downwards and counting what is left."""
    dtype = eqn.outvars[0].aval.dtype
    bits, width = bits_of(dtype), 8 * dtype.itemsize

    def run(x: Any) -> Any:
        x = x.view(bits)
        step = 1
        while step < width:
            x = x | (x >> bits.type(step))
            step *= 2
        return np.bitwise_count(~x).astype(dtype)

    return run


@rule("mulhi")
def mulhi(eqn: Equation) -> Run:
    """The upper half of the whole product."""
    dtype = eqn.outvars[0].aval.dtype
    width = 8 * dtype.itemsize
    if width < 64:
        wide = np.dtype(f"{dtype.kind}8")
        return lambda x, y: ((x.astype(wide) * y.astype(wide)) >> wide.type(width)).astype(dtype)

    def run(x: Any, y: Any) -> Any:
        low, by = np.uint64(0xFFFFFFFF), np.uint64(32)
        a, b = x.view(np.uint64), y.view(np.uint64)
        a0, a1, b0, b1 = a & low, a >> by, b & low, b >> by
        middle = a1 * b0 + ((a0 * b0) >> by)
        high = a1 * b1 + (middle >> by) + ((a0 * b1 + (middle & low)) >> by)
        if dtype.kind == "i":
            high = high - np.where(x < 0, b, np.uint64(0)) - np.where(y < 0, a, np.uint64(0))
        return high.view(dtype)

    return run
