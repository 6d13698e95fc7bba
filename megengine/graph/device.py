"""MegEngine's device names (``cpu0``, ``gpu1``, ``xpux``) on JAX's devices."""

from __future__ import annotations

import re
from typing import Any

import jax

from .errors import ArgumentError

_PATTERN = re.compile(r"(cpu|gpu|cuda|rocm|multithread|xpu|tpu)(x|\d+)?(:\d+)?$")
_PLATFORM = {"cuda": "gpu", "rocm": "gpu", "multithread": "cpu"}


class Device:
    """A logical device: the name that users see, and the JAX device behind it (looked up when first needed)."""

    __slots__ = ("name", "_jax_device")

    def __init__(self, name: str, jax_device: Any = None) -> None:
        self.name = name
        self._jax_device = jax_device

    @property
    def jax_device(self) -> Any:
        """The JAX device that computes."""
        if self._jax_device is None:
            self._jax_device = jax.devices()[0]
        return self._jax_device

    @property
    def is_default(self) -> bool:
        """Whether JAX would choose this device by itself."""
        return bool(self.jax_device == jax.devices()[0])

    @property
    def platform(self) -> str:
        """``"cpu"``, ``"gpu"`` or another of JAX's platforms."""
        return _normal(self.jax_device.platform)

    @property
    def logical_name(self) -> str:
        """The name with its stream, such as ``"xpux:0"``."""
        return f"{self.name}:0"

    def __str__(self) -> str:
        return f"{self.name}:0"

    def __repr__(self) -> str:
        return f'CompNode("{self.platform}{self.jax_device.id}:0" from "{self.name}:0")'

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return other in (self.name, f"{self.name}:0")
        return isinstance(other, Device) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


_by_name: dict[str, Device] = {"xpux": Device("xpux")}
_default_name = "xpux"


def _normal(platform: str) -> str:
    return _PLATFORM.get(platform, platform)


def platforms() -> dict[str, list[Any]]:
    """JAX's devices on this machine by platform, the default platform first."""
    found: dict[str, list[Any]] = {}
    for device in jax.devices():
        found.setdefault(_normal(device.platform), []).append(device)
    if "cpu" not in found:
        found["cpu"] = list(jax.devices("cpu"))
    return found


def resolve(name: str | Device | None) -> Device:
    """The device of a MegEngine device name; None is the default device.

    Raises:
        RuntimeError: no such device here.
    """
    if isinstance(name, Device):
        return name
    wanted = name or _default_name
    if isinstance(wanted, str) and ":" in wanted:
        wanted = wanted.split(":")[0]
    found = _by_name.get(wanted)
    if found is None:
        found = _by_name[wanted] = _find(wanted)
    return found


def _find(name: str) -> Device:
    match = _PATTERN.match(name) if isinstance(name, str) else None
    here = platforms()
    offered = ", ".join(f"{p}{i}" for p, ds in here.items() for i in range(len(ds)))
    if match is None:
        raise ArgumentError(f"{name!r} is not a device name; write cpux, gpux, xpux, cpu0, gpu0, ... (here: {offered})")
    kind, index = _normal(match[1]), match[2] or "x"
    if kind == "xpu":
        kind = next(iter(here))
    if kind not in here:
        raise RuntimeError(f"no device {name!r} on this machine (here: {offered})")
    devices = here[kind]
    number = 0 if index == "x" else int(index)
    # MegEngine's cpu0, cpu1, ... are streams of one processor, so every cpu number is a valid name.
    if kind == "cpu":
        number = min(number, len(devices) - 1)
    if number >= len(devices):
        raise RuntimeError(f"no device {name!r} on this machine (here: {offered})")
    return Device(f"{match[1]}{index}", devices[number])


def default_name() -> str:
    """The name set by :func:`set_default`, at first ``"xpux"``."""
    return _default_name


def set_default(name: str) -> None:
    """Make ``name`` the device of new tensors."""
    global _default_name
    resolve(name)
    _default_name = name


def count(kind: str) -> int:
    """How many devices of a platform this machine has."""
    return len(platforms().get(_normal(kind), []))
