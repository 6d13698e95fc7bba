"""Quantised dtypes, under the path where programs that quantise networks import them from.

A quantised dtype holds integers that stand for real numbers, ``scale * (integer - zero_point)``. It is a NumPy dtype with
metadata; tensors convert to it and from it with ``astype``.
"""

from __future__ import annotations

import re
from typing import Any

import ml_dtypes
import numpy as np

from ..._help.ranges import number
from ...ops.quantized import BUILTIN as _builtin_quant_dtypes
from ...ops.quantized import QuantDtypeMeta, is_quantized, key_of

__all__ = [
    "QuantDtypeMeta", "bfloat16", "create_quantized_dtype", "get_dtype_bit", "get_scale", "get_zero_point", "is_bfloat16",
    "is_differentible_dtype", "is_dtype_equal", "is_lowbit", "is_quantize", "quint8", "qint8", "qint32", "quint4", "qint4",
    "qint1", "convert_to_quint8", "convert_from_quint8", "convert_to_qint8", "convert_from_qint8", "convert_to_qint32",
    "convert_from_qint32", "convert_to_quint4", "convert_from_quint4", "convert_to_qint4", "convert_from_qint4",
    "convert_to_qint1", "convert_from_qint1",
]  # fmt: skip

bfloat16 = ml_dtypes.bfloat16


def get_dtype_bit(dtype_name: str) -> int:
    """Bits of a dtype, from its name: the number in it.

    Raises:
        AssertionError: no number in the name, or several.

    Example:
        >>> get_dtype_bit("float16"), get_dtype_bit("bool")
        (16, 1)
    """
    if dtype_name == "bool":
        return 1
    numbers = re.findall(r"\d+", dtype_name)
    if len(numbers) != 1:
        raise AssertionError(f"get_dtype_bit({dtype_name!r}): the name of a dtype has one number in it")
    return int(numbers[0])


def is_lowbit(dtype: Any) -> bool:
    """Whether elements take less than a byte: never, since MegEngine's intb1, intb2 and intb4 are not here."""
    return False


def is_bfloat16(dtype: Any) -> bool:
    """Whether this is bfloat16."""
    return dtype is bfloat16 or dtype == np.dtype(bfloat16)


def is_differentible_dtype(dtype: Any) -> bool:
    """Whether tensors of this dtype have gradients."""
    return dtype == np.float32 or dtype == np.float16 or is_bfloat16(dtype)


def is_quantize(dtype: Any) -> bool:
    """Whether a dtype is a quantised one.

    Example:
        >>> is_quantize(qint8(0.1)), is_quantize(np.dtype("int8"))
        (True, False)
    """
    return is_quantized(dtype)


def is_dtype_equal(a: Any, b: Any) -> bool:
    """Whether two dtypes are the same, scale and zero point too, which ``==`` overlooks.

    Example:
        >>> qint8(0.1) == qint8(0.2), is_dtype_equal(qint8(0.1), qint8(0.2))
        (True, False)
    """
    if is_quantize(a) and is_quantize(b):
        return key_of(a) == key_of(b)
    return not is_quantize(a) and not is_quantize(b) and np.dtype(a) == np.dtype(b)


def get_scale(dtype: np.dtype) -> float:
    """The scale of a quantised dtype.

    Raises:
        RuntimeError: the dtype is not quantised.
    """
    return float(_held(dtype)["scale"])


def get_zero_point(dtype: np.dtype) -> int:
    """The zero point of an unsigned quantised dtype.

    Raises:
        RuntimeError: the dtype is not quantised, or signed.
    """
    held = _held(dtype)
    if "zero_point" not in held:
        raise RuntimeError(f"a dtype of {held['name']} has no zero point; quint8 and quint4 have one")
    return int(held["zero_point"])


def _held(dtype: Any) -> dict[str, Any]:
    if not is_quantized(dtype):
        raise RuntimeError(f"{dtype!r} is not a quantised dtype")
    held: dict[str, Any] = dtype.metadata["mgb_dtype"]
    return held


def create_quantized_dtype(dtype_meta: QuantDtypeMeta, scale: float, zp: int | None) -> np.dtype:
    """A quantised dtype.

    Args:
        dtype_meta: kind of the dtype.
        scale: what one step of the integers stands for.
        zp: the integer that stands for 0, for unsigned kinds; None for signed ones.

    Raises:
        ValueError: no zero point, or one that is no integer or out of range, for an unsigned kind; one for a signed kind; a kind
            that tensors cannot have.

    Example:
        >>> create_quantized_dtype(QuantDtypeMeta("qint8", "QuantizedS8", "int8", -128, 127, False), 0.5, None).metadata
        mappingproxy({'mgb_dtype': {'name': 'QuantizedS8', 'scale': 0.5}})
    """
    if dtype_meta.cname is None:
        raise ValueError(f"tensors cannot have the dtype {dtype_meta.name}")
    held: dict[str, Any] = {"name": dtype_meta.cname, "scale": number("scale", scale)}
    if dtype_meta.is_unsigned:
        zp = zp.item() if isinstance(zp, np.ndarray) and zp.size == 1 else zp
        if zp is None or int(zp) != zp or not dtype_meta.qmin <= zp <= dtype_meta.qmax:
            raise ValueError(
                f"{dtype_meta.name}: zero_point must be an integer from {dtype_meta.qmin} to {dtype_meta.qmax}, not {zp}"
            )
        held["zero_point"] = int(zp)
    elif zp is not None:
        raise ValueError(f"{dtype_meta.name} is symmetric: its zero_point must be None, not {zp}")
    return np.dtype(dtype_meta.np_dtype_str, metadata={"mgb_dtype": held})


def quint8(scale: float, zero_point: int) -> np.dtype:
    """Unsigned 8-bit integers that stand for ``scale * (integer - zero_point)``."""
    return create_quantized_dtype(_builtin_quant_dtypes["quint8"], scale, zero_point)


def qint8(scale: float) -> np.dtype:
    """8-bit integers that stand for ``scale * integer``.

    Example:
        >>> x = Tensor([-1.0, 0.26, 0.25]).astype(qint8(0.1))
        >>> x.numpy().tolist(), x.astype("float32")
        ([-10, 3, 3], Tensor([-1.   0.3  0.3], device=xpux:0))
    """
    return create_quantized_dtype(_builtin_quant_dtypes["qint8"], scale, None)


def qint32(scale: float) -> np.dtype:
    """32-bit integers that stand for ``scale * integer``."""
    return create_quantized_dtype(_builtin_quant_dtypes["qint32"], scale, None)


def quint4(scale: float, zero_point: int) -> np.dtype:
    """Integers from 0 to 15, held as uint8, that stand for ``scale * (integer - zero_point)``."""
    return create_quantized_dtype(_builtin_quant_dtypes["quint4"], scale, zero_point)


def qint4(scale: float) -> np.dtype:
    """Integers from -8 to 7, held as int8, that stand for ``scale * integer``."""
    return create_quantized_dtype(_builtin_quant_dtypes["qint4"], scale, None)


def qint1(scale: float) -> np.dtype:
    """The integers 0 and 1, held as int8, that stand for ``scale * integer``."""
    return create_quantized_dtype(_builtin_quant_dtypes["qint1"], scale, None)


def _check(what: str, dtype: Any, name: str) -> QuantDtypeMeta:
    meta = _builtin_quant_dtypes[name]
    if not is_quantized(dtype) or _held(dtype)["name"] != meta.cname:
        raise ValueError(f"{what} must be a {name} dtype, not {dtype!r}")
    return meta


def _to(arr: np.ndarray, q: np.dtype, name: str) -> np.ndarray:
    if not isinstance(arr, np.ndarray):
        raise ValueError(f"convert_to_{name} takes a NumPy array, not {type(arr).__name__}")
    meta = _check("q", q, name)
    held = _held(q)
    return (np.round(arr / held["scale"]) + held.get("zero_point", 0)).clip(meta.qmin, meta.qmax).astype(q)


def _from(arr: np.ndarray, name: str) -> np.ndarray:
    if not isinstance(arr, np.ndarray):
        raise ValueError(f"convert_from_{name} takes a NumPy array, not {type(arr).__name__}")
    _check("the array's dtype", arr.dtype, name)
    held = _held(arr.dtype)
    return (arr.astype(np.float32) - np.float32(held.get("zero_point", 0))) * np.float32(held["scale"])


def convert_to_quint8(arr: np.ndarray, q: np.dtype) -> np.ndarray:
    """A NumPy array of real numbers as quint8; halves go to even integers, as ``np.round`` has it, unlike ``Tensor.astype``."""
    return _to(arr, q, "quint8")


def convert_from_quint8(arr: np.ndarray) -> np.ndarray:
    """A quint8 NumPy array as the real numbers that it stands for, float32."""
    return _from(arr, "quint8")


def convert_to_qint8(arr: np.ndarray, q: np.dtype) -> np.ndarray:
    """As :func:`convert_to_quint8`, for qint8.

    Example:
        >>> convert_to_qint8(np.array([0.1, 0.26]), qint8(0.1)).tolist()
        [1, 3]
    """
    return _to(arr, q, "qint8")


def convert_from_qint8(arr: np.ndarray) -> np.ndarray:
    """As :func:`convert_from_quint8`, for qint8."""
    return _from(arr, "qint8")


def convert_to_qint32(arr: np.ndarray, q: np.dtype) -> np.ndarray:
    """As :func:`convert_to_quint8`, for qint32."""
    return _to(arr, q, "qint32")


def convert_from_qint32(arr: np.ndarray) -> np.ndarray:
    """As :func:`convert_from_quint8`, for qint32."""
    return _from(arr, "qint32")


def convert_to_quint4(arr: np.ndarray, q: np.dtype) -> np.ndarray:
    """As :func:`convert_to_quint8`, for quint4."""
    return _to(arr, q, "quint4")


def convert_from_quint4(arr: np.ndarray) -> np.ndarray:
    """As :func:`convert_from_quint8`, for quint4."""
    return _from(arr, "quint4")


def convert_to_qint4(arr: np.ndarray, q: np.dtype) -> np.ndarray:
    """As :func:`convert_to_quint8`, for qint4."""
    return _to(arr, q, "qint4")


def convert_from_qint4(arr: np.ndarray) -> np.ndarray:
    """As :func:`convert_from_quint8`, for qint4."""
    return _from(arr, "qint4")


def convert_to_qint1(arr: np.ndarray, q: np.dtype) -> np.ndarray:
    """As :func:`convert_to_quint8`, for qint1."""
    return _to(arr, q, "qint1")


def convert_from_qint1(arr: np.ndarray) -> np.ndarray:
    """As :func:`convert_from_quint8`, for qint1."""
    return _from(arr, "qint1")
