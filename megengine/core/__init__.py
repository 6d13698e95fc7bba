"""The few names of MegEngine's internals that public programs import, each on what it is here.

``set_option`` and ``get_option`` are the interpreter's switches, which programs set for debugging and for memory. Those that
:mod:`megengine.config` and :mod:`megengine.dtr` have are the same settings; the others are kept and change nothing.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .. import config as _settings_of_config
from .. import dtr as _dtr
from . import _config  # programs take it from here

__all__ = ["_config", "get_option", "set_option"]

_SETTINGS: dict[str, tuple[ModuleType, str]] = {
    "async_level": (_settings_of_config, "async_level"),
    "disable_memory_forwarding": (_settings_of_config, "disable_memory_forwarding"),
    "dtr_eviction_threshold": (_dtr, "eviction_threshold"),
    "dtr_evictee_minimum_size": (_dtr, "evictee_minimum_size"),
    "enable_dtr_sqrt_sampling": (_dtr, "enable_sqrt_sampling"),
}
_kept: dict[str, int] = {
    "catch_worker_execption": 1,  # spelt so by MegEngine
    "enable_drop": 0,
    "enable_dtr_auto_drop": 0,
    "enable_host_compute": 1,
    "max_recompute_time": 1,
    "record_computing_path": 0,
}


def _check(option: str) -> None:
    if option not in _SETTINGS and option not in _kept:
        raise IndexError(f"no option {option!r}; there are {', '.join(sorted([*_SETTINGS, *_kept]))}")


def get_option(option: str) -> int:
    """The value of an option.

    Raises:
        IndexError: no such option.

    Example:
        >>> from megengine.core import get_option
        >>> get_option("async_level")
        2
    """
    _check(option)
    if option in _SETTINGS:
        module, name = _SETTINGS[option]
        return int(getattr(module, name))
    return _kept[option]


def set_option(option: str, value: int) -> None:
    """Set an option.

    Raises:
        IndexError: no such option.
        TypeError: the value is no int.

    Example:
        >>> from megengine.core import get_option, set_option
        >>> set_option("enable_drop", 1)
        >>> get_option("enable_drop")
        1
        >>> set_option("enable_drop", 0)
    """
    _check(option)
    if not isinstance(value, int):
        raise TypeError(f"option {option!r} takes an int, not {value!r}")
    if option in _SETTINGS:
        module, name = _SETTINGS[option]
        converted: Any = bool(value) if isinstance(getattr(module, name), bool) else value
        setattr(module, name, converted)
    else:
        _kept[option] = int(value)
