"""The engine's convolution and its gradients on the host, against XLA's."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from megengine import graph
from megengine.graph.host import bilinear
from megengine.graph.host.interpreter import interpret
from megengine.ops.bilinear import convolve, gradients, input_gradient, kernel_gradient
from megengine.ops.onednn.library import library

from .agreement import agree

SETTINGS = [
    # input, kernel, stride, padding, dilation, groups
    ((2, 3, 7, 6), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((3, 3, 9, 8), (4, 3, 3, 2), (2, 3), (0, 1), (2, 1), 1),
    ((2, 3, 5, 6), (4, 3, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    ((2, 4, 8, 9), (6, 2, 3, 3), (2, 1), (1, 2), (1, 2), 2),
    ((2, 4, 9, 9), (4, 1, 7, 7), (1, 1), (3, 3), (1, 1), 4),
    ((2, 4, 8, 8), (8, 1, 3, 3), (2, 2), (1, 1), (1, 1), 4),
    ((2, 3, 9), (4, 3, 4), (2,), (1,), (2,), 1),
    ((2, 2, 4, 5, 6), (4, 2, 2, 3, 2), (1, 2, 1), (1, 0, 1), (1, 1, 2), 1),
    ((0, 3, 7, 6), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((1, 3, 8, 8), (4, 3, 3, 3), (3, 3), (0, 0), (1, 1), 1),  # elements that no window meets
]


@pytest.mark.parametrize(("dtype", "every"), [("float32", 1), ("float16", 4), ("int32", 4)])
def test_all_three(dtype: str, every: int) -> None:
    rng = np.random.default_rng(0)
    for x_shape, kernel_shape, stride, padding, dilation, groups in SETTINGS[::every]:
        settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        x, w = (np.round(rng.standard_normal(s) * 4).astype(dtype) for s in (x_shape, kernel_shape))
        agree(lambda x, w, s=settings: convolve(x, w, **s), x, w, rtol=2e-5, atol=2e-5)
        if dtype == "int32":
            continue
        shape = np.shape(np.asarray(convolve(x, w, **settings)))
        ct = np.round(rng.standard_normal(shape) * 4).astype(dtype)
        agree(lambda x, w, ct, s=settings: gradients(x, w, ct, **s), x, w, ct, rtol=2e-5, atol=2e-5)


@pytest.mark.skipif(library() is None, reason="oneDNN is not installed")
@pytest.mark.parametrize(
    ("x_shape", "kernel_shape", "groups", "by_library"),
    [
        ((2, 16, 20, 20), (16, 16, 3, 3), 1, True),
        ((2, 16, 20, 20), (16, 16, 1, 1), 1, False),  # a product
        ((2, 16, 20, 20), (16, 1, 3, 3), 16, True),
        ((2, 4, 6, 6), (4, 4, 3, 3), 1, False),
    ],
)
def test_what_is_large_is_computed_by_the_library(
    x_shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    groups: int,
    by_library: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bilinear, "MANY_SUMS", 1 << 19)
    monkeypatch.setattr(bilinear, "MANY_SUMS_OF_GROUPS", 1 << 15)
    given: list[str] = []
    original = bilinear._by_onednn
    monkeypatch.setattr(bilinear, "_by_onednn", lambda *args: given.append("plan") or original(*args))
    rng = np.random.default_rng(0)
    settings = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": groups}
    x, w = (rng.standard_normal(s).astype(np.float32) for s in (x_shape, kernel_shape))
    ct = rng.standard_normal(np.shape(convolve(x, w, **settings))).astype(np.float32)
    agree(lambda x, w: convolve(x, w, **settings), x, w, rtol=2e-5, atol=2e-4)
    agree(lambda x, w, ct: gradients(x, w, ct, **settings), x, w, ct, rtol=2e-5, atol=2e-3)
    assert len(given) == (3 if by_library else 0)


@pytest.mark.skipif(library() is None, reason="oneDNN is not installed")
@pytest.mark.parametrize(("tier", "by_library"), [("auto", True), ("host", False)])
def test_what_is_small_is_computed_by_the_library_once_it_has_run_often(
    tier: str, by_library: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((2, 8, 9, 9), (8, 8, 3, 3)))
    products = 2 * 9 * 9 * 8 * 8 * 9
    given: list[int] = []
    original = bilinear._by_onednn
    monkeypatch.setattr(bilinear, "MANY_SUMS", 3 * products)
    monkeypatch.setattr(bilinear, "_by_onednn", lambda *args: given.append(len(results)) or original(*args))
    results: list[np.ndarray] = []
    runner = interpret(jax.make_jaxpr(lambda x, w: convolve(x, w, **settings))(x, w))
    with graph.tier(tier):
        for _ in range(6):
            results += map(np.array, runner(x, w))
    assert given == ([3] if by_library else [])
    assert len({y.tobytes() for y in results[:3]}) == len({y.tobytes() for y in results[3:]}) == 1
    np.testing.assert_allclose(results[0], results[-1], rtol=2e-5, atol=2e-5)


def test_gradients_of_gradients_are_made_of_the_three() -> None:
    rng = np.random.default_rng(0)
    settings = {"stride": (2, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((2, 3, 6, 5), (4, 3, 3, 3)))

    def loss(x, w):
        y = convolve(x, w, **settings)
        of_x = input_gradient(w, y * y, shape=x.shape, **settings)
        return (of_x * x).sum() + (kernel_gradient(x, y, shape=w.shape, **settings) * w).sum()

    agree(jax.grad(loss, (0, 1)), x, w, rtol=1e-3, atol=1e-2)
