"""JAX's settings for this package, made once at import; what the user set stays."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import tempfile
import uuid
from functools import cache
from pathlib import Path

import jax
import jaxlib
import numpy as np

from .._support.switches import switched_off
from ..ops.onednn.library import identity as onednn
from ..ops.timed import CHOICES
from ..version import __release__

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


CACHE_BYTES = 4 << 30
keeps = False  # whether programs are kept for later processes
handed_over = Path(tempfile.gettempdir()) / f"megengine-{os.getpid()}-{uuid.uuid4().hex}"
KEPT_STEP = ".step"  # what files of megengine.graph.warm end with


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            lines = [line for line in file if line.startswith(("model name", "flags", "Features"))]
    except OSError:
        lines = [platform.processor(), platform.machine()]
    return "".join(sorted(set(lines)))


def cache_directory() -> Path:
    """Where compiled programs are kept: one directory for each CPU model and library version, private to the user."""
    root = os.environ.get("MEGENGINE_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "megengine"
    )
    part = hashlib.sha256(f"{_cpu_model()}|{jax.__version__}|{jaxlib.__version__}".encode()).hexdigest()[:16]
    return Path(root) / "xla" / part


def choices_directory() -> Path | None:
    """Where it is kept what was measured to be fastest: one directory for each machine, number of threads and version.

    None where nothing is to be kept.
    """
    if not keeps:
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    settings = cores, *(os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "XLA_FLAGS"))
    versions = jax.__version__, jaxlib.__version__, np.__version__, onednn(), __release__
    part = hashlib.sha256(repr((_cpu_model(), settings, versions)).encode()).hexdigest()[:16]
    return cache_directory().parent.parent / "fastrun" / part


def configure() -> None:
    """Full float32 products, programs run by the thread that asks for them, and kept on disk, up to 4 GiB.

    On the CPU a program starts by 50 to 100 microseconds earlier in the thread that called it than in another one, and that
    thread then is one more to compute; ``JAX_CPU_ENABLE_ASYNC_DISPATCH=1`` has it otherwise.

    ``MEGENGINE_CACHE_DIR`` names another directory, ``MEGENGINE_CACHE=0`` turns the disk cache off.
    """
    if jax.config.values["jax_default_matmul_precision"] is None:
        jax.config.update("jax_default_matmul_precision", "float32")
    if "JAX_TRACEBACK_FILTERING" not in os.environ:
        jax.config.update("jax_traceback_filtering", "off")  # tracebacks leave out JAX's frames with the engine's own
    if "JAX_CPU_ENABLE_ASYNC_DISPATCH" not in os.environ:
        jax.config.update("jax_cpu_enable_async_dispatch", False)
    if jax.config.values["jax_compilation_cache_dir"]:
        return
    directory = cache_directory()
    if _is_kept(directory):
        seconds = 0.0
    else:
        # Only what is compiled in the background is put there, for this process to load, and goes with it.
        directory, seconds = handed_over, float("inf")
    jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", seconds)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _is_kept(directory: Path) -> bool:
    """Make the directory of compiled programs; False where none are to be kept, or there is no writable home."""
    global keeps
    if not switched_off("MEGENGINE_CACHE"):
        with contextlib.suppress(OSError):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)
            keeps = True
    return keeps


def prune(limit: int = CACHE_BYTES) -> int:
    """Delete the oldest compiled programs on disk until they take at most ``limit`` bytes; returns how many files."""
    try:
        found = [(entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(cache_directory())]
    except OSError:
        # No directory, or another process is pruning it.
        return 0
    total, deleted = sum(size for _, size, _ in found), 0
    # Steps first: without what XLA made of it one would be compiled while the program waits.
    for _, size, path in sorted(found, key=lambda f: (not f[2].endswith(KEPT_STEP), f[0])):
        if total <= limit:
            break
        Path(path).unlink(missing_ok=True)
        total, deleted = total - size, deleted + 1
    return deleted


@cache
def prune_once() -> int:
    """The same, once a process."""
    return prune() if keeps else 0


configure()
CHOICES.keep_in(choices_directory)
