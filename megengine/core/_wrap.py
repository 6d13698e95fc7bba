"""Devices as MegEngine's functions pass them on; functions copied from there call ``as_device``."""

from __future__ import annotations

from typing import Any

from ..graph.device import Device as CompNode
from ..graph.device import resolve

__all__ = ["Device", "as_device"]


class Device:
    """A device by its name, or the default one.

    Example:
        >>> from megengine.core._wrap import Device
        >>> str(Device("cpu0"))
        'cpu0:0'
    """

    def __init__(self, device: Any = None) -> None:
        self._cn: CompNode = device._cn if isinstance(device, Device) else resolve(device)

    @property
    def logical_name(self) -> str:
        """The name with its stream."""
        return self._cn.logical_name

    def to_c(self) -> CompNode:
        """The device itself."""
        return self._cn

    def __repr__(self) -> str:
        return f"Device({self._cn!r})"

    def __str__(self) -> str:
        return str(self._cn)

    def __hash__(self) -> int:
        return hash(str(self._cn))

    def __eq__(self, other: object) -> bool:
        return self._cn == Device(other)._cn


def as_device(obj: Any) -> Device:
    """A :class:`Device` from a name or a device.

    Example:
        >>> from megengine.core._wrap import as_device
        >>> as_device(Tensor([1.0]).device).to_c() == "xpux"
        True
    """
    return obj if isinstance(obj, Device) else Device(obj)
