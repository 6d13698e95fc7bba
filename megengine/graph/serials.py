"""Numbers of arrays that stay as they are, by which programs know the kernels that they keep (see ``ops/onednn/kept.py``).

An array of JAX is never changed: what updates a parameter makes another array, in whatever memory. So each array that a program
keeps something for gets a number of its own, once, and takes it with it when it goes.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from ..ops.onednn import kept

_lock = threading.Lock()
_next = itertools.count(1)
_serials: dict[int, tuple[weakref.ref[Any], int]] = {}


def serial_of(array: Any) -> int:
    """The number of an array; 0 for one that may change or that is not on the device."""
    if not isinstance(array, jax.Array):
        return 0
    key = id(array)
    with _lock:
        found = _serials.get(key)
        if found is not None and found[0]() is array:
            return found[1]
        serial = next(_next)
        _serials[key] = weakref.ref(array, _Gone(key, serial)), serial
        return serial


class _Gone:
    """Called when an array is gone."""

    __slots__ = ("_key", "_serial")

    def __init__(self, key: int, serial: int) -> None:
        self._key, self._serial = key, serial

    def __call__(self, _: Any) -> None:
        # Without the lock: the collector may call this amid whatever holds it. Another array may have the same key by now.
        found = _serials.get(self._key)
        if found is not None and found[1] == self._serial:
            _serials.pop(self._key, None)
        kept.forget(self._serial)


class WithSerials:
    """A compiled function whose last argument is the numbers of some of the others, called without it.

    Args:
        jitted: from ``jax.jit``.
        arguments: which of its arguments the numbers are of.
    """

    def __init__(self, jitted: Any, arguments: Sequence[int]) -> None:
        self._jitted = jitted
        self._arguments = tuple(arguments)
        self._last: tuple[list[Callable[[], Any]], Any] | None = None

    def __call__(self, *args: Any) -> Any:
        return self._jitted(*args, self._numbers(args))

    def lower(self, *args: Any) -> Any:
        """As of what ``jax.jit`` gives."""
        return self._jitted.lower(*args, numbers_of(len(self._arguments)))

    def _numbers(self, args: Sequence[Any]) -> Any:
        if self._last is not None:
            references, numbers = self._last
            if all(args[k] is reference() for k, reference in zip(self._arguments, references, strict=True)):
                return numbers
        arrays = [args[k] for k in self._arguments]
        numbers = jax.device_put(np.array([serial_of(a) for a in arrays], np.int32))
        if all(isinstance(a, jax.Array) for a in arrays):
            self._last = [weakref.ref(a) for a in arrays], numbers
        return numbers


def numbers_of(count: int) -> jax.ShapeDtypeStruct:
    """Shape and dtype of so many numbers."""
    return jax.ShapeDtypeStruct((count,), np.int32)
