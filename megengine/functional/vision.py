"""Functions of images: colours, resizing, warping, and boxes in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from .._help.ranges import within
from ..graph.checks import read_for
from ..graph.errors import ArgumentError
from ..graph.record import apply
from ..ops import interpolate as interpolate_ops
from ..ops import roi as roi_ops
from ..ops import vision as ops
from ..ops import warp as warp_ops
from ..tensor import Tensor
from ._args import require_tensor

__all__ = [
    "correlation", "cvt_color", "interpolate", "nms", "nvof", "remap", "roi_align", "roi_pooling", "warp_affine",
    "warp_perspective",
]  # fmt: skip

_RESIZES = {"bilinear": "linear", "linear": "linear", "trilinear": "linear", "bicubic": "cubic", "nearest": "nearest"}


def _whole_numbers(value: Any, what: str) -> tuple[int, ...]:
    """Sizes from a sequence, an array or a tensor; fractions are cut off, as in the reference."""
    if isinstance(value, Tensor):
        value = value.numpy()
    if isinstance(value, np.ndarray):
        value = value.reshape(-1).tolist()
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise ArgumentError(f"{what} must be a sequence of numbers, not {value!r}")
    try:
        return tuple(int(n) for n in value)
    except (TypeError, ValueError):
        raise ArgumentError(f"{what} must hold numbers, not {value!r}") from None


def _two(value: Any, what: str) -> tuple[int, int]:
    """Height and width."""
    sizes = _whole_numbers(value, what)
    if len(sizes) != 2:
        raise ArgumentError(f"{what} must be (height, width), not {value!r}")
    return sizes[0], sizes[1]


def _one_or_two(value: Any, what: str) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, Integral) else _two(value, what)


def _choice(value: Any, choices: Sequence[str], what: str, error: type[Exception] = RuntimeError) -> str:
    """An option's value in lower case, if it is one of these."""
    name = value.lower() if isinstance(value, str) else value
    if name not in choices:
        raise error(f"{what} must be one of {', '.join(choices)}; not {value!r}")
    return name


def cvt_color(inp: Tensor, mode: str = "") -> Tensor:
    """Images in another colour space.

    ========================================================================  ==================================
    modes                                                                     from and to
    ========================================================================  ==================================
    RGB2GRAY, BGR2GRAY, GRAY2RGB, RGB2BGR, BGR2RGB                            uint8 or float32
    RGB2YUV, YUV2RGB                                                          uint8 or float32, OpenCV's YCrCb of BGR
    RGBA2RGB, RGBA2BGR                                                        uint8 or float32
    RGBA2GRAY                                                                 uint8
    YUV2GRAY_x, YUV2RGB_x, YUV2BGR_x, BT601_YUV2RGB_x, BT601_YUV2BGR_x        uint8; x is NV12, NV21, YU12 or YV12
    YCrCb2RGB, YCrCb2BGR                                                      other names of YUV2RGB_NV21, YUV2BGR_NV21
    ========================================================================  ==================================

    In the last two rows an image is its luminance ``(H, W)`` above its chroma at half the resolution, one channel of
    ``H * 3 / 2`` rows.

    Args:
        inp: ``(N, H, W, C)``.
        mode: one of the modes; upper or lower case, except for YCrCb2RGB and YCrCb2BGR.

    Returns:
        ``(N, H, W, C)`` of the input's dtype.

    Raises:
        AssertionError: no such mode.
        RuntimeError: a shape or dtype that the mode does not take.

    Example:
        >>> F.vision.cvt_color(Tensor([[[[1.0, 0.5, 0.0]]]]), "RGB2GRAY")
        Tensor([[[[0.5925]]]], device=xpux:0)
    """
    name = mode if "YCrCb" in mode else mode.upper()
    if name not in ops.MODES:
        raise AssertionError(f"cvt_color: there is no mode {mode!r}; the modes are {', '.join(ops.MODES)}")
    return apply(ops.cvt_color, inp, mode=name)


def _interpolated_size(shape: Sequence[int], size: Any, scale_factor: Any, mode: str) -> tuple[int, ...]:
    """The new size of the dimensions that ``interpolate`` changes."""
    count = {"linear": 1, "trilinear": 3}.get(mode, 2)
    what = "size" if scale_factor is None else "scale_factor"
    given = size if scale_factor is None else scale_factor
    if isinstance(given, Real):
        given = (given,) * count
    elif count == 1:
        raise ValueError(f"interpolate: under mode linear, {what} must be a number, not {given!r}")
    if scale_factor is None:
        sizes = _whole_numbers(given, "interpolate: size")
        if len(sizes) != count:
            raise ArgumentError(f"interpolate: under mode {mode}, size needs {count} numbers, not {size!r}")
        return sizes
    if isinstance(given, Tensor):
        given = given.numpy().tolist()
    if len(given) != count or not all(isinstance(f, Real) for f in given):
        raise AssertionError(
            f"interpolate: under mode {mode}, scale_factor needs {count} numbers, not {scale_factor!r}"
        )
    for factor in given:
        within("scale_factor", factor, 0, above=True)
    # The product is a float32 in the reference.
    return tuple(int(np.floor(np.float32(n * float(f)))) for n, f in zip(shape[2:], given, strict=True))


def interpolate(
    inp: Tensor,
    size: int | tuple[int, int] | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    mode: str = "bilinear",
    align_corners: bool | None = None,
) -> Tensor:
    """Images of another size, sampled from the given ones.

    Pixel ``i`` of the result lies at ``(i + 0.5) * old / new - 0.5``, or at ``i * (old - 1) / (new - 1)`` with
    ``align_corners``; for nearest it is pixel ``floor(i * old / new)``. Beyond the border the outermost pixel goes on.

    Args:
        inp: ``(N, C, L)`` for linear, ``(N, C, D, H, W)`` for trilinear, else ``(N, C, H, W)``; float32, float16, int8 or
            uint8 (trilinear: floats).
        size: the new size of the dimensions from the third on; one number stands for all of them.
        scale_factor: instead of ``size``, the factor by which they grow; the sizes are rounded down.
        mode: nearest, linear, bilinear, trilinear or bicubic (Keys' kernel with a = -0.75).
        align_corners: whether the centres of the corner pixels stay where they are; linear modes only; default False.

    Returns:
        The resized images; those of float16 are float32.

    Raises:
        ValueError: no such mode, both or none of ``size`` and ``scale_factor``, ``align_corners`` with another mode.
        AssertionError: the number of dimensions does not fit the mode, or ``scale_factor`` does not.
        RuntimeError: an unsupported dtype, or a size that does not fit.

    Example:
        >>> F.vision.interpolate(Tensor([[[0.0, 4.0]]]), 4, mode="linear")
        Tensor([[[0. 1. 3. 4.]]], device=xpux:0)
    """
    require_tensor(inp, "inp")
    mode = _choice(mode, tuple(_RESIZES), "interpolate: mode", ValueError)
    if align_corners is not None and _RESIZES[mode] != "linear":
        raise ValueError(f"interpolate: align_corners goes with the linear modes, not with {mode}")
    ndim = {"linear": 3, "trilinear": 5}.get(mode, 4)
    if inp.ndim != ndim:
        raise AssertionError(f"interpolate: mode {mode} takes {ndim} dimensions, not shape {inp.shape}")
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate: give one of size and scale_factor; they are {size!r} and {scale_factor!r}")
    sizes = _interpolated_size(inp.shape, size, scale_factor, mode)
    if inp.dtype == np.float16:
        inp = inp.astype("float32")
    if mode == "trilinear" and inp.dtype != np.float32:
        raise RuntimeError(f"interpolate: mode trilinear takes floats, not {np.dtype(inp.dtype).name}")
    return apply(interpolate_ops.resize, inp, sizes=sizes, mode=_RESIZES[mode], corners=bool(align_corners))


def remap(
    inp: Tensor, map_xy: Tensor, border_mode: str = "replicate", scalar: float = 0.0, interp_mode: str = "linear"
) -> Tensor:
    """Images read at given places: ``out[n, c, i, j] = inp[n, c] at (x, y) = map_xy[n, i, j]``.

    Args:
        inp: ``(N, C, H, W)``; float32, float16, int8 or uint8.
        map_xy: float32 ``(N, height, width, 2)``: x and y in pixels, from the centre of the first one.
        border_mode: what lies beyond the image ``abcd``: replicate ``ddd``, reflect ``dcb``, reflect_101 ``cba``, wrap
            ``abc``, or constant.
        scalar: the value for constant.
        interp_mode: linear, or nearest (halves to the even pixel).

    Returns:
        ``(N, C, height, width)`` of the input's dtype. Gradients flow to ``inp`` and, for linear, to ``map_xy``.

    Raises:
        AssertionError: ``inp`` is not a tensor.
        RuntimeError: no such mode, or shapes or dtypes that do not fit.

    Example:
        >>> F.vision.remap(Tensor([[[[0.0, 2.0], [4.0, 6.0]]]]), Tensor([[[[0.5, 0.0], [1.0, 0.5]]]]))
        Tensor([[[[1. 4.]]]], device=xpux:0)
    """
    if not isinstance(inp, Tensor):
        raise AssertionError(f"remap: inp must be a Tensor, not {type(inp).__name__}")
    require_tensor(map_xy, "map_xy")
    border = _choice(border_mode, warp_ops.BORDERS, "remap: border_mode")
    mode = _choice(interp_mode, ("linear", "nearest"), "remap: interp_mode")
    return apply(warp_ops.remap, inp, map_xy, float(scalar), border=border, mode=mode)


def _warp(name: str, inp: Tensor, mat: Tensor, out_shape: Any, options: tuple[Any, Any, Any], fill: float) -> Tensor:
    require_tensor(inp, "inp")
    require_tensor(mat, "mat")
    border, layout, mode = options
    rows = {"warp_affine": 2, "warp_perspective": 3}[name]
    if mat.shape[1:] != (rows, 3):
        raise RuntimeError(f"{name}: mat must have shape (N, {rows}, 3), not {mat.shape}")
    return apply(
        warp_ops.warp,
        inp,
        mat,
        float(fill),
        size=_two(out_shape, f"{name}: out_shape"),
        border=_choice(border, warp_ops.BORDERS, f"{name}: border_mode"),
        layout=_choice(layout, ("nchw", "nhwc"), f"{name}: format").upper(),
        mode=_choice(mode, ("linear", "nearest", "cubic", "lanczos4"), f"{name}: interp_mode"),
    )


def warp_affine(
    inp: Tensor,
    mat: Tensor,
    out_shape: tuple[int, int] | int | Tensor,
    border_mode: str = "replicate",
    border_val: float = 0.0,
    format: str = "NHWC",
    interp_mode: str = "linear",
) -> Tensor:
    """Images under an affine map: ``out at (x, y) = inp at mat @ (x, y, 1)``.

    float32 and uint8 images of 1 to 3 channels in NHWC are read at multiples of 1/32 of a pixel, as in OpenCV; all others
    exactly.

    Args:
        inp: ``(N, H, W, C)`` or ``(N, C, H, W)``; float32, float16, int8 or uint8.
        mat: float32 matrices ``(N, 2, 3)``, from places in the result to places in the input.
        out_shape: (height, width) of the result.
        border_mode: replicate, constant, reflect, reflect_101 or wrap (see :func:`remap`).
        border_val: the value for constant.
        format: NHWC or NCHW.
        interp_mode: linear; for images that are read as in OpenCV also nearest, cubic and lanczos4.

    Returns:
        Images of ``out_shape`` in the input's format and dtype.

    Raises:
        TypeError: ``out_shape`` is no pair of numbers.
        RuntimeError: no such mode, or shapes or dtypes that do not fit.

    Example:
        >>> x = F.arange(4).reshape(1, 1, 2, 2)
        >>> F.vision.warp_affine(x, Tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]]), (2, 1), format="NCHW").flatten()
        Tensor([0.5 2.5], device=xpux:0)
    """
    return _warp("warp_affine", inp, mat, out_shape, (border_mode, format, interp_mode), border_val)


def warp_perspective(
    inp: Tensor,
    mat: Tensor,
    out_shape: tuple[int, int] | int | Tensor,
    mat_idx: Iterable[int] | Tensor | None = None,
    border_mode: str = "replicate",
    border_val: float = 0.0,
    format: str = "NCHW",
    interp_mode: str = "linear",
) -> Tensor:
    """Images under a perspective map: ``out at (x, y) = inp at (u / w, v / w)`` for ``(u, v, w) = mat @ (x, y, 1)``.

    float32 and uint8 images of 1 to 3 channels in NHWC are read at multiples of 1/32 of a pixel, as in OpenCV; all others
    exactly.

    Args:
        inp: ``(N, C, H, W)`` or ``(N, H, W, C)``; float32, float16, int8 or uint8.
        mat: float32 matrices ``(M, 3, 3)``, from places in the result to places in the input (the inverse of what
            ``cv2.warpPerspective`` takes).
        out_shape: (height, width) of the result.
        mat_idx: for each matrix the index of its image; default one image a matrix, in order.
        border_mode: replicate, constant, reflect, reflect_101 or wrap (see :func:`remap`).
        border_val: the value for constant, and where ``w`` is 0.
        format: NCHW or NHWC.
        interp_mode: linear; for images that are read as in OpenCV also nearest, cubic and lanczos4.

    Returns:
        M images of ``out_shape`` in the input's format and dtype; those of float16 are float32. Gradients flow to ``inp``
        and, for linear, to ``mat``.

    Raises:
        TypeError: ``out_shape`` is no pair of numbers, or ``mat_idx`` no sequence.
        IndexError: an index of ``mat_idx`` out of range; for one that is still to be computed, when something is read.
        RuntimeError: no such mode, or shapes or dtypes that do not fit.

    Example:
        >>> x = F.arange(16).reshape(1, 1, 4, 4)
        >>> F.vision.warp_perspective(x, Tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]]), (2, 2))
        Tensor([[[[ 5.  6.]
           [ 9. 10.]]]], device=xpux:0)
    """
    require_tensor(inp, "inp")
    require_tensor(mat, "mat")
    if inp.dtype == np.float32:
        mat = mat.astype("float32")
    if inp.dtype == np.float16:
        inp = inp.astype("float32")
    if mat_idx is not None:
        inp = _images_of(inp, mat, mat_idx)
    return _warp("warp_perspective", inp, mat, out_shape, (border_mode, format, interp_mode), border_val)


def _images_of(inp: Tensor, mat: Tensor, mat_idx: Any) -> Tensor:
    """The image of each matrix."""
    if not isinstance(mat_idx, Tensor):
        numbers = _whole_numbers(mat_idx, "warp_perspective: mat_idx")
        if min(numbers, default=0) < 0:
            raise IndexError(f"warp_perspective: mat_idx {numbers} holds a negative index")
        mat_idx = Tensor(np.asarray(numbers, np.int32))
    if mat_idx.ndim != 1 or mat_idx.shape[0] != mat.shape[0]:
        raise RuntimeError(
            f"warp_perspective: mat_idx needs one index for each of {mat.shape[0]} matrices, its shape is {mat_idx.shape}"
        )
    return inp[mat_idx]


def roi_pooling(
    inp: Tensor,
    rois: Tensor,
    output_shape: int | tuple[int, int] | list[int],
    mode: str = "max",
    scale: float = 1.0,
) -> Tensor:
    """A grid of values from each box, whatever its size (Girshick, Fast R-CNN, 2015).

    A box, scaled and rounded to whole pixels with both ends included, is divided into ``output_shape`` bins; a value is the
    maximum or the average of the pixels that its bin touches, and 0 for a bin outside the image.

    Args:
        inp: float32 ``(N, C, H, W)``.
        rois: float32 ``(K, 5)``: the index of an image, then x1, y1, x2, y2.
        output_shape: (height, width) of the grid; one number stands for both.
        mode: max (the first of equal pixels gets the gradient) or average.
        scale: factor from the boxes' coordinates to pixels of ``inp``.

    Returns:
        ``(K, C, height, width)``. Gradients flow to ``inp`` only.

    Raises:
        AssertionError: another mode.
        RuntimeError: shapes or dtypes that do not fit.
        IndexError: a box names an image that is not there; raised when something is read.

    Example:
        >>> F.vision.roi_pooling(F.arange(16).reshape(1, 1, 4, 4), Tensor([[0.0, 0.0, 0.0, 3.0, 3.0]]), 2)
        Tensor([[[[ 5.  7.]
           [13. 15.]]]], device=xpux:0)
    """
    kind = _choice(mode, ("max", "average"), "roi_pooling: mode", AssertionError)
    size = _one_or_two(output_shape, "roi_pooling: output_shape")
    return apply(
        roi_ops.roi_pooling, inp, rois, size=size, mode=kind, scale=float(within("scale", scale, 0, above=True))
    )


def roi_align(
    inp: Tensor,
    rois: Tensor,
    output_shape: int | tuple[int, int] | list[int],
    mode: str = "average",
    spatial_scale: float = 1.0,
    sample_points: int | tuple[int, int] | list[int] = 2,
    aligned: bool = True,
) -> Tensor:
    """A grid of values from each box, sampled without rounding the box (He et al., Mask R-CNN, 2017).

    Each of the ``output_shape`` bins of a box is the average or maximum of ``sample_points`` bilinear samples spread over it;
    beyond the image there are zeros.

    Args:
        inp: ``(N, C, H, W)``; made float32.
        rois: float32 ``(K, 5)``: the index of an image, then x1, y1, x2, y2.
        output_shape: (height, width) of the grid; one number stands for both.
        mode: average or max (the first of equal samples gets the gradient).
        spatial_scale: factor from the boxes' coordinates to pixels of ``inp``.
        sample_points: samples of a bin, vertically and horizontally; one number stands for both.
        aligned: whether coordinates are those of pixel corners, so that boxes are moved by -0.5 to pixel centres.

    Returns:
        float32 ``(K, C, height, width)``. Gradients flow to ``inp`` only.

    Raises:
        AssertionError: another mode.
        RuntimeError: shapes or dtypes that do not fit.
        IndexError: a box names an image that is not there; raised when something is read.

    Example:
        >>> F.vision.roi_align(F.arange(16).reshape(1, 1, 4, 4), Tensor([[0.0, 0.5, 0.5, 2.5, 2.5]]), 2)
        Tensor([[[[2.5 3.5]
           [6.5 7.5]]]], device=xpux:0)
    """
    require_tensor(inp, "inp")
    require_tensor(rois, "rois")
    if inp.dtype != np.float32:
        inp = inp.astype("float32")
    kind = _choice(mode, ("max", "average"), "roi_align: mode", AssertionError)
    size = _one_or_two(output_shape, "roi_align: output_shape")
    points = _one_or_two(sample_points, "roi_align: sample_points")
    offset = 0.5 if aligned else 0.0
    factor = float(within("spatial_scale", spatial_scale, 0, above=True))
    return apply(roi_ops.roi_align, inp, rois, size=size, points=points, mode=kind, scale=factor, offset=offset)


def nms(boxes: Tensor, scores: Tensor, iou_thresh: float, max_output: int | None = None) -> Tensor:
    """Non-maximum suppression: of boxes that overlap much, the one with the highest score.

    In the order of the scores, a box is kept unless its intersection with one already kept is more than ``iou_thresh`` of
    their union. The boxes and scores are read, so what is pending runs first.

    Args:
        boxes: float32 ``(N, 4)``: x1, y1, x2, y2.
        scores: ``(N,)``.
        iou_thresh: from 0 to 1.
        max_output: stop after so many boxes; default all.

    Returns:
        int32 indices of the boxes that are kept, from the highest score on (of equal ones the last first); no gradient.

    Raises:
        AssertionError: shapes do not fit.
        RuntimeError: boxes that are not float32, or a negative ``max_output``.

    Example:
        >>> boxes = Tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]])
        >>> F.vision.nms(boxes, Tensor([0.7, 0.8, 0.1]), 0.5)
        Tensor([1 2], dtype=int32, device=xpux:0)
    """
    require_tensor(boxes, "boxes")
    require_tensor(scores, "scores")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise AssertionError(f"nms: boxes must have shape (N, 4), not {boxes.shape}")
    if scores.shape != boxes.shape[:1]:
        raise AssertionError(f"nms: scores must have shape {boxes.shape[:1]}, not {scores.shape}")
    if boxes.dtype != np.float32:
        raise RuntimeError(f"nms: boxes must be float32, not {np.dtype(boxes.dtype).name}")
    if not isinstance(iou_thresh, Real):
        raise ArgumentError(f"nms: iou_thresh must be a number, not {iou_thresh!r}")
    within("iou_thresh", iou_thresh, 0, 1)
    limit = boxes.shape[0] if max_output is None else max_output
    if not isinstance(limit, Integral) or limit < 0:
        raise ArgumentError(f"nms: max_output must be an integer from 0 on, not {max_output!r}")
    order = _from_highest(read_for("nms", scores))
    kept = _kept(read_for("nms", boxes)[order], np.float32(iou_thresh), int(limit))
    return Tensor(order[kept].astype(np.int32), device=boxes.device)


def _from_highest(scores: np.ndarray) -> np.ndarray:
    """Indices by falling score; of equal ones the last first, as the reference sorts; NaN at the end."""
    known = np.where(np.isnan(scores), -np.inf, scores) if scores.dtype.kind not in "iu" else scores
    return np.argsort(known, kind="stable")[::-1]


def _kept(boxes: np.ndarray, threshold: np.float32, limit: int) -> list[int]:
    """Indices of the boxes, in falling order of their scores, that none kept before suppresses."""
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1) * (y2 - y1)
    alive = np.ones(len(boxes), bool)
    kept: list[int] = []
    for i in range(len(boxes)):
        if len(kept) == limit:
            break
        if not alive[i]:
            continue
        kept.append(i)
        rest = slice(i + 1, None)
        width = np.maximum(np.minimum(x2[rest], x2[i]) - np.maximum(x1[rest], x1[i]), np.float32(0))
        height = np.maximum(np.minimum(y2[rest], y2[i]) - np.maximum(y1[rest], y1[i]), np.float32(0))
        common = width * height
        alive[rest] &= ~(common > (area[rest] + area[i] - common) * threshold)
    return kept


def correlation(
    data1: Tensor,
    data2: Tensor,
    kernel_size: int = 1,
    max_displacement: int = 1,
    stride1: int = 1,
    stride2: int = 1,
    pad_size: int = 0,
    is_multiply: bool = True,
) -> Tensor:
    """How alike two feature maps are around each place, for each displacement (Dosovitskiy et al., FlowNet, 2015).

    The mean of ``data1 * data2`` (or of ``|data1 - data2|``) over the channels of a window in the first map and of the
    displaced window in the second; beyond the maps there are zeros.

    Args:
        data1: ``(N, C, H, W)``, floating.
        data2: of the same shape and dtype.
        kernel_size: the window's size; an even one counts as the odd one below it.
        max_displacement: the largest displacement, in pixels.
        stride1: step between windows of the first map.
        stride2: step between displacements.
        pad_size: zeros around both maps.
        is_multiply: multiply; otherwise take absolute differences.

    Returns:
        ``(N, D * D, height, width)`` for ``D = 2 * (max_displacement // stride2) + 1``, vertical displacements outermost; a
        side is ``ceil((H + 2 * pad_size - 2 * (max_displacement + (kernel_size - 1) // 2)) / stride1)``.

    Raises:
        RuntimeError: shapes, dtypes or numbers that do not fit, or nothing left of the maps.

    Example:
        >>> x = F.arange(9).reshape(1, 1, 3, 3)
        >>> F.vision.correlation(x, x).flatten()
        Tensor([ 0.  4.  8. 12. 16. 20. 24. 28. 32.], device=xpux:0)
    """
    require_tensor(data1, "data1")
    require_tensor(data2, "data2")
    numbers = {
        "kernel_size": kernel_size,
        "max_displacement": max_displacement,
        "stride1": stride1,
        "stride2": stride2,
        "pad_size": pad_size,
    }
    for name, number in numbers.items():
        if not isinstance(number, Integral):
            raise ArgumentError(f"correlation: {name} must be an integer, not {number!r}")
    return apply(
        ops.correlation,
        data1,
        data2,
        kernel=int(kernel_size),
        displacement=int(max_displacement),
        stride1=int(stride1),
        stride2=int(stride2),
        pad=int(pad_size),
        multiply=bool(is_multiply),
    )


def nvof(src: Tensor, precision: int = 1) -> Tensor:
    """Optical flow by NVIDIA's SDK, which is not part of this package: the name is here, a call is refused.

    Args:
        src: uint8 ``(N, T, H, W, 4)``.
        precision: 0 (slow), 1 or 2 (fast).

    Raises:
        AssertionError: another shape.
        RuntimeError: always.

    Example:
        >>> F.vision.nvof(F.zeros((1, 2, 8, 8, 4)))
        Traceback (most recent call last):
        ...
        RuntimeError: nvof needs NVIDIA's optical-flow SDK, which this package does not use; ...
    """
    if src.ndim != 5 or src.shape[4] != 4:
        raise AssertionError(f"nvof: src must have shape (N, T, H, W, 4), not {src.shape}")
    raise RuntimeError(
        "nvof needs NVIDIA's optical-flow SDK, which this package does not use; "
        "correlation is the building block of learned optical flow"
    )
