"""Shapes: axes moved, put in and taken out, reshaping, joining; what a shape is; tensors from shapes."""

from __future__ import annotations

from typing import Any, ClassVar

from .... import functional as F
from ....tensor import Tensor
from ....tensor import axes as _axes
from ..opdef import OpDef, tensor

__all__ = [
    "AddAxis", "Borrow", "Broadcast", "Concat", "Copy", "Diag", "Dimshuffle", "Eye", "FastpathCopy", "Fill", "FillLike",
    "GetVarShape", "Identity", "Linspace", "RemoveAxis", "Reshape", "Split", "Stack",
]  # fmt: skip

_NONE = 7  # MegEngine's axis for "none in particular"


def _shape(op: OpDef, given: list[int], operands: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape that is a setting, or the second operand: a tensor, or sizes, since ``x.shape`` is a tuple here."""
    if not operands:
        return tuple(given)
    if len(operands) > 1:
        raise RuntimeError(f"{op!r} takes a tensor and a shape, got {1 + len(operands)} operands")
    return tuple(_axes.as_shape(operands[0], "shape"))


class Dimshuffle(OpDef):
    """Axes in another order; -1 puts an axis of length one there."""

    fields: ClassVar[dict[str, Any]] = {"pattern": []}
    operands = 1
    pattern: list[int]

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        x = tensor(self, x)
        named = [p for p in self.pattern if p != -1]
        if sorted(named) != list(range(x.ndim)):
            raise RuntimeError(f"Dimshuffle has the pattern {self.pattern}, the tensor {x.ndim} dimensions")
        return (x.transpose(*["x" if p == -1 else p for p in self.pattern]),) if self.pattern else (x,)


class AddAxis(OpDef):
    """Axes of length one, put in one after the other."""

    fields: ClassVar[dict[str, Any]] = {"axis": []}
    operands = 1
    axis: list[int]

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        y = tensor(self, x)
        for axis in self.axis:
            if not 0 <= axis <= y.ndim:
                raise RuntimeError(f"AddAxis has axis {axis}, the tensor {y.ndim} dimensions")
            y = F.expand_dims(y, axis)
        return (y,)


class RemoveAxis(OpDef):
    """Axes of length one, taken out one after the other."""

    fields: ClassVar[dict[str, Any]] = {"axis": []}
    operands = 1
    axis: list[int]

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        y = tensor(self, x)
        for axis in self.axis:
            if not 0 <= axis < y.ndim or y.shape[axis] != 1:
                raise RuntimeError(f"RemoveAxis has axis {axis}, which is not of length one in a tensor of {y.shape}")
            y = F.squeeze(y, axis)
        return (y,)


class Reshape(OpDef):
    """Another shape, as a setting or as second operand; the size along ``axis`` follows from the others."""

    fields: ClassVar[dict[str, Any]] = {"axis": _NONE, "shape": []}
    axis: int
    shape: list[int]

    def _run(self, x: Any, *shape: Any) -> tuple[Tensor, ...]:
        sizes = list(_shape(self, self.shape, shape))
        if self.axis != _NONE:
            sizes[self.axis] = -1
        return (F.reshape(tensor(self, x), tuple(sizes)),)


class Broadcast(OpDef):
    """Broadcast to a shape, as a setting or as second operand."""

    fields: ClassVar[dict[str, Any]] = {"shape": []}
    shape: list[int]

    def _run(self, x: Any, *shape: Any) -> tuple[Tensor, ...]:
        return (F.broadcast_to(tensor(self, x), _shape(self, self.shape, shape)),)


class Concat(OpDef):
    """Joined along an axis that is there."""

    fields = {"axis": 0, "comp_node": None}
    axis: int
    comp_node: Any

    def _run(self, *xs: Any) -> tuple[Tensor, ...]:
        return (F.concat([tensor(self, x) for x in xs], self.axis, device=self.comp_node),)


class Stack(OpDef):
    """Joined along a new axis."""

    fields = {"axis": 0, "comp_node": None}
    axis: int
    comp_node: Any

    def _run(self, *xs: Any) -> tuple[Tensor, ...]:
        return (F.stack([tensor(self, x) for x in xs], self.axis, device=self.comp_node),)


class Split(OpDef):
    """Cut into ``nsections`` parts, or into parts of the sizes that follow as operands."""

    fields = {"axis": 0, "nsections": 0}
    axis: int
    nsections: int

    def _run(self, x: Any, *sizes: Any) -> tuple[Tensor, ...]:
        if not sizes:
            return tuple(F.split(tensor(self, x), self.nsections, self.axis))
        ends, end = [], 0
        for size in sizes[:-1]:
            end += int(size)
            ends.append(end)
        return tuple(F.split(tensor(self, x), ends, self.axis))


class GetVarShape(OpDef):
    """The shape of the broadcast of its operands as a vector, or the size of one axis as a vector of one."""

    fields = {"axis": _NONE}
    axis: int

    def _run(self, *xs: Any) -> tuple[Tensor, ...]:
        shape = xs[0].shape if len(xs) == 1 else F.broadcast_to(sum(xs[1:], xs[0]) * 0, xs[0].shape).shape
        if self.axis == _NONE:
            return (Tensor(list(shape), dtype="int32"),)
        if not -len(shape) <= self.axis < len(shape):
            raise RuntimeError(f"GetVarShape has axis={self.axis}, the tensor {len(shape)} dimensions")
        return (Tensor([shape[self.axis]], dtype="int32"),)


class Linspace(OpDef):
    """Evenly spaced numbers: operands are start, stop, and how many."""

    fields = {"endpoint": True, "comp_node": None}
    operands = 3
    endpoint: bool
    comp_node: Any

    def _run(self, start: Any, stop: Any, num: Any) -> tuple[Tensor, ...]:
        start, stop, num = (F.reshape(x, ()) if isinstance(x, Tensor) else x for x in (start, stop, num))
        if not self.endpoint:
            stop = start + (stop - start) * (num - 1) / num
        return (F.linspace(start, stop, int(num), device=self.comp_node),)


class Identity(OpDef):
    """The tensor itself, as a result of its own."""

    operands = 1

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        return (F.copy(tensor(self, x)),)


class FastpathCopy(Identity):
    """As :class:`Identity`."""


class Copy(OpDef):
    """A copy, on a device."""

    fields = {"comp_node": None}
    operands = 1
    comp_node: Any

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        return (F.copy(tensor(self, x), self.comp_node),)


class Borrow(Copy):
    """As :class:`Copy`."""


class Fill(OpDef):
    """A tensor of one value; the operand is its shape."""

    fields = {"value": 0.0, "dtype": None, "comp_node": None}
    operands = 1
    value: float
    dtype: Any
    comp_node: Any

    def _run(self, shape: Any) -> tuple[Tensor, ...]:
        dtype = self.dtype or "float32"
        return (F.full(_shape(self, [], (shape,)), self.value, dtype=dtype, device=self.comp_node),)


class FillLike(OpDef):
    """A tensor of one value, with the shape and dtype of the operand."""

    fields = {"value": 0.0, "comp_node": None}
    operands = 1
    value: float
    comp_node: Any

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        return (F.full_like(tensor(self, x), self.value),)


class Eye(OpDef):
    """Ones on a diagonal; the operand is the shape."""

    fields = {"k": 0, "dtype": "float32", "comp_node": None}
    operands = 1
    k: int
    dtype: Any
    comp_node: Any

    def _run(self, shape: Any) -> tuple[Tensor, ...]:
        rows, columns = _shape(self, [], (shape,))
        if self.k:
            places = F.expand_dims(F.arange(rows), 1) + self.k
            return (F.equal(places, F.arange(columns)).astype(self.dtype),)
        return (F.eye(rows, columns, dtype=self.dtype, device=self.comp_node),)


class Diag(OpDef):
    """The diagonal of a matrix, or the matrix of a diagonal."""

    fields = {"k": 0}
    operands = 1
    k: int

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        return (F.diag(tensor(self, x), self.k),)
