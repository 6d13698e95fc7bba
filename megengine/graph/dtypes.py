"""Which dtypes tensors have, and their names."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from .errors import ArgumentError

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
_NAMES = ("float32", "float16", "int32", "int16", "int8", "uint8", "uint16", "bool", "complex64")
SUPPORTED = {np.dtype(n) for n in _NAMES} | {BFLOAT16}


def dtype_of(dtype: Any) -> np.dtype:
    """The NumPy dtype of a dtype argument.

    Raises:
        RuntimeError: a dtype that tensors do not have, such as float64.
    """
    if isinstance(dtype, np.dtype) and dtype in SUPPORTED:
        return dtype
    try:
        found = BFLOAT16 if isinstance(dtype, str) and dtype == "bfloat16" else np.dtype(dtype)
    except TypeError:
        raise ArgumentError(f"{dtype!r} is not a dtype") from None
    if found not in SUPPORTED:
        raise RuntimeError(f"tensors have no dtype {found.name}; choose one of {', '.join(_NAMES)}, bfloat16")
    return found
