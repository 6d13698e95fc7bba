"""Shapes of results come from the trace that the program will run, so that an op is traced once."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import infer, program, traced
from megengine.graph.apply import apply
from megengine.graph.caches import Cache
from megengine.ops.op import Op, op


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often ops were traced, by name, from here on."""
    monkeypatch.setattr(infer, "inferred", Cache(64))
    monkeypatch.setattr(traced, "_traced", Cache(64))
    program.clear()
    found: list[str] = []
    bind = Op.bind

    def counted(self: Op, *args: object) -> object:
        found.append(self.name)
        return bind(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Op, "bind", counted)
    return found


@op()
def squashed(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.tanh(x @ y), x.sum()


def test_what_a_gradient_is_taken_of_is_traced_for_that_alone(calls: list[str]) -> None:
    w, manager = Parameter(np.ones((3, 4), np.float32)), GradManager()
    manager.attach(w)
    with graph.tier("host"):
        with manager:
            out, total = apply(squashed, Tensor(np.ones((2, 3), np.float32)), w)
            assert out.shape == (2, 4) and total.shape == () and out.dtype == np.float32
            manager.backward(out.sum() + total)
        np.testing.assert_allclose(w.grad.numpy(), np.full((3, 4), 2 * (1 - np.tanh(3) ** 2)), rtol=1e-4)
    assert calls.count("squashed") == 1
    apply(squashed, Tensor(np.ones((2, 3), np.float32)), w.detach())[0].numpy()
    assert calls.count("squashed") == 2  # no gradient: the forward alone


def test_what_has_no_gradient_is_an_error_only_where_one_is_asked_for(calls: list[str]) -> None:
    def refused(*_: object) -> None:
        raise NotImplementedError("no gradient of this")

    @op(grad=lambda *_: refused())
    def plain(x: jax.Array) -> jax.Array:
        return x * 2

    @op()
    def without(x: jax.Array) -> jax.Array:
        @jax.custom_jvp
        def call(x: jax.Array) -> jax.Array:
            return x * 2

        call.defjvp(lambda primals, tangents: refused())  # type: ignore[arg-type, return-value]
        return call(x)

    w, manager = Parameter(np.ones(3, np.float32)), GradManager()
    manager.attach(w)
    for each in (plain, without):
        with graph.tier("host"):
            with manager:
                out = apply(each, w)
                assert out.shape == (3,)
            np.testing.assert_array_equal(out.numpy(), [2, 2, 2])


def test_what_does_not_fit_says_so_at_its_line_with_gradients_too(calls: list[str]) -> None:
    w, manager = Parameter(np.ones((3, 4), np.float32)), GradManager()
    manager.attach(w)
    with manager, pytest.raises(RuntimeError, match=r"squashed\(float32\[2,5\], float32\[3,4\]\)"):
        apply(squashed, Tensor(np.ones((2, 5), np.float32)), w)
