"""Dynamic tensor rematerialisation: settings that programs make, which nothing needs here.

MegEngine keeps every intermediate result of a forward pass, and with DTR drops some when memory runs short and computes them
again. Here a whole step is one compiled program, in which XLA decides what is kept and what is computed again. So every name
takes what MegEngine's takes and gives it back, training goes on as before, and nothing else happens.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["disable", "enable", "enable_sqrt_sampling", "evictee_minimum_size", "eviction_threshold", "is_enabled"]

if TYPE_CHECKING:  # what the class below gives the module
    #: From how many bytes in use on tensors would be dropped; set as a number or a text such as ``"2GB"``. Kept
    eviction_threshold: int
    #: Bytes from which on a tensor may be dropped; set as a number or a text such as ``"1MB"``. Kept
    evictee_minimum_size: int
    #: Whether only a sample of the tensors would be looked at when one has to go
    enable_sqrt_sampling: bool

_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?b)", re.IGNORECASE)

_enabled = False


def _bytes(value: int | str, name: str) -> int:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(f'dtr.{name}={value!r}: write a number of B, KB, MB or GB, such as "2GB"')
        return int(float(match[1]) * _UNITS[match[2].lower()])
    if not isinstance(value, int):
        raise TypeError(f"dtr.{name} takes an int or a str, not {value!r}")
    if value < 0:
        raise ValueError(f"dtr.{name}={value}: a size cannot be negative")
    return int(value)


def enable() -> None:
    """Switch DTR on. There is nothing to switch: training goes on as before.

    Example:
        >>> megengine.dtr.enable()
        >>> megengine.dtr.is_enabled()
        True
        >>> megengine.dtr.disable()
    """
    global _enabled
    _enabled = True


def disable() -> None:
    """Switch DTR off.

    Example:
        >>> megengine.dtr.disable()
        >>> megengine.dtr.is_enabled()
        False
    """
    global _enabled
    _enabled = False


def is_enabled() -> bool:
    """Whether :func:`enable` was called last."""
    return _enabled


class _Settings(ModuleType):
    """The module, with names that can be assigned to."""

    _eviction_threshold = 0
    _evictee_minimum_size = 1 << 20
    _enable_sqrt_sampling = False

    @property
    def eviction_threshold(self) -> int:
        """From how many bytes in use on tensors would be dropped; set as a number or a text such as ``"2GB"``. Default: 0"""
        return self._eviction_threshold

    @eviction_threshold.setter
    def eviction_threshold(self, value: int | str) -> None:
        self._eviction_threshold = _bytes(value, "eviction_threshold")

    @property
    def evictee_minimum_size(self) -> int:
        """Bytes from which on a tensor may be dropped; set as a number or a text such as ``"1MB"``. Default: 1 MB"""
        return self._evictee_minimum_size

    @evictee_minimum_size.setter
    def evictee_minimum_size(self, value: int | str) -> None:
        self._evictee_minimum_size = _bytes(value, "evictee_minimum_size")

    @property
    def enable_sqrt_sampling(self) -> bool:
        """Whether only a sample of the tensors would be looked at when one has to go. Default: False"""
        return self._enable_sqrt_sampling

    @enable_sqrt_sampling.setter
    def enable_sqrt_sampling(self, value: bool) -> None:
        if value not in (True, False):
            raise TypeError(f"dtr.enable_sqrt_sampling takes True or False, not {value!r}")
        self._enable_sqrt_sampling = bool(value)


sys.modules[__name__].__class__ = _Settings
