"""What convolutions do to their results: which calls are made, and the numbers, NaN and infinities too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from megengine.graph.layout import channels_behind, text
from megengine.ops import nn
from megengine.ops.activation import relu, relu6
from megengine.ops.bilinear import convolve
from megengine.ops.onednn import custom_call
from megengine.ops.onednn.library import library

pytestmark = pytest.mark.skipif(library() is None, reason="needs oneDNN")

SAME: Any = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
NORM = ["scale", "shift"]


class Given:
    """Arrays of a layer: ``x``, a kernel, and numbers of channels."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.x, self.w = (jnp.asarray(rng.standard_normal(s), jnp.float32) for s in ((2, 16, 9, 8), (16, 16, 3, 3)))
        self.p, self.q = (jnp.asarray(rng.uniform(0.5, 2, (1, 16, 1, 1)), jnp.float32) for _ in range(2))

    def conv(self, x: Any, **settings: Any) -> Any:
        return convolve(x, self.w, **SAME | settings)

    def norm(self, y: Any) -> Any:
        return nn.batch_norm.lower(y, self.p, self.q, self.q, self.p, eps=1e-5)


# The result of a function of one layer, and what each of its calls does.
CASES: dict[str, tuple[Callable[[Given, Any], Any], list[list[str]]]] = {
    "norm": (lambda g, x: g.norm(g.conv(x)), [NORM]),
    "bias": (lambda g, x: g.conv(x) + g.p, [["shift"]]),
    "number": (lambda g, x: (g.conv(x) - 1.0) * 3.0, [NORM]),
    "relu": (lambda g, x: relu.lower(g.norm(g.conv(x))), [[*NORM, "relu"]]),
    "relu6": (lambda g, x: relu6.lower(g.conv(x) * 9), [["scale", "least", "relu"]]),
    "residual": (lambda g, x: relu.lower(x + g.norm(g.conv(relu.lower(g.conv(x))))), [["relu"], [*NORM, "add", "relu"]]),
    "both are convolutions": (lambda g, x: g.norm(g.conv(x)) + g.conv(x) * g.p, [["scale"], [*NORM, "add"]]),
    "called": (lambda g, x: jax.jit(lambda y: relu.lower(jax.jit(g.norm)(y)))(g.conv(x)), [[*NORM, "relu"]]),
    "read twice": (lambda g, x: (y := g.conv(x)) * jnp.tanh(y), [[]]),
    "returned, too": (lambda g, x: [y := g.conv(x), relu.lower(y)], [[]]),
    "tested for something else": (lambda g, x: (y := g.conv(x), y > 0, relu.lower(y))[1:], [[]]),
    "another slope": (lambda g, x: jax.nn.leaky_relu(g.conv(x)), [[]]),
    "differs within channels": (lambda g, x: g.conv(x) * jnp.arange(8.0), [[]]),
    "subtracted": (lambda g, x: g.p - g.conv(x), [[]]),
    "maximum keeps NaN": (lambda g, x: jnp.maximum(g.conv(x), 0), [[]]),
}  # fmt: skip


def steps_of(f: Callable[..., Any], *args: Any) -> list[list[str]]:
    calls = re.findall(r"\('of', '(.*?)'\)", text(f, *args))
    return [json.loads(call)[-2] for call in calls]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("bad", [False, True])
def test_what_a_call_does(name: str, bad: bool, rng: np.random.Generator) -> None:
    given, (compute, wanted) = Given(rng), CASES[name]

    def f(x: Any) -> list[Any]:
        return jax.tree.leaves(compute(given, x))

    x = given.x.at[0, 3, 2, 2].set(jnp.nan).at[1, 2, 6, 6].set(-jnp.inf) if bad else given.x
    assert sorted(steps_of(f, x)) == sorted(wanted)
    with custom_call.portable():
        by_xla = jax.jit(f).lower(x).compile()(x)
    for found, value in zip(jax.jit(channels_behind(f))(x), by_xla, strict=True):
        np.testing.assert_allclose(found, value, 1e-4, 1e-4)


def test_gradients_are_of_what_was_there_before(rng: np.random.Generator) -> None:
    given = Given(rng)

    def f(x: Any) -> list[Any]:
        y, pull = jax.vjp(lambda x: given.conv(relu.lower(given.conv(x) + given.p)) + given.q, x)
        return [y, *pull(y)]

    assert ["shift"] in steps_of(f, given.x)
    for found, wanted in zip(jax.jit(channels_behind(f))(given.x), jax.jit(f)(given.x), strict=True):
        np.testing.assert_allclose(found, wanted, 1e-4, 1e-3)
