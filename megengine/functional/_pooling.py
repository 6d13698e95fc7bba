"""Pooling: windows of an image made one element each."""

from __future__ import annotations

from typing import Any

from .._help.ranges import number
from ..graph.apply import apply
from ..ops import deform
from ..ops import pool as ops
from ..ops.quantized import is_quantized, key_of
from ..tensor import Tensor
from ._args import tensor_of
from ._settings import SettingError, require_dims, require_mode, sizes


def _windows(kernel_size: Any, stride: Any, padding: Any) -> dict[str, tuple[int, ...]]:
    window = sizes(kernel_size, 2, "kernel_size")
    step = window if stride is None else sizes(stride, 2, "stride")
    return {"window": window, "stride": step, "padding": sizes(padding, 2, "padding", 0)}


def max_pool2d(
    inp: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
) -> Tensor:
    """2-D max pooling: the largest element of each window.

    The gradient goes in full to every element that equals its window's largest.

    Args:
        inp: ``(N, C, H, W)``, floating, int8 or quantised.
        kernel_size: size of the windows.
        stride: step between windows; default ``kernel_size``.
        padding: rows and columns on both sides, smaller than anything; default 0.

    Returns:
        ``(N, C, (H + 2 * padding - kernel_size) // stride + 1, ...)``.

    Raises:
        RuntimeError: not four dimensions, a window that does not fit, or another dtype.
        ValueError: a size, stride or padding that does not exist.

    Example:
        >>> F.max_pool2d(F.arange(8).reshape(1, 1, 2, 4), 2)
        Tensor([[[[5. 7.]]]], device=xpux:0)
    """
    inp = tensor_of(inp)
    return apply(ops.max_pool, inp, **_windows(kernel_size, stride, padding))


def avg_pool2d(
    inp: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    mode: str = "average_count_exclude_padding",
) -> Tensor:
    """2-D average pooling: the mean of each window.

    Args:
        inp: ``(N, C, H, W)``, floating, int8 or quantised.
        kernel_size: size of the windows.
        stride: step between windows; default ``kernel_size``.
        padding: zeros on both sides; default 0.
        mode: ``"average_count_exclude_padding"`` divides by the number of elements that are not padding,
            ``"average"`` by that of all.

    Returns:
        ``(N, C, (H + 2 * padding - kernel_size) // stride + 1, ...)``.

    Raises:
        RuntimeError: not four dimensions, a window that does not fit, or another dtype.
        ValueError: a size, stride, padding or mode that does not exist.

    Example:
        >>> F.avg_pool2d(Tensor([[[[1.0, 3.0], [5.0, 7.0]]]]), 2)
        Tensor([[[[4.]]]], device=xpux:0)
        >>> F.avg_pool2d(Tensor([[[[1.0, 3.0]]]]), (1, 2), padding=(0, 1), mode="average")
        Tensor([[[[0.5 1.5]]]], device=xpux:0)
    """
    inp = tensor_of(inp)
    name = require_mode(mode, ("average_count_exclude_padding", "average"), "mode")
    return _mean(inp, _windows(kernel_size, stride, padding), name == "average")


def _mean(inp: Tensor, windows: dict[str, tuple[int, ...]], count_padding: bool) -> Tensor:
    """Means of windows; those of quantised tensors are rounded, where others of int8 may go towards zero."""
    rounds = is_quantized(inp.dtype)
    zero = key_of(inp.dtype).zero_point if rounds else 0
    return apply(ops.mean_pool, inp, **windows, count_padding=count_padding, rounds=rounds, zero=zero)


def _adaptive(name: str, inp: Tensor, oshp: Any) -> dict[str, tuple[int, ...]]:
    """Window and stride that give a size."""
    out = sizes(oshp, 2, "oshp")
    if inp.ndim != 4:
        raise RuntimeError(f"{name}: the input must be (N, C, H, W), it has shape {inp.shape}")
    if any(o > n for o, n in zip(out, inp.shape[2:], strict=True)):
        raise SettingError(f"{name}: oshp {out} is larger than the input of shape {inp.shape}")
    step = tuple(n // o for o, n in zip(out, inp.shape[2:], strict=True))
    window = tuple(n - (o - 1) * s for o, n, s in zip(out, inp.shape[2:], step, strict=True))
    return {"window": window, "stride": step, "padding": (0, 0)}


def adaptive_max_pool2d(inp: Tensor, oshp: tuple[int, int] | int | Tensor) -> Tensor:
    """2-D adaptive max pooling: the largest element of each window, where windows give a chosen output size.

    The stride is ``H // OH`` and every window is ``H - (OH - 1) * stride`` high, so that windows may overlap.

    Args:
        inp: ``(N, C, H, W)``, floating, int8 or quantised.
        oshp: the result's ``(OH, OW)``, or one for both; not larger than the input.

    Returns:
        ``(N, C, OH, OW)``.

    Raises:
        RuntimeError: not four dimensions, or another dtype.
        ValueError: a size that the input does not have.

    Example:
        >>> F.adaptive_max_pool2d(F.arange(8).reshape(1, 1, 2, 4), (1, 2))
        Tensor([[[[5. 7.]]]], device=xpux:0)
    """
    inp = tensor_of(inp)
    return apply(ops.max_pool, inp, **_adaptive("adaptive_max_pool2d", inp, oshp))


def adaptive_avg_pool2d(inp: Tensor, oshp: tuple[int, int] | int | Tensor) -> Tensor:
    """2-D adaptive average pooling: the mean of each window, where windows give a chosen output size.

    The stride is ``H // OH`` and every window is ``H - (OH - 1) * stride`` high, so that windows may overlap.

    Args:
        inp: ``(N, C, H, W)``, floating, int8 or quantised.
        oshp: the result's ``(OH, OW)``, or one for both; not larger than the input.

    Returns:
        ``(N, C, OH, OW)``.

    Raises:
        RuntimeError: not four dimensions, or another dtype.
        ValueError: a size that the input does not have.

    Example:
        >>> F.adaptive_avg_pool2d(F.arange(8).reshape(1, 1, 2, 4), (1, 2))
        Tensor([[[[2.5 4.5]]]], device=xpux:0)
    """
    inp = tensor_of(inp)
    return _mean(inp, _adaptive("adaptive_avg_pool2d", inp, oshp), True)


def sliding_window(
    inp: Tensor,
    kernel_size: int | tuple[int, int],
    padding: int | tuple[int, int] = 0,
    stride: int | tuple[int, int] = 1,
    dilation: int | tuple[int, int] = 1,
) -> Tensor:
    """Sliding windows (im2col): all windows of an image, one beside the other.

    Args:
        inp: ``(N, C, H, W)``.
        kernel_size: size ``(h, w)`` of the windows.
        padding: zeros on both sides; default 0.
        stride: step between windows; default 1.
        dilation: spacing between the elements of a window; default 1.

    Returns:
        ``(N, C, OH, OW, h, w)`` with ``OH = (H + 2 * padding - dilation * (h - 1) - 1) // stride + 1``.

    Raises:
        RuntimeError: not four dimensions, or a window that does not fit.
        ValueError: a size, padding, stride or dilation that does not exist.

    Example:
        >>> F.sliding_window(Tensor([[[[1.0, 2.0, 3.0]]]]), (1, 2))
        Tensor([[[[[[1. 2.]]
            [[2. 3.]]]]]], device=xpux:0)
    """
    windows = _windows(kernel_size, stride, padding)
    return apply(ops.sliding_window, inp, **windows, dilation=sizes(dilation, 2, "dilation"))


def sliding_window_transpose(
    inp: Tensor,
    output_size: int | tuple[int, int],
    kernel_size: int | tuple[int, int],
    padding: int | tuple[int, int] = 0,
    stride: int | tuple[int, int] = 1,
    dilation: int | tuple[int, int] = 1,
) -> Tensor:
    """Transpose of :func:`sliding_window` (col2im): windows summed where they come from.

    Args:
        inp: ``(N, C, OH, OW, h, w)``.
        output_size: ``(H, W)``.
        kernel_size: ``(h, w)``.
        padding: rows and columns left out on both sides; default 0.
        stride: step between windows; default 1.
        dilation: spacing between the elements of a window; default 1.

    Returns:
        ``(N, C, H, W)``.

    Raises:
        AssertionError: not six dimensions.
        ValueError: the windows are not those of such an image, or a size, padding, stride or dilation does not exist.

    Example:
        >>> F.sliding_window_transpose(F.ones((1, 1, 1, 2, 1, 2)), (1, 3), (1, 2))
        Tensor([[[[1. 2. 1.]]]], device=xpux:0)
    """
    require_dims(inp, 6, "sliding_window_transpose: the input")
    window, step, around = _windows(kernel_size, stride, padding).values()
    spread = sizes(dilation, 2, "dilation")
    out = sizes(output_size, 2, "output_size")
    counts = tuple(
        (n + 2 * p - d * (w - 1) - 1) // s + 1 for n, p, d, w, s in zip(out, around, spread, window, step, strict=True)
    )
    if tuple(inp.shape[2:]) != (*counts, *window):
        raise SettingError(
            f"sliding_window_transpose: an image of {out} has windows (N, C, {counts[0]}, {counts[1]}, {window[0]}, "
            f"{window[1]}), the input has shape {inp.shape}"
        )
    return apply(ops.sliding_window_transpose, inp, size=out, padding=around, stride=step, dilation=spread)


def deformable_psroi_pooling(
    inp: Tensor,
    rois: Tensor,
    trans: Tensor,
    no_trans: bool,
    part_size: int,
    pooled_h: int,
    pooled_w: int,
    sample_per_part: int,
    spatial_scale: float,
    trans_std: float = 0.1,
) -> Tensor:
    """Deformable position-sensitive RoI pooling (Dai et al., Deformable Convolutional Networks, 2017).

    A region's corners are rounded to pixels, its far edge is included. In each bin ``sample_per_part`` times as many
    points are interpolated linearly; those beyond the image do not count.

    Args:
        inp: ``(N, C, H, W)``.
        rois: regions ``(R, 5)``: the image's number, left, top, right and bottom.
        trans: how far each bin moves right and down, in units of ``trans_std`` times the region's size:
            ``(R, 2, pooled_h, pooled_w)``.
        no_trans: do not move the bins; no gradient flows to ``trans`` then.
        part_size: how many different moves there are along a dimension; as many as bins if all are to be used.
        pooled_h: bins along the height.
        pooled_w: bins along the width.
        sample_per_part: points along each dimension of a bin.
        spatial_scale: pixels of ``inp`` for a unit of ``rois``.
        trans_std: unit of ``trans``; default 0.1.

    Returns:
        ``(R, C, pooled_h, pooled_w)``; no gradient flows to ``rois``.

    Raises:
        RuntimeError: shapes do not fit, or integers.
        ValueError: a size less than 1.
        IndexError: a region of an image that is not there, when something is read.

    Example:
        >>> rois, still = Tensor([[0.0, 0.0, 0.0, 1.0, 1.0]]), F.zeros((1, 2, 1, 1))
        >>> F.deformable_psroi_pooling(F.arange(4).reshape(1, 1, 2, 2), rois, still, True, 1, 1, 1, 2, 1.0)
        Tensor([[[[0.75]]]], device=xpux:0)
    """
    return apply(
        deform.deformable_psroi_pooling,
        inp,
        rois,
        trans.detach() if no_trans else trans,
        still=bool(no_trans),
        part=sizes(part_size, 1, "part_size")[0],
        pooled=(sizes(pooled_h, 1, "pooled_h")[0], sizes(pooled_w, 1, "pooled_w")[0]),
        samples=sizes(sample_per_part, 1, "sample_per_part")[0],
        scale=number("spatial_scale", spatial_scale),
        spread=number("trans_std", trans_std),
    )
