"""Convolution and its two gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from typing import Any

from . import steps
from .library import library
from .plan import BFLOAT16, FLOAT32, LIMIT, Handle, Plan, cached, dims, strides_of
from .windowed import Windowed

FORWARD, DIRECT = 64, 1
SRC, DST, WEIGHTS, BIAS = 1, 17, 33, 41
DIFF_SRC, DIFF_DST, DIFF_WEIGHTS = 129, 145, 161
_SRC_MD, _DIFF_SRC_MD, _WEIGHTS_MD, _DIFF_WEIGHTS_MD, _DST_MD, _DIFF_DST_MD = range(1, 7)
MOST_SPATIAL = 3
_SLOW = ("ref", "gemm")
_TYPES = {"float32": FLOAT32, "bfloat16": BFLOAT16}


@dataclass(frozen=True)
class Convolution(Windowed):
    """A convolution, or a gradient of one, by what the primitives of :mod:`megengine.ops.bilinear` are called with.

    Attributes:
        kind: the primitive's name.
        x_shape, kernel_shape, stride, padding, dilation, groups: see there.
        x_last, y_last: whether the channels of the input, and of the result, lie behind their sizes in memory. Kernels are
            dense, in the order of their dimensions.
        after: what a forward convolution does to its result, whose channels then lie behind: see :mod:`.steps`.
        dtype: of all arrays, ``"float32"`` or ``"bfloat16"``; sums are taken in float32.
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
    after: tuple[str, ...] = ()
    dtype: str = "float32"

    def arrays(self) -> tuple[list[tuple[int, ...]], list[bool]]:
        """The shapes of all operands and of the result, and whether their channels lie behind."""
        x, y, kernel = (self.x_shape, self.x_last), (self.y_shape, self.y_last), (self.kernel_shape, False)
        more = [(shape, len(shape) > 1) for shape in steps.operands(self.after, self.y_shape)]
        order = {
            "convolve": (x, kernel, *more, y),
            "convolve_input_gradient": (kernel, y, x),
            "convolve_kernel_gradient": (x, y, kernel),
        }[self.kind]
        return [shape for shape, _ in order], [last for _, last in order]

    def results(self) -> int:
        """How many of the arrays are results."""
        return 1

    def supported(self) -> bool:
        """Whether oneDNN computes it."""
        if self.kind != "convolve":
            return self.plan() is not None
        return self._is_one() and bool(_implementation(self))

    def narrowed(self) -> Convolution:
        """The same in bfloat16 if the processor multiplies that, else as it is."""
        of = replace(self, dtype="bfloat16")
        plan = of.plan()
        native = plan is not None and any("bf16" in name or "amx" in name for name in plan.implementations)
        return of if native else self

    def _is_one(self) -> bool:
        """Whether it is one that may be asked for."""
        if library() is None or not 1 <= len(self.stride) <= MOST_SPATIAL:
            return False
        return min(self.x_shape + self.y_shape + self.kernel_shape) > 0

    def plan(self) -> Plan | None:
        """What computes it; None where oneDNN does not."""
        return cached(astuple(self), self.made) if self._is_one() else None

    def made(self, as_it_likes: bool = False) -> Plan | None:
        """A new plan; on request one that takes the kernel in the layout that the library likes best."""
        return _KINDS[self.kind](_Descriptors(self, as_it_likes))

    def kernel_at(self) -> int:
        """Which of the operands is the kernel."""
        return 0 if self.kind == "convolve_input_gradient" else 1

    def kernel_dimensions(self) -> tuple[int, ...]:
        """The kernel's as the library has them: the groups, if there are several, are one more."""
        kernel, groups = self.kernel_shape, self.groups
        return kernel if groups == 1 else (groups, kernel[0] // groups, *kernel[1:])

    def dense_kernel(self, plan: Plan) -> Handle:
        """The memory descriptor of a kernel in the order of its dimensions."""
        kernel = self.kernel_dimensions()
        return plan.described(kernel, strides_of(kernel, False), _TYPES[self.dtype])

    def joined(self, *more: str) -> Convolution | None:
        """The same with more done to its result; None where the library would compute that slowly, or not at all."""
        of = replace(self, after=(*self.after, *more))
        name = _implementation(of) if of.y_last else ""
        return of if name and not name.startswith(_SLOW) else None


class _Descriptors:
    """A plan with the memory descriptors of a convolution, in the caller's layouts and in the library's.

    Args:
        of: the convolution.
        as_it_likes: whether the caller has kernels in the library's layout.
    """

    def __init__(self, of: Convolution, as_it_likes: bool = False) -> None:
        self.of = of
        self.as_it_likes = as_it_likes
        shapes = of.arrays()[0]
        self.plan = plan = Plan(f"{of.kind} of {of.x_shape} with {of.kernel_shape}", len(shapes), of.products)
        x, y, dtype = of.x_shape, of.y_shape, _TYPES[of.dtype]
        self.x = plan.described(x, strides_of(x, of.x_last), dtype)
        self.y = plan.described(y, strides_of(y, of.y_last), dtype)
        self.kernel = of.dense_kernel(plan)
        # The library's choice is blocked; a layout with the channels behind is as good and needs no copy.
        self.inner_x = self.x if of.x_last else plan.undecided(x, dtype)
        self.inner_y = self.y if of.y_last else plan.undecided(y, dtype)
        self.inner_kernel = plan.undecided(of.kernel_dimensions(), dtype)
        spread = [d - 1 for d in of.dilation]
        self.windows = [dims(v) for v in (of.stride, spread, of.padding, of.padding)]
        self.attributes: Any = plan.lib.attributes
        self.bias: Handle | None = None
        self.more: list[tuple[int, Handle]] = []  # arguments of what is done to the result
        if of.after:
            self._join(of.after)

    def _join(self, chain: tuple[str, ...]) -> None:
        if chain[0] == "shift":
            self.bias = self.plan.described(self.of.y_shape[1:2], (1,))
            self.more, chain = [(BIAS, self.bias)], chain[1:]
        self.attributes, more = steps.attributes(self.plan, chain, self.of.y_shape)
        self.more += more

    def forward(self) -> Handle | None:
        """The forward primitive's descriptor, which is also the hint of its gradients."""
        lib = self.plan.lib
        memory = self.inner_x, self.inner_kernel, self.bias, self.inner_y
        return self.plan.supported(
            "convolution_forward", lib.engine, FORWARD, DIRECT, *memory, *self.windows, self.attributes
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
        own = [plan.queried(descriptor, q) if a == WEIGHTS and self.as_it_likes else d for a, d, q in operands]
        given = [plan.argument(d) for d in (*own, *(d for _, d in self.more), result[1])]
        memory = {
            argument: plan.read_as(at, plan.queried(descriptor, query))
            for at, (argument, _, query) in zip(given, operands, strict=False)
        }
        memory.update((argument, given[len(operands) + k]) for k, (argument, _) in enumerate(self.more))
        argument, _, query = result
        memory[argument], finish = plan.written_as(given[-1], plan.queried(descriptor, query))
        plan.primitive(descriptor, memory)
        finish()
        return plan


@lru_cache(LIMIT)
def _implementation(of: Convolution) -> str:
    """The library's name for how it computes a forward convolution; empty where it does not."""
    descriptors = _Descriptors(of)
    found = descriptors.forward()
    return "" if found is None else descriptors.plan.implementation(found)


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
