"""Resizing, sampling, regions of interest and the choice of boxes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from ... import functional as F
from ...graph.apply import apply
from ...ops.interpolate import resize
from ...tensor import Tensor
from .resizing import taps
from .rules import Node, computes
from .shaping import at_axis


@computes("Upsample", host=[1])
def _upsample(e: Node) -> Any:
    x = e.tensor()
    scales = e.host(1) if e.has(1) else np.array(e.get("scales"), np.float32)
    sizes = [int(np.floor(n * s)) for n, s in zip(x.shape, scales, strict=True)]
    return _resized(x, sizes, list(scales), e.get("mode", "nearest"), "asymmetric", {"nearest_mode": "floor"})


@computes("Resize", host=[1, 2, 3])
def _resize(e: Node) -> Any:
    x = e.tensor()
    if e.opset < 11:
        return _upsample(e)
    axes = [a % x.ndim for a in e.get("axes") or range(x.ndim)]
    sizes, scales = list(x.shape), [1.0] * x.ndim
    if e.has(3) and e.host(3).size:
        wanted = [int(n) for n in e.host(3)]
        wanted, given = _keeping_ratio(e, x, axes, wanted)
    else:
        given = [float(s) for s in e.host(2)]
        wanted = [int(np.floor(x.shape[a] * s)) for a, s in zip(axes, given, strict=True)]
    for axis, size, scale in zip(axes, wanted, given, strict=True):
        sizes[axis], scales[axis] = size, scale
    where = e.get("coordinate_transformation_mode", "half_pixel")
    options = dict(e.attributes)
    if where == "tf_crop_and_resize":
        roi = e.host(1).astype(np.float32)
        options["regions"] = {a: (roi[k], roi[k + len(axes)]) for k, a in enumerate(axes)}
    return _resized(x, sizes, scales, e.get("mode", "nearest"), where, options)


def _keeping_ratio(e: Node, x: Tensor, axes: list[int], wanted: list[int]) -> tuple[list[int], list[float]]:
    policy = e.get("keep_aspect_ratio_policy", "stretch")
    ratios = [n / x.shape[a] for a, n in zip(axes, wanted, strict=True)]
    if policy == "stretch":
        return wanted, ratios
    one = min(ratios) if policy == "not_larger" else max(ratios)
    return [int(np.floor(one * x.shape[a] + 0.5)) for a in axes], [one] * len(axes)


def _resized(
    x: Tensor, sizes: list[int], scales: list[float], mode: str, where: str, options: dict[str, Any]
) -> Tensor:
    changed = [k for k, (n, m, s) in enumerate(zip(x.shape, sizes, scales, strict=True)) if n != m or s != 1]
    if not changed and "regions" not in options:
        return x
    mode = {"bilinear": "linear", "trilinear": "linear"}.get(mode, mode)
    if _is_ours(x, sizes, scales, mode, where, options):
        return apply(resize, x, sizes=tuple(sizes[2:]), mode=mode, corners=where == "align_corners")
    dtype = x.dtype
    y = x if mode == "nearest" and "regions" not in options else x.astype("float32")
    for axis in changed if "regions" not in options else range(x.ndim):
        index, weights, inside = taps(x.shape[axis], sizes[axis], scales[axis], mode, where, options, axis)
        y = _along(y, axis, index, weights, None if mode == "nearest" and inside.all() else inside, options)
    if y.dtype == dtype:
        return y
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return F.clip(F.round(y), float(limits.min), float(limits.max)).astype(dtype)
    return y.astype(dtype)


def _is_ours(x: Tensor, sizes: list[int], scales: list[float], mode: str, where: str, options: dict[str, Any]) -> bool:
    """Whether this package's own resizing does the same."""
    if x.ndim < 3 or tuple(sizes[:2]) != x.shape[:2] or x.dtype != np.float32 or options.get("antialias"):
        return False
    if any(abs(m / n - s) > 1e-6 for n, m, s in zip(x.shape, sizes, scales, strict=True)):
        return False
    if mode == "nearest":
        return where == "asymmetric" and options.get("nearest_mode") == "floor"
    cubic = options.get("cubic_coeff_a", -0.75) == -0.75 and not options.get("exclude_outside")
    return where in ("half_pixel", "align_corners") and (mode == "linear" or cubic) and min(sizes) > 1


def _along(
    y: Tensor, axis: int, index: np.ndarray, weights: np.ndarray, inside: Any, options: dict[str, Any]
) -> Tensor:
    """An axis as weighted sums of its elements."""
    shape = [1] * y.ndim
    shape[axis] = -1
    total: Any = None
    for k in range(index.shape[1]):
        part = y[at_axis(axis, Tensor(np.ascontiguousarray(index[:, k], np.int32)))]
        if index.shape[1] > 1:
            part = part * Tensor(weights[:, k].reshape(shape).astype(np.float32))
        total = part if total is None else total + part
    if inside is None or inside.all():
        return total
    mask = np.ascontiguousarray(np.broadcast_to(inside.reshape(shape), total.shape))
    return F.where(Tensor(mask), total, F.full_like(total, float(options.get("extrapolation_value", 0.0))))


@computes("GridSample")
def _grid_sample(e: Node) -> Any:
    x, grid = e.tensor(0), e.tensor(1)
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(e.get("mode", "linear"), e.get("mode", "linear"))
    corners, padding, spatial = bool(e.get("align_corners", 0)), e.get("padding_mode", "zeros"), x.shape[2:]
    taps_of_axes = []
    for k, size in enumerate(spatial):
        place = grid[..., len(spatial) - 1 - k]
        place = (place + 1) / 2 * (size - 1) if corners else ((place + 1) * size - 1) / 2
        if padding == "border" and mode != "cubic":
            place = F.clip(place, 0.0, float(size - 1))
        elif padding == "reflection" and mode != "cubic":
            place = _reflected(place, size, corners)
        taps_of_axes.append(_around(place, mode))
    return _sampled(x, taps_of_axes, padding, corners)


def _around(place: Tensor, mode: str) -> list[tuple[Tensor, Any]]:
    """The elements near a place, and their weights."""
    if mode == "nearest":
        low = F.floor(place)
        apart = place - low
        odd = F.not_equal(low - F.floor(low / 2) * 2, 0)
        up = F.logical_or(apart > 0.5, F.logical_and(F.equal(apart, 0.5), odd))
        return [(low + up.astype("float32"), None)]
    low = F.floor(place)
    t = place - low
    if mode == "linear":
        return [(low, 1 - t), (low + 1, t)]
    a = -0.75
    weights = [
        ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a,
        ((a + 2) * t - (a + 3)) * t * t + 1,
        ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1,
        ((a * (2 - t) - 5 * a) * (2 - t) + 8 * a) * (2 - t) - 4 * a,
    ]
    return [(low + k - 1, w) for k, w in enumerate(weights)]


def _reflected(place: Tensor, size: int, corners: bool) -> Tensor:
    low, span = (0.0, float(size - 1)) if corners else (-0.5, float(size))
    if span == 0:
        return F.zeros_like(place)
    apart = F.abs(place - low)
    turns = F.floor(apart / span)
    rest = apart - turns * span
    odd = F.not_equal(turns - F.floor(turns / 2) * 2, 0)
    return F.clip(F.where(odd, span - rest + low, rest + low), 0.0, float(size - 1))


def _sampled(x: Tensor, taps_of_axes: list[list[tuple[Tensor, Any]]], padding: str, corners: bool) -> Tensor:
    n, c, *spatial = x.shape
    flat = F.reshape(x, (n, c, -1))
    total: Any = None
    for corner in product(*taps_of_axes):
        place: Any = 0
        inside: Any = None
        weight: Any = None
        for (index, w), size in zip(corner, spatial, strict=True):
            if padding == "reflection":
                index = _reflected(index, size, corners)
            there = F.logical_and(index >= 0, index <= size - 1)
            inside = there if inside is None else F.logical_and(inside, there)
            place = place * size + F.clip(index, 0.0, float(size - 1)).astype("int32")
            if w is not None:
                weight = w if weight is None else weight * w
        rows = F.reshape(place, (n, 1, -1))
        value = F.reshape(F.gather(flat, 2, F.broadcast_to(rows, (n, c, rows.shape[2]))), (n, c, *place.shape[1:]))
        if weight is not None:
            value = value * F.expand_dims(weight, 1)
        if padding == "zeros":
            value = value * F.expand_dims(inside.astype("float32"), 1)
        total = value if total is None else total + value
    return total


@computes("RoiAlign", host=[1, 2])
def _roi_align(e: Node) -> Any:
    """Box by box where the number of samples follows the box's size."""
    x, rois, images = e.tensor(0), e.host(1).astype(np.float32), e.host(2)
    high, wide = e.get("output_height", 1), e.get("output_width", 1)
    half = e.get("coordinate_transformation_mode", "half_pixel" if e.opset >= 16 else "output_half_pixel")
    offset = 0.5 if half == "half_pixel" else 0.0
    rows = [
        _region(
            x[int(image)],
            roi * np.float32(e.get("spatial_scale", 1.0)) - np.float32(offset),
            (high, wide),
            e,
            offset == 0,
        )
        for roi, image in zip(rois, images, strict=True)
    ]
    return F.stack(rows, axis=0) if rows else F.zeros((0, x.shape[1], high, wide))


def _region(x: Tensor, roi: np.ndarray, size: tuple[int, int], e: Node, at_least_one: bool) -> Tensor:
    c, *spatial = x.shape
    places = []
    for start, end, bins, limit in zip(roi[[1, 0]], roi[[3, 2]], size, spatial, strict=True):
        extent = max(end - start, 1.0) if at_least_one else end - start
        step = extent / bins
        count = e.get("sampling_ratio", 0) or int(np.ceil(extent / bins))
        at = start + (np.arange(bins)[:, None] + (np.arange(count) + 0.5) / max(count, 1)) * step
        outside = (at < -1) | (at > limit)
        at = np.clip(at, 0, None)
        low = np.minimum(np.floor(at).astype(int), limit - 1)
        up = np.minimum(low + 1, limit - 1)
        share = np.where(low >= limit - 1, 0, at - low)
        places.append((low, up, share.astype(np.float32), outside))
    flat = F.reshape(x, (c, -1))
    (low_y, up_y, down, out_y), (low_x, up_x, across, out_x) = places
    parts = []
    for y, wy in ((low_y, 1 - down), (up_y, down)):
        for z, wz in ((low_x, 1 - across), (up_x, across)):
            index = (y[:, None, :, None] * spatial[1] + z[None, :, None, :]).astype(np.int32)
            gone = out_y[:, None, :, None] | out_x[None, :, None, :]
            weight = np.where(gone, 0, wy[:, None, :, None] * wz[None, :, None, :]).astype(np.float32)
            parts.append(flat[:, Tensor(index)] * Tensor(weight))
    if e.get("mode", "avg") == "max":
        best = parts[0]
        for part in parts[1:]:
            best = F.maximum(best, part)
        return F.max(F.reshape(best, (c, *size, -1)), axis=3)
    return F.mean(parts[0] + parts[1] + parts[2] + parts[3], axis=(3, 4))


@computes("NonMaxSuppression", host=[0, 1, 2, 3, 4])
def _non_max_suppression(e: Node) -> Any:
    boxes, scores = e.host(0), e.host(1)
    most = int(e.host(2).reshape(-1)[0]) if e.has(2) else 0
    overlap = float(e.host(3).reshape(-1)[0]) if e.has(3) else 0.0
    lowest = float(e.host(4).reshape(-1)[0]) if e.has(4) else None
    chosen = [
        (image, kind, box)
        for image in range(scores.shape[0])
        for kind in range(scores.shape[1])
        for box in _kept(
            _corners(boxes[image], e.get("center_point_box", 0)), scores[image, kind], most, overlap, lowest
        )
    ]
    return np.array(chosen, np.int64).reshape(-1, 3)


def _corners(boxes: np.ndarray, centred: int) -> np.ndarray:
    if centred:
        half = boxes[:, 2:] / 2
        return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], 1)
    return np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], 1)


def _kept(boxes: np.ndarray, scores: np.ndarray, most: int, overlap: float, lowest: float | None) -> list[int]:
    order = np.argsort(-scores, kind="stable")
    if lowest is not None:
        order = order[scores[order] > lowest]
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    kept: list[int] = []
    while order.size and len(kept) < most:
        best, order = int(order[0]), order[1:]
        kept.append(best)
        common = np.minimum(boxes[best, 2:], boxes[order, 2:]) - np.maximum(boxes[best, :2], boxes[order, :2])
        shared = np.clip(common, 0, None).prod(1)
        union = area[best] + area[order] - shared
        order = order[shared <= overlap * union]
    return kept
