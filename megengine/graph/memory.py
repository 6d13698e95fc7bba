"""How much memory the arrays on a device take."""

from __future__ import annotations

import gc
import mmap
import os
import sys
from typing import Any

import jax
import numpy as np

from .._support.allocator import of_glibc
from .host_array import HostArray
from .value import Value


def _stats(device: Any) -> dict[str, Any]:
    return device.memory_stats() or {}


def bytes_in_use(device: Any) -> int:
    """Bytes of the arrays that are alive."""
    found = _stats(device).get("bytes_in_use")
    if found is not None:
        return int(found)
    return _bytes_on_host(device) + sum(a.nbytes for a in jax.live_arrays(device.platform) if device in a.devices())


def _bytes_on_host(device: Any) -> int:
    """Bytes of what the host's tier computed for a device."""
    arrays = [
        x.array for x in gc.get_objects() if type(x) is Value and type(x.array) is HostArray and _is_on(x, device)
    ]
    return sum({id(a): a.nbytes for a in arrays}.values())


def _is_on(value: Value, device: Any) -> bool:
    return bool(value.device.jax_device == device)


def loaded_by_xla() -> list[Any]:
    """The executables of the default platform that are loaded."""
    found: list[Any] = jax.local_devices()[0].client.live_executables()
    return found


def bytes_needed(executable: Any) -> int:
    """Bytes that an executable, or what JAX compiled, allocates while it runs: temporary ones, and results that overwrite no
    argument."""
    compiled = hasattr(executable, "memory_analysis")
    stats = executable.memory_analysis() if compiled else executable.get_compiled_memory_stats()
    return int(stats.temp_size_in_bytes + stats.output_size_in_bytes - stats.alias_size_in_bytes)


def reserve(needed: int, device: Any) -> None:
    """Make sure that a program can have its memory, before it overwrites arguments that a failure would lose.

    Raises:
        MemoryError: it cannot.
    """
    if device.platform == "cpu":
        try:
            _try(needed)
        except MemoryError:
            raise MemoryError(f"the step needs {needed:,} bytes more than there are") from None
        return
    if _free(device) < needed:
        jax.block_until_ready(jax.live_arrays())
        free = _free(device)
        if free < needed:
            raise MemoryError(f"the step needs {needed:,} bytes on {device}, and {free:,} are free")


def _try(needed: int) -> None:
    """Ask the system for memory and give it back: the allocator's stays as it is, with room where the last run had it.

    Raises:
        MemoryError: there is none.
    """
    try:
        mmap.mmap(-1, needed).close()
    except (OSError, ValueError, OverflowError):
        np.empty(needed, np.uint8)  # what the allocator has may be enough


def _free(device: Any) -> int:
    stats = _stats(device)
    return int(stats["bytes_limit"] - stats["bytes_in_use"]) if "bytes_limit" in stats else sys.maxsize


WORTH_A_LOOK = 1 << 24  # bytes that are likely to be there
_forgotten: dict[tuple[Any, str], int] = {}


def peak_bytes(device: Any) -> int:
    """The most bytes in use so far, where the device counts them."""
    return _peak(device, "peak_bytes_in_use", bytes_in_use(device))


def bytes_reserved(device: Any) -> int:
    """Bytes that the device's allocator holds, in use or kept for the next arrays."""
    return int(_stats(device).get("pool_bytes", bytes_in_use(device)))


def peak_reserved(device: Any) -> int:
    """The most bytes that the device's allocator has held."""
    return _peak(device, "peak_pool_bytes", bytes_reserved(device))


def _peak(device: Any, counter: str, now: int) -> int:
    counted = int(_stats(device).get(counter, 0))
    return max(now, counted) if counted > _forgotten.get((device, counter), 0) else now


def forget_peaks(device: Any) -> None:
    """Count peaks anew. XLA's own counters go on, so until one passes its old peak the bytes of now stand for it."""
    for counter in ("peak_bytes_in_use", "peak_pool_bytes"):
        _forgotten[device, counter] = int(_stats(device).get(counter, 0))


def release_free() -> None:
    """Give freed memory back to the system, of garbage too."""
    gc.collect()
    trim()


def trim() -> None:
    """Give freed memory back to the system, which takes some milliseconds.

    What the interpreter or the compiler had lies in pieces among what is left, and an executable's memory is in one.
    """
    function = of_glibc("malloc_trim")
    if function is not None:
        function(0)


def bytes_limit(device: Any) -> int:
    """Bytes the device has for arrays; the machine's memory for a CPU."""
    found = _stats(device).get("bytes_limit")
    return int(found) if found else host_bytes()


def host_bytes() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
