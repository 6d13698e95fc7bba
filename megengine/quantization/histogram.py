"""Histograms of what was seen, and the range of one that a quantised dtype represents best."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np

# The share of the values by which the search moves a bound.
STEP = 1e-5


def resampled(histogram: np.ndarray, finer: int, coarser: int, start: int) -> np.ndarray:
    """A histogram in bins of ``coarser`` parts, where its own have ``finer`` and it starts at a part of the new range."""
    bins = len(histogram)
    parts = np.zeros(bins * coarser)
    parts[start : start + bins * finer] = histogram.repeat(finer)
    return np.diff(np.cumsum(parts)[coarser - 1 :: coarser], prepend=0.0) / finer


def best_range(counts: np.ndarray, width: float, steps: int) -> tuple[int, int]:
    """The first and the last bin of the range to be quantised."""
    below = np.cumsum(counts, axis=0).tolist()
    total = float(counts.sum(dtype=np.float64))
    alpha, beta, first, last, least = 0.0, 1.0, 0, len(counts) - 1, float("inf")
    while alpha < beta:
        next_alpha, next_beta = alpha + STEP, beta - STEP
        left = bisect_left(below, next_alpha * total, first, last)
        right = max(bisect_right(below, next_beta * total, first, last + 1) - 1, first)
        next_first, next_last = first, last
        if left - first > last - right:
            next_first, alpha = left, next_alpha
        else:
            next_last, beta = right, next_beta
        if (next_first, next_last) == (first, last):
            continue
        error = _error(counts, width, next_first, next_last, steps)
        if error > least:
            break
        least, first, last = error, next_first, next_last
    return first, last


def _error(counts: np.ndarray, width: float, first: int, last: int, steps: int) -> float:
    """The squared error where the values of all bins are rounded to the middles of ``steps`` steps from one bin to another."""
    step = width * (last - first + 1) / steps
    if step == 0.0:
        return 0.0
    begin = (np.arange(len(counts)) - first) * width
    end = begin + width
    at_begin, at_end = (np.clip(np.floor(x / step), 0, steps - 1) for x in (begin, end))
    middle_of_begin, middle_of_end = (at * step + step / 2 for at in (at_begin, at_end))
    density = counts / width
    within = at_begin == at_end

    def norm(start: Any, stop: Any) -> Any:
        return density * ((stop * stop * stop - start * start * start) / 3)

    of_first = norm(begin - middle_of_begin, np.where(within, end - middle_of_begin, step / 2))
    between = np.where(within, 0.0, (at_end - at_begin - 1) * norm(-step / 2, step / 2))
    of_last = np.where(within, 0.0, norm(-step / 2, end - middle_of_end))
    # One after the other, as the reference sums them: the search stops where two sums differ in the last bit.
    return float(np.cumsum(np.stack([of_first, between, of_last], 1).ravel())[-1])
