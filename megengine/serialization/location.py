"""Where loaded tensors go: ``map_location`` and :class:`dmap`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..tensor import Tensor

_DEVICE = re.compile(r"([cxg]pu|cuda|rocm|multithread)(x|\d+)(:\d+)?$")


class dmap:
    """Within the block, :func:`megengine.load` puts tensors where a function says.

    Args:
        map_location: function from the name of a saved device to that of another.

    Example:
        >>> megengine.save(Tensor([1]), "x.mge")
        >>> with megengine.serialization.dmap(lambda device: "cpu1"):
        ...     print(megengine.load("x.mge").device)
        cpu1:0
    """

    def __init__(self, map_location: Callable[[str], Any]) -> None:
        self.map_location = map_location

    def __enter__(self) -> dmap:
        self._outer = Tensor.dmap_callback
        Tensor.dmap_callback = staticmethod(self.map_location)
        return self

    def __exit__(self, *error: object) -> None:
        Tensor.dmap_callback = self._outer


def placement(map_location: Any) -> Callable[[str], Any] | None:
    """``map_location`` as a function from device name to device name; None keeps the names.

    Raises:
        AssertionError: a key or value is not a device name, or it is of another type.
    """
    if map_location is None:
        return Tensor.dmap_callback  # type: ignore[no-any-return]
    if isinstance(map_location, str):
        return lambda device: map_location
    if isinstance(map_location, Mapping):
        for name in (*map_location.keys(), *map_location.values()):
            if not (isinstance(name, str) and _DEVICE.match(name)):
                raise AssertionError(f"map_location: {name!r} is not a device name such as cpu0, gpu1 or xpux")
        streams = {_with_stream(name): target for name, target in map_location.items()}
        return lambda device: streams.get(_with_stream(device), map_location.get(device.partition(":")[0], device))
    if callable(map_location):
        return map_location  # type: ignore[no-any-return]
    raise AssertionError(f"map_location should be str, dict or function, got {map_location!r}")


def mapping_unpickler(pickle_module: Any, place: Callable[[str], Any]) -> Any:
    """Another module's ``Unpickler`` that makes tensors on other devices than they were saved from."""

    class Unpickler(pickle_module.Unpickler):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> Any:
            found = super().find_class(module, name)
            return _placed(found, place) if isinstance(found, type) and issubclass(found, Tensor) else found

    return Unpickler


def _placed(kind: type[Tensor], place: Callable[[str], Any]) -> type:
    """Stands for a tensor class where instances are made: they come out as that class, on the device wanted."""

    class Placed:
        def __new__(cls, data: Any = None, dtype: Any = None, device: str = "xpux") -> Any:
            return kind.__new__(kind) if data is None else kind(data, dtype=dtype, device=place(device))

    return Placed


def _with_stream(device: str) -> str:
    return device if ":" in device else f"{device}:0"
