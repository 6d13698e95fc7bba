"""Functions of quantised tensors: products of integers, summed as integers, and brought to the steps of the result's dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph.apply import apply as _apply
from ..graph.dtypes import dtype_of
from ..ops import integers as ops
from ..ops.quantized import Key, check_bias_scale, dtype_of_key, is_quantized, key_of, product_of
from ..tensor import Tensor
from ._convolution import check_modes, conv2d, extra_of, groups_of, operands_of, window_of
from ._settings import require_mode
from .activation import hswish, relu, sigmoid

__all__ = ["batch_conv_bias_activation", "conv_bias_activation", "conv_transpose2d"]

_NONLINEAR: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "relu": relu,
    "sigmoid": sigmoid,
    "h_swish": hswish,
}


def _keys(name: str, inp: Tensor, weight: Tensor, bias: Tensor | None, dtype: Any) -> dict[str, Key]:
    """What input and weight are, and what the result is to be; refuses what does not go together."""
    if not (is_quantized(inp.dtype) and is_quantized(weight.dtype)):
        raise RuntimeError(
            f"{name}: input and weight must both be quantised, they have the dtypes {inp.dtype.name} and {weight.dtype.name}"
        )
    of, by = key_of(inp.dtype), key_of(weight.dtype)
    if of.cname != by.cname or of.cname == "QuantizedS32":
        raise RuntimeError(
            f"{name}: input and weight must be of one kind with at most 8 bits, not {of.cname} and {by.cname}"
        )
    made = product_of(of, by)
    if bias is not None:
        if not is_quantized(bias.dtype):
            raise RuntimeError(f"{name}: the bias must be quantised, it has dtype {bias.dtype.name}")
        check_bias_scale(name, [key_of(bias.dtype)], made)
    if dtype is None:
        return {"of": of, "by": by, "to": made}
    wanted = dtype_of(dtype)
    if not is_quantized(wanted):
        raise RuntimeError(f"{name}: the result's dtype must be a quantised one, not {wanted.name}")
    to = key_of(wanted)
    if to.cname not in (of.cname, "QuantizedS32"):
        raise RuntimeError(f"{name}: the result of {of.cname} tensors is {of.cname} or QuantizedS32, not {to.cname}")
    return {"of": of, "by": by, "to": to}


def bias_dtype(inp: Tensor, weight: Tensor) -> np.dtype:
    """The dtype of a bias that is added to products of two quantised tensors: qint32 with the product of their scales."""
    return dtype_of_key(product_of(key_of(inp.dtype), key_of(weight.dtype)))


def conv_bias_activation(
    inp: Tensor,
    weight: Tensor,
    bias: Tensor,
    dtype: Any = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    nonlinear_mode: str = "identity",
    conv_mode: str = "cross_correlation",
    compute_mode: str = "default",
) -> Tensor:
    """Convolution of quantised images with a bias and an activation in one; for inference, without gradients.

    ``out = round(act(sum(inp * weight) * s + bias * s) / scale)``, where ``s`` is the product of the scales of input and weight
    and ``scale`` the result's; products of integers are summed in int32, and halves go away from zero.

    Args:
        inp: ``(N, C, H, W)``, quantised.
        weight: kernel ``(O, C, h, w)``, or with groups ``(groups, O / groups, C / groups, h, w)``, quantised as the input is.
        bias: ``(1, O, 1, 1)``, qint32 with the product of the scales.
        dtype: dtype of the result, of the input's kind or qint32. Default: qint32 with the product of the scales
        stride: step between windows; default 1.
        padding: zeros on both sides; default 0.
        dilation: spacing between the elements of a window; default 1.
        groups: number of groups that the channels are divided into; default 1.
        nonlinear_mode: ``"identity"``, ``"relu"``, ``"h_swish"`` or ``"sigmoid"``. Default: ``"identity"``
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``.

    Returns:
        ``(N, O, (H + 2 * padding - dilation * (h - 1) - 1) // stride + 1, ...)``. Floating-point operands give a floating-point
        result, as ``F.conv2d`` with the activation does.

    Raises:
        RuntimeError: shapes or dtypes that do not go together.
        ValueError: a setting or mode that does not exist.

    Example:
        >>> from megengine.core.tensor.dtype import qint8, qint32
        >>> x, w = F.ones((1, 2, 2, 2)).astype(qint8(0.5)), F.ones((1, 2, 2, 2)).astype(qint8(0.25))
        >>> F.quantized.conv_bias_activation(x, w, F.zeros((1, 1, 1, 1)).astype(qint32(0.125)), qint8(0.1)).numpy()
        array([[[[80]]]], dtype=int8)
    """
    window = (stride, padding, dilation, groups)
    modes = (nonlinear_mode, conv_mode, compute_mode)
    return _conv_bias("conv_bias_activation", inp, weight, bias, dtype, *window, *modes)


def batch_conv_bias_activation(
    inp: Tensor,
    weight: Tensor,
    bias: Tensor,
    dtype: Any = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    nonlinear_mode: str = "identity",
    conv_mode: str = "cross_correlation",
    compute_mode: str = "default",
) -> Tensor:
    """:func:`conv_bias_activation` with a kernel for each example.

    Args:
        inp: ``(N, C, H, W)``, quantised.
        weight: kernels ``(N, O, C, h, w)``, quantised as the input is.
        bias: ``(1, O, 1, 1)``, qint32 with the product of the scales.
        dtype: dtype of the result, of the input's kind or qint32. Default: qint32 with the product of the scales
        stride: step between windows; default 1.
        padding: zeros on both sides; default 0.
        dilation: spacing between the elements of a window; default 1.
        groups: number of groups that the channels are divided into; default 1.
        nonlinear_mode: ``"identity"``, ``"relu"``, ``"h_swish"`` or ``"sigmoid"``. Default: ``"identity"``
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``.

    Raises:
        RuntimeError: shapes or dtypes that do not go together.
        ValueError: a setting or mode that does not exist.

    Example:
        >>> from megengine.core.tensor.dtype import qint8, qint32
        >>> x, w = F.ones((2, 1, 1, 1)).astype(qint8(0.5)), Tensor([[[[[1.0]]]], [[[[2.0]]]]]).astype(qint8(0.25))
        >>> bias = F.zeros((1, 1, 1, 1)).astype(qint32(0.125))
        >>> F.quantized.batch_conv_bias_activation(x, w, bias, qint8(0.5)).astype("float32").flatten()
        Tensor([1. 2.], device=xpux:0)
    """
    window = (stride, padding, dilation, groups)
    modes = (nonlinear_mode, conv_mode, compute_mode)
    return _conv_bias("batch_conv_bias_activation", inp, weight, bias, dtype, *window, *modes)


def _conv_bias(
    name: str,
    inp: Tensor,
    weight: Tensor,
    bias: Tensor,
    dtype: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    nonlinear_mode: str,
    conv_mode: str,
    compute_mode: str,
) -> Tensor:
    check_modes(conv_mode, compute_mode)
    activation = require_mode(nonlinear_mode, tuple(_NONLINEAR), "nonlinear_mode")
    batch = name == "batch_conv_bias_activation"
    if not batch and not is_quantized(inp.dtype) and not is_quantized(weight.dtype):
        return _NONLINEAR[activation](
            conv2d(inp, weight, bias, stride, padding, dilation, groups, conv_mode, compute_mode)
        )
    out: Tensor = _apply(
        ops.batch_conv_bias if batch else ops.conv_bias,
        inp,
        weight,
        bias,
        **_keys(name, inp, weight, bias, dtype),
        **window_of(2, stride, padding, dilation),
        groups=groups_of(groups),
        activation=activation,
    )
    return out


def conv_transpose2d(
    inp: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    dtype: Any = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    output_padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    conv_mode: str = "cross_correlation",
    compute_mode: str = "default",
) -> Tensor:
    """Transposed convolution of quantised images; for inference, without gradients.

    Args:
        inp: ``(N, C, H, W)``, quantised.
        weight: kernel ``(C, O, h, w)``, quantised as the input is.
        bias: ``(1, O, 1, 1)``, qint32 with the product of the scales, or None, which is all that MegEngine takes.
        dtype: dtype of the result, of the input's kind or qint32. Default: qint32 with the product of the scales
        stride: stride of the convolution that this transposes; default 1.
        padding: its padding; default 0.
        output_padding: rows and columns added at the end; default 0.
        dilation: its dilation; default 1.
        groups: 1.
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``.

    Raises:
        NotImplementedError: groups, as in MegEngine.
        RuntimeError: shapes or dtypes that do not go together.
        ValueError: a setting or mode that does not exist.

    Example:
        >>> from megengine.core.tensor.dtype import qint8
        >>> x, w = F.ones((1, 1, 1, 1)).astype(qint8(0.5)), F.ones((1, 1, 2, 2)).astype(qint8(0.25))
        >>> F.quantized.conv_transpose2d(x, w, dtype=qint8(0.5)).numpy()
        array([[[[2, 2],
                 [2, 2]]]], dtype=int8)
    """
    check_modes(conv_mode, compute_mode)
    if groups_of(groups) != 1:
        raise NotImplementedError("conv_transpose2d of quantised tensors takes no groups")
    out: Tensor = _apply(
        ops.conv_transpose,
        *operands_of(inp, weight, bias),
        **_keys("conv_transpose2d", inp, weight, bias, dtype),
        **window_of(2, stride, padding, dilation),
        extra=extra_of(2, stride, output_padding),
    )
    return out
