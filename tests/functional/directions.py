"""Gradients against slopes along random directions: a few evaluations where slopes of each element would be many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from megengine import Tensor

from .gradients import gradients, weighted


def check(function: Callable[..., Any], *arrays: np.ndarray, step: float = 1e-2, tolerance: float = 1e-2) -> None:
    """Assert that a function's gradients give its slope along random directions, one array moved at a time."""
    rng = np.random.default_rng(len(arrays))
    for k, gradient in enumerate(gradients(function, *arrays)):
        assert gradient is not None
        for _ in range(2):
            direction = np.float32(rng.normal(size=arrays[k].shape))
            ends = []
            for sign in (1, -1):
                moved = list(arrays)
                moved[k] = arrays[k] + np.float32(sign * step) * direction
                ends.append(weighted(function(*map(Tensor, moved))).item())
            size = float(np.abs(gradient * direction).sum())
            assert abs((ends[0] - ends[1]) / (2 * step) - float((gradient * direction).sum())) <= tolerance * size
