"""Normalisation of batches and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from math import prod

from .library import library
from .plan import Plan, cached, dims, strides_of

TRAINING, INFERENCE, BACKWARD, SCALES_AND_SHIFTS = 64, 96, 128, 2 | 4
AVERAGE = 0x3FF
SRC, DST, MEAN, VARIANCE, SCALE, SHIFT = 1, 17, 49, 50, 51, 52
DIFF_SRC, DIFF_DST, DIFF_SCALE, DIFF_SHIFT = 129, 145, 255, 256
# Arrays of fewer elements take less time than a call.
WORTH_A_CALL = 1 << 12


@dataclass(frozen=True)
class BatchNorm:
    """A normalisation, or its gradient, by what the primitives of :mod:`megengine.ops.batch` are called with.

    Attributes:
        kind: the primitive's name.
        shape: the input's.
        eps: see there.
        last: whether the channels lie behind the sizes in memory.
    """

    kind: str
    shape: tuple[int, ...]
    eps: float
    last: bool = False

    def worth_it(self) -> bool:
        """Whether it is more than a call of the library costs."""
        return prod(self.shape) >= WORTH_A_CALL

    def arrays(self) -> tuple[list[tuple[int, ...]], list[bool]]:
        """The shapes of operands and results, and whether their channels lie behind."""
        x, c = self.shape, self.shape[1:2]
        means = (*x[:2], *(1,) * (len(x) - 2))
        shapes = [x, x, c, c, means] if self.kind == "normalize_batch" else [x, c, c, x, c, x, c, c]
        return shapes, [self.last and shape is x for shape in shapes]

    def results(self) -> int:
        """How many of the arrays are results."""
        return 4 if self.kind == "normalize_batch" else 3

    def plan(self) -> Plan | None:
        """What computes it; None where oneDNN does not."""
        if library() is None or not 2 < len(self.shape) <= 5 or min(self.shape) < 1:
            return None
        return cached(astuple(self), lambda: _KINDS[self.kind](self))


def _started(of: BatchNorm) -> tuple[Plan, list[int]]:
    shapes, _ = of.arrays()
    plan = Plan(f"{of.kind} of {of.shape}", len(shapes))
    strides = [strides_of(shape, of.last) if len(shape) > 1 else (1,) for shape in shapes]
    return plan, [plan.argument(plan.described(*pair)) for pair in zip(shapes, strides, strict=True)]


def _forward(of: BatchNorm) -> Plan | None:
    """Without scales and shifts, and with what is left of the mean of each image's channels.

    The library adds up the input as it is, whose mean may be large; what is left is small, and its mean exact.
    """
    plan, (x, y, mean, variance, left) = _started(of)
    whole = plan.described(of.shape, strides_of(of.shape, of.last))
    lib = plan.lib
    made = plan.supported("batch_normalization_forward", lib.engine, TRAINING, whole, whole, of.eps, 0, lib.attributes)
    means = (*of.shape[:2], *(1,) * (len(of.shape) - 2))
    sizes, none = dims(of.shape[2:]), dims((0,) * (len(of.shape) - 2))
    averages = plan.supported(
        "pooling_forward",
        *(lib.engine, INFERENCE, AVERAGE, whole, plan.described(means, strides_of(means, of.last))),
        *(sizes, sizes, none, none, none, lib.attributes),
    )
    if made is None or averages is None:
        return None
    plan.primitive(made, {SRC: x, DST: y, MEAN: mean, VARIANCE: variance})
    plan.primitive(averages, {SRC: y, DST: left})
    return plan


def _gradient(of: BatchNorm) -> Plan | None:
    plan, (x, mean, variance, ct, scale, dx, dscale, dshift) = _started(of)
    whole = plan.described(of.shape, strides_of(of.shape, of.last))
    lib = plan.lib
    hint = plan.supported(
        "batch_normalization_forward",
        *(lib.engine, TRAINING, whole, whole, of.eps, SCALES_AND_SHIFTS, lib.attributes),
    )
    if hint is None:
        return None
    made = plan.supported(
        "batch_normalization_backward",
        *(lib.engine, BACKWARD, whole, whole, whole, of.eps, SCALES_AND_SHIFTS, hint, lib.attributes),
    )
    if made is None:
        return None
    operands = {SRC: x, MEAN: mean, VARIANCE: variance, DIFF_DST: ct, SCALE: scale}
    plan.primitive(made, {**operands, DIFF_SRC: dx, DIFF_SCALE: dscale, DIFF_SHIFT: dshift})
    return plan


_KINDS: dict[str, Callable[[BatchNorm], Plan | None]] = {
    "normalize_batch": _forward,
    "normalize_batch_gradient": _gradient,
}
