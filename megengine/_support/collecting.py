"""Garbage collection while a program starts, when much is made and nothing is dropped."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def settle() -> bool:
    """Have what exists now looked at by full collections alone, which are rare, as if it had survived some.

    What imports leave, 100,000 objects of JAX among them, would be gone through again while a program takes its first step.
    Returns whether it does: what a program has frozen stays so.
    """
    if gc.get_freeze_count():
        return False
    gc.freeze()
    gc.unfreeze()  # into the oldest generation; neither goes through the objects
    return True


class Start:
    """The first things that a process makes for good: after each, what exists settles.

    Later things do not, or garbage of the program, which settles too, would never be collected.
    """

    def __init__(self, count: int) -> None:
        self.left = count

    def made(self) -> None:
        """One has been made."""
        if self.left:
            self.left = self.left - 1 if settle() else 0  # what is frozen would be counted each time
