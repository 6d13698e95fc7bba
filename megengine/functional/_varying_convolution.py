"""Convolutions whose kernel or window differs from place to place."""

from __future__ import annotations

from ..graph.apply import apply
from ..ops import conv as ops
from ..ops import deform, region
from ..tensor import Tensor
from ._convolution import check_modes, groups_of, operands_of, window_of


def local_conv2d(
    inp: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    conv_mode: str = "cross_correlation",
) -> Tensor:
    """Locally connected 2-D layer: :func:`conv2d` with a kernel of its own for every window.

    Args:
        inp: ``(N, C, H, W)``.
        weight: kernels ``(groups, OH, OW, C / groups, h, w, O / groups)``, where ``(OH, OW)`` is the result's size.
        bias: ``(1, O, OH, OW)`` or ``(1, O, 1, 1)``, or None.
        stride: step between windows; default 1.
        padding: zeros on both sides; default 0.
        dilation: spacing between the elements of a window; default 1.
        conv_mode: ``"cross_correlation"``.

    Returns:
        ``(N, O, OH, OW)``.

    Raises:
        RuntimeError: shapes do not fit, or integers.
        ValueError: a stride, padding, dilation or mode that does not exist.

    Example:
        >>> weight = Tensor([1.0, 10.0]).reshape(1, 1, 2, 1, 1, 1, 1)
        >>> F.local_conv2d(Tensor([[[[2.0, 3.0]]]]), weight)
        Tensor([[[[ 2. 30.]]]], device=xpux:0)
    """
    check_modes(conv_mode)
    return apply(ops.local_conv, *operands_of(inp, weight, bias), **window_of(2, stride, padding, dilation))


def deformable_conv2d(
    inp: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    conv_mode: str = "cross_correlation",
    compute_mode: str = "default",
) -> Tensor:
    """Deformable 2-D convolution, whose samples are shifted and weighted (Zhu et al., Deformable ConvNets v2, 2019).

    A moved element is interpolated linearly between its four neighbours; beyond the image is 0.

    Args:
        inp: ``(N, C, H, W)``.
        weight: kernel ``(O, C, h, w)``; with groups ``(groups, O / groups, C / groups, h, w)``.
        offset: in pixels, ``(N, parts * h * w * 2, OH, OW)``: for each part of the channels and each element of the
            window how far down and how far right.
        mask: factors ``(N, parts * h * w, OH, OW)``.
        bias: ``(1, O, 1, 1)``, or None.
        stride: step between windows; default 1.
        padding: zeros on both sides; default 0.
        dilation: spacing between the elements of a window; default 1.
        groups: number of groups that the channels are divided into; default 1.
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``; sums are in float32 either way.

    Returns:
        ``(N, O, OH, OW)``, of the size that :func:`conv2d` gives.

    Raises:
        RuntimeError: shapes do not fit, or integers.
        ValueError: a stride, padding, dilation, group count or mode that does not exist.

    Example:
        >>> offset = Tensor([0.0, 0.5]).reshape(1, 2, 1, 1)
        >>> F.deformable_conv2d(Tensor([[[[2.0, 3.0]]]]), F.ones((1, 1, 1, 1)), offset, F.ones((1, 1, 1, 1)), stride=2)
        Tensor([[[[2.5]]]], device=xpux:0)
    """
    check_modes(conv_mode, compute_mode)
    window = window_of(2, stride, padding, dilation)
    operands = operands_of(inp, weight, offset, mask, bias)
    return apply(deform.deformable_conv2d, *operands, **window, groups=groups_of(groups))


def region_restricted_conv(
    inp: Tensor,
    weight: Tensor,
    rin: Tensor,
    rout: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    conv_mode: str = "cross_correlation",
    compute_mode: str = "default",
) -> Tensor:
    """2-D convolution restricted to regions: every window leaves out what is not of its own region.

    The sum of :func:`conv2d` at ``(n, o, y, x)`` goes over the elements of the window where ``rin`` is ``rout[n, y, x]``.

    Args:
        inp: ``(N, C, H, W)``.
        weight: kernel ``(groups, O / groups, C / groups, h, w)``, also for one group.
        rin: numbers of the input's regions, int32 or uint8, ``(N, H, W)``.
        rout: numbers of the result's regions, of the same dtype, ``(N, OH, OW)``.
        bias: ``(1, O, 1, 1)``, or None.
        stride: step between windows; default 1.
        padding: zeros on both sides; default 0.
        dilation: spacing between the elements of a window; default 1.
        groups: number of groups that the channels are divided into; default 1.
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``; sums are in float32 either way.

    Returns:
        ``(N, O, OH, OW)``, of the size that :func:`conv2d` gives.

    Raises:
        RuntimeError: shapes do not fit, integers to convolve, or regions of another dtype.
        ValueError: a stride, padding, dilation, group count or mode that does not exist.

    Example:
        >>> regions = Tensor([[[0, 0, 1]]])
        >>> x, kernel = Tensor([[[[1.0, 2.0, 4.0]]]]), F.ones((1, 1, 1, 1, 3))
        >>> F.region_restricted_conv(x, kernel, regions, regions, padding=(0, 1))
        Tensor([[[[3. 3. 4.]]]], device=xpux:0)
    """
    check_modes(conv_mode, compute_mode)
    window = window_of(2, stride, padding, dilation)
    operands = operands_of(inp, weight, rin, rout, bias)
    return apply(region.region_restricted_conv, *operands, **window, groups=groups_of(groups))
