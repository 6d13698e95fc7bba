"""Devices: names, counts, the default, memory."""

from __future__ import annotations

import ctypes
import os
from enum import Enum
from importlib import metadata
from typing import Any, NamedTuple

from .graph import device as _device
from .graph import memory as _memory
from .graph.device import Device as CompNode
from .graph.flushing import flush
from .graph.memory import bytes_in_use, bytes_limit, peak_bytes
from .graph.recorder import thread

__all__ = [
    "CompNode", "DeviceType", "coalesce_free_memory", "get_allocated_memory", "get_cuda_compute_capability",
    "get_cuda_device_property", "get_cuda_driver_version", "get_cuda_version", "get_cudnn_version",
    "get_default_device", "get_device_count", "get_max_allocated_memory", "get_max_reserved_memory",
    "get_mem_status_bytes", "get_reserved_memory", "get_tensorrt_version", "is_atlas_available",
    "is_cambricon_available", "is_cuda_available", "is_rocm_available", "reset_max_memory_stats",
    "set_default_device", "set_prealloc_config",
]  # fmt: skip


class DeviceType(Enum):
    """Kinds of devices, as MegEngine numbers them; XLA computes on those of the CPU, CUDA and ROCm.

    Example:
        >>> megengine.device.DeviceType.CPU.name
        'CPU'
    """

    UNSPEC = 0
    CUDA = 1
    CPU = 2
    CAMBRICON = 3
    ROCM = 8
    ATLAS = 9
    MULTITHREAD = 11


def what_is_xpu() -> str:
    """What computes behind the device name ``"xpu"``: ``"cpu"``, ``"cuda"``, ``"rocm"``, ...

    Example:
        >>> megengine.get_device_count("xpu") == megengine.get_device_count(megengine.device.what_is_xpu())
        True
    """
    first = next(iter(_device.platforms()))
    return first if first != "gpu" else "rocm" if is_rocm_available() else "cuda"


def is_cuda_available() -> bool:
    """Whether a CUDA device can be used.

    Example:
        >>> megengine.is_cuda_available() == (megengine.device.what_is_xpu() == "cuda")
        True
    """
    return _device.count("gpu") > 0 and not is_rocm_available()


def is_rocm_available() -> bool:
    """Whether an AMD ROCm device can be used.

    Example:
        >>> megengine.is_rocm_available() == (megengine.device.what_is_xpu() == "rocm")
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

    A processor counts once for each of its cores, as in MegEngine: ``cpu0``, ``cpu1``, ... are places for tensors, and each
    computes with every core.

    Args:
        device_type: ``"cpu"``, ``"gpu"`` (``"cuda"``) or ``"xpu"`` (the default type).

    Example:
        >>> import os
        >>> megengine.get_device_count("cpu") == os.cpu_count()
        True
    """
    if not isinstance(device_type, str):
        raise TypeError(f"device_type must be a string such as 'gpu', not {device_type!r}")
    here = _device.platforms()
    kind = next(iter(here)) if device_type.startswith("xpu") else device_type.rstrip("x0123456789")
    return max(os.cpu_count() or 1, len(here["cpu"])) if kind == "cpu" else _device.count(kind)


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
    flush("option")
    _device.set_default(device)
    thread.recorder.device = _device.resolve(None)


def get_allocated_memory(device: str | None = None) -> int:
    """Bytes that living arrays take on a device.

    Args:
        device: a device name; default the default device.

    Example:
        >>> x = F.zeros((1024,)) + 1
        >>> x.numpy().nbytes
        4096
        >>> megengine.get_allocated_memory() >= 4096
        True
    """
    return bytes_in_use(_device.resolve(device).jax_device)


def get_max_allocated_memory(device: str | None = None) -> int:
    """Largest number of bytes taken so far where the device counts it, else what is taken now.

    Args:
        device: a device name; default the default device.

    Example:
        >>> x = F.zeros((1024,)) + 1
        >>> x.numpy().nbytes
        4096
        >>> megengine.get_max_allocated_memory() >= 4096
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
        >>> x = F.zeros((1024,)) + 1
        >>> x.numpy().nbytes
        4096
        >>> total, free = megengine.get_mem_status_bytes()
        >>> 0 < free <= total - 4096
        True
    """
    found: Any = _device.resolve(device).jax_device
    total = bytes_limit(found)
    return total, total - bytes_in_use(found)


def get_reserved_memory(device: str | None = None) -> int:
    """Bytes that the allocator of a device holds; where it does not tell, those that arrays take.

    Args:
        device: a device name; default the default device.

    Example:
        >>> x = F.zeros((1024,)) + 1
        >>> x.numpy().nbytes
        4096
        >>> megengine.get_reserved_memory() >= 4096
        True
    """
    return _memory.bytes_reserved(_device.resolve(device).jax_device)


def get_max_reserved_memory(device: str | None = None) -> int:
    """Largest number of bytes held so far by the allocator of a device, where it tells.

    Args:
        device: a device name; default the default device.

    Example:
        >>> x = F.zeros((1024,)) + 1
        >>> x.numpy().nbytes
        4096
        >>> megengine.get_max_reserved_memory() >= 4096
        True
    """
    return _memory.peak_reserved(_device.resolve(device).jax_device)


def reset_max_memory_stats(device: str | None = None) -> None:
    """Count the largest numbers of bytes anew.

    XLA's counters cannot be set back: until memory passes its old peak, the bytes taken at the time of asking are given.

    Args:
        device: a device name; default the default device.

    Example:
        >>> megengine.reset_max_memory_stats()
        >>> megengine.get_max_allocated_memory() == megengine.get_allocated_memory()
        True
    """
    _memory.forget_peaks(_device.resolve(device).jax_device)


def set_prealloc_config(
    alignment: int = 1,
    min_req: int = 32 * 1024 * 1024,
    max_overhead: int = 0,
    growth_factor: float = 2.0,
    device_type: str = "cuda",
) -> None:
    """Checked and accepted for compatibility: XLA's allocator has no such settings.

    Args:
        alignment: bytes.
        min_req: least request, bytes.
        max_overhead: most bytes beyond what is needed.
        growth_factor: of the next request, to what is allocated.
        device_type: kind of device.

    Raises:
        AssertionError: a number that is too small.

    Example:
        >>> megengine.set_prealloc_config(min_req=1 << 20)
        >>> megengine.set_prealloc_config(min_req=0)
        Traceback (most recent call last):
            ...
        AssertionError: set_prealloc_config: min_req must be at least 1, it is 0
    """
    least = (("alignment", alignment, 1), ("min_req", min_req, 1), ("max_overhead", max_overhead, 0))
    for name, value, bound in (*least, ("growth_factor", growth_factor, 1)):
        if value < bound:
            raise AssertionError(f"set_prealloc_config: {name} must be at least {bound}, it is {value}")


def coalesce_free_memory() -> None:
    """Give memory that is free back to the system, on the host.

    Example:
        >>> megengine.coalesce_free_memory()
    """
    _memory.release_free()


class DeviceProperties(NamedTuple):
    """What is known about a GPU.

    Attributes:
        name: the vendor's name.
        total_memory: bytes.
        major: first part of the compute capability.
        minor: second part.
    """

    name: str
    total_memory: int
    major: int
    minor: int


def get_cuda_device_property(device: int, device_type: str = "cuda") -> DeviceProperties:
    """Name, memory and compute capability of a GPU.

    Args:
        device: its number.
        device_type: accepted for compatibility.

    Raises:
        RuntimeError: no such GPU.

    Example:
        >>> if megengine.is_cuda_available():
        ...     assert megengine.get_cuda_device_property(0).total_memory > 0
        >>> megengine.get_cuda_device_property(99)
        Traceback (most recent call last):
            ...
        RuntimeError: there is no GPU 99: this machine has ...
    """
    here = _device.platforms().get("gpu", [])
    if not 0 <= device < len(here):
        raise RuntimeError(f"there is no GPU {device}: this machine has {len(here)}")
    found = here[device]
    major, _, minor = str(getattr(found, "compute_capability", "0.0")).partition(".")
    return DeviceProperties(found.device_kind, bytes_limit(found), int(major), int(minor or 0))


def get_cuda_compute_capability(device: int, device_type: str = "cuda") -> int:
    """Compute capability of a GPU as one number, such as 90 for 9.0.

    Args:
        device: its number.
        device_type: accepted for compatibility.

    Raises:
        RuntimeError: no such GPU.

    Example:
        >>> if megengine.is_cuda_available():
        ...     assert megengine.get_cuda_compute_capability(0) >= 50
        >>> megengine.get_cuda_compute_capability(99)
        Traceback (most recent call last):
            ...
        RuntimeError: there is no GPU 99: this machine has ...
    """
    found = get_cuda_device_property(device, device_type)
    return found.major * 10 + found.minor


def _installed(*packages: str) -> list[int]:
    """Version of the first of these packages that is installed; zeros if none is."""
    for package in packages:
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
        return [int(part) if part.isdigit() else 0 for part in (version.split(".") + ["0", "0"])[:3]]
    return [0, 0, 0]


def get_cuda_version() -> int:
    """Version of the CUDA runtime that JAX brings, ``1000 * major + 10 * minor``; 0 where there is none.

    Example:
        >>> from importlib.util import find_spec
        >>> (megengine.get_cuda_version() > 0) == (find_spec("nvidia") is not None)
        True
    """
    major, minor, _ = _installed("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu13", "nvidia-cuda-runtime-cu12")
    return 1000 * major + 10 * minor


def get_cuda_driver_version() -> int:
    """The newest CUDA version that the driver can run, ``1000 * major + 10 * minor``; 0 where there is no driver.

    Example:
        >>> from ctypes.util import find_library
        >>> (megengine.device.get_cuda_driver_version() > 0) == (find_library("cuda") is not None)
        True
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    version = ctypes.c_int(0)
    return version.value if driver.cuDriverGetVersion(ctypes.byref(version)) == 0 else 0


def get_cudnn_version() -> int:
    """Version of the cuDNN that JAX brings, ``1000 * major + 100 * minor + patch``; 0 where there is none.

    Example:
        >>> from importlib.util import find_spec
        >>> (megengine.get_cudnn_version() > 0) == (find_spec("nvidia") is not None)
        True
    """
    major, minor, patch = _installed("nvidia-cudnn-cu13", "nvidia-cudnn-cu12")
    return 1000 * major + 100 * minor + patch


def get_tensorrt_version() -> int:
    """Version of TensorRT: 0, since it is not used.

    Example:
        >>> megengine.get_tensorrt_version()
        0
    """
    return 0
