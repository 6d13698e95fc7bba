"""ONNX's element types as NumPy's."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from ..package import OnnxError, onnx


def dtype_of(number: int) -> np.dtype:
    """The dtype of ONNX's number of a type.

    Raises:
        OnnxError: it is one that arrays here do not have.
    """
    names = onnx().TensorProto.DataType
    name = names.Name(number)
    if name == "BFLOAT16":
        return np.dtype(ml_dtypes.bfloat16)
    known = {
        "FLOAT": "float32", "DOUBLE": "float64", "FLOAT16": "float16", "INT8": "int8", "INT16": "int16", "INT32": "int32",
        "INT64": "int64", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "BOOL": "bool",
    }  # fmt: skip
    if name not in known:
        raise OnnxError(f"elements of type {name} are not supported")
    return np.dtype(known[name])


def saturated(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """An array in another dtype."""
    with np.errstate(invalid="ignore", over="ignore"):
        return array.astype(dtype)
