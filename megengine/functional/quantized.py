"""Functions of quantised tensors: their names and signatures, until quantisation is supported."""

from __future__ import annotations

from typing import Any, NoReturn

from ..tensor import Tensor

__all__ = ["batch_conv_bias_activation", "conv_bias_activation", "conv_transpose2d"]


def _later(name: str) -> NoReturn:
    raise NotImplementedError(f"{name} computes with quantised tensors: it comes with the quantisation support")


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
    """Convolution of quantised tensors with bias and activation in one; not supported yet.

    Args:
        inp: ``(N, C, H, W)``, quantised.
        weight: kernel ``(O, C, h, w)``, quantised.
        bias: ``(1, O, 1, 1)``, quantised.
        dtype: dtype of the result.
        stride: step between windows; default 1.
        padding: zeros on both sides; default 0.
        dilation: spacing between the elements of a window; default 1.
        groups: number of groups that the channels are divided into; default 1.
        nonlinear_mode: the activation; default ``"identity"``.
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``.

    Raises:
        NotImplementedError: always.

    Example:
        >>> F.quantized.conv_bias_activation(F.ones((1, 1, 2, 2)), F.ones((1, 1, 1, 1)), F.zeros((1, 1, 1, 1)))
        Traceback (most recent call last):
        NotImplementedError: conv_bias_activation computes with quantised tensors: it comes with the quantisation support
    """
    _later("conv_bias_activation")


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
    """Convolution of quantised tensors with a kernel for each example, bias and activation; not supported yet.

    Args:
        inp: ``(N, C, H, W)``, quantised.
        weight: kernels ``(N, O, C, h, w)``, quantised.
        bias: ``(1, O, 1, 1)``, quantised.
        dtype: dtype of the result.
        stride: step between windows; default 1.
        padding: zeros on both sides; default 0.
        dilation: spacing between the elements of a window; default 1.
        groups: number of groups that the channels are divided into; default 1.
        nonlinear_mode: the activation; default ``"identity"``.
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``.

    Raises:
        NotImplementedError: always.

    Example:
        >>> F.quantized.batch_conv_bias_activation(F.ones((1, 1, 2, 2)), F.ones((1, 1, 1, 1, 1)), F.zeros((1, 1, 1, 1)))
        Traceback (most recent call last):
        NotImplementedError: batch_conv_bias_activation computes with quantised tensors: it comes with the quantisation support
    """
    _later("batch_conv_bias_activation")


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
    """Transposed convolution of quantised tensors; not supported yet.

    Args:
        inp: ``(N, C, H, W)``, quantised.
        weight: kernel ``(C, O, h, w)``, quantised.
        bias: ``(1, O, 1, 1)``, quantised, or None.
        dtype: dtype of the result.
        stride: stride of the convolution that this transposes; default 1.
        padding: its padding; default 0.
        output_padding: rows and columns added at the end; default 0.
        dilation: its dilation; default 1.
        groups: number of groups that the channels are divided into; default 1.
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``.

    Raises:
        NotImplementedError: always.

    Example:
        >>> F.quantized.conv_transpose2d(F.ones((1, 1, 2, 2)), F.ones((1, 1, 1, 1)))
        Traceback (most recent call last):
        NotImplementedError: quantized.conv_transpose2d computes with quantised tensors: it comes with the quantisation support
    """
    _later("quantized.conv_transpose2d")
