"""Conversions between dtypes, by value and by bits."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from .alone import compiled_alone
from .narrow import bits_of, is_floating, is_integer, widened
from .rules import Equation, Run, rule


@rule("convert_element_type")
def convert_element_type(eqn: Equation) -> Run:
    source, dtype = eqn.invars[0].aval.dtype, np.dtype(eqn.params["new_dtype"])
    if source == dtype:
        return lambda x: x
    if dtype == np.bool_:
        return lambda x: x != source.type(0)
    if source.kind == "c" and dtype.kind != "c":
        return _from_real(source.char.lower() and np.empty(0, source).real.dtype, dtype, lambda x: x.real)
    return _from_real(source, dtype, None)


def _from_real(source: np.dtype, dtype: np.dtype, part: Any) -> Run:
    if is_floating(source) and is_integer(dtype):
        truncate = _saturating(dtype)
        return truncate if part is None else lambda x: truncate(part(x))
    return (lambda x: x.astype(dtype)) if part is None else lambda x: part(x).astype(dtype)


def _saturating(dtype: np.dtype) -> Run:
    """From floats to integers: towards zero, to the nearest there is, and 0 for NaN."""
    info = ml_dtypes.iinfo(dtype)
    low, high = int(info.min), int(info.max)

    def run(x: Any) -> Any:
        x = widened(x)
        if x.size and x.min() > low - 1 and x.max() < high + 1:
            return x.astype(dtype)
        above, below = x >= high, x <= low
        inside = np.where(above | below | np.isnan(x), x.dtype.type(0), x).astype(dtype)
        return np.where(above, dtype.type(high), np.where(below, dtype.type(low), inside)).astype(dtype, copy=False)

    return run


@rule("bitcast_convert_type")
def bitcast_convert_type(eqn: Equation) -> Run:
    source, dtype, shape = eqn.invars[0].aval.dtype, np.dtype(eqn.params["new_dtype"]), eqn.outvars[0].aval.shape
    if any("int2" in d.name or "int4" in d.name for d in (source, dtype)):
        return compiled_alone(eqn)  # several to a byte
    if source.itemsize == dtype.itemsize:
        return lambda x: x.view(dtype)
    return lambda x: np.ascontiguousarray(x).view(dtype).reshape(shape)


@rule("reduce_precision")
def reduce_precision(eqn: Equation) -> Run:
    """Rounding to a float of fewer exponent and mantissa bits: to nearest even, infinite above its range and 0 below it."""
    exponent_bits, mantissa_bits, dtype = (
        eqn.params["exponent_bits"],
        eqn.params["mantissa_bits"],
        eqn.outvars[0].aval.dtype,
    )
    info, bits = ml_dtypes.finfo(dtype), bits_of(dtype)
    dropped = info.nmant - mantissa_bits
    bias = 2 ** (exponent_bits - 1) - 1
    fewer_exponents = exponent_bits < info.iexp
    smallest, beyond = (dtype.type(np.ldexp(1.0, k)) if fewer_exponents else None for k in (1 - bias, bias + 1))

    def run(x: Any) -> Any:
        out = x
        if dropped > 0:
            raw = x.view(bits)
            last = (raw >> bits.type(dropped)) & bits.type(1)
            raw = raw + (last + bits.type(2 ** (dropped - 1) - 1))
            out = (raw & ~bits.type(2**dropped - 1)).view(dtype)
        if fewer_exponents:
            size = np.abs(out)
            out = np.where(size >= beyond, np.copysign(dtype.type(np.inf), x), out)
            out = np.where(size < smallest, np.copysign(dtype.type(0), x), out)
        return np.where(np.isnan(x), x, out)

    return run
