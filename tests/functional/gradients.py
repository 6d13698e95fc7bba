"""Gradients by GradManager against central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import megengine.functional as F
from megengine import Tensor
from megengine.autodiff import GradManager


def gradients(function: Callable[..., Any], *arrays: np.ndarray) -> list[np.ndarray | None]:
    """Gradients of the weighted sum of a function's result with respect to each array; None where there is none."""
    inputs = [Tensor(a) for a in arrays]
    manager = GradManager().attach(inputs)
    with manager:
        manager.backward(weighted(function(*inputs)))
    return [None if x.grad is None else x.grad.numpy() for x in inputs]


def weighted(y: Tensor) -> Tensor:
    """A scalar in which every element counts differently."""
    weights = np.cos(np.arange(int(np.prod(y.shape)), dtype=np.float32)).reshape(y.shape)
    return (y * Tensor(weights)).sum()


def differences(function: Callable[..., Any], *arrays: np.ndarray, step: float = 1e-2) -> list[np.ndarray]:
    """The same by central differences, all evaluated in one graph."""
    values: list[Tensor] = []
    for k, array in enumerate(arrays):
        for position in range(array.size):
            for sign in (1, -1):
                moved = [a.copy() for a in arrays]
                moved[k].flat[position] += np.float32(sign * step)
                values.append(weighted(function(*map(Tensor, moved))).reshape(1))
    flat = F.concat(values).numpy().astype(np.float64)
    slopes = (flat[0::2] - flat[1::2]) / (2 * step)
    sizes = np.cumsum([a.size for a in arrays])[:-1]
    return [s.reshape(a.shape) for s, a in zip(np.split(slopes, sizes), arrays, strict=True)]


def check(function: Callable[..., Any], *arrays: Any, tolerance: float = 4e-3) -> None:
    """Assert that a function's gradients are its slopes."""
    floats = [np.asarray(a, np.float32) for a in arrays]
    for found, wanted in zip(gradients(function, *floats), differences(function, *floats), strict=True):
        assert found is not None
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)
