"""Gathers, and their gradients, against XLA's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from .agreement import agree

MODES = [lax.GatherScatterMode.CLIP, lax.GatherScatterMode.FILL_OR_DROP]


def values(rng, shape, dtype):
    if np.issubdtype(dtype, np.integer):
        return rng.integers(0, 100, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def numbers(offset, collapsed, mapped, batching=(), index_batching=()):
    return lax.GatherDimensionNumbers(offset, collapsed, mapped, batching, index_batching)


CASES = [
    # array, indices, dimension numbers, window
    ((7, 5), (4, 1), numbers((1,), (0,), (0,)), (1, 5)),
    ((7, 5), (4, 1), numbers((0,), (1,), (1,)), (7, 1)),
    ((7, 5), (4, 1), numbers((0, 2), (), (1,)), (7, 1)),
    ((3, 7, 5), (2, 4, 1), numbers((0, 3), (1,), (1,)), (3, 1, 5)),
    ((3, 7, 5), (2, 4, 1), numbers((0, 2), (1,), (1,)), (3, 1, 5)),
    ((3, 7, 5), (4, 2), numbers((1,), (0, 2), (2, 0)), (1, 7, 1)),
    ((3, 7, 5), (4, 2), numbers((1, 2), (0,), (0, 1)), (1, 3, 5)),
    ((3, 7, 5), (4, 2), numbers((0, 2, 3), (), (1, 2)), (2, 4, 3)),
    ((3, 7), (1,), numbers((0, 1), (), (1,)), (2, 3)),
    ((3, 7), (2,), numbers((), (0, 1), (0, 1)), (1, 1)),
    ((3, 7, 5), (3, 4, 1), numbers((2,), (1,), (1,), (0,), (0,)), (1, 1, 5)),
    ((3, 7, 5), (4, 5, 3, 1), numbers((), (1,), (1,), (0, 2), (2, 1)), (1, 1, 1)),
    ((3, 7), (4, 0), numbers((1, 2), (), ()), (2, 7)),
    ((3, 7), (0,), numbers((0, 1), (), ()), (2, 7)),
    ((3, 7), (0, 1), numbers((1,), (0,), (0,)), (1, 7)),
    ((0, 7), (4, 1), numbers((1, 2), (), (1,)), (0, 3)),
]


def operands(rng, dtype, cases=CASES, low=-3, high=9):
    arrays = [values(rng, c[0], dtype) for c in cases]
    return arrays, [rng.integers(low, high, c[1]).astype(np.int32) for c in cases]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "uint8", "bool"])
def test_every_mode(dtype):
    arrays, indices = operands(np.random.default_rng(0), jnp.dtype(dtype))

    def every(*operands):
        arrays, indices = operands[: len(CASES)], operands[len(CASES) :]
        return [
            lax.gather(x, i, c[2], c[3], mode=mode, fill_value=fill)
            for x, i, c in zip(arrays, indices, CASES, strict=True)
            for mode, fill in ((MODES[0], None), (MODES[1], None), (MODES[1], 7))
        ]

    agree(every, *arrays, *indices)


def test_gradients():
    arrays, indices = operands(np.random.default_rng(1), np.float32)

    def every(*operands):
        arrays, indices = operands[: len(CASES)], operands[len(CASES) :]
        found = []
        for x, i, c in zip(arrays, indices, CASES, strict=True):
            for mode in MODES:
                y, pull = jax.vjp(lambda x, i=i, c=c, mode=mode: lax.gather(x, i, c[2], c[3], mode=mode), x)
                found.append(pull(jnp.nan_to_num(y)))
        return found

    agree(every, *arrays, *indices)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.int8, np.int32])
def test_indices_of_any_integers(dtype):
    x = np.arange(300, dtype=np.float32).reshape(300, 1)
    at = np.array([0, 3, 100, 127, 200, 255, 299, 300, 2**31, 2**32 - 1], np.uint32).astype(dtype)[:, None]

    def every(x, at):
        return [lax.gather(x, at, CASES[0][2], (1, 1), mode=mode) for mode in MODES]

    agree(every, x, at)


def test_indexing():
    rng = np.random.default_rng(2)
    x, rows = values(rng, (4, 6, 5, 3), np.float32), rng.integers(-5, 6, (2, 3)).astype(np.int32)

    def every(x, rows):
        order = jnp.argsort(x, 1)
        return [
            x[:, rows],
            x[rows, :, rows[0]],
            x[1, :, rows],
            x[2, rows, ::-1, 1:],
            x[..., rows[0, 0]],
            jnp.take(x, rows, 2, mode="fill"),
            jnp.take(x, rows, 2, mode="wrap"),
            jnp.take_along_axis(x, order, 1),
            jax.grad(lambda x: (jnp.take_along_axis(x, order, 1) ** 2).sum())(x),
            jax.vmap(lambda x, i: lax.dynamic_slice(x, (i, 0, i), (2, 5, 2)))(x, rows.reshape(-1)[:4]),
        ]

    agree(every, x, rows)
