"""Indexing: slices and index arrays along named axes, read and set; picking by masks and by classes."""

from __future__ import annotations

from typing import Any, ClassVar

from .... import functional as F
from ....autodiff import Function, GradManager
from ....tensor import Tensor
from ..opdef import OpDef, tensor

__all__ = [
    "CondTake", "IncrSubtensor", "IndexingIncrMultiAxisVec", "IndexingMultiAxisVec", "IndexingOneHot",
    "IndexingSetMultiAxisVec", "IndexingSetOneHot", "MaskedFill", "MeshIndexing", "SetSubtensor", "Subtensor",
]  # fmt: skip


class _Indexing(OpDef):
    """Operators whose setting ``items`` says, axis by axis, which of begin, end, step and index follow as operands."""

    fields: ClassVar[dict[str, Any]] = {"items": []}
    items: list[tuple[Any, ...]]
    _first = 1  # operands before those of the index

    def _index(self, x: Tensor, operands: tuple[Any, ...]) -> tuple[Any, ...]:
        """The index as Python writes it."""
        left = list(operands)
        index: list[Any] = [slice(None)] * x.ndim
        for place, (axis, *which) in enumerate(self.items):
            if not -x.ndim <= axis < x.ndim:
                raise RuntimeError(f"{self!r} has an item for axis {axis}, the tensor {x.ndim} dimensions")
            fixed = self._fixed(place)
            if len(left) < sum(map(bool, which)) - sum(v is not None for v in fixed):
                raise RuntimeError(f"{self!r} has items {self.items} and too few operands for them")
            begin, end, step, at = (
                (value if value is not None else left.pop(0)) if wanted else None
                for wanted, value in zip(which, fixed, strict=True)
            )
            index[axis] = self._along(begin, end, step, at)
        if left:
            raise RuntimeError(f"{self!r} has items {self.items} and {len(left)} operands too many")
        return tuple(index)

    def _fixed(self, place: int) -> tuple[int | None, ...]:
        """Bounds of an item that are settings, not operands."""
        return (None, None, None, None)

    def _along(self, begin: Any, end: Any, step: Any, at: Any) -> Any:
        if at is not None:
            return at
        # A bound is a number, or a tensor that holds one; begin and end of a slice may be tensors.
        bounds = [F.reshape(b, ()) if isinstance(b, Tensor) else b for b in (begin, end, step)]
        return slice(*[None if b is None else int(b) for b in bounds])

    def _run(self, x: Any, *operands: Any) -> tuple[Tensor, ...]:
        x = tensor(self, x)
        return (x[self._index(x, operands)],)


class Subtensor(_Indexing):
    """``x[1, 2:5]`` with bounds that are operands.

    Example:
        >>> from megengine.core._imperative_rt.core2 import apply
        >>> from megengine.core.ops.builtin import Subtensor
        >>> apply(Subtensor(items=[(0, True, True, False, False)]), Tensor([1, 2, 3, 4]), Tensor(1), Tensor(3))
        (Tensor([2 3], dtype=int32, device=xpux:0),)
    """

    fields: ClassVar[dict[str, Any]] = {"items": [], "slice_items": []}
    slice_items: list[tuple[int, int, int, int]]

    def _fixed(self, place: int) -> tuple[int | None, ...]:
        """With ``slice_items`` all bounds are settings."""
        return tuple(self.slice_items[place]) if self.slice_items else (None, None, None, None)

    def _along(self, begin: Any, end: Any, step: Any, at: Any) -> Any:
        return super()._along(begin, end, step, None if at is None else int(at))


class IndexingMultiAxisVec(_Indexing):
    """Index arrays along axes, broadcast against each other, beside slices."""


class MeshIndexing(_Indexing):
    """Index arrays along axes, each on its own: every combination of them."""

    def _run(self, x: Any, *operands: Any) -> tuple[Tensor, ...]:
        y = tensor(self, x)
        for axis, at in enumerate(self._index(y, operands)):
            y = y[(slice(None),) * axis + (at,)]
        return (y,)

    def _along(self, begin: Any, end: Any, step: Any, at: Any) -> Any:
        return super()._along(begin, end, step, None if at is None else F.flatten(at) if isinstance(at, Tensor) else at)


class _Setting(_Indexing):
    """A copy of the first operand in which the second stands at an index."""

    def _run(self, x: Any, *operands: Any) -> tuple[Tensor, ...]:
        value, *bounds = operands
        y = F.copy(tensor(self, x))
        y[self._index(y, tuple(bounds))] = value
        return (y,)


class SetSubtensor(_Setting, Subtensor):
    """A copy with a slice replaced."""


class IncrSubtensor(Subtensor):
    """A copy with a slice added to."""

    def _run(self, x: Any, *operands: Any) -> tuple[Tensor, ...]:
        value, *bounds = operands
        y = F.copy(tensor(self, x))
        index = self._index(y, tuple(bounds))
        y[index] = y[index] + value
        return (y,)


class IndexingSetMultiAxisVec(_Setting):
    """A copy with the places of index arrays replaced."""


class IndexingIncrMultiAxisVec(_Indexing):
    """A copy with the places of index arrays added to; a place that comes twice, twice."""

    def _run(self, x: Any, *operands: Any) -> tuple[Tensor, ...]:
        value, *bounds = operands
        x = tensor(self, x)
        return (_AddAt(self._index(x, tuple(bounds)))(x, value),)


class _AddAt(Function):
    """Adds at an index, as the gradient of reading there does."""

    def __init__(self, index: tuple[Any, ...]) -> None:
        super().__init__()
        self.index = index

    def forward(self, x: Tensor, value: Tensor) -> Tensor:
        zeros = F.zeros_like(x)
        with GradManager().attach(zeros) as manager:
            manager.backward(zeros[self.index], value)
        return x + zeros.grad

    def backward(self, dy: Tensor) -> tuple[Tensor, Tensor]:
        return dy, dy[self.index]


class IndexingOneHot(OpDef):
    """The element that an index picks along an axis, which stays with length one."""

    fields = {"axis": 0, "ndim": 0}
    operands = 2
    axis: int
    ndim: int

    def _run(self, x: Any, index: Any) -> tuple[Tensor, ...]:
        return (F.indexing_one_hot(tensor(self, x), index, self.axis, keepdims=True),)


class IndexingSetOneHot(OpDef):
    """A copy in which the element that an index picks along an axis is replaced."""

    fields = {"axis": 0, "ndim": 0}
    operands = 3
    axis: int
    ndim: int

    def _run(self, x: Any, index: Any, value: Any) -> tuple[Tensor, ...]:
        x = tensor(self, x)
        sizes = [1] * x.ndim
        sizes[self.axis] = -1
        here = F.equal(
            F.reshape(F.arange(x.shape[self.axis], dtype="int32"), tuple(sizes)), F.expand_dims(index, self.axis)
        )
        return (F.where(here, F.broadcast_to(value, x.shape), x),)


class CondTake(OpDef):
    """The elements under a mask, and their positions in the flattened tensor."""

    operands = 2

    def _run(self, x: Any, mask: Any) -> tuple[Tensor, ...]:
        return F.cond_take(tensor(self, mask), tensor(self, x))


class MaskedFill(OpDef):
    """A copy with one value under a mask."""

    fields = {"value": 0.0}
    operands = 2
    value: float

    def _run(self, x: Any, mask: Any) -> tuple[Tensor, ...]:
        x = tensor(self, x)
        return (F.where(tensor(self, mask), F.full_like(x, self.value), x),)
