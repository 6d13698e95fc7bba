"""Which elements each position of a sliding window meets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

Slices = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """Windows along one dimension: window ``p`` has at its position ``t`` the element ``(p * stride + t * spread - low) / gap``.

    Where that is no whole number, or no element, it lies in the padding.

    Attributes:
        size: how many elements there are.
        window: how many positions a window has.
        count: how many windows there are.
        stride: step between windows.
        spread: from one position to the next.
        low: the padding in front.
        gap: the distance between elements.
    """

    size: int
    window: int
    count: int
    stride: int = 1
    spread: int = 1
    low: int = 0
    gap: int = 1

    def swapped(self) -> Axis:
        """The positions as windows and the windows as positions."""
        return Axis(self.size, self.count, self.window, self.spread, self.stride, self.low, self.gap)

    def windows(self, start: int, stop: int) -> Axis:
        """Some of the windows."""
        return Axis(
            self.size, self.window, stop - start, self.stride, self.spread, self.low - start * self.stride, self.gap
        )

    def elements(self, start: int, stop: int) -> Axis:
        """Some of the elements."""
        return Axis(
            stop - start, self.window, self.count, self.stride, self.spread, self.low + start * self.gap, self.gap
        )

    def met(self, position: int) -> tuple[slice, slice] | None:
        """The windows that have an element at this position, and these elements; None where there are none."""
        first = position * self.spread - self.low
        last = (self.size - 1) * self.gap
        if self.size == 0:
            return None
        period = self.gap // gcd(self.stride, self.gap)
        start = max(0, -(first // self.stride))
        on_elements = [p for p in range(start, start + period) if (first + p * self.stride) % self.gap == 0]
        if not on_elements:
            return None
        start = on_elements[0]
        count = (min(self.count - 1, (last - first) // self.stride) - start) // period + 1
        if count < 1:
            return None
        begin, step = (first + start * self.stride) // self.gap, period * self.stride // self.gap
        return _progression(start, period, count), _progression(begin, step, count)


def _progression(start: int, step: int, count: int) -> slice:
    return slice(start, start + (count - 1) * step + 1, step)


@dataclass(frozen=True, slots=True)
class Tap:
    """One position of the windows of several dimensions.

    Attributes:
        at: the position, counted row by row.
        windows: those that have an element there.
        elements: these elements.
        full: whether all windows do.
    """

    at: int
    windows: Slices
    elements: Slices
    full: bool


def taps(axes: Sequence[Axis]) -> tuple[Tap, ...]:
    """The positions that are not all in the padding, in order."""
    return _taps(tuple(axes))


@lru_cache(1024)
def _taps(axes: tuple[Axis, ...]) -> tuple[Tap, ...]:
    met = [[(t, axis.met(t)) for t in range(axis.window)] for axis in axes]
    found = []
    for at, place in enumerate(itertools.product(*met)):
        pairs = [pair for _, pair in place if pair is not None]
        if len(pairs) == len(axes):
            full = all(p[0].step == 1 and p[0].stop - p[0].start == a.count for p, a in zip(pairs, axes, strict=True))
            found.append(Tap(at, tuple(p[0] for p in pairs), tuple(p[1] for p in pairs), full))
    return tuple(found)


def steps(size: int, step: int) -> Iterator[slice]:
    """A dimension in pieces."""
    return (slice(k, min(k + step, size)) for k in range(0, size, step))
