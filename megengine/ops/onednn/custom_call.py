"""Plans called from XLA's executables: by one name, with a text that says which plan it is.

The text holds everything, so that an executable compiled by one process serves others. Arrays with many channels are asked for
with the channels behind the sizes, and XLA gives what lies between two calls the same layout.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, replace
from functools import cache, lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from .convolution import Convolution
from .ffi import register, registered
from .integers import IntegerConvolution
from .library import OneDNNError, library
from .normalization import BatchNorm
from .plan import LIMIT, Plan

TARGET = "megengine.onednn"
# Arrays of fewer channels, such as images, stay as they are.
MANY = 8
_CLASSES: dict[str, Any] = {
    "Convolution": Convolution,
    "BatchNorm": BatchNorm,
    "IntegerConvolution": IntegerConvolution,
}
_elsewhere = threading.local()
_lowering = threading.local()


@cache
def ready() -> bool:
    """Whether executables can call oneDNN, by a name that they find from now on."""
    if library() is None:
        return False
    try:
        register(TARGET, _run)
    except (OSError, LookupError):
        return False
    return True


def names_known() -> bool:
    """Whether there may be executables that call Python."""
    return bool(registered)


class Noticed:
    """Whether what was lowered meanwhile calls the library."""

    called = False


@contextmanager
def noticing() -> Iterator[Noticed]:
    """Notice whether what this thread lowers inside calls the library."""
    before, _lowering.noticed = getattr(_lowering, "noticed", None), Noticed()
    try:
        yield _lowering.noticed
    finally:
        _lowering.noticed = before


@contextmanager
def portable() -> Iterator[None]:
    """What is lowered inside is for other processes than this package's."""
    before = getattr(_elsewhere, "holds", False)
    _elsewhere.holds = True
    try:
        yield
    finally:
        _elsewhere.holds = before


def channels_last(shape: tuple[int, ...], dtype: Any) -> bool:
    """Whether convolutions of executables leave arrays ``(N, C, *sizes)`` with the channels behind the sizes."""
    return len(shape) > 2 and shape[1] >= MANY and _calls_it(dtype)


def _calls_it(dtype: Any) -> bool:
    floats = bool(jnp.issubdtype(dtype, jnp.floating)) and dtype.itemsize <= 4
    return floats and not getattr(_elsewhere, "holds", False) and ready()


def convolution(kind: str, x: jax.Array, **params: Any) -> Convolution | None:
    """The convolution that an executable should call the library for; None where XLA computes it."""
    if not _calls_it(x.dtype):
        return None
    of = Convolution(kind, **params)
    of = replace(of, x_last=of.x_shape[1] >= MANY, y_last=of.kernel_shape[0] >= MANY)
    return of if of.worth_it() and of.plan() is not None else None


def normalization(kind: str, x: jax.Array, *, eps: float) -> BatchNorm | None:
    """The same for the normalisation of a batch."""
    if not channels_last(x.shape, x.dtype):
        return None
    of = BatchNorm(kind, x.shape, eps, True)
    return of if of.worth_it() and of.plan() is not None else None


def call(of: Convolution | BatchNorm, *operands: jax.Array) -> list[jax.Array]:
    """What an executable calls the library for; results are of the first operand's dtype."""
    noticed = getattr(_lowering, "noticed", None)
    if noticed is not None:
        noticed.called = True
    shapes, lasts = of.arrays()
    layouts = [_order(len(shape), last) for shape, last in zip(shapes, lasts, strict=True)]
    first = len(shapes) - of.results()
    made = jax.ffi.ffi_call(
        TARGET,
        [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes[first:]],
        input_layouts=layouts[:first],
        output_layouts=layouts[first:],
    )
    text = json.dumps((type(of).__name__, *astuple(of)))
    results = made(*(a.astype(jnp.float32) for a in operands), of=text)
    return [r.astype(operands[0].dtype) for r in results]


def integer_convolution(**params: Any) -> IntegerConvolution | None:
    """The convolution of integers that an executable should call the library for; None where XLA computes it."""
    if getattr(_elsewhere, "holds", False) or not ready():
        return None
    of = IntegerConvolution(**params)
    of = replace(of, x_last=of.x_shape[1] >= MANY, y_last=of.kernel_shape[0] >= MANY)
    return of if of.worth_it() and of.plan() is not None else None


def call_integers(of: IntegerConvolution, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """:func:`call` for int8 operands and an int32 result."""
    noticed = getattr(_lowering, "noticed", None)
    if noticed is not None:
        noticed.called = True
    shapes, lasts = of.arrays()
    layouts = [_order(len(shape), last) for shape, last in zip(shapes, lasts, strict=True)]
    result = jax.ShapeDtypeStruct(shapes[2], jnp.int32)
    made = jax.ffi.ffi_call(TARGET, result, input_layouts=layouts[:2], output_layouts=layouts[2])
    found: jax.Array = made(x, kernel, of=json.dumps((type(of).__name__, *astuple(of))))
    return found


def _order(dimensions: int, last: bool) -> tuple[int, ...]:
    return (0, *range(2, dimensions), 1) if last else tuple(range(dimensions))


def _run(text: bytes, pointers: list[int]) -> None:
    _plan(text).run(*pointers)


@lru_cache(LIMIT)
def _plan(text: bytes) -> Plan:
    kind, *params = json.loads(text)
    of = _CLASSES[kind](*(tuple(p) if type(p) is list else p for p in params))
    plan = of.plan()
    if plan is None:
        raise OneDNNError(f"oneDNN {library() and library().version}: not implemented: {of}")  # type: ignore[union-attr]
    return plan
