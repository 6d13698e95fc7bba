"""The layout pass: the same numbers, no copies between convolutions, and each rule against the op without it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from megengine.graph.layout import channels_behind, text
from megengine.graph.layout.arrays import Laid, moved, moved_back, place
from megengine.ops import batch, nn
from megengine.ops.activation import softmax
from megengine.ops.bilinear import convolve
from megengine.ops.convolve_integers import convolve_integers
from megengine.ops.onednn.library import library
from megengine.ops.pool import max_pool
from megengine.ops.quantized import Key, rounded

pytestmark = pytest.mark.skipif(library() is None, reason="needs oneDNN")

SAME: Any = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
SHAPE = (4, 16, 12, 12)


def normal(rng: np.random.Generator, *shape: int) -> jax.Array:
    return jnp.asarray(rng.standard_normal(shape), jnp.float32)


@pytest.fixture
def layer(rng: np.random.Generator) -> Callable[..., Any]:
    w, p = normal(rng, 16, 16, 3, 3), normal(rng, 16)

    def made(x: Any) -> Any:
        return jax.nn.relu(batch.normalize(convolve(x, w, **SAME), p, p, 1e-5)[0]) + x

    return made


def test_layouts_of_an_array() -> None:
    x = jnp.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    laid = Laid(x)
    assert not laid.is_behind and laid.moves(True) == x.size and not laid.moves(False)
    assert laid.behind.shape == (2, 4, 5, 3) and not laid.moves(True)
    back = Laid(behind=laid.behind)
    assert back.is_behind and back.shape == x.shape and back.moves(False) == x.size
    np.testing.assert_array_equal(back.front, x)
    assert moved_back(moved("ncdhw")) == tuple("ncdhw")
    assert [moved("ncdhw")[place(k, 5)] for k in range(5)] == list("ncdhw")


def test_nothing_is_copied_between_two_convolutions(layer: Callable[..., Any], rng: np.random.Generator) -> None:
    def f(x: Any) -> list[Any]:
        return [jax.grad(lambda x: (layer(layer(layer(x))) ** 2).sum())(x)]

    x = normal(rng, *SHAPE)
    found = re.findall(r"transpose\[.*\] (\w+)", text(f, x))
    made = dict(re.findall(r"(\w+):f32\[4,16,12,12\] = (\w+)", text(f, x)))
    # But for the argument and the result, which are in the order of their dimensions.
    assert [made[name] for name in found[1:-1]] == ["broadcast_in_dim"] * (len(found) - 2)
    assert "f32[4,12,12,16]{3,2,1,0} custom-call" in jax.jit(channels_behind(f)).lower(x).compile().as_text()
    np.testing.assert_allclose(channels_behind(f)(x)[0], jax.jit(f)(x)[0], 1e-4, 1e-3)


@pytest.mark.skipif(library() is None or not library().exact_integers, reason="needs VNNI")  # type: ignore[union-attr]
def test_integers_stay_behind_between_two_convolutions(rng: np.random.Generator) -> None:
    """What brings sums to the steps of the next layer, bits of numbers included, is computed where they lie."""
    x, w = (jnp.asarray(rng.integers(-9, 9, shape), jnp.int8) for shape in (SHAPE, (16, 16, 3, 3)))
    of = Key("QuantizedS8", 0.125, 0)

    def f(x: Any) -> list[Any]:
        for round_by in (jnp.trunc, lambda y: jnp.copysign(jnp.floor(jnp.abs(y)), y)):
            sums = convolve_integers(x, w, **SAME)
            x = rounded(jnp.maximum(round_by(sums.astype(jnp.float32) / 64), -9), of)
        return [x]

    found = re.findall(r"transpose\[.*\] (\w+)", text(f, x))
    made = dict(re.findall(r"(\w+):\w+\[4,16,12,12\] = (\w+)", text(f, x)))
    assert len(found) > 1 and {made[name] for name in found[1:-1]} == {"broadcast_in_dim"}
    np.testing.assert_array_equal(channels_behind(f)(x)[0], jax.jit(f)(x)[0])


RULES: dict[str, Callable[[Any], Any]] = {
    "elementwise": lambda y: jnp.where(y > 0.1, jnp.tanh(y) * 2, jnp.clip(y, -1, 1) / 3),
    "both layouts": lambda y: y + jnp.arange(y.size, dtype=jnp.float32).reshape(y.shape),
    "by channel": lambda y: y * jnp.arange(16.0)[:, None, None] + y.mean((2, 3), keepdims=True),
    "sums": lambda y: (y.sum((2, 3)), y.sum(2), y.sum(1), y.sum(0), y.sum(), y.max((0, 2)), y.min((1, 3)), y.sum((0, 2, 3))),
    "padded": lambda y: lax.pad(y, jnp.float32(2), [(0, 0, 0), (1, 0, 0), (1, 2, 1), (0, -1, 0)]),
    "sliced": lambda y: (y[:, 2:9:3, ::2, 3:], y[1:2], y[:, :, 3]),
    "joined": lambda y: (jnp.concatenate([y, 2 * y], 1), jnp.concatenate([y, y], 2), jnp.concatenate([y, y], 0)),
    "tiles": lambda y: (y.reshape(4, 16, 6, 2, 12).max(3), y.reshape(4, -1), y.reshape(8, 8, 12, 12), y[:, :, None, :, :, None]),
    "windows": lambda y: lax.reduce_window(y, -jnp.inf, lax.max, (1, 1, 3, 2), (1, 1, 2, 1), "SAME"),
    "sums of windows": lambda y: lax.reduce_window(y, 0.0, lax.add, (1, 1, 3, 2), (1, 1, 2, 1), "VALID"),
    "without a rule": lambda y: (jnp.sort(y, 1), jnp.cumsum(y, 3), y.swapaxes(1, 3), y.argmax(1)),
    "calls": lambda y: jax.jit(lambda y: jax.nn.relu(jax.jit(jnp.square)(y)) * 2)(y),
    "loops": lambda y: lax.fori_loop(0, 2, lambda _, y: convolve(y, jnp.ones((16, 16, 3, 3)), **SAME) / 100, y),
    "pooled": lambda y: max_pool.lower(y, window=(3, 3), stride=(2, 2), padding=(1, 1)),
    "pooled by tiles": lambda y: max_pool.lower(y, window=(2, 2), stride=(2, 2), padding=(0, 0)),
    "half": lambda y: convolve(y.astype(jnp.bfloat16), jnp.ones((8, 16, 3, 3), jnp.bfloat16), **SAME).astype(jnp.float32),
    "integers": lambda y: convolve_integers(
        lax.stop_gradient(y * 9).astype(jnp.int8), jnp.ones((16, 16, 3, 3), jnp.int8), **SAME
    ).astype(jnp.float32),
    "composites": lambda y: (nn.layer_norm.lower(y, axes=(2, 3), eps=1e-5), softmax.lower(y, axis=(3,))),
    "few channels": lambda y: convolve(y, jnp.ones((3, 16, 3, 3)), **SAME),
    "grouped": lambda y: convolve(y, jnp.ones((32, 1, 3, 3)), **{**SAME, "groups": 16, "stride": (2, 1)}),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_rules(name: str, rng: np.random.Generator) -> None:
    x, w = normal(rng, *SHAPE), normal(rng, 16, 16, 3, 3)

    def f(x: Any, w: Any) -> list[Any]:
        y, pull = jax.vjp(lambda x, w: RULES[name](convolve(x, w, **SAME)), x, w)
        ct = jax.tree.map(lambda a: jnp.cos(a) if a.dtype == jnp.float32 else np.zeros(a.shape, jax.dtypes.float0), y)
        return jax.tree.leaves((y, pull(ct)))

    for found, wanted in zip(jax.jit(channels_behind(f))(x, w), jax.jit(f)(x, w), strict=True):
        assert found.shape == wanted.shape and found.dtype == wanted.dtype
        np.testing.assert_allclose(found, wanted, 1e-4, 1e-4 * float(jnp.abs(wanted).max()))


def test_composites_stay_behind(layer: Callable[..., Any], rng: np.random.Generator) -> None:
    def f(x: Any) -> list[Any]:
        return [layer(nn.layer_norm.lower(layer(x), axes=(1, 2, 3), eps=1e-5))]

    x = normal(rng, *SHAPE)
    assert "normalize_layer" in str(jax.make_jaxpr(f)(x)) and "normalize_layer" not in text(f, x)
    found = re.findall(r"transpose\[.*\] (\w+)", text(f, x))
    made = dict(re.findall(r"(\w+):f32\[4,16,12,12\] = (\w+)", text(f, x)))
    assert {made.get(name, "broadcast_in_dim") for name in found[1:-1]} == {"broadcast_in_dim"}


def test_one_dimension_and_three(rng: np.random.Generator) -> None:
    for many in 1, 3:
        x, w, p = normal(rng, 2, 16, *[8] * many), normal(rng, 24, 16, *[3] * many), normal(rng, 24)
        settings = {name: value[:1] * many for name, value in SAME.items() if name != "groups"}

        def f(x: Any, w: Any, p: Any, settings: Any = settings) -> list[Any]:
            def loss(x: Any, w: Any) -> Any:
                return (batch.normalize(convolve(x, w, groups=1, **settings), p, p, 1e-5)[0] ** 3).sum()

            return [*jax.grad(loss, (0, 1))(x, w)]

        for found, wanted in zip(jax.jit(channels_behind(f))(x, w, p), jax.jit(f)(x, w, p), strict=True):
            np.testing.assert_allclose(found, wanted, 1e-3, 1e-3 * float(jnp.abs(wanted).max()))
