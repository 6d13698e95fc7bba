"""What each collective computes: this rank's part of it, as a function for ``shard_map`` over the ranks.

Collectives of one program have an order that all ranks keep: each takes the token of the one before it and gives one. A token is
False. It is computed from a result, and goes into an operand, by what XLA does not simplify: so none is left out, moved before
another one or joined with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive

RANKS = "ranks"  # the axis
Axes = tuple[tuple[str, int], ...]


def _sum(x: Any) -> Any:
    total = lax.psum(x, RANKS)
    return total != 0 if x.dtype == jnp.bool_ else total


def _of_first(x: Any) -> Any:
    """The first rank's tensor, bit by bit."""
    bits = x.astype(jnp.uint8) if x.dtype == jnp.bool_ else lax.bitcast_convert_type(x, f"uint{8 * x.dtype.itemsize}")
    bits = lax.psum(jnp.where(lax.axis_index(RANKS) == 0, bits, jnp.zeros_like(bits)), RANKS)
    return bits != 0 if x.dtype == jnp.bool_ else lax.bitcast_convert_type(bits, x.dtype)


def _own_part(whole: Any, axis: int) -> Any:
    size = whole.shape[axis] // lax.axis_size(RANKS)
    return lax.dynamic_slice_in_dim(whole, lax.axis_index(RANKS) * size, size, axis)


def _gathered(x: Any, axis: int, **_: Any) -> Any:
    if not x.size:  # JAX gathers no empty ones
        return jnp.concatenate([x] * lax.axis_size(RANKS), axis)
    return lax.all_gather(x, RANKS, axis=axis, tiled=True)


def _product(x: Any, **_: Any) -> Any:
    return lax.all_gather(x, RANKS).prod(0, dtype=x.dtype) if x.size else x


COLLECTIVES: dict[str, Callable[..., Any]] = {
    "ALL_REDUCE_SUM": lambda x, **_: _sum(x),
    "ALL_REDUCE_MAX": lambda x, **_: lax.pmax(x, RANKS),
    "ALL_REDUCE_MIN": lambda x, **_: lax.pmin(x, RANKS),
    "ALL_REDUCE_PROD": _product,
    "REDUCE_SUM": lambda x, **_: _sum(x),
    "BROADCAST": lambda x, **_: _of_first(x),
    "ALL_GATHER": _gathered,
    "GATHER": _gathered,
    "REDUCE_SCATTER_SUM": lambda x, axis, **_: _own_part(_sum(x), axis),
    "SCATTER": lambda x, axis, **_: _own_part(_of_first(x), axis),
    "ALL_TO_ALL": lambda x, axis, concat_axis: lax.all_to_all(x, RANKS, axis, concat_axis, tiled=True),
}
FOR_ROOT = ("REDUCE_SUM", "GATHER")  # only the first rank of the group has the result
ROOTED = (*FOR_ROOT, "BROADCAST", "SCATTER")  # only the first rank gives, or gets


def in_order(x: Any, token: Any, *, name: str, ranks: tuple[int, ...], axes: Axes) -> tuple[Any, Any]:
    """This rank's result of a collective after the one that gave ``token``, and its own token."""
    if x.size:
        first = (0,) * x.ndim
        x = x.at[first].set(jnp.where(token, jnp.zeros((), x.dtype), x[first]))
    result = COLLECTIVES[name](x, **dict(axes))
    if not result.size:
        return result, token
    some = result[(0,) * result.ndim].astype(jnp.float32)
    return result, (some != some) & (some == some)


def shape_of_result(name: str, shape: tuple[int, ...], count: int, axes: Axes) -> tuple[int, ...]:
    """The shape of a rank's result."""
    sizes, named = list(shape), dict(axes)
    if name in ("ALL_GATHER", "GATHER"):
        sizes[named["axis"]] *= count
    if name in ("REDUCE_SCATTER_SUM", "SCATTER", "ALL_TO_ALL"):
        sizes[named["axis"]] //= count
    if name == "ALL_TO_ALL":
        sizes[named["concat_axis"]] *= count
    return tuple(sizes)


collective = Primitive("collective")
collective.multiple_results = True


@collective.def_abstract_eval
def _results(x: Any, token: Any, *, name: str, ranks: tuple[int, ...], axes: Axes) -> list[ShapedArray]:
    shape = shape_of_result(name, x.shape, len(ranks), axes)
    return [ShapedArray(shape, x.dtype), ShapedArray((), np.dtype(bool))]
