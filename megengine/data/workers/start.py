"""The program of a worker process, run by its path: ``start.py SOCKET PIPE PACKAGE_FOLDER``.

It comes before any import of the package, whose ``__init__`` would load JAX.
"""

import ctypes
import fcntl
import gc
import os
import signal
import socket
import sys
from importlib.util import module_from_spec, spec_from_file_location


def end_with_parent(pipe: int) -> None:
    """Has the kernel kill this process when the other end of the pipe is closed, whatever it is doing then."""
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        gone = os.read(pipe, 1) == b""
    except BlockingIOError:
        return
    if gone:
        os.kill(os.getpid(), signal.SIGKILL)


def keep_freed_memory() -> None:
    """Has the allocator keep what batches free, which it otherwise gives back and gets anew, page by page, for each batch."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mmap_threshold, trim_threshold = -3, -1
        mallopt(mmap_threshold, 32 << 20)
        mallopt(trim_threshold, 256 << 20)


def main() -> None:
    """Stand-ins first, then the worker's loop."""
    sock, pipe, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    end_with_parent(pipe)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    spec = spec_from_file_location(
        "megengine.data.workers.stand_ins", os.path.join(folder, "data", "workers", "stand_ins.py")
    )
    assert spec is not None and spec.loader is not None
    stand_ins = module_from_spec(spec)
    spec.loader.exec_module(stand_ins)
    sys.modules[spec.name] = stand_ins
    stand_ins.install(folder)

    from megengine.data.workers.channel import Channel
    from megengine.data.workers.worker import serve

    gc.freeze()  # the collection after each pass has only the pass to look at
    serve(Channel(socket.socket(fileno=sock)))


if __name__ == "__main__":
    main()
