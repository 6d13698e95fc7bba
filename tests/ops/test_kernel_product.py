"""A kernel's gradient as one product of matrices against JAX's own of the convolution, and where the layout pass takes it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from megengine.graph.layout import text
from megengine.ops import bilinear
from megengine.ops.kernel_product import better, kernel_gradient
from megengine.ops.onednn.library import library

SETTINGS = [
    # input, kernel, stride, padding, dilation
    ((3, 4, 7), (16, 4, 3), (2,), (1,), (2,)),
    ((2, 5, 4, 6), (32, 5, 3, 2), (1, 2), (1, 0), (1, 1)),
    ((2, 3, 5, 5), (20, 3, 3, 3), (2, 2), (0, 2), (1, 2)),
    ((1, 2, 3, 4, 5), (64, 2, 1, 2, 3), (1, 2, 1), (0, 1, 2), (1, 1, 1)),
]


@pytest.mark.parametrize("x_shape, kernel_shape, stride, padding, dilation", SETTINGS)
def test_it_is_the_gradient(
    x_shape: Any, kernel_shape: Any, stride: Any, padding: Any, dilation: Any, rng: Any
) -> None:
    def convolved(kernel: Any) -> Any:
        pads = [(p, p) for p in padding]
        return jax.lax.conv_general_dilated(x, kernel, stride, pads, rhs_dilation=dilation, precision="highest")

    x = jnp.asarray(rng.standard_normal(x_shape), jnp.float32)
    y, pull = jax.vjp(convolved, jnp.zeros(kernel_shape, jnp.float32))
    ct = jnp.asarray(rng.standard_normal(y.shape), jnp.float32)
    settings = {"kernel_shape": kernel_shape, "stride": stride, "padding": padding, "dilation": dilation}
    found = kernel_gradient(jnp.moveaxis(x, 1, -1), jnp.moveaxis(ct, 1, -1), **settings)
    np.testing.assert_allclose(found, pull(ct)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(library() is None, reason="needs oneDNN")
@pytest.mark.parametrize("size, calls", [(2, 0), (8, 1)])
def test_few_positions_are_not_the_librarys(size: int, calls: int, rng: Any) -> None:
    settings = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    shape, kernel = (2, 64, size, size), (64, 64, 3, 3)
    x = jnp.asarray(rng.standard_normal(shape), jnp.float32)
    assert better(x_shape=shape, kernel_shape=kernel, **settings) is not bool(calls)  # type: ignore[arg-type]
    made = text(lambda x, ct: [bilinear.kernel_gradient(x, ct, shape=kernel, **settings)], x, x)
    assert made.count("ffi_call") == calls


def test_groups_and_windows_of_one_element_are_not_computed_so() -> None:
    one = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
    assert not better(x_shape=(1, 64, 2, 2), kernel_shape=(64, 64, 1, 1), groups=1, **one)
    assert not better(x_shape=(1, 64, 2, 2), kernel_shape=(64, 32, 2, 2), groups=2, **one)
