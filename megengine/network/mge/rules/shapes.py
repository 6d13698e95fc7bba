"""Shapes: what they are, other ones, axes, joining and cutting; tensors from shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import functional as F
from ....core.ops import builtin
from ....graph.apply import apply
from ....graph.exchange import GraphFileError
from ....ops import sized
from ..building import Builder, known, number, required, rule, tensor
from ..container import Operator
from ..dtypes import NAMES

NO_AXIS = 7
PADDINGS = {"CONSTANT": "constant", "REPLICATE": "replicate", "REFLECT": "reflect"}


@rule("GetVarShape")
def sizes(builder: Builder, op: Operator, x: Any, *others: Any) -> Any:
    """A shape as numbers, or one of its sizes; of several operands that of their broadcast."""
    axis = op.param("OptionalAxisV1").axis
    if any(map(builder.has_open_size, (x, *others))):
        if others:
            raise GraphFileError(
                f"{op} broadcasts sizes that depend on numbers of the inputs, which megengine-xla does not read"
            )
        found = apply(sized.shape_of, x)
        return found if axis == NO_AXIS else found[axis : axis + 1]
    shape = np.array(np.broadcast_shapes(*(tuple(v.shape) for v in (x, *others))), np.int32)
    return shape if axis == NO_AXIS else shape[[axis]]


@rule("Reshape")
def reshape(builder: Builder, op: Operator, x: Any, target: Any) -> Any:
    """Another shape; the size along one axis may follow from the others."""
    axis = op.param("OptionalAxisV1").axis if op.params else NO_AXIS
    likely = builder.likely(target)
    if likely is None:
        raise GraphFileError(
            f"{op} has a shape that depends on numbers of the inputs, which megengine-xla does not read"
        )
    shape = [int(n) for n in likely.reshape(-1)]
    if axis != NO_AXIS:
        shape[axis] = -1
    if isinstance(target, np.ndarray):
        return F.reshape(tensor(x), tuple(shape))
    if axis != NO_AXIS:
        target = F.where(F.equal(F.arange(len(shape), dtype="int32"), axis), -1, target)
    return builder.opened(apply(sized.reshape_by, x, target, shape=F.reshape(x, tuple(shape)).shape))


@rule("Broadcast")
def broadcast(builder: Builder, op: Operator, x: Any, target: Any) -> Any:
    """Broadcast to a shape."""
    if isinstance(target, np.ndarray):
        return F.broadcast_to(tensor(x), tuple(known(op, target, "a shape")))
    likely = builder.likely(target)
    if likely is None:
        raise GraphFileError(
            f"{op} has a shape that depends on numbers of the inputs, which megengine-xla does not read"
        )
    return builder.opened(apply(sized.broadcast_by, tensor(x), target, shape=tuple(map(int, likely))))


@rule("Dimshuffle")
def permute(builder: Builder, op: Operator, x: Any) -> Any:
    """Axes in another order."""
    return builtin.Dimshuffle(op.param("Dimshuffle").pattern)._run(tensor(x))


@rule("AxisAddRemove")
def axes(builder: Builder, op: Operator, x: Any) -> Any:
    """Axes of size one, put in and taken out one after the other."""
    y = tensor(x)
    for removes, axis in op.param("AxisAddRemove").desc:
        y = F.squeeze(y, axis) if removes else F.expand_dims(y, axis)
    return y


@rule("Concat")
def concat(builder: Builder, op: Operator, *xs: Any) -> Any:
    """Joined along an axis."""
    axis = op.param("Axis").axis
    if all(isinstance(x, np.ndarray) for x in xs):
        return np.concatenate(xs, axis)
    return F.concat([tensor(x) for x in xs], axis)


@rule("Split")
def split(builder: Builder, op: Operator, x: Any, *parts: Any) -> Any:
    """Cut into parts of given sizes."""
    return builtin.Split(op.param("Axis").axis)._run(tensor(x), *(number(op, p, "a size") for p in parts))


@rule("Padding")
def pad(builder: Builder, op: Operator, x: Any) -> Any:
    """Put something around it."""
    how, x = op.param("Padding"), tensor(x)
    widths = [(how.values[f"front_offset_dim{k}"], how.values[f"back_offset_dim{k}"]) for k in range(x.ndim)]
    return F.nn.pad(x, widths, PADDINGS[how.padding_mode], how.padding_val)


@rule("Linspace")
def linspace(builder: Builder, op: Operator, start: Any, stop: Any, count: Any) -> Any:
    """Evenly spaced numbers."""
    how, count = op.param("Linspace"), number(op, count, "a number of elements")
    return builtin.Linspace(how.endpoint)._run(tensor(start), tensor(stop), count)


@rule("Eye")
def eye(builder: Builder, op: Operator, shape: Any) -> Any:
    """Ones on a diagonal."""
    how = op.param("Eye")
    sizes = known(op, shape, "a shape")
    return builtin.Eye(how.k, NAMES[how.dtype])._run(sizes if len(sizes) == 2 else sizes * 2)


@rule("Diag")
def diagonal(builder: Builder, op: Operator, x: Any) -> Any:
    """The diagonal of a matrix, or the matrix of a diagonal."""
    return F.diag(tensor(x), op.param("Diag").k)


@rule("Fill")
def fill(builder: Builder, op: Operator, shape: Any) -> Any:
    """One value everywhere."""
    return F.full(tuple(known(op, shape, "a shape")), op.param("Fill").value)


@rule("Alloc")
def allocate(builder: Builder, op: Operator, shape: Any) -> Any:
    """Something of a shape, of which nothing but the shape is read: MegEngine does not say what it holds."""
    return F.zeros(tuple(known(op, shape, "a shape")), dtype=NAMES[op.param("DType").dtype])


@rule("FillLike")
def fill_like(builder: Builder, op: Operator, x: Any) -> Any:
    """One value everywhere, in the shape of an operand."""
    return F.full_like(tensor(x), op.param("Fill").value)


@rule("Flip")
def flip(builder: Builder, op: Operator, x: Any) -> Any:
    """Images ``(N, H, W, C)`` mirrored."""
    how, x = op.param("Flip"), tensor(x)
    rows, columns = slice(None, None, -1 if how.vertical else 1), slice(None, None, -1 if how.horizontal else 1)
    return x[:, rows, columns]


@rule("RelayoutFormat")
def relayout(builder: Builder, op: Operator, x: Any) -> Any:
    """Channels first to channels last and back; the layouts of MegEngine's kernels are not read."""
    mode = required(op, "the mode", op.param("RelayoutFormat").mode, ["NCHW_NHWC", "NHWC_NCHW"])
    return F.transpose(tensor(x), (0, 2, 3, 1) if mode == "NCHW_NHWC" else (0, 3, 1, 2))
