"""The settings of mixed precision under the names that MegEngine's own code reads them by; see :mod:`megengine.amp`."""

from __future__ import annotations

from typing import Any

from ...graph import precision


def __getattr__(name: str) -> Any:
    if name == "_enabled":
        return precision.current().enabled
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _get_amp_dtype_autocast() -> bool:
    return precision.current().enabled


def _get_amp_low_prec_dtype() -> str:
    return precision.current().low.name


def _get_amp_high_prec_dtype() -> str:
    return precision.current().high.name
