"""Scatters, and their gradients, against XLA's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from megengine.graph.host import scattering

from .agreement import agree

MODES = [lax.GatherScatterMode.CLIP, lax.GatherScatterMode.FILL_OR_DROP]


def numbers(window, inserted, mapped, batching=(), index_batching=()):
    return lax.ScatterDimensionNumbers(window, inserted, mapped, batching, index_batching)


CASES = [
    # array, indices, updates, dimension numbers
    ((7, 5), (4, 1), (4, 5), numbers((1,), (0,), (0,))),
    ((7, 5), (4, 1), (7, 4), numbers((0,), (1,), (1,))),
    ((3, 7, 5), (2, 4, 1), (3, 2, 5, 4), numbers((0, 2), (1,), (1,))),
    ((3, 7, 5), (4, 2), (4, 7), numbers((1,), (0, 2), (2, 0))),
    ((3, 7, 5), (4, 2), (2, 4, 4, 3), numbers((0, 2, 3), (), (1, 2))),
    ((3, 7), (1,), (2, 3), numbers((0, 1), (), (1,))),
    ((3, 7), (2,), (), numbers((), (0, 1), (0, 1))),
    ((3, 7, 5), (3, 4, 1), (3, 4, 5), numbers((2,), (1,), (1,), (0,), (0,))),
    ((3, 7, 5), (4, 5, 3, 1), (4, 5, 3), numbers((), (1,), (1,), (0, 2), (2, 1))),
    ((3, 7), (4, 0), (4, 2, 7), numbers((1, 2), (), ())),
    ((3, 7), (0, 1), (0, 7), numbers((1,), (0,), (0,))),
    ((0, 7), (4, 1), (4, 0, 3), numbers((1, 2), (), (1,))),
]
OPERATIONS = [lax.scatter_add, lax.scatter_sub, lax.scatter_mul, lax.scatter_min, lax.scatter_max]


def operands(rng, dtype, cases=CASES):
    def values(shape):
        if np.issubdtype(dtype, np.integer):
            return np.asarray(rng.integers(-100, 100, shape)).astype(dtype)
        return np.asarray(rng.standard_normal(shape)).astype(dtype)

    found = []
    for array, indices, updates, _ in cases:
        found += [values(array), rng.integers(-2, 8, indices).astype(np.int32), values(updates)]
    return found


def triples(operands, cases=CASES):
    return zip(operands[::3], operands[1::3], operands[2::3], cases, strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32", "int8"])
def test_combining(dtype):
    arrays = operands(np.random.default_rng(0), jnp.dtype(dtype))

    def every(*arrays):
        return [f(x, i, u, c[3], mode=m) for x, i, u, c in triples(arrays) for f in OPERATIONS for m in MODES]

    # XLA rounds half types after each addition.
    agree(every, *arrays, rtol={"float16": 1e-2, "bfloat16": 6e-2}.get(dtype))


@pytest.mark.parametrize(("few", "large", "block"), [(0, 256, 1 << 18), (1024, 1, 1 << 18), (0, 256, 7)])
def test_every_way_of_combining(few, large, block, monkeypatch):
    monkeypatch.setattr(scattering, "FEW", few)
    monkeypatch.setattr(scattering, "LARGE", large)
    monkeypatch.setattr(scattering, "BLOCK", block)
    arrays = operands(np.random.default_rng(1), np.float32)

    def every(*arrays):
        return [lax.scatter_add(x, i, u, c[3], mode=m) for x, i, u, c in triples(arrays) for m in MODES]

    agree(every, *arrays)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "bool"])
def test_replacing(dtype):
    cases = [c for c in CASES if c[1] != (4, 0)]
    arrays = operands(np.random.default_rng(2), jnp.dtype(dtype), cases)

    def every(*arrays):
        return [lax.scatter(x, i, u, c[3], mode=m) for x, i, u, c in triples(arrays, cases) for m in MODES]

    # Of windows that meet, the last one stays in both.
    agree(every, *arrays)


def test_gradients():
    cases = [c for c in CASES if c[1] != (4, 0)]
    arrays = operands(np.random.default_rng(3), np.float32, cases)
    for i in arrays[1::3]:
        # In bounds and all different: replacing has a gradient of its own for others.
        i[...] = np.arange(i.size).reshape(i.shape) % 2 if i.size < 3 else np.arange(i.size).reshape(i.shape) % 4

    def every(*arrays):
        found = []
        for x, i, u, c in triples(arrays, cases):
            for f in (lax.scatter_add, lax.scatter):
                y, pull = jax.vjp(lambda x, u, f=f, i=i, c=c: f(x, i, u, c[3]), x, u)
                found.append(pull(jnp.sin(y)))
        return found

    agree(every, *arrays)


def test_applying():
    rng = np.random.default_rng(4)
    x, rows = rng.standard_normal((5, 4)).astype(np.float32), np.array([3, 1, 3, 9], np.int32)

    def every(x, rows):
        return [
            x.at[rows].apply(jnp.square),
            x.at[1, 2].apply(jnp.exp),
            x.at[rows, 0].multiply(2.0),
            x.at[:, ::2].set(0),
        ]

    agree(every, x, rows)


def test_an_embedding():
    rng = np.random.default_rng(5)
    table, tokens = rng.standard_normal((50, 20)).astype(np.float32), rng.integers(0, 50, (8, 30)).astype(np.int32)

    def gradient(table, tokens):
        return jax.grad(lambda table: (table[tokens] ** 3).sum())(table)

    agree(gradient, table, tokens, rtol=1e-5)
