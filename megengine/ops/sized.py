"""Results whose size depends on numbers. The size is an attribute: what runs the op finds it first, from the operands.

Graphs in files have them (docs/graph-files.md); a program that runs finds sizes by reading and records ordinary ops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .loops import fori_loop
from .op import Op, op
from .shape import arange, linspace


@op(differentiable=False)
def true_places(mask, *, count):
    """Where a mask is true, in its flattened form."""
    return jnp.flatnonzero(mask, size=count, fill_value=0).astype("int32")


@op(differentiable=False)
def place_along(place, of, *, axis):
    """Along one dimension of ``of``, a place in its flattened form."""
    return jnp.unravel_index(place, of.shape)[axis].astype("int32")


@op()
def leading(x, length, *, count):
    """The first ``length`` along the first dimension."""
    return x[:count]


@op()
def reshape_by(x, sizes, *, shape):
    """Reshaped to sizes that a vector holds."""
    return x.reshape(shape)


@op()
def broadcast_by(x, sizes, *, shape):
    """Broadcast to sizes that a vector holds."""
    return jnp.broadcast_to(x, shape)


@op(differentiable=False)
def arange_by(bounds, *, count, dtype):
    """From a start to a stop by a step, which a vector holds."""
    return arange.lower(bounds[0], bounds[2], count=count, dtype=dtype)


@op(differentiable=False)
def linspace_by(start, stop, num, *, count, dtype):
    """As many numbers as ``num`` says from one to another."""
    return linspace.lower(start.reshape(()), stop.reshape(()), count=count, dtype=dtype)


@op(differentiable=False)
def shape_of(x):
    """The sizes themselves, as a vector."""
    return jnp.array(x.shape, "int32")


@op(differentiable=False)
def from_highest(scores):
    """Places by falling score; of equal ones the last first; NaN at the end."""
    known = jnp.where(jnp.isnan(scores), -jnp.inf, scores) if jnp.issubdtype(scores.dtype, jnp.inexact) else scores
    return jnp.argsort(known, stable=True)[::-1].astype("int32")


@op(differentiable=False)
def nms_places(boxes, *, threshold, limit):
    """Non-maximum suppression of boxes in falling order of their scores: places of those kept, then zeros; their number."""
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1) * (y2 - y1)
    places = jnp.arange(len(boxes))

    def step(i, alive):
        width = jnp.maximum(jnp.minimum(x2, x2[i]) - jnp.maximum(x1, x1[i]), 0)
        height = jnp.maximum(jnp.minimum(y2, y2[i]) - jnp.maximum(y1, y1[i]), 0)
        common = width * height
        covered = common > (area + area[i] - common) * threshold
        return alive & ~(alive[i] & covered & (places > i))

    alive = jnp.ones(len(boxes), bool)
    alive = fori_loop(0, len(boxes), step, alive) if len(boxes) else alive
    most = min(limit, len(boxes))
    return jnp.flatnonzero(alive, size=most, fill_value=0).astype("int32"), jnp.minimum(alive.sum(), most).astype(
        "int32"
    )


# Which attribute follows from numbers, which operand is read for it, and how.
FROM_NUMBERS: dict[Op, tuple[str, int, Callable[[Any, Sequence[Any]], Any]]] = {
    true_places: ("count", 0, lambda mask, shape: int(np.count_nonzero(mask))),
    leading: ("count", 1, lambda length, shape: min(max(int(length.reshape(())), 0), shape[0])),
    reshape_by: ("shape", 1, lambda sizes, shape: _filled(sizes.reshape(-1), shape)),
    broadcast_by: ("shape", 1, lambda sizes, shape: tuple(map(int, sizes.reshape(-1)))),
    arange_by: ("count", 0, lambda bounds, shape: _steps(bounds)),
    linspace_by: ("count", 2, lambda count, shape: int(count.reshape(()))),
}


def _steps(bounds: np.ndarray) -> int:
    start, stop, step = bounds.tolist()
    if bounds.dtype.kind in "iu":
        return len(range(start, stop, step))
    return max(int(np.ceil((np.float32(stop) - np.float32(start)) / np.float32(step))), 0)


def _filled(sizes: np.ndarray, shape: Sequence[int]) -> tuple[int, ...]:
    found = list(map(int, sizes))
    if -1 in found:
        rest = int(np.prod([n for n in found if n != -1], dtype=np.int64))
        found[found.index(-1)] = int(np.prod(shape, dtype=np.int64)) // max(rest, 1)
    return tuple(found)
