"""Gathers: windows of an array at places that are data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
from jax.lax import GatherScatterMode

from .narrow import is_floating
from .places import Places
from .rules import Equation, Run, rule


@rule("gather")
def gather(eqn: Equation) -> Run:
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    array, indices = (v.aval for v in eqn.invars)
    shape, dtype = tuple(eqn.outvars[0].aval.shape), np.dtype(eqn.outvars[0].aval.dtype)
    places = Places(
        array.shape,
        params["slice_sizes"],
        indices.shape[:-1],
        mapped=numbers.start_index_map,
        batching=numbers.operand_batching_dims,
        batch_dims=numbers.start_indices_batching_dims,
        dropped=numbers.collapsed_slice_dims,
        window_dims=numbers.offset_dims,
    )
    clip = params["mode"] != GatherScatterMode.FILL_OR_DROP
    fill = np.asarray(_filling(params["fill_value"], dtype), dtype)
    across = tuple(1 if d in numbers.offset_dims else n for d, n in enumerate(shape))
    if 0 in shape or 0 in array.shape:
        return lambda x, at: np.zeros(shape, dtype)
    if places.count == 1 and not places.batching:
        return _of_one(places, shape, None if clip else fill)
    take = _along_one(places, numbers.offset_dims, shape) or _windows(places)

    def run(x: Any, at: Any) -> Any:
        starts, inside = places.starts(at, clip)
        y = take(x, starts)
        return y if inside is None else np.where(inside.reshape(across), y, fill)

    return run


def _filling(value: Any, dtype: Any) -> Any:
    """What stands for windows that are not inside, unless it is given."""
    if value is not None:
        return value
    if dtype.kind == "b":
        return True
    if is_floating(dtype) or dtype.kind == "c":
        return np.nan
    info = ml_dtypes.iinfo(dtype)
    return info.max if dtype.kind == "u" else info.min


def _of_one(places: Places, shape: tuple[int, ...], fill: Any) -> Run:
    """One window, which is a view; with something to fill it by where it is not inside."""
    whole = [slice(0, n) for n in places.sizes]
    mapped = [(d, limit, places.sizes[d]) for d, limit in zip(places.mapped, places.limits, strict=True)]

    def run(x: Any, at: Any) -> Any:
        index = whole.copy()
        for (d, limit, size), wanted in zip(mapped, at.reshape(-1).tolist(), strict=True):
            start = min(max(wanted, 0), limit)
            if start != wanted and fill is not None:
                return np.broadcast_to(fill, shape)
            index[d] = slice(start, start + size)
        return x[tuple(index)].reshape(shape)

    return run


def _windows(places: Places) -> Run:
    def take(x: np.ndarray, starts: Sequence[np.ndarray]) -> np.ndarray:
        index = places.index(starts)
        y = places.windows(x)[index]
        if not index:
            y = np.broadcast_to(y, (*places.batch, *y.shape))
        return y.reshape((*places.batch, *places.window)).transpose(places.back)

    return take


def _along_one(places: Places, window_dims: Sequence[int], shape: tuple[int, ...]) -> Run | None:
    """For single indices along one dimension, and all of the others; None where it is not so."""
    sizes, whole = places.sizes, places.shape
    if len(places.mapped) != 1 or places.batching:
        return None
    (axis,) = places.mapped
    if sizes[axis] != 1 or any(sizes[d] != n for d, n in enumerate(whole) if d != axis):
        return None
    # The dimensions of what is taken, as they stand in the result.
    batch = [d for d in range(len(shape)) if d not in window_dims]
    kept = list(window_dims)
    single = [kept.pop(axis)] if len(kept) == len(whole) else []
    order = [*kept[:axis], *batch, *single, *kept[axis:]]
    moved, back = tuple(shape[d] for d in order), tuple(np.argsort(order))
    return lambda x, starts: x.take(starts[0], axis, mode="clip").reshape(moved).transpose(back)
