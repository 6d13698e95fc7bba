"""Attributes and dtypes in JSON. What JSON has no type for is an object of one field, which names the type; a list is a tuple."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from ...ops.quantized import Key, dtype_of_key, is_quantized, key_of
from .model import GraphFileError


def encoded(value: Any) -> Any:
    """An attribute as JSON.

    Raises:
        GraphFileError: it has no form there.
    """
    if isinstance(value, Key):
        return {"quantized": list(value)}
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, (tuple, list)):
        return [encoded(v) for v in value]
    if isinstance(value, slice):
        return {"slice": encoded((value.start, value.stop, value.step))}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, np.dtype):
        return {"dtype": dtype_text(value)}
    if isinstance(value, type) and issubclass(value, np.generic):
        return {"type": np.dtype(value).name}
    if isinstance(value, np.generic):
        return {"scalar": [value.dtype.name, encoded(value.item())]}
    if type(value) is complex:
        return {"complex": [value.real, value.imag]}
    raise GraphFileError(f"an attribute of type {type(value).__name__} cannot be kept in a file: {value!r}")


def decoded(value: Any) -> Any:
    """What :func:`encoded` was given.

    Raises:
        GraphFileError: a type of a newer version.
    """
    if isinstance(value, list):
        return tuple(decoded(v) for v in value)
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    make = _DECODERS.get(kind)
    if make is None:
        raise GraphFileError(f"the file holds an attribute of a kind {kind!r}, which this version does not have")
    return make(held)


_DECODERS: dict[str, Any] = {
    "quantized": lambda held: Key(*held),
    "float": float,
    "slice": lambda held: slice(*decoded(held)),
    "ellipsis": lambda held: Ellipsis,
    "dtype": lambda held: dtype_of(held),
    "type": lambda held: dtype_of(held).type,
    "scalar": lambda held: dtype_of(held[0]).type(decoded(held[1])),
    "complex": lambda held: complex(*held),
}


def dtype_text(dtype: np.dtype) -> Any:
    """A dtype: its name, or what a quantised one is."""
    return {"quantized": list(key_of(dtype))} if is_quantized(dtype) else dtype.name


def dtype_of(text: Any) -> np.dtype:
    """The dtype.

    Raises:
        GraphFileError: there is none of that name.
    """
    try:
        if isinstance(text, dict):
            return dtype_of_key(Key(*text["quantized"]))
        return np.dtype(ml_dtypes.bfloat16 if text == "bfloat16" else text)
    except (TypeError, KeyError) as error:
        raise GraphFileError(f"the file names a dtype that this version does not have: {text!r}") from error
