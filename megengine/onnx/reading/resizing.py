"""Which elements of an axis each element of the resized one is made of; by NumPy, since sizes alone decide."""

from __future__ import annotations

from typing import Any

import numpy as np


def taps(
    old: int, new: int, scale: float, mode: str, where: str, options: dict[str, Any], axis: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices and weights ``(new, k)``, and which new elements lie inside the old axis."""
    x = _source(old, new, scale, where, options, axis)
    inside = (x >= 0) & (x <= old - 1) if where == "tf_crop_and_resize" else np.ones(new, bool)
    if mode == "nearest":
        index = _nearest(x, options.get("nearest_mode", "round_prefer_floor"))
        return np.clip(index, 0, old - 1)[:, None], np.ones((new, 1)), inside
    stretch = min(scale, 1.0) if options.get("antialias") else 1.0
    support = (2 if mode == "cubic" else 1) / stretch
    count = 2 * int(np.ceil(support))
    low = np.floor(x).astype(int)
    index = low[:, None] + np.arange(-count // 2 + 1, count // 2 + 1)
    apart = (x[:, None] - index) * stretch
    weights = (
        _cubic(apart, options.get("cubic_coeff_a", -0.75)) if mode == "cubic" else np.maximum(0, 1 - np.abs(apart))
    )
    if options.get("exclude_outside"):
        weights = np.where((index < 0) | (index >= old), 0, weights)
    if options.get("exclude_outside") or options.get("antialias"):
        weights = weights / weights.sum(1, keepdims=True)
    return np.clip(index, 0, old - 1), weights, inside


def _source(old: int, new: int, scale: float, where: str, options: dict[str, Any], axis: int) -> np.ndarray:
    """Where each new element lies among the old ones."""
    at = np.arange(new, dtype=np.float64)
    length = old * scale
    if where == "align_corners":
        return at * (old - 1) / (length - 1) if length != 1 else at * 0
    if where == "asymmetric":
        return at / scale
    if where == "tf_crop_and_resize":
        start, end = options["regions"].get(axis, (0.0, 1.0))
        if length <= 1:
            return np.full(new, 0.5 * (start + end) * (old - 1))
        return start * (old - 1) + at * (end - start) * (old - 1) / (length - 1)
    if where == "pytorch_half_pixel" and length <= 1:
        return at * 0 - 0.5
    if where == "half_pixel_symmetric":
        centre = old / 2 * (1 - new / length)
        return centre + (at + 0.5) / scale - 0.5
    return (at + 0.5) / scale - 0.5


def _nearest(x: np.ndarray, how: str) -> np.ndarray:
    if how == "round_prefer_floor":
        return np.ceil(x - 0.5).astype(int)
    if how == "round_prefer_ceil":
        return np.floor(x + 0.5).astype(int)
    return (np.floor if how == "floor" else np.ceil)(x).astype(int)


def _cubic(apart: np.ndarray, a: float) -> np.ndarray:
    """Keys' kernel."""
    d = np.abs(apart)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))
