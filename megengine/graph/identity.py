"""Names of ops and attributes that mean the same in every process, as what is kept on the disk needs them."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np

from .value import Aval


class Nameless(Exception):
    """Something has no name that means the same in another process."""


def named(identity: str) -> str:
    """An op's identity.

    Raises:
        Nameless: it has none.
    """
    if not identity:
        raise Nameless
    return identity


def plain(x: Any) -> Any:
    """What an attribute is, in terms whose text is the same in every process.

    Raises:
        Nameless: there are no such terms.
    """
    if x is None or x is Ellipsis or isinstance(x, (str, bytes, int, float, complex)):
        return x if not isinstance(x, enum.Enum) else (type(x).__qualname__, x.name)
    if isinstance(x, (tuple, list)):
        return tuple(map(plain, x))
    if isinstance(x, slice):
        return "slice", plain((x.start, x.stop, x.step))
    if isinstance(x, Aval):
        return x.shape, plain(x.dtype), x.format
    if isinstance(x, np.dtype):
        return x.name, repr(x.metadata)
    if isinstance(x, (np.generic, enum.Enum)):
        return repr(x)
    raise Nameless


def identity_of(*parts: Any) -> str:
    """The identity of an op derived from another; empty where it has none."""
    try:
        return repr(plain(parts)) if all(parts[:1]) else ""
    except Nameless:
        return ""
