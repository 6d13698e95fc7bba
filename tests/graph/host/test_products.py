"""Products of tensors by BLAS against XLA's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from .agreement import agree

SHAPES = [
    # left, right, ((summed), (batch)), for two operands
    ((3, 4), (4, 5), (((1,), (0,)), ((), ()))),
    ((4, 3), (5, 4), (((0,), (1,)), ((), ()))),
    ((4,), (4,), (((0,), (0,)), ((), ()))),
    ((4,), (3, 4), (((0,), (1,)), ((), ()))),
    ((2, 3, 4), (2, 4, 5), (((2,), (1,)), ((0,), (0,)))),
    ((3, 2, 4), (4, 2, 5), (((2,), (0,)), ((1,), (1,)))),
    ((6, 5), (2, 5, 7), (((1,), (1,)), ((), ()))),
    ((2, 6, 7), (2, 5, 7), (((0, 2), (0, 2)), ((), ()))),
    ((2, 3, 4, 5), (5, 3, 6, 2), (((1, 3), (1, 0)), ((0,), (3,)))),
    ((2, 3), (4, 5), (((), ()), ((), ()))),
    ((2, 3), (2, 3), (((1,), (1,)), ((0,), (0,)))),
    ((3, 2), (2, 3), (((0,), (1,)), ((1,), (0,)))),
    ((4, 3), (4, 5), (((0,), (0,)), ((), ()))),
    ((2, 3), (2, 5), (((), ()), ((0,), (0,)))),
    ((3, 1), (1, 4), (((1,), (0,)), ((), ()))),
    ((), (3,), (((), ()), ((), ()))),
    ((0, 4), (4, 5), (((1,), (0,)), ((), ()))),
    ((3, 0), (0, 5), (((1,), (0,)), ((), ()))),
    ((2, 0, 3, 4), (2, 4), (((3,), (1,)), ((0,), (0,)))),
]


def values(rng, shape, dtype):
    if np.issubdtype(dtype, np.integer):
        return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype)
    return rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32", "int8", "uint8", "complex64"])
def test_layouts(dtype):
    rng = np.random.default_rng(0)
    dtype = jnp.dtype(dtype)
    operands = [values(rng, shape, dtype) for case in SHAPES for shape in case[:2]]

    def products(*operands):
        pairs = zip(operands[::2], operands[1::2], SHAPES, strict=True)
        return [lax.dot_general(x, y, case[2]) for x, y, case in pairs]

    agree(products, *operands)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "float16", "bfloat16"])
def test_sums_in_a_wider_type(dtype):
    rng = np.random.default_rng(1)
    x, y = (values(rng, shape, jnp.dtype(dtype)) for shape in ((3, 400), (400, 5)))
    wider = jnp.int32 if jnp.issubdtype(x.dtype, np.integer) else jnp.float32
    agree(lambda x, y: jnp.matmul(x, y, preferred_element_type=wider), x, y)


def test_small_and_large_integers_are_exact():
    rng = np.random.default_rng(2)
    small, medium, large = (rng.integers(-n, n, (2, 30, 30), np.int32) for n in (100, 100_000, 2**31 - 1))
    agree(lambda *pairs: [x[0] @ x[1] for x in pairs], small, medium, large)


def test_operands_seen_through_other_strides():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((2, 6, 8, 9)).astype(np.float32), rng.standard_normal((8, 4)).astype(np.float32)
    images, weight = rng.standard_normal((3, 40, 30, 10)), rng.standard_normal((50, 40))

    def products(x, y, images, weight):
        left = x[:, ::-1, :, ::2]
        return [
            jnp.einsum("aicj,ck->aikj", left, y),
            jnp.einsum("aicj,ck->akij", jnp.broadcast_to(x[:1], x.shape), y[:, ::2]),
            jnp.einsum("oc,nchw->nohw", weight, images),
            jax.grad(lambda w: (jnp.einsum("oc,nchw->nohw", w, images) ** 2).sum())(weight),
            jax.grad(lambda i: (jnp.einsum("oc,nchw->nohw", weight, i) ** 2).sum())(images),
        ]

    agree(products, x, y, images.astype(np.float32), weight.astype(np.float32), rtol=1e-4)
