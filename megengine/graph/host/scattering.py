"""Scatters: an array with windows replaced by, or combined with, those of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.lax import GatherScatterMode

from .interpreter import nested
from .narrow import is_narrow, widened
from .places import Places
from .rules import RULES, Equation, Run, rule

# Elements combined at a time, each of which has an index.
BLOCK = 1 << 18
# Up to this many windows of at least so many elements are combined one by one.
FEW, LARGE = 1024, 256

# What combines, as NumPy indexes them, windows with others: ``combine(array, places, index, windows)``; it changes no operand.
Combine = Callable[[np.ndarray, Places, Sequence[Any], np.ndarray], np.ndarray]


def _places(eqn: Equation) -> Places:
    numbers = eqn.params["dimension_numbers"]
    array, indices, updates = (v.aval for v in eqn.invars)
    alone = (*numbers.inserted_window_dims, *numbers.operand_batching_dims)
    windows = iter(numbers.update_window_dims)
    return Places(
        array.shape,
        [1 if d in alone else updates.shape[next(windows)] for d in range(array.ndim)],
        indices.shape[:-1],
        mapped=numbers.scatter_dims_to_operand_dims,
        batching=numbers.operand_batching_dims,
        batch_dims=numbers.scatter_indices_batching_dims,
        dropped=numbers.inserted_window_dims,
        window_dims=numbers.update_window_dims,
    )


def _scattering(eqn: Equation, combine: Combine) -> Run:
    """Windows that do not lie inside are left out."""
    places = _places(eqn)
    array, _, updates = (v.aval for v in eqn.invars)
    clip = eqn.params["mode"] == GatherScatterMode.CLIP
    window = tuple(places.sizes[d] for d in places.inner)
    if 0 in updates.shape or 0 in array.shape:
        return lambda x, at, u: x

    def run(x: Any, at: Any, u: Any) -> Any:
        starts, inside = places.starts(at, clip)
        index = places.index(starts)
        alone = places.count == 1 and not places.batching
        u = u.transpose(places.batch_first).reshape((*(() if alone else places.batch), *window))
        if inside is not None:
            if not inside.any():
                return x
            if not alone:
                index, u = places.inside(index, inside), u[inside]
        return combine(x, places, index, u)

    return run


@rule("scatter")
def scatter(eqn: Equation) -> Run:
    """The last of several windows at a place stays."""
    if eqn.params["update_jaxpr"] is not None:
        return _scattering(eqn, _applying(eqn))

    def replace(x: np.ndarray, places: Places, index: Sequence[Any], u: np.ndarray) -> np.ndarray:
        y = np.array(x, order="C")
        lead = u.ndim - len(places.inner)
        places.windows(y)[tuple(index)] = u if index or not lead else u[(-1,) * lead]
        return y

    return _scattering(eqn, replace)


def _with(ufunc: np.ufunc) -> Callable[[Equation], Run]:
    def make(eqn: Equation) -> Run:
        dtype = np.dtype(eqn.outvars[0].aval.dtype)

        def combine(x: np.ndarray, places: Places, index: Sequence[Any], u: np.ndarray) -> np.ndarray:
            y = np.array(x, np.float32 if is_narrow(dtype) else dtype, order="C")
            _combine(ufunc, y, places, index, widened(u))
            return y.astype(dtype, copy=False)

        return _scattering(eqn, combine)

    return make


for _name, _ufunc in {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
}.items():
    RULES[f"scatter-{_name}"] = RULES[f"scatter_{_name}"] = _with(_ufunc)


def _combine(ufunc: np.ufunc, y: np.ndarray, places: Places, index: Sequence[Any], u: np.ndarray) -> None:
    """Combine windows into ``y``, which is in C order, one after the other where they meet."""
    lead = u.shape[: u.ndim - len(places.inner)]
    if not lead:
        part = places.windows(y)[(*index, ...)]
        ufunc(part, u, out=part)
        return
    first, offsets = places.elements(index, lead)
    u = u.reshape(len(first), len(offsets))
    if index and len(first) <= FEW and len(offsets) >= LARGE:
        seen = places.windows(y)
        shape = seen.shape[len(index) :]
        for k, at in enumerate(zip(*(np.broadcast_to(i, lead).reshape(-1).tolist() for i in index), strict=True)):
            part = seen[(*at, ...)]
            ufunc(part, u[k].reshape(shape), out=part)
        return
    flat, step = y.reshape(-1), max(BLOCK // len(offsets), 1)
    for k in range(0, len(first), step):
        at = (first[k : k + step, None] + offsets).reshape(-1)
        ufunc.at(flat, at, u[k : k + step].reshape(-1))


def _applying(eqn: Equation) -> Combine:
    """Any operation, on as many windows at a time as do not meet."""
    closed = ClosedJaxpr(eqn.params["update_jaxpr"], eqn.params["update_consts"])
    one = jaxpr_as_fun(closed)
    dtypes = [v.aval.dtype for v in closed.jaxpr.invars]

    def combine(x: np.ndarray, places: Places, index: Sequence[Any], u: np.ndarray) -> np.ndarray:
        y = np.array(x, order="C")
        first, offsets = places.elements(index, u.shape[: u.ndim - len(places.inner)])
        flat, elements, u = y.reshape(-1), (first[:, None] + offsets).reshape(-1), u.reshape(-1)
        while len(elements):
            _, foremost = np.unique(elements, return_index=True)
            lanes = [jax.ShapeDtypeStruct(foremost.shape, d) for d in dtypes]
            operation = nested(jax.make_jaxpr(jax.vmap(lambda *xs: one(*xs)))(*lanes))
            at = elements[foremost]
            (flat[at],) = operation(flat[at], u[foremost])
            elements, u = np.delete(elements, foremost), np.delete(u, foremost)
        return y

    return combine
