"""Calls and control flow against XLA's."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from megengine.graph.host import interpreter
from megengine.graph.host.interpreter import interpret

from .ulps import same

X = np.linspace(-1, 2, 6, dtype=np.float32).reshape(2, 3)


def test_calls():
    @jax.custom_jvp
    def with_jvp(x):
        return jnp.sin(x)

    with_jvp.defjvp(lambda primals, tangents: (jnp.sin(primals[0]), 3 * tangents[0]))

    @jax.custom_vjp
    def with_vjp(x):
        return jnp.cos(x), x

    with_vjp.defvjp(lambda x: (with_vjp(x), None), lambda _, ct: (5 * ct[0],))
    functions = {
        "jit": jax.jit(lambda x: (x + 1, x * 2)),
        "nested": jax.jit(lambda x: jax.jit(lambda y: y - x)(x * 2)),
        "custom_jvp": with_jvp,
        "custom_vjp": with_vjp,
        "checkpoint": jax.checkpoint(lambda x: jnp.exp(x).sum()),
        "barrier": lambda x: lax.optimization_barrier((x, x + 1)),
        "platform": lambda x: lax.platform_dependent(x, cpu=lambda x: x + 1, default=lambda x: x - 1),
        "device_put": lambda x: jax.device_put(x * 2),
        "constant": lambda x: (x, jnp.float32(3), np.arange(3)),
    }
    same(lambda x: {n: f(x) for n, f in functions.items()}, X)

    def gradient(f, x):
        return jax.grad(lambda x: sum(o.sum() for o in jax.tree.leaves(f(x))))(x)

    same(lambda x: {n: gradient(f, x) for n, f in functions.items() if n != "constant"}, X)


def test_what_newer_versions_of_jax_make_of_several_primitives():
    constant = jnp.arange(3.0)
    functions = {
        "constant within": jax.jit(lambda x: jax.jit(lambda y: y * constant)(x) - constant),
        "nonzero": lambda x: jnp.nonzero(x > 0, size=4),
        "searchsorted": lambda x: jnp.searchsorted(constant, x),
        "einsum": lambda x: jnp.einsum("ij,kj->ik", x, x),
    }
    same(lambda x: {n: f(x) for n, f in functions.items()}, X)


@pytest.mark.parametrize("index", [-5, 0, 1, 2, 9])
def test_branches(index):
    branches = [lambda x: (x, x.sum()), lambda x: (x + 1, x.max()), lambda x: (x * x, x[0, 0])]
    same(lambda i, x: lax.switch(i, branches, x), np.int32(index), X)
    same(lambda i, x: lax.cond(i > 0, lambda x: x, lambda x: -x, x), np.int32(index), X)


def test_loops():
    def collatz(n):
        def step(state):
            n, count = state
            return jnp.where(n % 2 == 0, n // 2, 3 * n + 1), count + 1

        return lax.while_loop(lambda state: state[0] != 1, step, (n, 0))

    same(collatz, np.int32(27))
    same(lambda x, n: lax.fori_loop(0, n, lambda k, c: c * x + k, x), X, np.int32(4))
    same(lambda x: lax.while_loop(lambda c: c.sum() < 50, lambda c: c + x, x), np.abs(X))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 7])
def test_scans(length, reverse):
    xs = np.random.default_rng(0).standard_normal((length, 3)).astype(np.float32)

    def step(carry, x):
        total, count = carry
        total = jnp.tanh(total + x * X[0])
        return (total, count + 1), (total.sum(), x > 0)

    run = partial(lax.scan, step, reverse=reverse)
    same(lambda c, xs: run((c, 0), xs), X[1], xs, ulps=32)
    same(lambda xs: jax.grad(lambda xs: run((jnp.ones(3), 0), xs)[0][0].sum())(xs), xs, ulps=32, atol=1e-6)
    same(lambda xs: lax.associative_scan(jnp.multiply, xs), xs + 2, ulps=16)


def test_inner_jaxprs_are_interpreted_once(monkeypatch):
    """When the outer one is: a run makes nothing."""
    made = []
    frame = interpreter.Frame
    monkeypatch.setattr(interpreter, "Frame", lambda: made.append(1) or frame())

    def f(x):
        y = lax.fori_loop(0, 5, lambda k, c: jax.jit(jnp.sin)(c), x)
        return lax.cond(y.sum() > 0, lambda y: y, lambda y: y + 1, y)

    run = interpret(jax.make_jaxpr(f)(X))
    before = len(made)
    assert before == 4  # the whole, the loop's body and the branches: calls are written out in place
    run(X), run(-X)
    assert len(made) == before


def test_nothing_is_warned_of_and_the_state_of_warnings_is_kept():
    with np.errstate(all="raise"):
        (found,) = interpret(jax.make_jaxpr(lambda x: jnp.log(x) / 0 + jnp.float32(1e38) * 1e38)(X))(X)
        with pytest.raises(FloatingPointError):
            np.log(X)
    assert found.dtype == np.float32
