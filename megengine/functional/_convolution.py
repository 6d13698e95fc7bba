"""Convolutions (Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016)."""

from __future__ import annotations

from typing import Any

from ..graph.apply import apply
from ..ops import conv as ops
from ..tensor import Tensor
from ._args import tensor_of
from ._settings import require_dims, require_mode, sizes


def check_modes(conv_mode: Any, compute_mode: Any = "default") -> None:
    """Refuse other modes than MegEngine's."""
    require_mode(conv_mode, ("cross_correlation",), "conv_mode")
    require_mode(compute_mode, ("default", "float32"), "compute_mode")


def operands_of(*tensors: Tensor | None) -> tuple[Any, ...]:
    """The tensors that are given, without the last, the bias, if it is None; each of the others has to be there."""
    return tensors if tensors[-1] is not None else tensors[:-1]


def _conv(
    spatial: int,
    inp: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
) -> Tensor:
    op = ops.conv3d if spatial == 3 else ops.conv
    window = window_of(spatial, stride, padding, dilation)
    return apply(op, *operands_of(inp, weight, bias), **window, groups=groups_of(groups))


def window_of(spatial: int, stride: Any, padding: Any, dilation: Any) -> dict[str, tuple[int, ...]]:
    """Stride, padding and dilation with a size for each spatial dimension."""
    return {
        "stride": sizes(stride, spatial, "stride"),
        "padding": sizes(padding, spatial, "padding", 0),
        "dilation": sizes(dilation, spatial, "dilation"),
    }


def groups_of(groups: Any) -> int:
    """The number of groups."""
    return sizes(groups, 1, "groups")[0]


def conv1d(
    inp: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    conv_mode: str = "cross_correlation",
    compute_mode: str = "default",
) -> Tensor:
    """1-D convolution of sequences ``(N, C, L)`` with a bank of kernels (a cross-correlation, as in other frameworks).

    ``out[n, o, i] = sum(inp[n, c, stride * i + dilation * k - padding] * weight[o, c, k]) + bias[o]``

    Args:
        inp: ``(N, C, L)``.
        weight: kernel ``(O, C, k)``; with groups ``(groups, O / groups, C / groups, k)``.
        bias: ``(1, O, 1)``, or None.
        stride: step between windows; default 1.
        padding: zeros on both sides; default 0.
        dilation: spacing between the elements of a window; default 1.
        groups: number of groups that the channels are divided into; default 1.
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``; float16 products accumulate in float32 either way.

    Returns:
        ``(N, O, (L + 2 * padding - dilation * (k - 1) - 1) // stride + 1)``.

    Raises:
        AssertionError: ``inp``, ``weight`` or ``bias`` has another number of dimensions.
        RuntimeError: shapes do not fit, or integers.
        ValueError: a stride, padding, dilation, group count or mode that does not exist.

    Example:
        >>> F.conv1d(Tensor([[[1.0, 2.0, 3.0, 4.0]]]), Tensor([[[1.0, -1.0]]]))
        Tensor([[[-1. -1. -1.]]], device=xpux:0)
    """
    inp = tensor_of(inp)
    check_modes(conv_mode, compute_mode)
    require_dims(inp, 3, "conv1d: the input")
    if groups == 1:
        require_dims(weight, 3, "conv1d: the weight")
    if bias is not None:
        require_dims(bias, 3, "conv1d: the bias")
    return _conv(1, inp, weight, bias, stride, padding, dilation, groups)


def conv2d(
    inp: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    conv_mode: str = "cross_correlation",
    compute_mode: str = "default",
) -> Tensor:
    """2-D convolution of images ``(N, C, H, W)`` with a bank of kernels (a cross-correlation, as in other frameworks).

    ``out[n, o, y, x] = sum(inp[n, c, sy * y + dy * i - py, sx * x + dx * j - px] * weight[o, c, i, j]) + bias[o]``,
    where s is the stride, d the dilation and p the padding.

    Args:
        inp: ``(N, C, H, W)``.
        weight: kernel ``(O, C, h, w)``; with groups ``(groups, O / groups, C / groups, h, w)``.
        bias: ``(1, O, 1, 1)``, or None.
        stride: step between windows; default 1.
        padding: zeros on both sides; default 0.
        dilation: spacing between the elements of a window; default 1.
        groups: number of groups that the channels are divided into; default 1.
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``; float16 products accumulate in float32 either way.

    Returns:
        ``(N, O, (H + 2 * padding - dilation * (h - 1) - 1) // stride + 1, ...)``.

    Raises:
        RuntimeError: shapes do not fit, or integers.
        ValueError: a stride, padding, dilation, group count or mode that does not exist.

    Example:
        >>> F.conv2d(F.ones((1, 2, 3, 3)), F.ones((1, 2, 2, 2)), stride=2, padding=1)
        Tensor([[[[2. 4.]
           [4. 8.]]]], device=xpux:0)
    """
    check_modes(conv_mode, compute_mode)
    return _conv(2, inp, weight, bias, stride, padding, dilation, groups)


def conv3d(
    inp: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int, int] = 1,
    padding: int | tuple[int, int, int] = 0,
    dilation: int | tuple[int, int, int] = 1,
    groups: int = 1,
    conv_mode: str = "cross_correlation",
) -> Tensor:
    """3-D convolution of volumes ``(N, C, D, H, W)``: :func:`conv2d` with one more dimension.

    Args:
        inp: ``(N, C, D, H, W)``.
        weight: kernel ``(O, C, d, h, w)``; with groups ``(groups, O / groups, C / groups, d, h, w)``.
        bias: ``(1, O, 1, 1, 1)``, or None.
        stride: step between windows; default 1.
        padding: zeros on both sides; default 0.
        dilation: spacing between the elements of a window; default 1.
        groups: number of groups that the channels are divided into; default 1.
        conv_mode: ``"cross_correlation"``.

    Returns:
        ``(N, O, (D + 2 * padding - dilation * (d - 1) - 1) // stride + 1, ...)``.

    Raises:
        RuntimeError: shapes do not fit, or integers.
        ValueError: a stride, padding, dilation, group count or mode that does not exist.

    Example:
        >>> F.conv3d(F.ones((1, 1, 2, 2, 2)), F.ones((1, 1, 2, 2, 2))).item()
        8.0
    """
    check_modes(conv_mode)
    return _conv(3, inp, weight, bias, stride, padding, dilation, groups)


def extra_of(spatial: int, stride: Any, output_padding: Any) -> tuple[int, ...]:
    """The output padding of a transposed convolution, with a size for each spatial dimension."""
    steps = sizes(stride, spatial, "stride")
    extra = sizes(output_padding, spatial, "output_padding", 0)
    if any(e >= s for e, s in zip(extra, steps, strict=True)):
        raise AssertionError(f"conv_transpose{spatial}d: output_padding {extra} must be less than the stride {steps}")
    return extra


def _conv_transpose(
    spatial: int,
    inp: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: Any,
) -> Tensor:
    extra = extra_of(spatial, stride, output_padding)
    op = ops.conv_transpose3d if spatial == 3 else ops.conv_transpose
    window = window_of(spatial, stride, padding, dilation)
    return apply(op, *operands_of(inp, weight, bias), **window, extra=extra, groups=groups_of(groups))


def conv_transpose2d(
    inp: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    output_padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    conv_mode: str = "cross_correlation",
    compute_mode: str = "default",
) -> Tensor:
    """2-D transposed convolution, the gradient of :func:`conv2d` with respect to its input.

    Args:
        inp: ``(N, C, H, W)``; int8 gives int32.
        weight: kernel ``(C, O, h, w)``; with groups ``(groups, C / groups, O / groups, h, w)``.
        bias: ``(1, O, 1, 1)``, or None.
        stride: from one spread kernel to the next; default 1.
        padding: rows and columns cut off on both sides; default 0.
        output_padding: rows and columns added at the end, less than the stride; default 0.
        dilation: distance of a kernel's elements; default 1.
        groups: number of groups that the channels are divided into; default 1.
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``; float16 products accumulate in float32 either way.

    Returns:
        ``(N, O, (H - 1) * stride - 2 * padding + dilation * (h - 1) + output_padding + 1, ...)``.

    Raises:
        AssertionError: ``output_padding`` is not less than the stride.
        RuntimeError: shapes do not fit, or integers other than int8.
        ValueError: a stride, padding, dilation, group count or mode that does not exist.

    Example:
        >>> F.conv_transpose2d(Tensor([[[[1.0, 2.0]]]]), F.ones((1, 1, 1, 2)), stride=2)
        Tensor([[[[1. 1. 2. 2.]]]], device=xpux:0)
    """
    check_modes(conv_mode, compute_mode)
    return _conv_transpose(2, inp, weight, bias, stride, padding, output_padding, dilation, groups)


def conv_transpose3d(
    inp: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int, int] = 1,
    padding: int | tuple[int, int, int] = 0,
    output_padding: int | tuple[int, int, int] = 0,
    dilation: int | tuple[int, int, int] = 1,
    groups: int = 1,
) -> Tensor:
    """3-D transposed convolution: :func:`conv_transpose2d` with one more dimension.

    Args:
        inp: ``(N, C, D, H, W)``.
        weight: kernel ``(C, O, d, h, w)``; with groups ``(groups, C / groups, O / groups, d, h, w)``.
        bias: ``(1, O, 1, 1, 1)``, or None.
        stride: from one spread kernel to the next; default 1.
        padding: planes, rows and columns cut off on both sides; default 0.
        output_padding: as many added at the end, less than the stride; default 0.
        dilation: distance of a kernel's elements; default 1.
        groups: number of groups that the channels are divided into; default 1.

    Returns:
        ``(N, O, (D - 1) * stride - 2 * padding + dilation * (d - 1) + output_padding + 1, ...)``.

    Raises:
        AssertionError: ``output_padding`` is not less than the stride.
        RuntimeError: shapes do not fit, or integers.
        ValueError: a stride, padding, dilation or group count that does not exist.

    Example:
        >>> F.conv_transpose3d(F.ones((1, 1, 1, 1, 2)), F.ones((1, 1, 1, 1, 2)))
        Tensor([[[[[1. 2. 1.]]]]], device=xpux:0)
    """
    return _conv_transpose(3, inp, weight, bias, stride, padding, output_padding, dilation, groups)
