"""The error function in float32, by the rational approximations that XLA uses; SciPy's, which computes in double, is slower."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .narrow import FLOAT32, is_narrow, through_float32
from .rules import Equation, Run, rule
from .selecting import by_masks
from .special import of_scipy

BLOCK = 16384  # elements whose intermediate values stay in the cache


def _float32(*values: float) -> list[np.ndarray]:
    return [np.array(v, np.float32) for v in values]  # NumPy takes arrays faster than its scalars


ALPHA = _float32(
    2.2905065861350646e-4, 3.4082910107109506e-3, 5.0955695062380861e-2, 0.18520832239976145, 1.128379143519084
)
BETA = _float32(
    -1.1791602954361697e-7, 2.3547966471313185e-5, 1.0179625278914885e-3, 1.4070470171167667e-2, 0.11098505178285362,
    0.49746925110067538, 1.0,
)  # fmt: skip
ONE_ROUNDED = np.float32(3.832506856900711)  # from here on erf is 1
NEAR = _float32(
    2.326819970068386e-2, -1.387039388740657e-1, 3.687424674597105e-1, -5.824733027278666e-1, 6.210004621745983e-1,
    -4.944515323274145e-1, 3.404879937665872e-1, -2.741127028184656e-1, 5.638259427386472e-1,
)  # fmt: skip
FAR = _float32(
    -1.047766399936249e1, 1.297719955372516e1, -7.495518717768503, 2.921019019210786, -1.015265279202700,
    4.218463358204948e-1, -2.820767439740514e-1, 5.641895067754075e-1,
)  # fmt: skip


def _polynomial(x: Any, coefficients: list[np.ndarray]) -> Any:
    out = np.multiply(x, coefficients[0])
    for c in coefficients[1:-1]:
        np.add(out, c, out)
        np.multiply(out, x, out)
    return np.add(out, coefficients[-1], out)


def _erf(x: Any) -> Any:
    x = np.minimum(np.maximum(x, -ONE_ROUNDED), ONE_ROUNDED)
    square = x * x
    out = _polynomial(square, ALPHA)
    np.multiply(out, x, out=out)
    np.divide(out, _polynomial(square, BETA), out=out)
    np.minimum(out, 1, out=out)
    return np.maximum(out, -1, out=out)


def _erfc(x: Any) -> Any:
    out = np.subtract(1, _erf(x))
    far = np.flatnonzero(np.abs(x) > 1)
    if far.size:
        out[far] = _tail(x[far])
    return out


def _tail(x: Any) -> Any:
    """The complement of the error function beyond 1 and -1."""
    size = np.abs(x)
    inverse = np.reciprocal(size)
    y = inverse * inverse
    tail = by_masks(size < 2, _polynomial(y, FAR), _polynomial(y, NEAR))
    np.multiply(tail, inverse, out=tail)
    np.multiply(tail, np.exp(-x * x), out=tail)
    np.copysign(tail, x, out=tail)
    return np.add(tail, np.float32(2) * (x < 0), out=tail)


def _blockwise(fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def run(x: Any) -> Any:
        flat = np.ascontiguousarray(x).reshape(-1)
        out = np.empty_like(flat)
        for start in range(0, flat.size, BLOCK):
            out[start : start + BLOCK] = fn(flat[start : start + BLOCK])
        return out.reshape(x.shape)

    return run


def _in_float32(fn: Callable[[Any], Any], exact: Callable[[Any], Any]) -> Callable[[Equation], Run]:
    def make(eqn: Equation) -> Run:
        dtype = eqn.outvars[0].aval.dtype
        return through_float32(fn if dtype == FLOAT32 or is_narrow(dtype) else exact, eqn)

    return make


erfc = _blockwise(_erfc)  # of float32
rule("erf")(_in_float32(_blockwise(_erf), of_scipy("erf")))
rule("erfc")(_in_float32(erfc, of_scipy("erfc")))
