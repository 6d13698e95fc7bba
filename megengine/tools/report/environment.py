"""Where a run took place."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from megengine.version import __release__

__all__ = ["environment"]


def environment(device: str) -> dict[str, str]:
    """Versions and hardware, by the name to show."""
    return {
        "MegEngine on XLA": __release__,
        "JAX": _version("jax"),
        "NumPy": _version("numpy"),
        "Python": platform.python_version(),
        "System": f"{platform.system()} {platform.machine()}",
        "Processor": f"{_processor()}, {os.cpu_count()} cores",
        "Device": device,
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
