"""Floating dtypes of less than 32 bits, which are computed in float32 and rounded once, as XLA does on CPUs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from .rules import Equation, Run

FLOAT32 = np.dtype(np.float32)


def is_floating(dtype: np.dtype) -> bool:
    """Whether these are real floating-point numbers, those of ``ml_dtypes`` included."""
    return bool(jax.dtypes.issubdtype(dtype, np.floating))


def is_narrow(dtype: np.dtype) -> bool:
    return dtype.itemsize < 4 and is_floating(dtype)


def is_integer(dtype: np.dtype) -> bool:
    return bool(jax.dtypes.issubdtype(dtype, np.integer))


def bits_of(dtype: np.dtype) -> np.dtype:
    """The unsigned integers of the same width."""
    return np.dtype(f"u{dtype.itemsize}")


def widened(array: Any) -> Any:
    """The operand that NumPy computes with: float32 for a narrow one."""
    return array.astype(np.float32) if is_narrow(array.dtype) else array


def through_float32(fn: Callable[..., Any], eqn: Equation) -> Run:
    """``fn`` itself, or where operands or results are narrow, ``fn`` between conversions."""
    out = eqn.outvars[0].aval.dtype
    widths = [is_narrow(v.aval.dtype) for v in eqn.invars]
    if not any(widths) and not is_narrow(out):
        return fn
    if widths == [True]:
        return lambda x: fn(x.astype(np.float32)).astype(out, copy=False)
    if widths == [True, True]:
        return lambda x, y: fn(x.astype(np.float32), y.astype(np.float32)).astype(out, copy=False)

    def run(*arrays: Any) -> Any:
        wide = [a.astype(np.float32) if w else a for a, w in zip(arrays, widths, strict=True)]
        return fn(*wide).astype(out, copy=False)

    return run
