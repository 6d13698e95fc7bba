"""One value handed from one thread to another."""

from __future__ import annotations

import threading
from typing import Any


class Future:
    """A value that one thread sets and another waits for.

    Args:
        ack: whether :meth:`set` waits until the value has been taken. Default: True

    Example:
        >>> from megengine.utils.future import Future
        >>> future = Future(ack=False)
        >>> future.set(3)
        >>> future.get()
        3
    """

    def __init__(self, ack: bool = True) -> None:
        self.ready = threading.Event()
        self.ack = threading.Event() if ack else None

    def set(self, value: Any) -> None:
        """Give the value."""
        self.value = value
        self.ready.set()
        if self.ack is not None:
            self.ack.wait()

    def get(self) -> Any:
        """Wait for the value and take it; it stays for further calls."""
        self.ready.wait()
        if self.ack is not None:
            self.ack.set()
        return self.value
