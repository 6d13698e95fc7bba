"""What the host's tier computes."""

from __future__ import annotations

from typing import Any

import numpy as np


class HostArray(np.ndarray):
    """The elements of a value that the host's tier computed.

    It is no plain array, so that what is recorded with it does not depend on which tier computed it: a plain array is data that
    the program gave, whose elements the engine may look at while it records.
    """

    __slots__ = ()

    def is_ready(self) -> bool:
        """Whether it has been computed, as arrays of JAX say it."""
        return True


def owned(array: Any) -> HostArray:
    """A result as an array that nothing else writes into or keeps."""
    array = np.asarray(array)
    flags = array.flags
    if array.base is not None or not (flags.owndata and flags.c_contiguous and flags.writeable):
        array = np.array(array, order="C")
    return array.view(HostArray)


def plain(array: Any) -> np.ndarray:
    """An array of any kind as one that NumPy computes with."""
    return array.view(np.ndarray) if type(array) is HostArray else np.asarray(array)
