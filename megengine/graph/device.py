"""MegEngine's device names (``cpu0``, ``gpu1``, ``xpux``, ``cpu0:1``) on JAX's devices."""

from __future__ import annotations

import re
from typing import Any

import jax

from .errors import ArgumentError

_PATTERN = re.compile(r"(cpu|gpu|cuda|rocm|multithread|xpu|tpu)(x|\d+)(?::(\d+))?")
_PLATFORM = {"cuda": "gpu", "rocm": "gpu", "multithread": "cpu"}


class Device:
    """A logical device: the name that users see, and what computes behind it. MegEngine's ``CompNode``.

    Args:
        name: a device name, such as ``"gpu0"`` or ``"cpux"``; the same name gives the same object.

    Raises:
        ArgumentError: not a device name.
        RuntimeError: no such device here.

    Attributes:
        name: without its stream, such as ``"xpux"``.
        stream: number of the stream; XLA orders work by itself, so it is part of the name only.

    Example:
        >>> megengine.device.CompNode("cpu0") == Tensor(1.0, device="cpu0").device
        True
    """

    __slots__ = ("name", "stream", "_number", "_jax_device", "_physical")

    name: str
    stream: str
    _number: int
    _jax_device: Any
    _physical: str | None

    def __new__(cls, name: str | Device = "xpux") -> Device:
        return resolve(name)

    @classmethod
    def _make(cls, name: str, stream: str = "0", jax_device: Any = None, number: int = 0) -> Device:
        self = object.__new__(cls)
        self.name = name
        self.stream = stream
        self._number = number
        self._jax_device = jax_device
        self._physical = None
        return self

    def __reduce__(self) -> Any:
        return Device, (self.logical_name,)

    @property
    def jax_device(self) -> Any:
        """The JAX device that computes, looked up when first needed."""
        if self._jax_device is None:
            self._jax_device = jax.local_devices()[0]
        return self._jax_device

    @property
    def physical(self) -> str:
        """Physical name, such as ``"cpu0:0"``: tensors in different places do not meet in one operation."""
        if self._physical is None:
            self._physical = f"{self.platform}{self._number}:{self.stream}"
        return self._physical

    @property
    def physical_name(self) -> str:
        """The same as ``physical``, by MegEngine's name."""
        return self.physical

    @property
    def is_default(self) -> bool:
        """Whether JAX would choose this device by itself."""
        return bool(self.jax_device == jax.local_devices()[0])

    @property
    def platform(self) -> str:
        """``"cpu"``, ``"gpu"`` or another of JAX's platforms."""
        return _normal(self.jax_device.platform)

    @property
    def logical_name(self) -> str:
        """The name with its stream, such as ``"xpux:0"``."""
        return f"{self.name}:{self.stream}"

    def __str__(self) -> str:
        return self.logical_name

    def __repr__(self) -> str:
        return f'CompNode("{self.physical}" from "{self.logical_name}")'

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Device):
            return other.logical_name == self.logical_name
        return isinstance(other, str) and other in (self.name, self.logical_name)

    def __hash__(self) -> int:
        return hash(self.logical_name)


_by_name: dict[str, Device] = {"xpux": Device._make("xpux")}
_default_name = "xpux"


def _normal(platform: str) -> str:
    return _PLATFORM.get(platform, platform)


def platforms() -> dict[str, list[Any]]:
    """JAX's devices on this machine by platform, the default platform first."""
    found: dict[str, list[Any]] = {}
    for device in jax.local_devices():
        found.setdefault(_normal(device.platform), []).append(device)
    if "cpu" not in found:
        found["cpu"] = jax.local_devices(backend="cpu")
    return found


def resolve(name: str | Device | None) -> Device:
    """The device of a MegEngine device name; None is the default device.

    Raises:
        ArgumentError: not a device name (a RuntimeError, too).
        RuntimeError: no such device here.
    """
    if isinstance(name, Device):
        return name
    wanted = _default_name if name is None else name
    found = _by_name.get(wanted)
    if found is None:
        found = _find(wanted)
        found = _by_name.setdefault(found.name if found.stream == "0" else found.logical_name, found)
        _by_name[wanted] = found
    return found


def _find(name: str) -> Device:
    match = _PATTERN.fullmatch(name) if isinstance(name, str) else None
    here = platforms()
    offered = ", ".join(f"{p}{i}" for p, ds in here.items() for i in range(len(ds)))
    if match is None:
        raise ArgumentError(f"{name!r} is not a device name; write cpux, gpux, xpux, cpu0, gpu0, ... (here: {offered})")
    kind, index, stream = _normal(match[1]), match[2], match[3] or "0"
    if kind == "xpu":
        kind = next(iter(here))
    number = 0 if index == "x" else int(index)
    devices = here.get(kind, [])
    # MegEngine's cpu0, cpu1, ... are places on one processor, so every cpu number is a valid name.
    if number >= len(devices) and not (kind == "cpu" and devices):
        raise RuntimeError(f"no device {name!r} on this machine (here: {offered})")
    return Device._make(f"{match[1]}{index}", stream, devices[min(number, len(devices) - 1)], number)


def default_name() -> str:
    """The name set by :func:`set_default`, at first ``"xpux"``."""
    return _default_name


def set_default(name: str) -> None:
    """Make ``name`` the device of new tensors.

    Raises:
        AssertionError: not a device name.
        RuntimeError: no such device here.
    """
    global _default_name
    if not isinstance(name, str) or _PATTERN.fullmatch(name) is None:
        raise AssertionError(f"{name!r} is not a device name; write cpux, gpux, xpux, cpu0, gpu0, ...")
    resolve(name)
    _default_name = name


def count(kind: str) -> int:
    """How many devices of a platform this machine has."""
    return len(platforms().get(_normal(kind), []))
