"""How much memory the arrays on a device take."""

from __future__ import annotations

import os
from typing import Any

import jax


def _stats(device: Any) -> dict[str, Any]:
    return device.memory_stats() or {}


def bytes_in_use(device: Any) -> int:
    """Bytes of living arrays."""
    found = _stats(device).get("bytes_in_use")
    if found is not None:
        return int(found)
    return sum(a.nbytes for a in jax.live_arrays(device.platform) if device in a.devices())


def peak_bytes(device: Any) -> int:
    """The most bytes in use so far, where the device counts them."""
    return int(_stats(device).get("peak_bytes_in_use", bytes_in_use(device)))


def bytes_limit(device: Any) -> int:
    """Bytes the device has for arrays; the machine's memory for a CPU."""
    found = _stats(device).get("bytes_limit")
    return int(found) if found else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
