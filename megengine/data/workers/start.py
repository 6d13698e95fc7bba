"""The program of a worker process, run by its path: ``start.py SOCKET PIPE PACKAGE_FOLDER``.

It comes before any import of the package, whose ``__init__`` would load JAX.
"""

import ctypes
import gc
import os
import signal
import socket
import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType


def keep_freed_memory() -> None:
    """Has the allocator keep what batches free, which it otherwise gives back and gets anew, page by page, for each batch."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mmap_threshold, trim_threshold = -3, -1
        mallopt(mmap_threshold, 32 << 20)
        mallopt(trim_threshold, 256 << 20)


def _read(folder: str, *names: str) -> ModuleType:
    """A module of the package, read from its file without the packages that it is in."""
    spec = spec_from_file_location(".".join(["megengine", *names]), os.path.join(folder, *names) + ".py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Stand-ins first, then the worker's loop."""
    sock, pipe, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _read(folder, "_support", "parent").end_with_parent(pipe)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    stand_ins = _read(folder, "data", "workers", "stand_ins")
    sys.modules[stand_ins.__name__] = stand_ins
    stand_ins.install(folder)

    from megengine.data.workers.channel import Channel
    from megengine.data.workers.worker import serve

    gc.freeze()  # the collection after each pass has only the pass to look at
    serve(Channel(socket.socket(fileno=sock)))


if __name__ == "__main__":
    main()
