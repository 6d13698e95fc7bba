"""Executables of several ranks, compiled once: who comes second loads what the first has made, in later runs all do.

JAX keeps executables under keys that name the process, and those of rank 0 alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from jax._src import config
from jax.experimental import serialize_executable
from jax.sharding import Mesh

from ..graph import runtime

__all__ = ["compiled"]

ENDING = ".ranks"
LONGEST = 300.0  # seconds that one waits for another that compiles


def compiled(lowered: Any, mesh: Mesh, options: dict[str, str] | None) -> Any:
    """What JAX makes of a program of several ranks.

    Args:
        lowered: the program, from ``jax.jit(...).lower(...)``.
        mesh: the devices, in the order of the ranks.
        options: of the compiler, which it was staged with.
    """
    if not runtime.keeps:
        return lowered.compile()
    devices = [(device.id, device.process_index) for device in mesh.devices]  # the text does not have them
    parts = lowered.as_text(), devices, options, jax.__version__, os.environ.get("XLA_FLAGS", "")
    name = hashlib.sha256(repr(parts).encode()).hexdigest()
    path = runtime.cache_directory() / (name + ENDING)
    with _alone(path.with_name(f"{name[:2]}.lock")):  # 256 such files at most
        found = _loaded(path, mesh)
        if found is None:
            # What JAX has loaded from its own cache could not be written down once more: it keeps none of these.
            with config.persistent_cache_min_compile_time_secs(math.inf):
                found = lowered.compile()
            _write(path, found)
    return found


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait while another process of the machine is in such a context; it leaves it when it ends, however that is."""
    try:
        import fcntl

        file = lock.open("w")
    except (ImportError, OSError):
        yield
        return
    with file:
        end = time.monotonic() + LONGEST
        while time.monotonic() < end:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:  # a file system without locks
                break
        yield


def _loaded(path: Path, mesh: Mesh) -> Any:
    try:
        payload, taken, given = pickle.loads(path.read_bytes())
        devices = list(mesh.devices.flat)
        return serialize_executable.deserialize_and_load(payload, taken, given, execution_devices=devices)
    except Exception:  # not there, not whole, or of another version
        return None


def _write(path: Path, executable: Any) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        beside.write_bytes(pickle.dumps(serialize_executable.serialize(executable)))
        os.replace(beside, path)
    except Exception:  # what cannot be written down, a full disk or a read-only one: the next process compiles again
        with contextlib.suppress(OSError):
            beside.unlink()
