"""Images resampled, and regions of them."""

from __future__ import annotations

from typing import Any

from .... import functional as F
from ..building import ABSENT, Builder, known, required, rule, tensor
from ..container import Operator

RESIZES = {"LINEAR": "bilinear", "NEAREST": "nearest", "CUBIC": "bicubic"}
BORDERS = ("REPLICATE", "REFLECT", "REFLECT_101", "WRAP", "CONSTANT")


def _size(op: Operator, x: Any) -> Any:
    found = known(op, x, "a size")
    return tuple(found * 2 if len(found) == 1 else found)


@rule("Resize")
def resize(builder: Builder, op: Operator, x: Any, size: Any) -> Any:
    """To another size."""
    how = op.param("Resize")
    required(op, "the format", how.format, ["NCHW"])
    mode = RESIZES[required(op, "the interpolation", how.imode, RESIZES)]
    return F.vision.interpolate(tensor(x), size=_size(op, size), mode=mode)


@rule("Resize3D")
def resize_volumes(builder: Builder, op: Operator, x: Any, size: Any) -> Any:
    """Volumes, to another size."""
    how = op.param("Resize3D")
    required(op, "the format", how.format, ["NCDHW"])
    required(op, "the interpolation", how.imode, ["LINEAR"])
    wanted: Any = tuple(known(op, size, "a size"))
    return F.vision.interpolate(tensor(x), size=wanted, mode="trilinear", align_corners=bool(how.align_corners))


@rule("Remap")
def remap(builder: Builder, op: Operator, x: Any, places: Any) -> Any:
    """At given places."""
    how = op.param("Remap")
    required(op, "the format", how.format, ["NCHW"])
    mode = required(op, "the interpolation", how.imode, ["LINEAR", "NEAREST"]).lower()
    border = required(op, "the border", how.border_type, BORDERS).lower()
    return F.vision.remap(tensor(x), tensor(places), border, how.scalar, mode)


@rule("WarpPerspective")
def warp_perspective(builder: Builder, op: Operator, x: Any, matrix: Any, *rest: Any) -> Any:
    """Perspective warp; of chosen images where indices come before the size."""
    how = op.param("WarpPerspective")
    required(op, "the format", how.format, ["NCHW", "NHWC"])
    indices = tensor(rest[0]) if len(rest) == 2 else None
    border = required(op, "the border", how.bmode, BORDERS).lower()
    given = {
        "border_mode": border,
        "border_val": how.border_val,
        "format": how.format,
        "interp_mode": how.imode.lower(),
    }
    return F.vision.warp_perspective(tensor(x), tensor(matrix), _size(op, rest[-1]), mat_idx=indices, **given)


@rule("WarpAffine")
def warp_affine(builder: Builder, op: Operator, x: Any, matrix: Any, size: Any) -> Any:
    """Affine warp."""
    how = op.param("WarpAffine")
    required(op, "the format", how.format, ["NCHW", "NHWC"])
    border = required(op, "the border", how.border_mode, BORDERS).lower()
    given = {
        "border_mode": border,
        "border_val": how.border_val,
        "format": how.format,
        "interp_mode": how.imode.lower(),
    }
    return F.vision.warp_affine(tensor(x), tensor(matrix), _size(op, size), **given)


@rule("CvtColor")
def colours(builder: Builder, op: Operator, x: Any) -> Any:
    """Another colour space."""
    return F.vision.cvt_color(tensor(x), op.param("CvtColor").mode)


@rule("ROIAlign")
def align(builder: Builder, op: Operator, x: Any, regions: Any) -> Any:
    """Values of regions, sampled between pixels."""
    how = op.param("ROIAlign")
    required(op, "the format", how.format, ["NCHW"])
    required(op, "the offset", how.offset, [0.0, 0.5])
    size, points = (how.pooled_height, how.pooled_width), (how.sample_height, how.sample_width)
    mode = {"MAX": "max", "AVERAGE": "average"}[how.mode]
    given = {"spatial_scale": how.spatial_scale, "sample_points": points, "aligned": how.offset == 0.5}
    return F.vision.roi_align(tensor(x), tensor(regions), size, mode, **given), ABSENT


@rule("ROIPooling")
def pool(builder: Builder, op: Operator, x: Any, regions: Any, size: Any) -> Any:
    """Values of regions, of whole pixels."""
    how = op.param("ROIPooling")
    mode = {"MAX": "max", "AVERAGE": "average"}[how.mode]
    return F.vision.roi_pooling(tensor(x), tensor(regions), _size(op, size), mode, how.scale), ABSENT


@rule("DeformablePSROIPoolingForward")
def pool_deformed(builder: Builder, op: Operator, x: Any, regions: Any, offsets: Any) -> Any:
    """Values of regions, of a channel for each place."""
    how = op.param("DeformablePSROIPooling")
    sizes = (how.part_size, how.pooled_h, how.pooled_w, how.sample_per_part, how.spatial_scale, how.trans_std)
    found = F.deformable_psroi_pooling(tensor(x), tensor(regions), tensor(offsets), how.no_trans, *sizes)
    return found, ABSENT


@rule("CorrelationForward")
def correlation(builder: Builder, op: Operator, x: Any, y: Any) -> Any:
    """Of two images."""
    how = op.param("Correlation")
    required(op, "the format", how.format, ["NCHW"])
    sizes = (how.kernel_size, how.max_displacement, how.stride1, how.stride2, how.pad_size)
    return F.vision.correlation(tensor(x), tensor(y), *sizes, is_multiply=how.is_multiply)


@rule("Images2Neibs")
def windows(builder: Builder, op: Operator, x: Any) -> Any:
    """All windows of an image."""
    how = op.param("Images2Neibs")
    size, pad = (how.window_h, how.window_w), (how.pad_h, how.pad_w)
    return F.nn.sliding_window(tensor(x), size, pad, (how.stride_h, how.stride_w), (how.dilate_h, how.dilate_w))


@rule("SlidingWindowTranspose")
def windows_back(builder: Builder, op: Operator, x: Any) -> Any:
    """The sum of windows at their places."""
    how = op.param("SlidingWindowTranspose")
    size, window, pad = (how.out_h, how.out_w), (how.window_h, how.window_w), (how.pad_h, how.pad_w)
    step, spread = (how.stride_h, how.stride_w), (how.dilate_h, how.dilate_w)
    return F.nn.sliding_window_transpose(tensor(x), size, window, pad, step, spread)
