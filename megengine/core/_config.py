"""The settings of :mod:`megengine.config` under the names that MegEngine's own functions, and copies of them, read and set."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from .. import config

__all__: list[str] = []


def _get_actual_op_param(function_param: str, config_param: str) -> str:
    """A function's own setting, unless the program has set another for all.

    Example:
        >>> from megengine.core._config import _get_actual_op_param
        >>> _get_actual_op_param("default", "float32")
        'float32'
    """
    return function_param if config_param == "default" else config_param


class _Settings(ModuleType):
    """The module, on which ``config``'s names can be read and set."""

    def __getattr__(self, name: str) -> Any:
        return getattr(config, _OF_CONFIG.get(name, name))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(config, _OF_CONFIG.get(name, name), value)


_OF_CONFIG = {
    "__compute_mode": "_compute_mode",
    "_benchmark_kernel": "benchmark_kernel",
    "_benchmark_with_subprocess": "benchmark_with_subprocess",
    "_deterministic_kernel": "deterministic_kernel",
}
sys.modules[__name__].__class__ = _Settings
