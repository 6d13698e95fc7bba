"""What observers and fake quantizations share."""

from __future__ import annotations

from typing import Any

from ..core.tensor.dtype import QuantDtypeMeta
from ..functional._fake_quant import meta_of
from ..logger import get_logger
from ..module import Module

_log = get_logger(__name__)


class Part(Module):
    """Base of observers and fake quantizations: the kind of dtype, its range, and a switch.

    Attributes:
        dtype: kind of the quantised dtype.
        qmin, qmax: its range.
        enabled: whether it does anything.
    """

    def __init__(self, dtype: str | QuantDtypeMeta, enable: bool = True, **kwargs: Any) -> None:
        super().__init__()
        if kwargs.pop("narrow_range", None) is not None:
            _log.warning("%s has no narrow_range: give the dtype qint8_narrow", type(self).__name__)
        if kwargs:
            raise TypeError(f"{type(self).__name__} takes no argument {next(iter(kwargs))!r}")
        self.dtype = meta_of(dtype)
        self.qmin = self.dtype.qmin
        self.qmax = self.dtype.qmax
        self.enabled = enable

    def enable(self) -> None:
        """Turn it on."""
        self.enabled = True

    def disable(self) -> None:
        """Turn it off."""
        self.enabled = False
