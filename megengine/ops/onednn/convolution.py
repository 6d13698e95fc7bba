"""Convolution and its two gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from math import prod
from typing import Any

from ..windows import out_size
from .library import library
from .plan import Handle, Plan, cached, dims, strides_of

FORWARD, DIRECT = 64, 1
SRC, DST, WEIGHTS = 1, 17, 33
DIFF_SRC, DIFF_DST, DIFF_WEIGHTS = 129, 145, 161
_SRC_MD, _DIFF_SRC_MD, _WEIGHTS_MD, _DIFF_WEIGHTS_MD, _DST_MD, _DIFF_DST_MD = range(1, 7)
MOST_SPATIAL = 3
# Fewer products than these take less time than a call.
WORTH_A_CALL = 1 << 16


@dataclass(frozen=True)
class Convolution:
    """A convolution, or a gradient of one, by what the primitives of :mod:`megengine.ops.bilinear` are called with.

    Attributes:
        kind: the primitive's name.
        x_shape, kernel_shape, stride, padding, dilation, groups: see there.
        x_last, y_last: whether the channels of the input, and of the result, lie behind their sizes in memory. Kernels are
            dense, in the order of their dimensions.
    """

    kind: str
    x_shape: tuple[int, ...]
    kernel_shape: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    x_last: bool = False
    y_last: bool = False

    @property
    def y_shape(self) -> tuple[int, ...]:
        """The shape of the forward convolution's result."""
        axes = zip(self.x_shape[2:], self.kernel_shape[2:], self.stride, self.padding, self.dilation, strict=True)
        return (self.x_shape[0], self.kernel_shape[0], *(out_size(*axis) for axis in axes))

    def arrays(self) -> tuple[list[tuple[int, ...]], list[bool]]:
        """The shapes of both operands and of the result, and whether their channels lie behind."""
        x, y, kernel = (self.x_shape, self.x_last), (self.y_shape, self.y_last), (self.kernel_shape, False)
        order = {
            "convolve": (x, kernel, y),
            "convolve_input_gradient": (kernel, y, x),
            "convolve_kernel_gradient": (x, y, kernel),
        }[self.kind]
        return [shape for shape, _ in order], [last for _, last in order]

    def results(self) -> int:
        """How many of the arrays are results."""
        return 1

    def worth_it(self) -> bool:
        """Whether it is more than a call of the library costs."""
        return prod(self.y_shape) * prod(self.kernel_shape[1:]) >= WORTH_A_CALL

    def plan(self) -> Plan | None:
        """What computes it; None where oneDNN does not."""
        if library() is None or not 1 <= len(self.stride) <= MOST_SPATIAL:
            return None
        if min(self.x_shape + self.y_shape + self.kernel_shape) < 1:
            return None
        return cached(astuple(self), lambda: _KINDS[self.kind](_Descriptors(self)))


class _Descriptors:
    """A plan with the memory descriptors of a convolution, in the caller's layouts and in the library's."""

    def __init__(self, of: Convolution) -> None:
        self.of = of
        self.plan = plan = Plan(f"{of.kind} of {of.x_shape} with {of.kernel_shape}", 3)
        x, y, kernel, groups = of.x_shape, of.y_shape, of.kernel_shape, of.groups
        if groups > 1:
            kernel = (groups, kernel[0] // groups, *kernel[1:])
        self.x = plan.described(x, strides_of(x, of.x_last))
        self.y = plan.described(y, strides_of(y, of.y_last))
        self.kernel = plan.described(kernel, strides_of(kernel, False))
        # The library's choice is blocked; a layout with the channels behind is as good and needs no copy.
        self.inner_x = self.x if of.x_last else plan.undecided(x)
        self.inner_y = self.y if of.y_last else plan.undecided(y)
        self.inner_kernel = plan.undecided(kernel)
        spread = [d - 1 for d in of.dilation]
        self.windows = [dims(v) for v in (of.stride, spread, of.padding, of.padding)]

    def forward(self) -> Handle | None:
        """The forward primitive's descriptor, which is also the hint of its gradients."""
        lib = self.plan.lib
        memory = self.inner_x, self.inner_kernel, None, self.inner_y
        return self.plan.supported(
            "convolution_forward", lib.engine, FORWARD, DIRECT, *memory, *self.windows, lib.attributes
        )

    def backward(self, what: str, memory: Sequence[Handle | None]) -> Handle | None:
        """The descriptor of a gradient's primitive."""
        lib, hint = self.plan.lib, self.forward()
        if hint is None:
            return None
        name = f"convolution_backward_{what}"
        return self.plan.supported(name, lib.engine, DIRECT, *memory, *self.windows, hint, lib.attributes)

    def computed(self, descriptor: Handle | None, operands: Any, result: Any) -> Plan | None:
        """The plan: operands and result are ``(argument, memory descriptor, query)``."""
        if descriptor is None:
            return None
        plan = self.plan
        given = [plan.argument(d) for _, d, _ in (*operands, result)]
        memory = {
            argument: plan.read_as(at, plan.queried(descriptor, query))
            for at, (argument, _, query) in zip(given, operands, strict=False)
        }
        argument, _, query = result
        memory[argument], finish = plan.written_as(given[-1], plan.queried(descriptor, query))
        plan.primitive(descriptor, memory)
        finish()
        return plan


def _convolve(d: _Descriptors) -> Plan | None:
    operands = (SRC, d.x, _SRC_MD), (WEIGHTS, d.kernel, _WEIGHTS_MD)
    return d.computed(d.forward(), operands, (DST, d.y, _DST_MD))


def _input_gradient(d: _Descriptors) -> Plan | None:
    made = d.backward("data", (d.inner_x, d.inner_kernel, d.inner_y))
    operands = (WEIGHTS, d.kernel, _WEIGHTS_MD), (DIFF_DST, d.y, _DIFF_DST_MD)
    return d.computed(made, operands, (DIFF_SRC, d.x, _DIFF_SRC_MD))


def _kernel_gradient(d: _Descriptors) -> Plan | None:
    made = d.backward("weights", (d.inner_x, d.inner_kernel, None, d.inner_y))
    operands = (SRC, d.x, _SRC_MD), (DIFF_DST, d.y, _DIFF_DST_MD)
    return d.computed(made, operands, (DIFF_WEIGHTS, d.kernel, _DIFF_WEIGHTS_MD))


_KINDS: dict[str, Callable[[_Descriptors], Plan | None]] = {
    "convolve": _convolve,
    "convolve_input_gradient": _input_gradient,
    "convolve_kernel_gradient": _kernel_gradient,
}
