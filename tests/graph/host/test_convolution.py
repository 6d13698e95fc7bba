"""Convolutions by BLAS products against XLA's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from .agreement import agree

SETTINGS = [
    # input, kernel, strides, padding, input's dilation, kernel's, feature groups, batch groups
    ((2, 3, 7, 6), (4, 3, 3, 3), (1, 1), [(1, 1), (1, 1)], (1, 1), (1, 1), 1, 1),
    ((2, 3, 7, 6), (4, 3, 3, 2), (2, 3), [(0, 2), (3, 1)], (1, 1), (2, 1), 1, 1),
    ((2, 3, 5, 6), (4, 3, 1, 1), (1, 1), [(0, 0), (0, 0)], (1, 1), (1, 1), 1, 1),
    ((2, 3, 5, 6), (4, 3, 1, 1), (2, 2), [(0, 0), (0, 0)], (1, 1), (1, 1), 1, 1),
    ((2, 3, 5, 6), (4, 3, 3, 3), (1, 1), [(2, 3), (1, 1)], (2, 3), (1, 1), 1, 1),
    ((2, 3, 5, 6), (4, 3, 2, 3), (2, 3), [(2, 3), (1, 1)], (3, 2), (2, 2), 1, 1),
    ((2, 3, 9, 8), (4, 3, 3, 3), (1, 2), [(-1, -2), (1, -1)], (1, 1), (1, 1), 1, 1),
    ((2, 3, 5, 4), (4, 3, 3, 3), (1, 1), [(-1, 2), (1, -2)], (2, 2), (1, 1), 1, 1),
    ((2, 6, 7, 6), (4, 3, 3, 3), (1, 1), [(1, 1), (1, 1)], (1, 1), (1, 1), 2, 1),
    ((2, 4, 7, 6), (8, 1, 3, 3), (1, 1), [(1, 1), (1, 1)], (1, 1), (1, 1), 4, 1),
    ((2, 4, 7, 6), (4, 1, 3, 3), (2, 2), [(1, 1), (1, 1)], (1, 1), (1, 1), 4, 1),
    ((2, 4, 7, 6), (4, 1, 3, 5), (1, 2), [(2, 1), (1, 3)], (1, 1), (2, 1), 4, 1),
    ((6, 3, 7, 6), (4, 3, 6, 6), (1, 1), [(1, 1), (1, 1)], (1, 1), (1, 1), 1, 2),
    ((4, 2, 7, 6), (4, 2, 3, 3), (1, 1), [(1, 1), (1, 1)], (1, 1), (1, 1), 1, 4),
    ((2, 3, 9), (4, 3, 4), (2,), [(1, 1)], (1,), (2,), 1, 1),
    ((2, 3, 4, 5, 6), (4, 3, 2, 3, 2), (1, 2, 1), [(1, 1), (0, 1), (1, 0)], (1, 1, 1), (1, 1, 2), 1, 1),
    ((2, 3), (4, 3), (), [], (), (), 1, 1),
    ((0, 3, 7, 6), (4, 3, 3, 3), (1, 1), [(1, 1), (1, 1)], (1, 1), (1, 1), 1, 1),
    ((2, 3, 2, 2), (4, 3, 3, 3), (1, 1), [(0, 0), (0, 0)], (1, 1), (1, 1), 1, 1),
    ((2, 3, 0, 4), (4, 3, 3, 3), (1, 1), [(2, 2), (0, 0)], (1, 1), (1, 1), 1, 1),
]


def operands(rng, shapes, dtype):
    if np.issubdtype(dtype, np.integer):
        return [rng.integers(-100, 100, s).astype(dtype) for s in shapes]
    return [rng.standard_normal(s).astype(dtype) for s in shapes]


def convolve(x, w, settings, **more):
    strides, padding, x_dilation, w_dilation, by_feature, by_batch = settings
    return lax.conv_general_dilated(
        x,
        w,
        strides,
        padding,
        x_dilation,
        w_dilation,
        feature_group_count=by_feature,
        batch_group_count=by_batch,
        **more,
    )


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32"])
def test_forward(dtype):
    arrays = operands(np.random.default_rng(0), [s for case in SETTINGS for s in case[:2]], jnp.dtype(dtype))

    def every(*arrays):
        return [convolve(x, w, c[2:]) for x, w, c in zip(arrays[::2], arrays[1::2], SETTINGS, strict=True)]

    agree(every, *arrays)


@pytest.mark.parametrize("part", range(4))
def test_gradients(part):
    settings = SETTINGS[part::4]
    arrays = operands(np.random.default_rng(1), [s for case in settings for s in case[:2]], np.float32)

    def every(*arrays):
        found = []
        for x, w, case in zip(arrays[::2], arrays[1::2], settings, strict=True):
            y, pull = jax.vjp(lambda x, w, case=case: convolve(x, w, case[2:]), x, w)
            found.append(pull(y))
        return found

    agree(every, *arrays, rtol=1e-5)


def test_other_layouts():
    rng = np.random.default_rng(2)
    x, w = operands(rng, [(2, 7, 6, 4), (3, 3, 4, 5)], np.float32)

    def both(x, w):
        y, pull = jax.vjp(lambda x, w: convolve(x, w, LAST, dimension_numbers=("NHWC", "HWIO", "NHWC")), x, w)
        return y, pull(y)

    LAST = ((2, 1), [(1, 1), (0, 1)], (1, 1), (1, 2), 1, 1)
    agree(both, x, w, rtol=1e-5)


def test_integers_in_wider_ones():
    x, w = operands(np.random.default_rng(3), [(2, 30, 7, 6), (4, 30, 3, 3)], np.int8)
    agree(lambda x, w: convolve(x, w, SETTINGS[0][2:], preferred_element_type=jnp.int32), x, w)


LARGE = [
    ((2, 24, 10, 11), (20, 24, 3, 3), (1, 1), 1, 1),
    ((3, 30, 9, 8), (20, 30, 3, 3), (2, 2), 1, 1),
    ((5, 20, 17, 17), (30, 20, 1, 1), (1, 1), 0, 1),
    ((5, 20, 7, 7), (30, 20, 1, 1), (2, 2), 0, 1),
    ((2, 3, 50, 28), (8, 3, 7, 7), (2, 2), 3, 1),
    ((3, 40, 9, 8), (40, 1, 5, 5), (1, 1), 2, 40),
    ((2, 6, 46, 47), (6, 1, 5, 5), (1, 1), 2, 6),
]


@pytest.mark.parametrize("blocks", [1 << 10, 1 << 20])
def test_in_blocks(blocks, monkeypatch):
    from megengine.graph.host import convolution

    monkeypatch.setattr(convolution, "BLOCK", blocks)
    monkeypatch.setattr(convolution, "LONG", 200)
    arrays = operands(np.random.default_rng(4), [s for case in LARGE for s in case[:2]], np.float32)

    def every(*arrays):
        found = []
        for x, w, (*_, strides, padding, groups) in zip(arrays[::2], arrays[1::2], LARGE, strict=True):
            settings = (strides, [(padding, padding)] * 2, (1, 1), (1, 1), groups, 1)
            y, pull = jax.vjp(lambda x, w, settings=settings: convolve(x, w, settings), x, w)
            found.append((y, *pull(jnp.sin(y))))
        return found

    agree(every, *arrays, rtol=1e-4)
