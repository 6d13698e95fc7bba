"""Arrays into the dtype of a tensor, with nothing lost unseen: what does not fit is an error, what overflows is a warning."""

from __future__ import annotations

import numpy as np

from .errors import ArgumentError, RangeError
from .scalars import advice
from .source import warn_once

_INT32 = np.iinfo(np.int32)


def converted(array: np.ndarray, wanted: np.dtype, fits: bool = False) -> np.ndarray:
    """A private C-contiguous copy in the dtype wanted.

    Integers of 8 and 16 bits wrap, as C's conversions do; with ``fits`` they too have to hold the numbers.

    Raises:
        RangeError: numbers that a 32-bit integer, or with ``fits`` the dtype wanted, does not hold.
        ArgumentError: complex numbers for a dtype of real ones.
    """
    have = array.dtype
    if wanted.metadata is not None or have.metadata is not None:
        # NumPy calls quantised dtypes equal that differ in metadata, and then keeps that of the array.
        plain = array if have.metadata is None else array.view(have.str)
        return converted(plain, wanted if wanted.metadata is None else np.dtype(wanted.str), fits).view(wanted)
    if have != wanted and array.size:
        if have.kind == "c" and wanted.kind != "c":
            if array.imag.any():
                raise ArgumentError(f"complex numbers do not fit {wanted.name}; take .real or .imag")
            array = array.real
        if wanted.kind in "iu":
            return np.array(_in_range(array, wanted, fits), wanted, order="C")
        if wanted.kind in "fcV" and have.itemsize > wanted.itemsize:
            return _narrower(array, wanted)
    return np.array(array, wanted, order="C")


def _in_range(array: np.ndarray, wanted: np.dtype, fits: bool) -> np.ndarray:
    """The numbers, whole and in 32 bits, for an integer dtype."""
    limits = np.iinfo(wanted) if fits else _INT32
    if not np.can_cast(array.dtype, limits.dtype):
        low, high = array.min(), array.max()
        if not (low > limits.min - 1 and high < limits.max + 1):
            inside = (array > limits.min - 1) & (array < limits.max + 1)
            hint = f"; {advice(limits.dtype)}" if array.dtype.kind in "iu" else ""
            raise RangeError(f"{array[~inside].flat[0]} does not fit {limits.dtype.name}{hint}")
    return array.astype(np.int32) if array.dtype.kind == "f" else array


def _narrower(array: np.ndarray, wanted: np.dtype) -> np.ndarray:
    """Floats of fewer bits; those out of range become infinite, which is said once a line."""
    try:
        with np.errstate(over="raise"):
            return np.array(array, wanted, order="C")
    except FloatingPointError:
        with np.errstate(over="ignore"):
            narrow = np.array(array, wanted, order="C")
    lost = array[np.isinf(narrow) & np.isfinite(array)]
    if lost.size:
        warn_once(
            "overflow", f"{lost.flat[0]} is beyond the range of {wanted.name} and becomes infinite", RuntimeWarning
        )
    return narrow
