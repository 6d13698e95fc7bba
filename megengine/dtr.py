"""Rematerialisation: less is kept of the forward pass, and computed again where gradients need it.

MegEngine's DTR drops tensors while a program runs, when memory runs short. Here it is decided when a step is compiled: see
``megengine.graph.passes.rematerialise``. Numbers stay the same; a step takes less memory and up to a third longer.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .graph.options import options

__all__ = ["disable", "enable", "enable_sqrt_sampling", "evictee_minimum_size", "eviction_threshold", "is_enabled"]

if TYPE_CHECKING:  # what the class below gives the module
    #: A step whose forward pass makes no more bytes stays as it is; set as a number or a text such as ``"2GB"``
    eviction_threshold: int
    #: Parts of the forward pass that make fewer bytes stay as they are; set as a number or a text such as ``"1MB"``
    evictee_minimum_size: int
    #: Whether only a sample of the tensors would be looked at when one has to go
    enable_sqrt_sampling: bool

_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?b)", re.IGNORECASE)


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
    """Have the steps that are recorded from here on keep less and compute it again, in all threads.

    Example:
        >>> megengine.dtr.enable()
        >>> megengine.dtr.is_enabled()
        True
        >>> megengine.dtr.disable()
    """
    options.recompute = (_this.eviction_threshold, _this.evictee_minimum_size)


def disable() -> None:
    """Switch DTR off.

    Example:
        >>> megengine.dtr.disable()
        >>> megengine.dtr.is_enabled()
        False
    """
    options.recompute = None


def _renew() -> None:
    """Let settings that change while it is on take effect."""
    if is_enabled():
        enable()


def is_enabled() -> bool:
    """Whether :func:`enable` was called last."""
    return options.recompute is not None


class _Settings(ModuleType):
    """The module, with names that can be assigned to."""

    _eviction_threshold = 0
    _evictee_minimum_size = 1 << 20
    _enable_sqrt_sampling = False

    @property
    def eviction_threshold(self) -> int:
        """A step whose forward pass makes no more bytes stays as it is; a number or a text such as ``"2GB"``. Default: 0"""
        return self._eviction_threshold

    @eviction_threshold.setter
    def eviction_threshold(self, value: int | str) -> None:
        self._eviction_threshold = _bytes(value, "eviction_threshold")
        _renew()

    @property
    def evictee_minimum_size(self) -> int:
        """Parts of a forward pass that make fewer bytes stay as they are; a number or a text such as ``"1MB"``. Default: 1 MB"""
        return self._evictee_minimum_size

    @evictee_minimum_size.setter
    def evictee_minimum_size(self, value: int | str) -> None:
        self._evictee_minimum_size = _bytes(value, "evictee_minimum_size")
        _renew()

    @property
    def enable_sqrt_sampling(self) -> bool:
        """Whether only a sample of the tensors would be looked at when one has to go. Default: False"""
        return self._enable_sqrt_sampling

    @enable_sqrt_sampling.setter
    def enable_sqrt_sampling(self, value: bool) -> None:
        if value not in (True, False):
            raise TypeError(f"dtr.enable_sqrt_sampling takes True or False, not {value!r}")
        self._enable_sqrt_sampling = bool(value)


_this: Any = sys.modules[__name__]
_this.__class__ = _Settings
