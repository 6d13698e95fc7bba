"""Arithmetic, comparisons and elementary functions, element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .narrow import is_floating, is_narrow, through_float32
from .rules import RULES, Equation, Run, rule

# What NumPy's function of all dtypes does as the primitive does.
UFUNCS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "add_any": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "neg": np.negative,
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "sqrt": np.sqrt,
    "cbrt": np.cbrt,
}
# Exact on every dtype, so that narrow floats need no conversion.
EXACT: dict[str, Callable[..., Any]] = {
    "max": np.maximum,
    "min": np.minimum,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "is_finite": np.isfinite,
    "nextafter": np.nextafter,
    "real": np.real,
    "imag": np.imag,
    "conj": np.conjugate,
}


def _ufunc(fn: Callable[..., Any]) -> Callable[[Equation], Run]:
    return lambda eqn: through_float32(fn, eqn)


def _exact(fn: Callable[..., Any]) -> Callable[[Equation], Run]:
    return lambda eqn: fn


for _name, _fn in UFUNCS.items():
    RULES[_name] = _ufunc(_fn)
for _name, _fn in EXACT.items():
    RULES[_name] = _exact(_fn)


@rule("square")
def square(eqn: Equation) -> Run:
    return through_float32(np.square, eqn)


@rule("one_minus_square")
def one_minus_square(eqn: Equation) -> Run:
    one = eqn.invars[0].aval.dtype.type(1)
    return lambda x: (one + x) * (one - x)


@rule("polynomial")
def polynomial(eqn: Equation) -> Run:
    """By Horner's rule, each step rounded."""

    def run(x: Any, *coefficients: Any) -> Any:
        out = coefficients[-1]
        for c in coefficients[-2::-1]:
            out = out * x + c
        return out

    return run


@rule("log2")
def log2(eqn: Equation) -> Run:
    log = through_float32(np.log, eqn)
    factor = eqn.invars[0].aval.dtype.type(1 / np.log(2))
    return lambda x: log(x) * factor


@rule("sign")
def sign(eqn: Equation) -> Run:
    """NumPy's loses the sign of a zero."""
    if not is_floating(eqn.outvars[0].aval.dtype):
        return np.sign
    return through_float32(lambda x: np.copysign(np.sign(x), x), eqn)


@rule("rsqrt")
def rsqrt(eqn: Equation) -> Run:
    return through_float32(lambda x: np.reciprocal(np.sqrt(x)), eqn)


@rule("exp2")
def exp2(eqn: Equation) -> Run:
    """By the product that XLA lowers it to, rounded to the operand's dtype."""
    exp = through_float32(np.exp, eqn)
    log_2 = eqn.invars[0].aval.dtype.type(np.log(2))
    return lambda x: exp(x * log_2)


@rule("logistic")
def logistic(eqn: Equation) -> Run:
    dtype = eqn.invars[0].aval.dtype
    one = dtype.type(1)
    if is_narrow(dtype):  # rounded after each of XLA's steps
        exp = through_float32(np.exp, eqn)
        return lambda x: one / (one + exp(-x))

    def run(x: Any) -> Any:
        if x.ndim == 0:
            return np.reciprocal(np.exp(-x) + one)
        out = np.negative(x)
        np.exp(out, out=out)
        np.add(out, one, out=out)
        return np.reciprocal(out, out=out)

    return run


@rule("round")
def round_(eqn: Equation) -> Run:
    if int(eqn.params["rounding_method"]) != 0:
        return through_float32(np.rint, eqn)

    def away_from_zero(x: Any) -> Any:
        whole = np.trunc(x)
        return np.where(np.abs(x - whole) >= 0.5, whole + np.copysign(x.dtype.type(1), x), whole)

    return through_float32(away_from_zero, eqn)


@rule("integer_pow")
def integer_pow(eqn: Equation) -> Run:
    y = eqn.params["y"]

    def run(x: Any) -> Any:
        """By the products that JAX lowers it to, each rounded."""
        acc, power, left = None, x, abs(y)
        while left:
            if left & 1:
                acc = power if acc is None else acc * power
            left >>= 1
            if left:
                power = power * power
        if acc is None:
            return np.ones_like(x)
        return np.reciprocal(acc) if y < 0 else acc

    return run


@rule("pow")
def pow_(eqn: Equation) -> Run:
    dtype = eqn.outvars[0].aval.dtype
    wide = np.dtype(np.float32) if is_narrow(dtype) else dtype
    return lambda x, y: np.power(x.astype(wide, copy=False), y.astype(wide, copy=False)).astype(dtype, copy=False)


@rule("atan2")
def atan2(eqn: Equation) -> Run:
    if eqn.outvars[0].aval.dtype.kind != "c":
        return through_float32(np.arctan2, eqn)
    return lambda y, x: -1j * np.log((x + 1j * y) / np.sqrt(x * x + y * y))


@rule("complex")
def complex_(eqn: Equation) -> Run:
    shape, dtype = eqn.outvars[0].aval.shape, eqn.outvars[0].aval.dtype

    def run(real: Any, imag: Any) -> Any:
        out = np.empty(shape, dtype)
        out.real, out.imag = real, imag
        return out

    return run


@rule("clamp")
def clamp(eqn: Equation) -> Run:
    return lambda low, x, high: np.minimum(np.maximum(x, low), high)
