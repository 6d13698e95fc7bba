"""Devices: names, counts, the default, memory."""

from __future__ import annotations

from typing import Any

from .graph import device as _device
from .graph.memory import bytes_in_use, bytes_limit, peak_bytes
from .graph.record import thread
from .graph.run import cut

__all__ = [
    "get_allocated_memory",
    "get_default_device",
    "get_device_count",
    "get_max_allocated_memory",
    "get_mem_status_bytes",
    "is_atlas_available",
    "is_cambricon_available",
    "is_cuda_available",
    "is_rocm_available",
    "set_default_device",
]


def is_cuda_available() -> bool:
    """Whether a CUDA device can be used.

    Example:
        >>> megengine.is_cuda_available() in (True, False)
        True
    """
    return _device.count("gpu") > 0 and not is_rocm_available()


def is_rocm_available() -> bool:
    """Whether an AMD ROCm device can be used.

    Example:
        >>> megengine.is_rocm_available() in (True, False)
        True
    """
    return any(
        "rocm" in str(getattr(d.client, "platform_version", "")).lower() for d in _device.platforms().get("gpu", [])
    )


def is_atlas_available() -> bool:
    """Whether a Huawei Atlas device can be used; XLA has none.

    Example:
        >>> megengine.is_atlas_available()
        False
    """
    return _device.count("atlas") > 0


def is_cambricon_available() -> bool:
    """Whether a Cambricon device can be used; XLA has none.

    Example:
        >>> megengine.is_cambricon_available()
        False
    """
    return _device.count("cambricon") > 0


def get_device_count(device_type: str) -> int:
    """Number of devices of a type.

    Args:
        device_type: ``"cpu"``, ``"gpu"`` (``"cuda"``) or ``"xpu"`` (the default type).

    Example:
        >>> megengine.get_device_count("cpu") >= 1
        True
    """
    if not isinstance(device_type, str):
        raise TypeError(f"device_type must be a string such as 'gpu', not {device_type!r}")
    if device_type.startswith("xpu"):
        return len(next(iter(_device.platforms().values())))
    return _device.count(device_type.rstrip("x0123456789"))


def get_default_device() -> str:
    """Name of the device of new tensors, ``"xpux"`` at first: a GPU where there is one.

    Example:
        >>> megengine.get_default_device()
        'xpux'
    """
    return _device.default_name()


def set_default_device(device: str = "xpux") -> None:
    """Choose the device of new tensors.

    Args:
        device: a device name, such as ``"cpu0"``.

    Raises:
        RuntimeError: no such device here.
        AssertionError: not a device name.

    Example:
        >>> megengine.set_default_device("cpux")
        >>> megengine.Tensor(1.0).device == "cpux"
        True
        >>> megengine.set_default_device("xpux")
    """
    cut("option")
    _device.set_default(device)
    thread.graph.device = _device.resolve(None)


def get_allocated_memory(device: str | None = None) -> int:
    """Bytes that living arrays take on a device.

    Args:
        device: a device name; default the default device.

    Example:
        >>> before = megengine.get_allocated_memory()
        >>> x = F.zeros((1024,)) + 1
        >>> x.numpy().nbytes
        4096
        >>> megengine.get_allocated_memory() - before >= 4096
        True
    """
    return bytes_in_use(_device.resolve(device).jax_device)


def get_max_allocated_memory(device: str | None = None) -> int:
    """Largest number of bytes taken so far where the device counts it, else what is taken now.

    Args:
        device: a device name; default the default device.

    Example:
        >>> megengine.get_max_allocated_memory() >= 0
        True
    """
    return peak_bytes(_device.resolve(device).jax_device)


def get_mem_status_bytes(device: str | None = None) -> tuple[int, int]:
    """Total and free bytes of a device; of the machine for a CPU.

    Args:
        device: a device name; default the default device.

    Returns:
        ``(total, free)``.

    Example:
        >>> total, free = megengine.get_mem_status_bytes()
        >>> 0 < free <= total
        True
    """
    found: Any = _device.resolve(device).jax_device
    total = bytes_limit(found)
    return total, total - bytes_in_use(found)
