"""What each collective computes of the ranks' tensors, as functions of all of them stacked, which XLA divides among the ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp


class Collective(NamedTuple):
    """A collective.

    Attributes:
        compute: from the ranks' tensors, stacked, to the one result of all ranks, or to their results, stacked.
        shared: whether all ranks have the same result.
    """

    compute: Callable[..., Any]
    shared: bool


def _joined(parts: Any, axis: int) -> Any:
    """Stacked tensors, joined along a dimension."""
    return jnp.concatenate([parts[k] for k in range(parts.shape[0])], axis)


def _cut(whole: Any, count: int, axis: int) -> Any:
    """A tensor in equal parts along a dimension, stacked."""
    return jnp.stack(jnp.split(whole, count, axis))


def _all_to_all(xs: Any, axis: int, concat_axis: int) -> Any:
    count = xs.shape[0]
    parts = jnp.stack([_cut(xs[k], count, axis) for k in range(count)])
    return jnp.stack([_joined(parts[:, k], concat_axis) for k in range(count)])


COLLECTIVES = {
    "ALL_REDUCE_SUM": Collective(lambda xs, **_: xs.sum(0, dtype=xs.dtype), True),
    "ALL_REDUCE_MAX": Collective(lambda xs, **_: xs.max(0), True),
    "ALL_REDUCE_MIN": Collective(lambda xs, **_: xs.min(0), True),
    "ALL_REDUCE_PROD": Collective(lambda xs, **_: xs.prod(0, dtype=xs.dtype), True),
    "REDUCE_SUM": Collective(lambda xs, **_: xs.sum(0, dtype=xs.dtype), True),
    "BROADCAST": Collective(lambda xs, **_: xs[0], True),
    "ALL_GATHER": Collective(lambda xs, axis, **_: _joined(xs, axis), True),
    "GATHER": Collective(lambda xs, axis, **_: _joined(xs, axis), True),
    "REDUCE_SCATTER_SUM": Collective(lambda xs, axis, **_: _cut(xs.sum(0, dtype=xs.dtype), xs.shape[0], axis), False),
    "SCATTER": Collective(lambda xs, axis, **_: _cut(xs[0], xs.shape[0], axis), False),
    "ALL_TO_ALL": Collective(lambda xs, axis, concat_axis: _all_to_all(xs, axis, concat_axis), False),
}
FOR_ROOT = ("REDUCE_SUM", "GATHER")  # only the first rank of the group has the result
ROOTED = (*FOR_ROOT, "BROADCAST", "SCATTER")  # only the first rank gives, or gets
