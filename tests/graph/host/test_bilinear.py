"""The engine's convolution and its gradients on the host, against XLA's."""

from __future__ import annotations

import numpy as np
import pytest

from megengine.ops.bilinear import convolve, gradients, input_gradient, kernel_gradient

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


def test_gradients_of_gradients_are_made_of_the_three() -> None:
    import jax

    rng = np.random.default_rng(0)
    settings = {"stride": (2, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((2, 3, 6, 5), (4, 3, 3, 3)))

    def loss(x, w):
        y = convolve(x, w, **settings)
        of_x = input_gradient(w, y * y, shape=x.shape, **settings)
        return (of_x * x).sum() + (kernel_gradient(x, y, shape=w.shape, **settings) * w).sum()

    agree(jax.grad(loss, (0, 1)), x, w, rtol=1e-3, atol=1e-2)
