"""Processes that do not outlive the one that started them; loads nothing, for workers read it before any import."""

import fcntl
import os
import signal


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
