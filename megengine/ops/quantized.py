"""Quantised dtypes, the rules of ops for them, and the ops between quantised and real numbers.

A quantised dtype is the NumPy dtype of its integers with metadata, as in MegEngine: ``{"mgb_dtype": {"name", "scale"}}`` and for
unsigned ones ``"zero_point"``. NumPy calls two dtypes that differ in metadata equal, so attributes of ops hold a key instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
BY_CNAME = {meta.cname: meta for meta in BUILTIN.values() if meta.name != "qint8_narrow"}


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
    meta = BY_CNAME[key.cname]
    held = {"name": key.cname, "scale": key.scale, **({"zero_point": key.zero_point} if meta.is_unsigned else {})}
    return np.dtype(meta.np_dtype_str, metadata={"mgb_dtype": held})


def _to(name: str, dtypes: Sequence[Any], *, to: Key, **attrs: Any) -> np.dtype:
    return dtype_of_key(to)


def _real(name: str, dtypes: Sequence[Any], *, of: Key) -> np.dtype:
    return np.dtype(np.float32)


def real_of(x, scale, zero_point=0):
    """The real numbers that integers stand for."""
    return (x.astype(jnp.float32) - np.float32(zero_point)) * np.float32(scale)


def rounded(scaled, to: Key):
    """Integers of a quantised dtype from real numbers divided by its scale: halves go away from zero."""
    meta = BY_CNAME[to.cname]
    half = jnp.where(scaled < 0, jnp.float32(-0.5), jnp.float32(0.5))
    whole = jnp.trunc(scaled + half) + to.zero_point
    return jnp.clip(whole, meta.qmin, meta.qmax).astype(meta.np_dtype_str)


@op(differentiable=False, quantized=_to)
def quantize(x, *, to, divided=False):
    real = x.astype(jnp.float32)
    return rounded(real if divided else real / np.float32(to.scale), to)


@op(differentiable=False, quantized=_real)
def dequantize(x, *, of):
    return real_of(x, of.scale, of.zero_point)


def kept(name: str, dtypes: Sequence[Any], **attrs: Any) -> np.dtype | None:
    """Elements that are only moved keep their dtype."""
    return dtypes[0] if is_quantized(dtypes[0]) else None


def same_signed(name: str, dtypes: Sequence[Any], **attrs: Any) -> np.dtype | None:
    """As :func:`same`, where the integer 0 must stand for 0."""
    found = same(name, dtypes)
    return found if found is None else signed(name, dtypes)


def signed(name: str, dtypes: Sequence[Any], **attrs: Any) -> np.dtype | None:
    """As :func:`kept`, where the integer 0 must stand for 0."""
    if is_quantized(dtypes[0]) and BY_CNAME[key_of(dtypes[0]).cname].is_unsigned:
        raise RuntimeError(f"{name} takes no quantised tensors with a zero point; convert with astype()")
    return kept(name, dtypes)


def same(name: str, dtypes: Sequence[Any], **attrs: Any) -> np.dtype | None:
    """The dtype that all operands have."""
    if not any(map(is_quantized, dtypes)):
        return None
    if not all(is_quantized(d) and key_of(d) == key_of(dtypes[0]) for d in dtypes):
        raise RuntimeError(f"{name}: the tensors have different quantised dtypes; convert them with astype()")
    return dtypes[0]


# Scales that differ by less are the same, as in the reference.
SAME_SCALE = 1e-6


def products(rule: Callable[..., Any]) -> Callable[..., Any]:
    """The rule of promotion for an op that multiplies: quantised operands stay as they are."""

    def promoted(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
        return list(kinds) if any(map(is_quantized, kinds)) else rule(name, kinds)

    return promoted


def product_of(of: Key, by: Key) -> Key:
    """What sums of products of two quantised tensors are: int32 with the product of the scales."""
    return Key("QuantizedS32", float(np.float32(of.scale) * np.float32(by.scale)), 0)


def product(name: str, dtypes: Sequence[Any], **attrs: Any) -> np.dtype | None:
    """The dtype of sums of products of two quantised operands, and of a bias that is added."""
    if not any(map(is_quantized, dtypes)):
        return None
    if not all(map(is_quantized, dtypes)):
        raise RuntimeError(f"{name}: some of the tensors are quantised and some are not; convert them with astype()")
    x, weight, *bias = map(key_of, dtypes)
    for key in (x, weight):
        if BY_CNAME[key.cname].is_unsigned or key.cname == "QuantizedS32":
            raise RuntimeError(
                f"{name} takes qint8 and other small signed dtypes, not {key.cname}; convert with astype()"
            )
    made = product_of(x, weight)
    check_bias_scale(name, bias, made)
    return dtype_of_key(made)


def check_bias_scale(name: str, bias: Sequence[Key], made: Key) -> None:
    """Refuse a bias that cannot be added to sums of products without another rounding."""
    for key in bias:
        if key.cname != made.cname or abs(key.scale - made.scale) >= SAME_SCALE:
            raise RuntimeError(
                f"{name}: the bias must be qint32({made.scale:.6g}), with the product of the scales of input and weight, not "
                f"{key.cname} of scale {key.scale:.6g}; convert it with astype()"
            )
