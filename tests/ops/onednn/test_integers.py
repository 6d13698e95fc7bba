"""oneDNN's convolution of integers against sums of products in NumPy's int64."""

from __future__ import annotations

import numpy as np
import pytest

from megengine.ops.onednn.integers import MOST_KERNELS, IntegerConvolution
from megengine.ops.onednn.library import library

pytestmark = pytest.mark.skipif(library() is None, reason="needs oneDNN")
exactly = pytest.mark.skipif(library() is None or not library().exact_integers, reason="needs VNNI")  # type: ignore[union-attr]

SETTINGS = [
    # input, kernel, stride, padding, dilation, groups
    ((2, 3, 9, 8), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((1, 40, 6, 7), (24, 40, 3, 2), (2, 1), (0, 1), (2, 1), 1),
    ((2, 16, 5, 5), (8, 16, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    ((2, 8, 8, 9), (6, 4, 3, 3), (2, 1), (1, 2), (1, 2), 2),
    ((2, 16, 9, 9), (16, 1, 3, 3), (1, 1), (1, 1), (1, 1), 16),
    ((1, 2048, 2, 2), (3, 2048, 1, 1), (1, 1), (0, 0), (1, 1), 1),  # sums beyond those that float32 holds
]


def reference(x: np.ndarray, w: np.ndarray, stride: tuple, padding: tuple, dilation: tuple, groups: int) -> np.ndarray:
    x = np.pad(x.astype(np.int64), [(0, 0), (0, 0), *((p, p) for p in padding)])
    seen = np.lib.stride_tricks.sliding_window_view(
        x, [d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilation, strict=True)], (2, 3)
    )
    seen = seen[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    parts = zip(np.split(seen, groups, 1), np.split(w.astype(np.int64), groups, 0), strict=True)
    return np.concatenate([np.einsum("nchwij,ocij->nohw", s, k) for s, k in parts], 1)


def extreme(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Integers of the whole range, the ends among them."""
    x = rng.integers(-128, 128, shape).astype(np.int8)
    x.flat[::3] = -128
    return x


def run(of: IntegerConvolution, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    plan = of.plan()
    assert plan is not None
    given = np.ascontiguousarray(np.moveaxis(x, 1, -1) if of.x_last else x)
    shape = of.y_shape
    y = np.zeros((shape[0], *shape[2:], shape[1]) if of.y_last else shape, np.int32)
    w = np.ascontiguousarray(w)
    plan.run(given.ctypes.data, w.ctypes.data, y.ctypes.data)
    return np.moveaxis(y, -1, 1) if of.y_last else y


@exactly
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("last", [False, True])
def test_sums_are_exact(settings: tuple, last: bool) -> None:
    rng = np.random.default_rng(0)
    x, w = extreme(rng, settings[0]), extreme(rng, settings[1])
    of = IntegerConvolution(*settings, x_last=last, y_last=last)
    np.testing.assert_array_equal(run(of, x, w), reference(x, w, *settings[2:]))


@exactly
def test_kernels_that_change_in_place_or_are_many() -> None:
    rng = np.random.default_rng(1)
    settings = SETTINGS[0]
    of = IntegerConvolution(*settings)
    x = extreme(rng, settings[0])
    kernels = [extreme(rng, settings[1]) for _ in range(MOST_KERNELS + 3)]
    place = np.empty_like(kernels[0])
    for kernel in (*kernels, *kernels[:4], *kernels[::-1]):
        place[...] = kernel
        np.testing.assert_array_equal(run(of, x, place), reference(x, kernel, *settings[2:]))


def test_what_it_does_not_compute() -> None:
    assert IntegerConvolution((0, 3, 4, 4), (2, 3, 1, 1), (1, 1), (0, 0), (1, 1), 1).plan() is None


def test_sums_that_would_not_be_exact_are_left_to_xla(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library(), "exact_integers", False)
    assert IntegerConvolution(*SETTINGS[0]).plan() is None
