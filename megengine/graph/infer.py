"""Shapes and dtypes of an op's results, inferred once a signature by abstract evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.op import Op
from ..ops.promote import SCALAR_DTYPE
from .caches import Cache
from .signature import Signature
from .traced import forward
from .value import Aval, aval

inferred = Cache(32_768)


def infer(op: Op, attrs: tuple[Any, ...], specs: tuple[Any, ...]) -> Signature:
    """The op with these attributes and operands, with the abstract value of each result.

    Args:
        op: the operator.
        attrs: its static attributes.
        specs: an :class:`Aval` for a tensor, ``"b"``, ``"i"`` or ``"f"`` for a Python scalar.

    Raises:
        RuntimeError: the op cannot take these shapes or dtypes.
    """
    found: Signature = inferred.get((op, attrs, specs), lambda: _infer(op, attrs, specs))
    return found


def _infer(op: Op, attrs: tuple[Any, ...], specs: tuple[Any, ...]) -> Signature:
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
    try:
        traced, multi = forward(op, attrs, casts, specs)
    except (TypeError, ValueError, IndexError, ArithmeticError, AssertionError, NotImplementedError) as error:
        raise RuntimeError(_explain(op, attrs, operands, error)) from None
    outs = traced.results()
    dtypes = [dtype for _, dtype in outs]
    if op.quantized is not None:
        found = op.quantized(op.name, own, **named)
        dtypes = dtypes if found is None else [found] * len(dtypes)
    shapes = [shape for shape, _ in outs]
    formats = op.formats([s for s in specs if isinstance(s, Aval)], [len(s) for s in shapes], **named)
    return Signature(op, attrs, specs, casts, tuple(map(aval, shapes, dtypes, formats)), multi)


def _explain(op: Op, attrs: tuple[Any, ...], operands: list[Aval], error: Exception) -> str:
    settings = ", ".join(f"{n}={v!r}" for n, v in op.named(attrs).items())
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"{op.name}({', '.join(map(repr, operands))}{', ' + settings if settings else ''}): {reason}"
