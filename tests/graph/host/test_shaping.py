"""Shapes, slices, padding and joining against XLA's, bit for bit."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from megengine.graph.host.interpreter import interpret

from .ulps import FLOATS, INTS, many, same

DTYPES = ["bool", "int8", *FLOATS, "uint32", "complex64"]


def ramp(*shape, dtype="float32"):
    return np.arange(1, 1 + np.prod(shape, dtype=int)).reshape(shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_movements(dtype):
    x, y = ramp(2, 3, 4, dtype=dtype), ramp(2, 5, 4, dtype=dtype)
    same(
        lambda x, y, s: {
            "broadcast": lax.broadcast_in_dim(x, (2, 7, 3, 4), (0, 2, 3)),
            "broadcast ones": lax.broadcast_in_dim(x[:, :1], (2, 5, 4), (0, 1, 2)),
            "broadcast transposed": lax.broadcast_in_dim(x.transpose(2, 0, 1), (4, 2, 2, 3), (0, 2, 3)),
            "broadcast scalar": lax.broadcast_in_dim(x[0, 0, 1], (3, 2), ()),
            "broadcast to none": lax.broadcast_in_dim(x, (0, 2, 3, 4), (1, 2, 3)),
            "reshape": x.reshape(4, 6),
            "reshape transposed": x.T.reshape(4, 6),
            "transpose": x.transpose(2, 0, 1),
            "squeeze": lax.squeeze(x[:, :1], (1,)),
            "expand": jnp.expand_dims(x, (0, 2)),
            "rev": lax.rev(x, (0, 2)),
            "slice": lax.slice(x, (0, 1, 0), (2, 3, 4), (1, 1, 3)),
            "split": lax.split(x, (1, 0, 3), 2),
            "concatenate": lax.concatenate([x, y, x], 1),
            "stack": jnp.stack([x, x], 1),
            "unstack": jnp.unstack(y, axis=1),
            "tile": jnp.tile(x, (2, 1, 3)),
            "pad": lax.pad(x, x[0, 0, 2], [(1, 0, 0), (0, 2, 1), (-1, 1, 2)]),
            "dynamic slice": lax.dynamic_slice(x, (s[0], s[1], s[2]), (1, 2, 2)),
            "dynamic update": lax.dynamic_update_slice(x, x[:1, :2, :2], (s[2], s[1], s[0])),
            "dynamic update of all": lax.dynamic_update_slice(x, x + x, (s[2], s[1], s[0])) if x.dtype != bool else x,
            "copy": lax.stop_gradient(jnp.copy(x)),
        },
        x,
        y,
        np.array([-3, 1, 40], np.int32),
        ulps=0,
    )


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2)])
def test_movements_of_few_elements(shape):
    x = ramp(*shape)
    same(
        lambda x: [
            lax.broadcast_in_dim(x, (2, *x.shape), range(1, x.ndim + 1)),
            x.reshape(1, *x.shape),
            x.reshape(-1) if x.size else x,
            x.T,
            lax.rev(x, range(x.ndim)),
            lax.pad(x, 0.0, [(1, 1, 0)] * x.ndim),
            jnp.concatenate([x[None], x[None]]),
            lax.dynamic_slice(x, [0] * x.ndim, x.shape),
        ],
        x,
    )


@pytest.mark.parametrize("dtype", [*INTS, *FLOATS, "complex64"])
def test_counting(dtype):
    same(
        lambda: (
            [lax.broadcasted_iota(dtype, (2, 3, 4), k) for k in range(3)] + [lax.iota(dtype, 0), lax.iota(dtype, 300)]
        )
    )


@given(data=st.data())
@settings(max_examples=15)
def test_padding(data):
    """At both ends, between elements and negative."""
    sizes = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=2))
    config = []
    for n in sizes:
        inner = data.draw(st.integers(0, 2))
        spread = n + max(0, n - 1) * inner
        low = data.draw(st.integers(-spread, 3))
        config.append((low, data.draw(st.integers(max(-3, -spread - low), 3)), inner))
    same(lambda x: lax.pad(x, jnp.float32(7), config), ramp(*sizes))


@given(data=st.data())
@settings(max_examples=10)
def test_slices_at_run_time(data):
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    parts = [data.draw(st.integers(0, n)) for n in sizes]
    starts = [np.int32(data.draw(st.integers(-7, 7))) for _ in sizes]
    x, update = ramp(*sizes), -ramp(*parts)
    same(lambda x, u, *s: [lax.dynamic_slice(x, s, parts), lax.dynamic_update_slice(x, u, s)], x, update, *starts)


def test_a_broadcast_is_a_view_that_none_may_write():
    x = many("float32")
    (found,) = interpret(jax.make_jaxpr(lambda x: lax.broadcast_in_dim(x, (1000, *x.shape), (1,)))(x))(x)
    assert np.shares_memory(found, x) and not found.flags.writeable
    assert x.flags.writeable
