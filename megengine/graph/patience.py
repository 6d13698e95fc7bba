"""One line for whoever waits for a compiler."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("megengine.graph")
SECONDS = 2.0


@contextmanager
def announced(what: str, *args: object) -> Iterator[None]:
    """Say what is being done if it takes longer than two seconds.

    Args:
        what: the message, for ``logging``.
        args: what it is filled with.
    """
    timer = threading.Timer(SECONDS, log.info, (what, *args))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
