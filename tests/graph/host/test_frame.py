"""What of a jaxpr is not run, and the code that runs the rest, against XLA's results."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from megengine.graph.host import interpreter
from megengine.graph.host.interpreter import Skeleton, interpret_aloud

from .ulps import same

X = np.linspace(-2, 2, 64 * 48, dtype=np.float32).reshape(64, 48)
AWKWARD = X.copy()
AWKWARD[:4, :4] = [[np.nan, -0.0, 0.0, np.inf]] * 4
AWKWARD[4, 0] = -np.inf


def names(f: Callable[..., object], *arrays: np.ndarray) -> list[str]:
    return [eqn.primitive.name for eqn in Skeleton(jax.make_jaxpr(f)(*arrays)).equations]


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: x + 1, ["add"]),
        (lambda x: x - jnp.ones(48), ["sub"]),
        (lambda x: x - x.sum(1)[:, None], ["reduce_sum", "reshape", "sub"]),
        (lambda x: jnp.where(x > 0, x, 0), ["gt", "select_or_zero"]),
        (lambda x: jnp.where(x > 0, 0, x), ["gt", "zero_or_select"]),
        (lambda x: jnp.where(x > 0, x, 3), ["gt", "select_n"]),
        (lambda x: jnp.where(x > 0, x, -0.0), ["gt", "select_n"]),
        (lambda x: x[:2] + jnp.arange(48) * 2, ["slice", "add"]),
        (lambda x: jnp.broadcast_to(x[:1], (64, 48)), ["slice", "broadcast_in_dim"]),
        (lambda x: jnp.where(x[:, :1] > 0, jnp.ones(48), x[:1]), None),  # every operand is broadcast
        (lambda x: x.T + (jnp.broadcast_to(x.max(1), (48, 64)) * 2)[:5].max(), None),  # meets numbers only
        (lambda x: jnp.where(jnp.arange(48) > 9, x, 1.5), None),
        (lambda x: jnp.where(x > 0, jnp.arange(48.0), 2.0), None),
        (lambda x: (x.max(1, keepdims=True) + x.min(0), x.T @ (x * 0 + 1)), None),
        (lambda x: lax.select_n((x > 0).astype(jnp.int32), x, jnp.zeros_like(x)), None),
        (lambda x: jnp.where(x[0, 0] > 0, x[0, 1], 0), None),  # numbers
        (lambda x: jax.grad(lambda x: (jax.nn.relu(x) * jax.nn.softmax(x, 1)).sum())(x), None),
        (lambda x: (x > 0).astype(jnp.int8) * jnp.where(x > 1, 0, jnp.int8(5)), None),
        (lambda x: jnp.where(x > 0, x.astype(jnp.bfloat16), 0), None),
        (lambda x: jnp.where(x > 0, x + 1j, 0), None),
        (lambda x: jnp.zeros(5) + 1, []),
    ],
)
@pytest.mark.parametrize("often", [False, True])
def test_same_numbers(f, expected, often, monkeypatch):
    """Interpreted, and as straight-line code."""
    if often:
        monkeypatch.setattr(interpreter, "OFTEN", 0)
    if expected is not None:
        assert names(f, X) == expected
    for x in (X, AWKWARD):
        same(f, x, ulps=8, atol=1e-5)


def test_numbers_do_not_change_when_code_takes_over(monkeypatch):
    monkeypatch.setattr(interpreter, "OFTEN", 3)
    f = lambda x: (jax.nn.softmax(x, 1) @ x.T, *jnp.split(x, 2), x.sum())
    run = interpret_aloud(jax.make_jaxpr(f)(X))
    first = run(X)
    for _ in range(4):
        again = run(X)
        assert all(np.array_equal(a, b) and type(a) is type(b) for a, b in zip(first, again, strict=True))
    assert run._straight is not None and np.array_equal(run(-X)[1], -X[:32])


@pytest.mark.parametrize("index", [-64, -1, 0, 63, [0, 1], [-1, 5], [[-64]]])
def test_indices_from_the_end(index):
    index = np.array(index, np.int32)
    read, at = lambda x, i: x[i], lambda x, i: lax.dynamic_index_in_dim(x, i, 0) if not i.ndim else x.at[i].get()
    assert "wrap_index" in names(read, X, index) and "select_n" not in names(read, X, index)
    same(read, X, index)
    same(at, X, index)
    same(lambda i: jnp.where(i < 0, i + 64, i + 1), index)  # none of these
    same(lambda i: jnp.where(i < 1, i + 64, i), index)


def test_large_constants_are_not_kept():
    """What is made from nothing takes memory only while it is needed."""
    f = lambda x: x + lax.iota(jnp.float32, 1 << 20)[: x.shape[0], None]
    skeleton = Skeleton(jax.make_jaxpr(f)(X))
    assert all(value is None or value.size <= 4096 for value in skeleton.initial)
    same(f, X)
