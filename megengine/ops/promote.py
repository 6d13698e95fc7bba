"""MegEngine's dtype promotion, as rules that an op names.

A rule takes the op's name and the operands' kinds (an ``np.dtype`` for a tensor, ``"b"``, ``"i"`` or ``"f"`` for a Python
scalar) and returns the dtype each operand is cast to (None: as it is).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

FLOAT32 = np.dtype(np.float32)
FLOAT16 = np.dtype(np.float16)
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
INT32 = np.dtype(np.int32)
BOOL = np.dtype(np.bool_)
COMPLEX64 = np.dtype(np.complex64)
FLOATS = (FLOAT32, FLOAT16, BFLOAT16)
_SIGNED = ("int8", "int16", "int32")
_UNSIGNED = ("uint8", "uint16")
SCALAR_DTYPE = {"b": BOOL, "i": INT32, "f": FLOAT32}


def describe(kind: Any) -> str:
    """How messages name an operand's kind."""
    return {"b": "a Python bool", "i": "a Python int", "f": "a Python float"}.get(kind) or f"a {kind} tensor"


def refuse(name: str, kinds: Sequence[Any], why: str) -> None:
    raise RuntimeError(f"{name}: cannot combine {' and '.join(map(describe, kinds))}: {why}; convert one with astype()")


def _of_tensors(name: str, kinds: Sequence[Any], tensors: Sequence[np.dtype]) -> np.dtype:
    """The dtype that several tensor dtypes meet in."""
    if COMPLEX64 in tensors:
        return COMPLEX64
    floats = [t for t in tensors if t in FLOATS]
    if floats:
        same = all(t == floats[0] for t in tensors)
        return floats[0] if same else FLOAT32
    if len(set(tensors)) == 1:
        return tensors[0]
    names = {t.name for t in tensors}
    if names <= set(_SIGNED):
        return np.dtype(max(names, key=_SIGNED.index))
    if names <= set(_UNSIGNED):
        return np.dtype(max(names, key=_UNSIGNED.index))
    if BOOL in tensors:
        rest = [t for t in tensors if t != BOOL]
        _of_tensors(name, kinds, rest)
        return FLOAT32
    refuse(name, kinds, "unsigned and signed integers do not mix")
    raise AssertionError


def common(name: str, kinds: Sequence[Any]) -> np.dtype:
    """The dtype that tensors and Python scalars meet in."""
    tensors = [k for k in kinds if isinstance(k, np.dtype)]
    if not tensors:
        return SCALAR_DTYPE[max(kinds, key="bif".index)]
    meet = _of_tensors(name, kinds, tensors)
    scalars = {k for k in kinds if not isinstance(k, np.dtype)}
    if meet == BOOL and scalars & {"i", "f"}:
        return FLOAT32
    if "f" in scalars and meet not in FLOATS and meet != COMPLEX64:
        return FLOAT32
    return meet


def arithmetic(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
    """``+ - * // %``, max, min: operands meet; two bools do not add."""
    meet = common(name, kinds)
    if meet == BOOL:
        refuse(name, kinds, "bools have no arithmetic")
    return [meet] * len(kinds)


def floating(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
    """``/``, ``**``, exp, ...: like arithmetic, with integers taken to float32."""
    meet = arithmetic(name, kinds)[0]
    return [meet if meet in FLOATS or meet == COMPLEX64 else FLOAT32] * len(kinds)


def all_float32(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
    """float32 of everything, bools included (atan, parts of complex numbers)."""
    return [FLOAT32] * len(kinds)


def float_only(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
    """Floating tensors only, as the reference's activations."""
    meet = common(name, kinds)
    if meet not in FLOATS:
        refuse(name, kinds, "it takes floating-point values")
    return [meet] * len(kinds)


def comparison(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
    """Operands meet, bools included."""
    return [common(name, kinds)] * len(kinds)


def chosen(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
    """``where``: integers and bools meet in the smallest dtype that holds both, beside float16 in that."""
    tensors = {k for k in kinds if isinstance(k, np.dtype)}
    if len(tensors) == 2 and len(kinds) == 2 and COMPLEX64 not in tensors:
        floats = [t for t in tensors if t in FLOATS]
        if not floats:
            return [np.promote_types(*tensors)] * 2
        if len(floats) == 1:
            return floats * 2
    return comparison(name, kinds)


def compared(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
    """``== != < <= > >=``: operands meet, bools included; narrow integers and an int in 32 bits, since the int may not fit."""
    meet = common(name, kinds)
    return [INT32 if meet.kind in "iu" and "i" in kinds else meet] * len(kinds)


def integral(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
    """Shifts: integers only."""
    meet = common(name, kinds)
    if meet.kind not in "iu":
        refuse(name, kinds, "it takes integers")
    return [meet] * len(kinds)


def logical(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
    """``& | ^ ~``: bools only."""
    meet = common(name, kinds)
    if meet != BOOL:
        refuse(name, kinds, "it takes bools")
    return [BOOL] * len(kinds)


def as_float32(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
    """Statistics of float16 or integers are float32."""
    return [k if k == COMPLEX64 else FLOAT32 for k in kinds]


def numeric(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
    """One numeric tensor; bools refused."""
    if BOOL in kinds:
        refuse(name, kinds, "bools have no arithmetic")
    return [k if isinstance(k, np.dtype) else SCALAR_DTYPE[k] for k in kinds]
