"""What a thread's runs in the first tier spent their time on that says nothing about what compiling would save."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

MOST = 0.9  # of a kernel's time; an executable saves the way to it, too


class _Spent(threading.local):
    """Seconds of one thread.

    Attributes:
        compiling: waiting for compilations of ops.
        kernels: in convolutions and recurrent layers: compiled programs have the same library compute them.
    """

    compiling = 0.0
    kernels = 0.0


spent = _Spent()


def kernel(run: Callable[..., Any], share: float = MOST) -> Callable[..., Any]:
    """The same function, of whose time this share counts as a kernel's."""

    def timed(*arrays: Any) -> Any:
        start = time.perf_counter()
        outs = run(*arrays)
        spent.kernels += share * (time.perf_counter() - start)
        return outs

    return timed
