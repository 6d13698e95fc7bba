"""Quantised dtypes, the rules of ops for them, and the ops between quantised and real numbers.

A quantised dtype is the NumPy dtype of its integers with metadata, as in MegEngine: ``{"mgb_dtype": {"name", "scale"}}`` and for
unsigned ones ``"zero_point"``. NumPy calls two dtypes that differ in metadata equal, so attributes of ops hold a key instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from .op import op


class _Meta(NamedTuple):
    name: str
    cname: str | None
    np_dtype_str: str
    qmin: int
    qmax: int
    is_unsigned: bool


class QuantDtypeMeta(_Meta):
    """What a quantised dtype is, but for its scale and zero point.

    Attributes:
        name: unique, such as ``"qint8"``.
        cname: the name in metadata; None for one that tensors cannot have.
        np_dtype_str: the NumPy dtype of the integers.
        qmin: least integer.
        qmax: greatest integer.
        is_unsigned: whether it has a zero point; default by the NumPy dtype.
    """

    __slots__ = ()

    def __new__(
        cls, name: str, cname: str | None, np_dtype_str: str, qmin: int, qmax: int, is_unsigned: bool | None = None
    ) -> QuantDtypeMeta:
        unsigned = np_dtype_str[0] == "u" if is_unsigned is None else is_unsigned
        return super().__new__(cls, name, cname, np_dtype_str, qmin, qmax, unsigned)

    def __copy__(self) -> QuantDtypeMeta:
        return self

    def __deepcopy__(self, _: Any) -> QuantDtypeMeta:
        return self


BUILTIN = {
    meta.name: meta
    for meta in (
        QuantDtypeMeta("quint8", "Quantized8Asymm", "uint8", 0, 255),
        QuantDtypeMeta("qint8", "QuantizedS8", "int8", -128, 127),
        QuantDtypeMeta("qint8_narrow", "QuantizedS8", "int8", -127, 127),
        QuantDtypeMeta("quint4", "Quantized4Asymm", "uint8", 0, 15),
        QuantDtypeMeta("qint4", "QuantizedS4", "int8", -8, 7),
        QuantDtypeMeta("qint1", "QuantizedS1", "int8", 0, 1),
        QuantDtypeMeta("qint32", "QuantizedS32", "int32", -(2**31), 2**31 - 1),
        QuantDtypeMeta("quint2", None, "uint8", 0, 3),
        QuantDtypeMeta("qint2", None, "int8", -2, 1),
    )
}
_BY_CNAME = {meta.cname: meta for meta in BUILTIN.values() if meta.name != "qint8_narrow"}


class Key(NamedTuple):
    """A quantised dtype as a value that can be compared: the scale as float32, 0 for a zero point that it does not have."""

    cname: str
    scale: float
    zero_point: int


def is_quantized(dtype: Any) -> bool:
    """Whether a dtype is a quantised NumPy dtype."""
    return isinstance(dtype, np.dtype) and dtype.metadata is not None and "mgb_dtype" in dtype.metadata


def key_of(dtype: np.dtype) -> Key:
    """The key of a quantised dtype."""
    metadata: Any = dtype.metadata
    held = metadata["mgb_dtype"]
    return Key(held["name"], float(np.float32(held["scale"])), held.get("zero_point", 0))


@cache
def dtype_of_key(key: Key) -> np.dtype:
    """The dtype of a key."""
    meta = _BY_CNAME[key.cname]
    held = {"name": key.cname, "scale": key.scale, **({"zero_point": key.zero_point} if meta.is_unsigned else {})}
    return np.dtype(meta.np_dtype_str, metadata={"mgb_dtype": held})


def _to(name: str, dtypes: Sequence[Any], *, to: Key) -> np.dtype:
    return dtype_of_key(to)


def _real(name: str, dtypes: Sequence[Any], *, of: Key) -> np.dtype:
    return np.dtype(np.float32)


@op(differentiable=False, quantized=_to)
def quantize(x, *, to):
    meta = _BY_CNAME[to.cname]
    scaled = x.astype(jnp.float32) / np.float32(to.scale)
    # Halves go away from zero.
    rounded = jnp.trunc(scaled + jnp.copysign(jnp.float32(0.5), scaled)) + to.zero_point
    return jnp.clip(rounded, meta.qmin, meta.qmax).astype(meta.np_dtype_str)


@op(differentiable=False, quantized=_real)
def dequantize(x, *, of):
    return (x.astype(jnp.float32) - np.float32(of.zero_point)) * np.float32(of.scale)


def kept(name: str, dtypes: Sequence[Any], **attrs: Any) -> np.dtype | None:
    """Elements that are only moved keep their dtype."""
    return dtypes[0] if is_quantized(dtypes[0]) else None


def same(name: str, dtypes: Sequence[Any], **attrs: Any) -> np.dtype | None:
    """The dtype that all operands have."""
    if not any(map(is_quantized, dtypes)):
        return None
    if not all(is_quantized(d) and key_of(d) == key_of(dtypes[0]) for d in dtypes):
        raise RuntimeError(f"{name}: the tensors have different quantised dtypes; convert them with astype()")
    return dtypes[0]
