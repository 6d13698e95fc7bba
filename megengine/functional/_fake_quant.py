"""Fake quantization: values at the steps of a quantised dtype that stay floating-point, with straight-through gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph.apply import apply
from ..ops import fake_quant as ops
from ..ops.quantized import BUILTIN, QuantDtypeMeta
from ..tensor import Tensor
from ..tensor.qparams import QParams, QuantMode


def meta_of(dtype: str | QuantDtypeMeta) -> QuantDtypeMeta:
    """The kind of a quantised dtype by its name.

    Raises:
        ValueError: there is none of that name.
    """
    if not isinstance(dtype, str):
        return dtype
    if dtype not in BUILTIN:
        raise ValueError(f"unknown dtype: {dtype}, only support {', '.join(BUILTIN)}")
    return BUILTIN[dtype]


def create_qparams(
    mode: QuantMode | None = QuantMode.SYMMERTIC,
    dtype_meta: str | QuantDtypeMeta | None = None,
    scale: Tensor | None = None,
    zero_point: Tensor | None = None,
) -> QParams:
    """The parameters of a quantization.

    Args:
        mode: a :class:`QuantMode`. Default: ``QuantMode.SYMMERTIC``
        dtype_meta: kind of the dtype, or its name such as ``"qint8"``. Default: None
        scale: what one step stands for. Default: None
        zero_point: the integer that stands for 0. Default: None

    Raises:
        ValueError: no dtype has this name.
        AssertionError: the mode is neither a :class:`QuantMode` nor None.

    Example:
        >>> megengine.quantization.create_qparams(dtype_meta="qint8", scale=Tensor(0.5)).scale
        Tensor(0.5, device=xpux:0)
    """
    assert mode is None or isinstance(mode, QuantMode), f"mode must be a QuantMode or None, not {mode!r}"
    return QParams(mode, None if dtype_meta is None else meta_of(dtype_meta), scale, zero_point)


def _as_tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else Tensor(x, dtype=np.float32)


def fake_quant_tensor(inp: Tensor, qparams: QParams) -> Tensor:
    """Values at the steps of a quantised dtype: ``(clip(round(inp / scale) + zero_point, qmin, qmax) - zero_point) * scale``.

    Halves are rounded away from zero. The gradient passes where the steps are within range, and is 0 elsewhere; scale and zero
    point have none.

    Args:
        inp: floating-point numbers of any shape.
        qparams: scale and, if asymmetric, zero point, which broadcast to the input, and the kind of the dtype.

    Returns:
        float32 of the input's shape; NaN stays.

    Raises:
        RuntimeError: shapes that do not broadcast to the input, or integers.

    Example:
        >>> q = megengine.quantization
        >>> q.fake_quant_tensor(Tensor([0.3, -9.0]), q.create_qparams(dtype_meta="qint4", scale=Tensor(0.25)))
        Tensor([ 0.25 -2.  ], device=xpux:0)
    """
    meta = qparams.dtype_meta
    zero_point = qparams.zero_point if qparams.mode == QuantMode.ASYMMERTIC else 0.0
    operands = (inp, _as_tensor(qparams.scale), _as_tensor(zero_point))
    out: Tensor = apply(ops.fake_quant, *operands, qmin=meta.qmin, qmax=meta.qmax)
    return out


def tqt_forward(qmin: int, qmax: int, inp: Tensor, scale: Tensor) -> Tensor:
    """Fake quantization with a step of ``2 ** scale`` that is learned (Jain et al., Trained Quantization Thresholds, 2019).

    Args:
        qmin, qmax: the range of the steps.
        inp: floating-point numbers of any shape.
        scale: binary logarithm of the step, which has a gradient.

    Example:
        >>> megengine.quantization.utils.tqt_forward(-128, 127, Tensor([0.3]), Tensor(-2.0))
        Tensor([0.25], device=xpux:0)
    """
    out: Tensor = apply(ops.tqt, inp, scale, qmin=qmin, qmax=qmax)
    return out


def lsq_forward(
    qmin: int,
    qmax: int,
    inp: Tensor,
    step_size: Tensor,
    zero_point: Tensor | None = None,
    scale_grad: Tensor | None = None,
) -> Tensor:
    """Fake quantization with a learned step (Esser et al., Learned Step Size Quantization, 2019).

    Args:
        qmin, qmax: the range of the steps.
        inp: floating-point numbers of any shape.
        step_size: the step, which has a gradient.
        zero_point: the integer that stands for 0. Default: 0
        scale_grad: factor of the step's gradient. Default: 1

    Example:
        >>> megengine.quantization.utils.lsq_forward(-128, 127, Tensor([0.3]), Tensor(0.25))
        Tensor([0.25], device=xpux:0)
    """
    zero_point = _as_tensor([0.0] if zero_point is None else zero_point)
    scale_grad = _as_tensor([1.0] if scale_grad is None else scale_grad)
    out: Tensor = apply(ops.lsq, inp, step_size, zero_point, scale_grad, qmin=qmin, qmax=qmax)
    return out


def fake_quant_bias(bias: Tensor | None, inp: Tensor, w_qat: Tensor) -> Tensor | None:
    """Fake quantization of a bias to qint32 with the product of the scales of input and weight.

    Args:
        bias: the bias, or None.
        inp: the input, with its ``qparams``.
        w_qat: the weight, with its ``qparams``.

    Returns:
        The bias itself unless input and weight are both symmetrically quantised to int8 and their scales are known.

    Example:
        >>> q = megengine.quantization
        >>> x, w = Tensor([1.0]), Tensor([1.0])
        >>> for t, scale in ((x, 0.5), (w, 0.25)):
        ...     t.qparams.update(q.create_qparams(dtype_meta="qint8", scale=Tensor(scale)))
        >>> q.fake_quant_bias(Tensor([0.3]), x, w)
        Tensor([0.25], device=xpux:0)
    """
    if bias is None:
        return None
    x, w = inp.qparams, w_qat.qparams
    for known in (x, w):
        if known is None or known.scale is None or known.mode != QuantMode.SYMMERTIC:
            return bias
        if known.dtype_meta is None or known.dtype_meta.np_dtype_str != "int8":
            return bias
    made = create_qparams(QuantMode.SYMMERTIC, "qint32", scale=x.scale * w.scale)
    out = fake_quant_tensor(bias, made)
    out.qparams.update(made)
    return out
