"""Poolings and windows against their definitions in NumPy, ties, and gradients against slopes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import megengine.functional as F
from megengine import Tensor

from . import directions
from .gradients import gradients

RNG = np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return np.float32(RNG.normal(size=shape))


def windows(x: np.ndarray, window: Any, stride: Any, padding: Any = (0, 0), dilation: Any = (1, 1)) -> np.ndarray:
    """All windows ``(N, C, OH, OW, h, w)``, NaN where they are padding."""
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)], constant_values=np.nan)
    sizes = [(n - d * (w - 1) - 1) // s + 1 for n, w, s, d in zip(x.shape[2:], window, stride, dilation, strict=True)]
    out = np.empty((*x.shape[:2], *sizes, *window), np.float32)
    for i, j in itertools.product(*map(range, sizes)):
        rows, columns = (k * s + np.arange(w) * d for k, s, w, d in zip((i, j), stride, window, dilation, strict=True))
        out[:, :, i, j] = x[:, :, rows[:, None], columns]
    return out


def close(found: Tensor, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-5)


# Windows that overlap, that meet edge to edge, that leave gaps, fewer windows than elements, with padding.
POOLS = [
    ((3, 2), (2, 1), (1, 0)),
    ((2, 2), (2, 2), (0, 0)),
    ((4, 3), (4, 3), (1, 1)),
    ((1, 2), (3, 3), (0, 1)),
    ((5, 6), (1, 1), (0, 0)),
    ((6, 7), (6, 7), (0, 0)),
]


@pytest.mark.parametrize(("window", "stride", "padding"), POOLS)
def test_pools(window: Any, stride: Any, padding: Any) -> None:
    x = normal(2, 3, 6, 7)
    seen = windows(x, window, stride, padding)
    close(F.max_pool2d(Tensor(x), window, stride, padding), np.nanmax(seen, (4, 5)))
    close(F.avg_pool2d(Tensor(x), window, stride, padding), np.nanmean(seen, (4, 5)))
    everything = F.avg_pool2d(Tensor(x), window, stride, padding, "average")
    close(everything, np.nansum(seen, (4, 5)) / (window[0] * window[1]))


@pytest.mark.parametrize(("window", "stride", "padding"), POOLS)
def test_gradients(window: Any, stride: Any, padding: Any) -> None:
    # Far apart, so that the largest stay the largest.
    x = np.float32(RNG.permutation(84).reshape(1, 2, 6, 7))
    for function in (F.max_pool2d, F.avg_pool2d):
        directions.check(lambda x, f=function: f(x, window, stride, padding), x)
    directions.check(lambda x: F.avg_pool2d(x, window, stride, padding, "average"), x)


@pytest.mark.parametrize(("window", "stride", "padding"), POOLS)
def test_every_tied_element_gets_the_gradient(window: Any, stride: Any, padding: Any) -> None:
    x = np.float32(RNG.integers(0, 3, (1, 1, 6, 7)))
    seen = windows(x, window, stride, padding)
    weights = np.cos(np.arange(seen[0, 0, :, :, 0, 0].size, dtype=np.float32)).reshape(seen.shape[2:4])
    wanted = np.zeros((6 + 2 * padding[0], 7 + 2 * padding[1]), np.float32)
    for i, j in itertools.product(*map(range, weights.shape)):
        place = wanted[i * stride[0] : i * stride[0] + window[0], j * stride[1] : j * stride[1] + window[1]]
        place += (seen[0, 0, i, j] == np.nanmax(seen[0, 0, i, j])) * weights[i, j]
    wanted = wanted[padding[0] : padding[0] + 6, padding[1] : padding[1] + 7]
    (found,) = gradients(lambda x: F.max_pool2d(x, window, stride, padding), x)
    assert found is not None
    np.testing.assert_allclose(found[0, 0], wanted, rtol=1e-5, atol=1e-5)


def test_stride_is_the_window_unless_given() -> None:
    x = Tensor(normal(1, 1, 6, 6))
    np.testing.assert_array_equal(F.max_pool2d(x, (2, 3)).numpy(), F.max_pool2d(x, (2, 3), (2, 3)).numpy())


def test_windows_in_the_padding_alone() -> None:
    x = F.ones((1, 1, 2, 2))
    assert F.max_pool2d(x, 1, 1, 1)[0, 0, 0, 0].item() == np.finfo(np.float32).min
    assert F.avg_pool2d(x, 1, 1, 1).numpy().sum() == 4


def test_half_precision_sums_in_single() -> None:
    found = F.avg_pool2d(Tensor(np.full((1, 1, 64, 64), 100, np.float16)), 64)
    assert found.dtype == np.float16
    assert found.item() == 100


def test_int8_means_round_half_away_from_zero() -> None:
    x = Tensor(np.int8([[[[1, 2], [-1, -2]]]]))
    np.testing.assert_array_equal(F.avg_pool2d(x, (1, 2)).numpy().ravel(), [2, -2])
    np.testing.assert_array_equal(F.avg_pool2d(x, (1, 2), mode="average").numpy().ravel(), [1, -1])


@settings(max_examples=15, deadline=None)
@given(size=st.tuples(st.integers(1, 6), st.integers(1, 7)))
def test_adaptive(size: tuple[int, int]) -> None:
    x = normal(1, 2, 6, 7)
    stride = [n // o for n, o in zip((6, 7), size, strict=True)]
    window = [n - (o - 1) * s for n, o, s in zip((6, 7), size, stride, strict=True)]
    seen = windows(x, window, stride)
    close(F.adaptive_max_pool2d(Tensor(x), size), seen.max((4, 5)))
    close(F.adaptive_avg_pool2d(Tensor(x), Tensor(size)), seen.mean((4, 5)))


def test_sliding_windows() -> None:
    x = normal(2, 2, 6, 7)
    wanted = np.nan_to_num(windows(x, (3, 2), (2, 1), (1, 2), (1, 3)))
    close(F.sliding_window(Tensor(x), (3, 2), (1, 2), (2, 1), (1, 3)), wanted)
    directions.check(lambda x: F.sliding_window(x, (3, 2), (1, 2), (2, 1), (1, 3)), x)


def test_sliding_windows_transposed() -> None:
    """``dot(windows(x), y) == dot(x, transpose(y))``."""
    x = normal(1, 2, 6, 7)
    attrs: Any = ((3, 2), (1, 2), (2, 1), (1, 3))
    forth = F.sliding_window(Tensor(x), *attrs)
    y = normal(*forth.shape)
    back = F.sliding_window_transpose(Tensor(y), (6, 7), *attrs)
    assert back.shape == x.shape
    assert (forth.numpy() * y).sum() == pytest.approx((back.numpy() * x).sum(), rel=1e-4)
    directions.check(lambda y: F.sliding_window_transpose(y, (6, 7), *attrs), y)
    large = np.ones((1, 1, 2, 2, 11, 11), np.float32)
    wanted = np.convolve([1, 1], np.ones(11))
    close(F.sliding_window_transpose(Tensor(large), 12, 11), np.outer(wanted, wanted)[None, None])
    with pytest.raises(AssertionError, match=r"has windows \(N, C, 5, 5, 2, 2\)"):
        F.sliding_window_transpose(Tensor(normal(1, 1, 4, 4, 2, 2)), 6, 2)


def test_psroi_of_a_constant_and_a_slope() -> None:
    rois = Tensor([[0.0, 1.0, 1.0, 4.0, 4.0], [1.0, 0.0, 2.0, 3.0, 5.0]])
    still = F.zeros((2, 2, 2, 2))
    flat = F.deformable_psroi_pooling(F.full((2, 3, 8, 8), 2.5), rois, still, False, 2, 2, 2, 3, 1.0)
    np.testing.assert_allclose(flat.numpy(), np.full((2, 3, 2, 2), 2.5), rtol=1e-6)
    # On a slope a bin gives the mean of where its points are, 0.5 and 1.5 for the first.
    slope = np.broadcast_to(np.arange(8, dtype=np.float32), (2, 1, 8, 8))
    found = F.deformable_psroi_pooling(Tensor(np.ascontiguousarray(slope)), rois, still, False, 2, 2, 2, 2, 1.0)
    np.testing.assert_allclose(found.numpy()[0, 0], [[1.0, 3.0], [1.0, 3.0]], atol=1e-5)
    # Moved right by 2.5 * 0.1 of the region's width, which is 4.
    moved = np.zeros((2, 2, 2, 2), np.float32)
    moved[:, 0] = 2.5
    right = F.deformable_psroi_pooling(Tensor(np.ascontiguousarray(slope)), rois, Tensor(moved), False, 2, 2, 2, 2, 1.0)
    np.testing.assert_allclose(right.numpy()[0, 0], found.numpy()[0, 0] + 1, atol=1e-5)


def test_psroi_gradients() -> None:
    rois = Tensor([[0.0, 1.0, 1.0, 4.0, 4.0], [0.0, 0.0, 2.0, 3.0, 5.0]])
    trans = np.float32(RNG.uniform(0.1, 0.4, (2, 2, 2, 2)))
    directions.check(
        lambda x, t: F.deformable_psroi_pooling(x, rois, t, False, 2, 2, 2, 2, 1.0),
        normal(1, 2, 8, 8),
        trans,
        step=2e-3,
    )
    found = gradients(
        lambda x, t: F.deformable_psroi_pooling(x, rois, t, True, 2, 2, 2, 2, 1.0), normal(1, 2, 8, 8), trans
    )
    assert found[0] is not None and found[1] is None


def test_psroi_of_an_image_that_is_not_there() -> None:
    out = F.deformable_psroi_pooling(
        F.ones((1, 2, 4, 4)), Tensor([[1.0, 0.0, 0.0, 2.0, 2.0]]), F.zeros((1, 2, 1, 1)), True, 1, 1, 1, 1, 1.0
    )
    with pytest.raises(IndexError, match="not in the batch"):
        out.numpy()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: F.max_pool2d(x, 5), "a window of"),
        (lambda x: F.max_pool2d(x[0], 2), r"must be \(N, C, H, W\)"),
        (lambda x: F.max_pool2d(x.astype("int32"), 2), "floating-point values or int8"),
        (lambda x: F.max_pool2d(x, 0), "kernel_size must be"),
        (lambda x: F.avg_pool2d(x, 2, 0), "stride must be"),
        (lambda x: F.avg_pool2d(x, 2, mode="max"), "mode must be"),
        (lambda x: F.adaptive_avg_pool2d(x, 5), "larger than the input"),
        (lambda x: F.adaptive_max_pool2d(x, (0, 1)), "oshp must be"),
        (lambda x: F.sliding_window(x, 2, dilation=4), "dilation"),
    ],
)
def test_what_is_refused(call: Callable[[Tensor], Tensor], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call(Tensor(normal(1, 1, 4, 4)))
