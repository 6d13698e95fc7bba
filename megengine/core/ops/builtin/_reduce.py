"""Along an axis: reductions, positions of extremes, sorting, running sums."""

from __future__ import annotations

from typing import Any

from .... import functional as F
from ....tensor import Tensor
from ..opdef import OpDef, choices, tensor

__all__ = ["Argmax", "Argmin", "Argsort", "Cumsum", "Reduce", "Softmax", "TopK"]

_ALL = 2147483647  # MegEngine's axis for "all elements"
_REDUCTIONS = {
    "SUM": F.sum, "SUM_SQR": lambda x, *how: F.sum(x * x, *how), "PRODUCT": F.prod, "MIN": F.min, "MAX": F.max,
    "MEAN": F.mean,
}  # fmt: skip


class Reduce(OpDef):
    """A reduction; unlike ``functional``'s it keeps the axis unless asked not to. A second operand is the shape to reduce to."""

    Mode = choices("Reduce.Mode", _REDUCTIONS)
    DataType = choices(
        "Reduce.DataType",
        ["DEFAULT", "FLOAT_IO16xC32", "FLOAT_O16xC32", "FLOAT_O32xC32", "QINT_I8xO32", "QUINT_I8xO32"],
    )
    fields = {"mode": "SUM", "axis": _ALL, "data_type": "DEFAULT", "keepdim": True}
    enums = {"mode": Mode, "data_type": DataType}
    mode: str
    axis: int
    data_type: str
    keepdim: bool

    def _run(self, x: Any, *target: Any) -> tuple[Tensor, ...]:
        x = tensor(self, x)
        if self.data_type == "FLOAT_O32xC32":
            x = x.astype("float32")
        reduce = _REDUCTIONS[str.__str__(self.mode)]
        if target:
            return (self._to_shape(x, *target),)
        return (reduce(x) if self.axis == _ALL else reduce(x, self.axis, self.keepdim),)

    def _to_shape(self, x: Tensor, target: Any) -> Tensor:
        shape = tuple(int(size) for size in target)
        if len(shape) != x.ndim or any(new not in (1, old) for new, old in zip(shape, x.shape, strict=True)):
            raise RuntimeError(f"{self!r} cannot reduce a tensor of shape {x.shape} to {shape}")
        name = str.__str__(self.mode)
        x, name = (x * x, "SUM") if name == "SUM_SQR" else (x, name)
        for axis, (new, old) in enumerate(zip(shape, x.shape, strict=True)):
            if new != old:
                x = _REDUCTIONS[name](x, axis, True)
        return x


class Argmax(OpDef):
    """Where the largest is; the axis stays."""

    fields = {"axis": 0}
    operands = 1
    axis: int

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        return (F.argmax(tensor(self, x), self.axis, True),)


class Argmin(OpDef):
    """Where the smallest is; the axis stays."""

    fields = {"axis": 0}
    operands = 1
    axis: int

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        return (F.argmin(tensor(self, x), self.axis, True),)


class Argsort(OpDef):
    """The last axis sorted, and where each came from."""

    Order = choices("Argsort.Order", ["ASCENDING", "DESCENDING"])
    fields = {"order": "ASCENDING"}
    enums = {"order": Order}
    operands = 1
    order: str

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        return F.sort(tensor(self, x), self.order == "DESCENDING")


class TopK(OpDef):
    """The ``k`` smallest of the last axis; the largest for a negative ``k``."""

    Mode = choices("TopK.Mode", ["KTH_ONLY", "VALUE_IDX_NOSORT", "VALUE_IDX_SORTED"])
    fields = {"mode": "KTH_ONLY"}
    enums = {"mode": Mode}
    operands = 2
    mode: str

    def _run(self, x: Any, k: Any) -> tuple[Tensor, ...]:
        count = int(k)
        largest = count < 0
        values, places = F.topk(tensor(self, x), abs(count), descending=largest)
        return (values[..., -1],) if self.mode == "KTH_ONLY" else (values, places)


class Cumsum(OpDef):
    """Sums of what comes before, with the element itself unless ``exclusive``, from the end if ``reverse``."""

    fields = {"axis": _ALL, "exclusive": True, "reverse": False}
    operands = 1
    axis: int
    exclusive: bool
    reverse: bool

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        x = tensor(self, x)
        axis = self.axis + x.ndim if self.axis < 0 else self.axis
        if axis >= x.ndim:
            raise RuntimeError(f"Cumsum has axis={self.axis}, the tensor {x.ndim} dimensions")
        turn = (slice(None),) * axis + (slice(None, None, -1),)
        y = F.cumsum(x[turn] if self.reverse else x, axis)
        if self.reverse:
            y = y[turn]
        return (y - x if self.exclusive else y,)


class Softmax(OpDef):
    """Softmax along an axis."""

    fields = {"axis": -1}
    operands = 1
    axis: int

    def _run(self, x: Any) -> tuple[Tensor, ...]:
        return (F.softmax(tensor(self, x), self.axis),)
