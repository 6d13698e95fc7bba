"""Shapes and dtypes of an op's results, inferred once a signature by abstract evaluation."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .._support.tables import readable
from ..ops.op import Op
from ..ops.promote import SCALAR_DTYPE
from .caches import Cache
from .errors import raise_interrupt
from .jax_state import restore
from .memory import host_bytes
from .signature import Signature, differentiable
from .traced import forward, linearise
from .value import Aval, aval

WORTH_A_LOOK = 1 << 32  # bytes that every machine is taken to have
TIMES = 4
inferred = Cache(32_768)
# What is raised where an op does not take its operands.
_TRACING = TypeError, ValueError, IndexError, ArithmeticError, AssertionError, NotImplementedError


def infer(op: Op, attrs: tuple[Any, ...], specs: tuple[Any, ...], tracked: tuple[int, ...] = ()) -> Signature:
    """The op with these attributes and operands, with the abstract value of each result.

    Args:
        op: the operator.
        attrs: its static attributes.
        specs: an :class:`Aval` for a tensor, ``"b"``, ``"i"`` or ``"f"`` for a Python scalar.
        tracked: the operands that a gradient may be taken of; what it needs is traced then, which gives the results too.

    Raises:
        RuntimeError: the op cannot take these shapes or dtypes.
    """
    found: Signature = inferred.get((op, attrs, specs), lambda: _infer(op, attrs, specs, tracked))
    return found


def _infer(op: Op, attrs: tuple[Any, ...], specs: tuple[Any, ...], tracked: tuple[int, ...]) -> Signature:
    kinds = [s.dtype if isinstance(s, Aval) else s for s in specs]
    if op.quantized is None and any(isinstance(s, Aval) and s.dtype.metadata for s in specs):
        raise RuntimeError(f"{op.name} takes no quantised tensors; convert with astype('float32')")
    own = [SCALAR_DTYPE[k] if isinstance(k, str) else k for k in kinds]
    wanted = op.promote(op.name, kinds) if op.promote is not None else own
    named = op.named(attrs)
    casts = tuple(None if w is None or w == o else w for w, o in zip(wanted, own, strict=True))
    operands = [aval(s.shape if isinstance(s, Aval) else (), np.dtype(o)) for s, o in zip(specs, own, strict=True)]
    if op.check is not None:
        op.check(*operands, **named)
    restore()
    try:
        outs, multi = _results(op, attrs, casts, specs, tracked)
    except BaseException as error:
        restore()
        raise_interrupt(error)
        if not isinstance(error, _TRACING):
            raise
        raise RuntimeError(_explain(op, attrs, operands, error)) from None
    _can_be_held(op, outs)
    dtypes = [dtype for _, dtype in outs]
    if op.quantized is not None:
        found = op.quantized(op.name, own, **named)
        dtypes = dtypes if found is None else [found] * len(dtypes)
    shapes = [shape for shape, _ in outs]
    formats = op.formats([s for s in specs if isinstance(s, Aval)], [len(s) for s in shapes], **named)
    return Signature(op, attrs, specs, casts, tuple(map(aval, shapes, dtypes, formats)), multi)


def _can_be_held(op: Op, outs: list[tuple[tuple[int, ...], np.dtype]]) -> None:
    """Refuse results that fill the memory several times over, at the line that asks for them.

    Raises:
        MemoryError: a result is larger. Some that are a little larger than the memory need not be there at once.
    """
    for shape, dtype in outs:
        needed = prod(shape) * dtype.itemsize
        if needed > WORTH_A_LOOK and needed > TIMES * host_bytes():
            raise MemoryError(
                f"{op.name}: a {dtype.name} tensor of shape {shape} takes {readable(needed)}, this machine has "
                f"{readable(host_bytes())}"
            )


def _results(
    op: Op, attrs: tuple[Any, ...], casts: tuple[Any, ...], specs: tuple[Any, ...], tracked: tuple[int, ...]
) -> tuple[list[tuple[tuple[int, ...], np.dtype]], bool]:
    """Shapes and dtypes of the results, and whether they are a tuple."""
    mask = tuple([k for k in differentiable(op, specs) if k in tracked])
    if mask:
        try:
            linear = linearise(op, attrs, casts, specs, mask)
        except _TRACING as error:  # it has no gradient, or does not fit: the forward alone says which
            raise_interrupt(error)
            linear = None
        if linear is not None:
            return linear.results()[: linear.count], linear.forward.multi
    traced, multi = forward(op, attrs, casts, specs)
    return traced.results(), multi


def _explain(op: Op, attrs: tuple[Any, ...], operands: list[Aval], error: Exception) -> str:
    settings = ", ".join(f"{n}={v!r}" for n, v in op.named(attrs).items())
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"{op.name}({', '.join(map(repr, operands))}{', ' + settings if settings else ''}): {reason}"
