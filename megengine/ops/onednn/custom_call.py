"""Plans called from XLA's executables: by one name, with a text that says which plan it is.

The text holds everything, so that an executable compiled by one process serves others. Arrays with many channels are asked for
with the channels behind the sizes; :mod:`megengine.graph.layout` has what lies between two calls in the same layout.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, replace
from functools import cache, lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from ..candidates import ONEDNN, chosen, rather_by_xla
from ..timed import wanted
from .convolution import Convolution
from .ffi import register, registered
from .integers import IntegerConvolution, PackedConvolution
from .kept import Kept, KeptPlan
from .library import OneDNNError, library
from .lstm import Lstm, LstmPlan
from .plain import compute
from .plan import LIMIT, Plan

TARGET = "megengine.onednn"
# Arrays of fewer channels, such as images, stay as they are.
MANY = 8
_CLASSES: dict[str, Any] = {
    "Convolution": Convolution,
    "IntegerConvolution": IntegerConvolution,
    "Lstm": Lstm,
}
log = logging.getLogger("megengine.graph")
_counting = threading.Lock()
_overwriting = 0
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


def _calls_it(dtype: Any) -> bool:
    floats = bool(jnp.issubdtype(dtype, jnp.floating)) and dtype.itemsize <= 4
    return floats and not getattr(_elsewhere, "holds", False) and ready()


def convolution(kind: str, dtype: Any, **params: Any) -> Convolution | None:
    """The convolution that an executable should call the library for; None where XLA computes it."""
    if not _calls_it(dtype):
        return None
    of = _as_it_likes(kind, **params)
    if not (of.worth_it() and of.supported()):
        return None
    if dtype == jnp.bfloat16:
        of = of.narrowed()
    by_library = chosen(of, library_too=True) == ONEDNN if wanted() else not rather_by_xla(of)
    return of if by_library else None


def algorithm_of(kind: str, dtype: Any, **params: Any) -> str:
    """The name of XLA's algorithm for a convolution that the library is not called for; empty for that of the rule."""
    of = _as_it_likes(kind, **params)
    small = jnp.issubdtype(dtype, jnp.floating) and dtype.itemsize <= 4
    if not (wanted() and small and of.worth_it()) or getattr(_elsewhere, "holds", False):
        return ""
    return chosen(of, library_too=ready() and of.supported())


def _as_it_likes(kind: str, **params: Any) -> Convolution:
    """A convolution with its arrays in the layout that the library is fastest in."""
    of = Convolution(kind, **params)
    return replace(of, x_last=of.x_shape[1] >= MANY, y_last=of.kernel_shape[0] >= MANY)


def call(of: Convolution | IntegerConvolution, *operands: jax.Array, kept: tuple[Any, int] | None = None) -> jax.Array:
    """What an executable calls the library for, on arrays of :meth:`Convolution.arrays` as they lie in memory.

    A convolution of floats gives the first operand's dtype, one of integers int32.

    Args:
        of: the convolution.
        operands: its operands.
        kept: the numbers of arrays of a program whose kernels are kept, and which of them is the kernel's.
    """
    _notice()
    shapes, lasts = of.arrays()
    shape = _behind(shapes[-1]) if lasts[-1] else shapes[-1]
    result = jax.ShapeDtypeStruct(shape, of.dtype if isinstance(of, Convolution) else jnp.int32)
    given = [a.astype(of.dtype) for a in operands] if isinstance(of, Convolution) else operands
    described: tuple[Any, ...] = (type(of).__name__, *astuple(of))
    if kept is not None and isinstance(of, Convolution) and Kept(kept[1], of).worth_it():
        given, described = [*given, kept[0]], ("Kept", kept[1], *astuple(of))
    text = json.dumps(described)
    made: jax.Array = jax.ffi.ffi_call(TARGET, result)(*given, of=text)
    return made.astype(operands[0].dtype) if isinstance(of, Convolution) else made


def integer_convolution(**params: Any) -> IntegerConvolution | None:
    """The convolution of integers that an executable should call the library for; None where XLA computes it."""
    if getattr(_elsewhere, "holds", False) or not ready():
        return None
    of = IntegerConvolution(**params)
    of = replace(of, x_last=of.x_shape[1] >= MANY, y_last=of.kernel_shape[0] >= MANY)
    return of if of.worth_it() and of.plan() is not None else None


def on_cpu() -> bool:
    """Whether programs run on a CPU, in this process, and may call the library."""
    return not getattr(_elsewhere, "holds", False) and ready() and jax.default_backend() == "cpu"


def calls_lstm(of: Lstm, kept: int) -> bool:
    """Whether an executable should call the library for an LSTM that keeps, or has kept, so many bytes."""
    return not getattr(_elsewhere, "holds", False) and ready() and of.plan_within(kept) is not None


def call_lstm(of: Lstm, kept: int, *operands: jax.Array) -> list[jax.Array]:
    """What an executable calls the library for: see :class:`Lstm`."""
    _notice()
    results = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in of.results()]
    if of.kind != "gradients":
        results.append(jax.ShapeDtypeStruct((kept,), jnp.uint8))
    text = json.dumps((type(of).__name__, *astuple(of)))
    return list(jax.ffi.ffi_call(TARGET, results)(*operands, of=text))


def _notice() -> None:
    noticed = getattr(_lowering, "noticed", None)
    if noticed is not None:
        noticed.called = True


def call_in_order(of: Convolution | IntegerConvolution, *operands: jax.Array) -> jax.Array:
    """The same on arrays, and with a result, in the order of their dimensions."""
    lasts = of.arrays()[1]
    arrays = [jnp.moveaxis(a, 1, -1) if last else a for a, last in zip(operands, lasts, strict=False)]
    result = call(of, *arrays)
    return jnp.moveaxis(result, -1, 1) if lasts[-1] else result


def _behind(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], *shape[2:], shape[1])


def overwrite(executables: int) -> None:
    """So many more executables run that lose what they overwrite if they fail: no call fails meanwhile that need not."""
    global _overwriting
    with _counting:
        _overwriting += executables


def _run(text: bytes, pointers: list[int]) -> None:
    try:
        _plan(text).run(*pointers)
    except (OneDNNError, MemoryError) as error:
        of = _described(text)
        if not _overwriting or not isinstance(of, (Convolution, Lstm)):
            raise
        log.warning("%s; computed without it, for the step to end", error)
        if isinstance(of, Lstm):
            of.compute(*pointers)
        else:
            compute(of, *pointers)


@lru_cache(LIMIT)
def _described(text: bytes) -> Convolution | IntegerConvolution | Lstm | Kept:
    kind, *params = json.loads(text)
    settings: list[Any] = [tuple(p) if type(p) is list else p for p in params]
    if kind == "Kept":
        return Kept(settings[0], Convolution(*settings[1:]))
    of: Convolution | IntegerConvolution | Lstm = _CLASSES[kind](*settings)
    return of


@lru_cache(LIMIT)
def _plan(text: bytes) -> Plan | PackedConvolution | KeptPlan | LstmPlan:
    of = _described(text)
    plan = of.plan()
    if plan is None:
        raise OneDNNError(f"oneDNN {library() and library().version}: not implemented: {of}")  # type: ignore[union-attr]
    return plan
