"""Boxes in images: what lies in them pooled, and those that overlap left out."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from .._help.ranges import number
from ..graph.apply import apply
from ..graph.errors import ArgumentError
from ..graph.sized import apply_sized, keeps_sizes, read_for_size
from ..ops import roi as roi_ops
from ..ops import sized
from ..tensor import Tensor
from ._args import require_tensor
from ._settings import one_or_two, require_mode


def roi_pooling(
    inp: Tensor,
    rois: Tensor,
    output_shape: int | tuple[int, int] | list[int],
    mode: str = "max",
    scale: float = 1.0,
) -> Tensor:
    """RoI pooling: a grid of values from each box, whatever its size (Girshick, Fast R-CNN, 2015).

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
    kind = require_mode(mode, ("max", "average"), "roi_pooling: mode")
    size = one_or_two(output_shape, "roi_pooling: output_shape")
    return apply(
        roi_ops.roi_pooling, inp, rois, size=size, mode=kind, scale=number("scale", scale, 0, above=True)
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
    """RoI align: a grid of values from each box, sampled without rounding the box (He et al., Mask R-CNN, 2017).

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
    kind = require_mode(mode, ("max", "average"), "roi_align: mode")
    size = one_or_two(output_shape, "roi_align: output_shape")
    points = one_or_two(sample_points, "roi_align: sample_points")
    offset = 0.5 if aligned else 0.0
    factor = number("spatial_scale", spatial_scale, 0, above=True)
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
    iou_thresh = number("nms: iou_thresh", iou_thresh, 0, 1)
    limit = boxes.shape[0] if max_output is None else max_output
    if not isinstance(limit, Integral) or limit < 0:
        raise ArgumentError(f"nms: max_output must be an integer from 0 on, not {max_output!r}")
    if keeps_sizes(boxes, scores):
        by_score = apply(sized.from_highest, scores)
        most = 2**31 - 1 if max_output is None else int(limit)
        threshold = float(np.float32(iou_thresh))
        places, count = apply(sized.nms_places, boxes[by_score], threshold=threshold, limit=most)
        return by_score[apply_sized(sized.leading, places, count, at_most=boxes.shape[0])]
    order = _from_highest(read_for_size("nms", scores))
    kept = _kept(read_for_size("nms", boxes)[order], np.float32(iou_thresh), int(limit))
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
