"""The live line of a run."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

from ...graph import compiling, counters

__all__ = ["Progress"]

BAR = "{{desc}} {{percentage:3.0f}}%|{{bar}}| {figures}{{remaining}} left"
REFRESH_SECONDS = 0.1


class Progress:
    """A progress bar over the images of one epoch, with loss, accuracy and images a second.

    It is drawn on standard error, and only where that is a terminal.

    Args:
        epoch: number of the epoch, from 0.
        total: images of the epoch.
        show: False draws nothing.
    """

    def __init__(self, epoch: int, total: int, show: bool = True) -> None:
        self._bar = tqdm(
            total=total,
            desc=f"Epoch {epoch}",
            bar_format=BAR.format(figures=""),
            leave=False,
            dynamic_ncols=True,
            mininterval=REFRESH_SECONDS,
            disable=None if show else True,  # None: off unless standard error is a terminal
            file=sys.stderr,
        )
        self._images = 0
        self._loss = 0.0
        self._correct = 0
        self._start = time.perf_counter()
        self._next = 0.0

    def add(self, images: int, loss: float, correct: int) -> None:
        """Counts one batch with its mean loss and its number of right answers."""
        if self._bar.disable:
            return
        self._images += images
        self._loss += loss * images
        self._correct += correct
        now = time.perf_counter()
        if now >= self._next:
            self._next = now + REFRESH_SECONDS
            speed = self._images / (now - self._start)
            loss, accuracy = self._loss / self._images, self._correct / self._images
            figures = f"loss {loss:.3f}, acc {accuracy:.3f}, {speed:,.0f} images/s, {self._stage()}"
            self._bar.bar_format = BAR.format(figures=figures)
            self._bar.n = self._images
            self._bar.refresh()

    def _stage(self) -> str:
        """Where the step is on its way from the host's interpreter to a compiled program."""
        if compiling():
            return "compiling, "
        return "compiled, " if counters.take_overs else ""

    def close(self) -> None:
        """Takes the line away."""
        self._bar.close()
