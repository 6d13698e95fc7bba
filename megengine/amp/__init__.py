"""Automatic mixed precision: matrix products and convolutions in float16 or bfloat16, what needs digits in float32.

Attributes:
    enabled: whether mixed precision is on; may be set, for the whole process or, inside an autocast block, for that block.
    low_prec_dtype: name of the dtype that products and convolutions get; may be set. Default ``"float16"``
    high_prec_dtype: name of the dtype that exponentials, logarithms, divisions and normalisations get; may be set. Default
        ``"float32"``

Example:
    >>> megengine.amp.enabled, megengine.amp.low_prec_dtype, megengine.amp.high_prec_dtype
    (False, 'float16', 'float32')
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from ..graph import precision as _precision
from .autocast import autocast, precision_dtype
from .convert_format import convert_module_format, convert_tensor_format
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "convert_module_format", "convert_tensor_format"]

enabled: bool
low_prec_dtype: str
high_prec_dtype: str


class _Settings(ModuleType):
    """This module, with settings as properties."""

    @property
    def enabled(self) -> bool:
        return _precision.current().enabled

    @enabled.setter
    def enabled(self, value: bool) -> None:
        _precision.change(enabled=bool(value))

    @property
    def low_prec_dtype(self) -> str:
        return _precision.current().low.name

    @low_prec_dtype.setter
    def low_prec_dtype(self, value: Any) -> None:
        _precision.change(low=precision_dtype("low_prec_dtype", value))

    @property
    def high_prec_dtype(self) -> str:
        return _precision.current().high.name

    @high_prec_dtype.setter
    def high_prec_dtype(self, value: Any) -> None:
        _precision.change(high=precision_dtype("high_prec_dtype", value))


sys.modules[__name__].__class__ = _Settings
