"""Results written over operands that nothing needs any more: the same numbers, and nothing else is overwritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import lax

from megengine.graph import template
from megengine.graph.host import frame, interpreter
from megengine.graph.host.interpreter import Skeleton, interpret_aloud
from megengine.graph.symbols import Symbols

X = np.linspace(-2, 2, 6 * 4, dtype=np.float32).reshape(6, 4)
Y = X[::-1].copy() + 3


def overwriting(f: Callable[..., Any], *arrays: np.ndarray) -> list[str]:
    """The equations that write over an operand."""
    skeleton = Skeleton(jax.make_jaxpr(f)(*arrays))
    pairs = zip(skeleton.equations, skeleton.wiring, strict=True)
    return [eqn.primitive.name for eqn, (places, *_) in pairs if len(places) > len(eqn.invars)]


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x, y: -((x * y) * 2), ["mul", "neg"]),
        (lambda x, y: -x, []),  # an operand of the whole
        (lambda x, y: (h := x * y, -h), []),  # a result
        (lambda x, y: (h := x * y) * jnp.exp(h), ["mul"]),  # after its last use
        (lambda x, y: jnp.exp((x * y).reshape(24)) + (x * y).ravel(), ["add"]),  # of views nothing
        (lambda x, y: ((h := x * y).T @ jnp.exp(h)) + jnp.sin(h.sum()), ["add"]),
        (lambda x, y: ((x * y).sum(0) + 1) * x, ["add"]),  # a result of another shape is none to write to
        (lambda x, y: ((x * y) > 1).astype(jnp.float32), []),  # nor is one of another dtype
        (lambda x, y: jnp.maximum(x * y, 0) + 1, ["add"]),
        (lambda x, y: (x.astype(jnp.bfloat16) * 2 + 1).astype(jnp.float32), []),
        (lambda x, y: (x.astype(jnp.int32) + 1) * 3 - 2, ["mul", "sub"]),
        (lambda x, y: jnp.sqrt(x.sum() * 2 + 1), []),  # numbers
    ],
)
def test_what_is_written_over(f: Callable[..., Any], expected: list[str]) -> None:
    found = overwriting(f, X, Y)
    assert [name for name in found if name in {"mul", "neg", "add", "exp", "sub", "max"}] == expected


UNARY: dict[str, Callable[..., Any]] = {
    "neg": lambda a: -a,
    "sin": jnp.sin,
    "square": lambda a: a * a,
    "reshaped": lambda a: a.reshape(4, 6).reshape(6, 4),
    "turned": lambda a: a.T.reshape(6, 4),
    "shifted": lambda a: jnp.roll(a, 1, 0),
    "part": lambda a: jnp.concatenate([a[:3], a[3:] * 2]),
    "sums": lambda a: a - a.sum(0),
    "means": lambda a: a / (1 + jnp.abs(a).max(1, keepdims=True)),
    "copied": lambda a: lax.stop_gradient(a),
    "scaled": lambda a: 0.5 * a + 1,
    "whole": lambda a: lax.reduce_sum(a[:, :, None], (2,)),
    "real": lambda a: jnp.real(a + 1j * a) * 1.0,
    "chosen": lambda a: jnp.where(a > 0, a, 0),
}
BINARY: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "max": jnp.maximum,
    "rows": lambda a, b: a + b[0],
    "product": lambda a, b: a @ (b.T @ a),
}
STEP = st.one_of(
    st.tuples(st.sampled_from(sorted(UNARY)), st.integers(0, 99)),
    st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 99), st.integers(0, 99)),
)


@given(steps=st.lists(STEP, min_size=1, max_size=12), kept=st.lists(st.integers(0, 99), min_size=1, max_size=3))
@pytest.mark.parametrize("often", [False, True])
def test_random_programs(steps: list[tuple[Any, ...]], kept: list[int], often: bool) -> None:
    """Bit for bit what comes out without it, twice, with operands as they were."""

    def f(x: Any, y: Any) -> list[Any]:
        values = [x, y]
        for name, *operands in steps:
            make = UNARY.get(name) or BINARY[name]
            values.append(make(*[values[k % len(values)] for k in operands]))
        return [values[k % len(values)] for k in (*kept, -1)]

    closed = jax.make_jaxpr(f)(X, Y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpreter, "OFTEN", 0 if often else 50)
        run = interpret_aloud(closed)
        patch.setattr(frame, "in_place", lambda eqns, dropped: [sources for _, sources, _ in eqns])
        plain = interpret_aloud(closed)
    operands = X.copy(), Y.copy()
    first = run(*operands)
    wanted = [np.array(a) for a in plain(X.copy(), Y.copy())]
    second = run(*operands)
    for found in (first, second):
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(found, wanted, strict=True))
    assert np.array_equal(operands[0], X) and np.array_equal(operands[1], Y)


def test_reductions_of_nothing_are_not_changed() -> None:
    empty = np.zeros((0, 3), np.float32)
    run = interpret_aloud(jax.make_jaxpr(lambda x: lax.reduce_max(x, (0,)) * 2 + 1)(empty))
    with np.errstate(all="ignore"):
        assert all(np.array_equal(run(empty)[0], np.full(3, -np.inf, np.float32)) for _ in range(3))


def test_of_symbolic_sizes() -> None:
    symbols = Symbols((5, 7))
    rows, columns = symbols.sizes
    struct = jax.ShapeDtypeStruct((rows, columns), np.float32)
    made = symbols.trace(
        lambda: template.Template(jax.make_jaxpr(lambda x: (jnp.exp(x * 2) + 1) / x.sum(0))(struct), symbols)
    )
    assert made is not None
    made.complete()
    for shape in ((5, 7), (9, 4)):
        x = np.linspace(1, 2, shape[0] * shape[1], dtype=np.float32).reshape(shape)
        (found,) = made.at(shape).interpreted()(x)
        np.testing.assert_allclose(found, (np.exp(x * 2) + 1) / x.sum(0), rtol=1e-6)
    assert [len(places) for places, *_ in made.read[0].skeleton.wiring].count(3) >= 1
