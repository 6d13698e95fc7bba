"""Shapes: reading, changing, joining and cutting up."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functional as F
from ...tensor import Tensor
from .rules import Node, axis_of, computes
from .types import dtype_of


@computes("Shape")
def _shape(e: Node) -> Any:
    shape = np.array(e.inputs[0].shape, np.int64)
    return shape[slice(e.get("start", 0), e.get("end"))]


@computes("Size")
def _size(e: Node) -> Any:
    return np.array(np.prod(e.inputs[0].shape, dtype=np.int64))


@computes("Reshape", host=[1])
def _reshape(e: Node) -> Any:
    x = e.tensor()
    target = e.setting(1, "shape")
    if not e.get("allowzero", 0):
        target = [x.shape[k] if n == 0 else n for k, n in enumerate(target)]
    if -1 in target and 0 not in target:
        rest = int(np.prod([n for n in target if n != -1]))
        target = [x.size // rest if n == -1 else n for n in target]
    return F.reshape(x, tuple(target))


@computes("Flatten")
def _flatten(e: Node) -> Any:
    x, axis = e.tensor(), e.get("axis", 1)
    axis = axis_of(axis, x.ndim)
    first = int(np.prod(x.shape[:axis]))
    return F.reshape(x, (first, int(np.prod(x.shape[axis:]))))


@computes("Transpose")
def _transpose(e: Node) -> Any:
    x = e.tensor()
    return F.transpose(x, tuple(e.get("perm") or range(x.ndim)[::-1])) if x.ndim else x


@computes("Squeeze", host=[1])
def _squeeze(e: Node) -> Any:
    x = e.tensor()
    axes = e.setting(1, "axes")
    if axes is None:
        axes = [k for k, n in enumerate(x.shape) if n == 1]
    gone = {axis_of(a, x.ndim) for a in axes}
    return F.reshape(x, tuple(n for k, n in enumerate(x.shape) if k not in gone))


@computes("Unsqueeze", host=[1])
def _unsqueeze(e: Node) -> Any:
    x, shape = e.tensor(), list(e.inputs[0].shape)
    axes = e.setting(1, "axes")
    rank = len(shape) + len(axes)
    for axis in sorted(axis_of(a, rank) for a in axes):
        shape.insert(axis, 1)
    return F.reshape(x, tuple(shape))


@computes("Concat")
def _concat(e: Node) -> Any:
    return F.concat(e.tensors(), axis=e.get("axis", 1))


@computes("Split", host=[1])
def _split(e: Node) -> Any:
    x = e.tensor()
    axis = axis_of(e.get("axis", 0), x.ndim)
    size, sizes = x.shape[axis], e.setting(1, "split")
    if sizes is None:
        count = e.get("num_outputs", e.count)
        most = -(-size // count)
        sizes = [max(0, min(most, size - k * most)) for k in range(count)]
    return parts_of(x, axis, sizes)


def parts_of(x: Tensor, axis: int, sizes: Any) -> list[Tensor]:
    """A tensor in parts of these sizes."""
    before = (slice(None),) * axis
    ends = np.cumsum(sizes)
    return [x[(*before, slice(int(end) - int(n), int(end)))] for n, end in zip(sizes, ends, strict=True)]


@computes("Slice", host=[1, 2, 3, 4])
def _slice(e: Node) -> Any:
    x = e.tensor()
    starts, ends = e.setting(1, "starts"), e.setting(2, "ends")
    axes = e.setting(3, "axes") or range(len(starts))
    steps = e.setting(4, "steps") or [1] * len(starts)
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis] = _bounds(start, end, step, x.shape[axis])
    if any(s.step and s.step < 0 for s in index):  # as a step of the reversed axis
        return _with_negative_steps(x, index)
    return x[tuple(index)] if index else x


def _bounds(start: int, end: int, step: int, size: int) -> slice:
    """A slice whose bounds lie within the axis."""
    found = slice(*slice(start, end, step).indices(size))
    return slice(found.start, None if found.stop < 0 else found.stop, step)


def _with_negative_steps(x: Tensor, index: list[slice]) -> Tensor:
    for axis, part in enumerate(index):
        picked = np.arange(x.shape[axis])[part].astype(np.int32)
        if part != slice(None):
            x = (
                F.gather(x, axis, Tensor(_along(picked, axis, x.shape)))
                if picked.size
                else x[at_axis(axis, slice(0, 0))]
            )
    return x


def at_axis(axis: int, part: Any) -> tuple[Any, ...]:
    return (*[slice(None)] * axis, part)


def _along(picked: np.ndarray, axis: int, shape: Any) -> np.ndarray:
    """Indices of an axis for every place."""
    wide = [1] * len(shape)
    wide[axis] = -1
    target = list(shape)
    target[axis] = picked.size
    return np.ascontiguousarray(np.broadcast_to(picked.reshape(wide), target))


@computes("Expand", host=[1])
def _expand(e: Node) -> Any:
    x = e.tensor()
    return F.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(e.setting(1, "shape"))))


@computes("Tile", host=[1])
def _tile(e: Node) -> Any:
    return F.tile(e.tensor(), tuple(e.setting(1, "repeats")))


@computes("Pad", host=[1, 3])
def _pad(e: Node) -> Any:
    x, pads = e.tensor(), e.setting(1, "pads")
    axes = e.setting(3, "axes") or list(range(x.ndim))
    widths = [(0, 0)] * x.ndim
    for k, axis in enumerate(axes):
        widths[axis] = pads[k], pads[k + len(axes)]
    value = e.number(2, "value", 0) or 0
    return padded(x, widths, e.get("mode", "constant"), value)


def padded(x: Tensor, widths: list[tuple[int, int]], mode: str = "constant", value: float = 0) -> Tensor:
    """A tensor with a border; one of negative width is cut off."""
    if any(n < 0 for pair in widths for n in pair):
        cut = tuple(slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(widths, x.shape, strict=True))
        x, widths = x[cut], [(max(0, a), max(0, b)) for a, b in widths]
    if not any(n for pair in widths for n in pair):
        return x
    if mode == "constant":
        for axis, (before, after) in enumerate(widths):
            parts = [F.full(_with_size(x, axis, n), value, dtype=x.dtype) if n else None for n in (before, after)]
            joined = [p for p in (parts[0], x, parts[1]) if p is not None]
            x = F.concat(joined, axis=axis) if len(joined) > 1 else x
        return x
    numpy_mode: Any = {"wrap": "wrap", "edge": "edge", "reflect": "reflect"}[mode]
    for axis, pair in enumerate(widths):
        if pair != (0, 0):
            picked = np.pad(np.arange(x.shape[axis]), pair, mode=numpy_mode)
            x = x[at_axis(axis, Tensor(picked.astype(np.int32)))]
    return x


def _with_size(x: Tensor, axis: int, size: int) -> tuple[int, ...]:
    return tuple(size if k == axis else n for k, n in enumerate(x.shape))


@computes("Constant")
def _constant(e: Node) -> Any:
    for name, dtype in (
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in e.attributes:
            return np.array(e.attributes[name], dtype)
    if "value" not in e.attributes:
        raise e.refuse("constants of strings or sparse tensors are not supported")
    return e.attributes["value"]


@computes("ConstantOfShape", host=[0])
def _constant_of_shape(e: Node) -> Any:
    value = e.get("value", np.zeros(1, np.float32))
    return np.full([int(n) for n in e.host(0)], value.reshape(-1)[0], value.dtype)


@computes("Range", host=[0, 1, 2])
def _range(e: Node) -> Any:
    start, stop, step = (e.host(k).reshape(()) for k in range(3))
    count = max(int(np.ceil((stop.astype("f8") - start) / step)), 0)
    return (start + np.arange(count).astype(start.dtype) * step).astype(start.dtype)


@computes("EyeLike")
def _eye_like(e: Node) -> Any:
    like = e.inputs[0]
    dtype = dtype_of(e.get("dtype")) if "dtype" in e.attributes else like.dtype
    rows, columns = like.shape
    return np.eye(rows, columns, e.get("k", 0), dtype)


@computes("Trilu", host=[1])
def _trilu(e: Node) -> Any:
    x, k = e.tensor(), e.number(1, "k", 0)
    mask = np.ones(x.shape[-2:], bool)
    keep = np.triu(mask, k) if e.get("upper", 1) else np.tril(mask, k)
    return F.where(Tensor(np.ascontiguousarray(np.broadcast_to(keep, x.shape))), x, F.zeros_like(x))


@computes("DepthToSpace")
def _depth_to_space(e: Node) -> Any:
    x, b = e.tensor(), e.get("blocksize")
    n, c, h, w = x.shape
    if e.get("mode", "DCR") == "CRD":
        x = F.transpose(F.reshape(x, (n, c // b**2, b, b, h, w)), (0, 1, 4, 2, 5, 3))
    else:
        x = F.transpose(F.reshape(x, (n, b, b, c // b**2, h, w)), (0, 3, 4, 1, 5, 2))
    return F.reshape(x, (n, c // b**2, h * b, w * b))


@computes("SpaceToDepth")
def _space_to_depth(e: Node) -> Any:
    x, b = e.tensor(), e.get("blocksize")
    n, c, h, w = x.shape
    x = F.reshape(x, (n, c, h // b, b, w // b, b))
    first = (0, 1, 3, 5, 2, 4) if e.get("mode") == "CRD" else (0, 3, 5, 1, 2, 4)
    return F.reshape(F.transpose(x, first), (n, c * b * b, h // b, w // b))


def stacked(items: list[Tensor], axis: int = 0) -> Tensor:
    """Tensors as one with a new axis; scalars make a vector."""
    return F.stack(items, axis=axis) if items[0].ndim else F.concat([F.reshape(i, (1,)) for i in items])
