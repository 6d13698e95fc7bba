"""The interpreter's results against XLA's, counted in units in the last place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import ml_dtypes
import numpy as np

from megengine.graph.counters import counters
from megengine.graph.host.alone import QUICKLY
from megengine.graph.host.interpreter import interpret

FLOATS = ["float32", "float16", "bfloat16"]
INTS = ["int8", "int16", "int32", "uint8", "uint16", "uint32"]


def same(
    f: Callable[..., Any],
    *operands: Any,
    ulps: float = 4,
    atol: float = 0.0,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Check that a function interpreted is what it is compiled: equal, or for floats within ``ulps`` and ``atol``.

    ``options`` are some of XLA's, beside those for what is compiled alone. No primitive may be compiled alone, and operands
    stay as they are. Results are named by their place in what ``f`` returns.
    """
    before = [np.array(a) for a in operands]
    alone = counters.compiled_alone.copy()
    found = interpret(jax.make_jaxpr(f)(*operands))(*operands)
    assert counters.compiled_alone == alone
    expected, _ = jax.tree_util.tree_flatten_with_path(jax.jit(f, compiler_options={**QUICKLY, **options})(*operands))
    wrong = {}
    for ours, (path, result) in zip(found, expected, strict=True):
        name, theirs = jax.tree_util.keystr(path), np.asarray(result)
        assert type(ours) is np.ndarray, name
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), name
        if differing := differences(ours, theirs, ulps, atol):
            wrong[name] = differing
    assert not wrong, wrong
    for a, b in zip(operands, before, strict=True):
        assert a.tobytes() == b.tobytes()


def differences(ours: np.ndarray, theirs: np.ndarray, ulps: float, atol: float) -> list[tuple[Any, ...]]:
    """The first few elements that differ: where, ours, theirs."""
    if theirs.dtype.kind == "c":
        return differences(ours.real, theirs.real, ulps, atol) + differences(ours.imag, theirs.imag, ulps, atol)
    if not jax.dtypes.issubdtype(theirs.dtype, np.floating):
        differ = ours != theirs
    else:
        info = ml_dtypes.finfo(theirs.dtype)
        with np.errstate(all="ignore"):  # a NaN that signals
            a, b = ours.astype(np.float64), theirs.astype(np.float64)
        if theirs.dtype != np.float16:  # XLA takes subnormal numbers of float32 for 0
            a, b = (np.where(np.abs(v) <= float(info.smallest_normal), 0.0, v) for v in (a, b))
        with np.errstate(all="ignore"):
            allowed = np.maximum(ulps * float(info.eps) * np.maximum(np.abs(b), float(info.smallest_normal)), atol)
            finite = np.isfinite(a) & np.isfinite(b)
            differ = np.where(finite, np.abs(a - b) > allowed, ~((a == b) | (np.isnan(a) & np.isnan(b))))
    where = np.argwhere(differ)[:5]
    return [(len(np.argwhere(differ)), tuple(w.tolist()), ours[tuple(w)], theirs[tuple(w)]) for w in where]


def special(dtype: str) -> np.ndarray:
    """Values at which functions are extraordinary."""
    kind = np.dtype(dtype)
    if kind == np.bool_:
        return np.array([False, True])
    if not jax.dtypes.issubdtype(kind, np.floating):
        info = np.iinfo(kind)
        values = {info.min, info.min + 1, -2, -1, 0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, info.max - 1, info.max}
        return np.array(sorted(v for v in values if info.min <= v <= info.max), kind)
    info = ml_dtypes.finfo(kind)
    values = [0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 2, -2, 3, 0.1, -0.7, 10, -10, np.inf, -np.inf, np.nan]
    values += [float(info.max), -float(info.max), float(info.smallest_normal), -float(info.smallest_normal)]
    values += [1 + float(info.eps), 1 - float(info.eps) / 2, 0.5 - float(info.eps) / 4]
    return np.array(values).astype(kind)


def many(dtype: str, count: int = 300, seed: int = 0) -> np.ndarray:
    """The special values and others of all magnitudes."""
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind == np.bool_:
        rest = rng.integers(0, 2, count).astype(kind)
    elif jax.dtypes.issubdtype(kind, np.floating):
        rest = (rng.standard_normal(count) * 10.0 ** rng.uniform(-4, 2, count)).astype(kind)
    else:
        rest = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, count, kind, endpoint=True)
    return np.concatenate([special(dtype), rest])


def pairs(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of special values, and of others."""
    x = special(dtype)
    a, b = many(dtype, 300, 1), many(dtype, 300, 2)
    left = np.concatenate([np.repeat(x, len(x)), a[len(x) :]])
    return left, np.concatenate([np.tile(x, len(x)), b[len(x) :]])
