"""Convolution of 8-bit integers, summed as 32-bit ones."""

from __future__ import annotations

import ctypes
import os
from dataclasses import astuple, dataclass
from functools import cache, partial
from math import prod
from typing import Any, cast

import numpy as np

from .library import library
from .plan import INT8, INT32, Plan, cached, dims, strides_of
from .scratch import ALIGNMENT
from .windowed import Windowed

FORWARD, DIRECT = 64, 1
SRC, DST, WEIGHTS = 1, 17, 33
_SRC_MD, _WEIGHTS_MD, _DST_MD = 1, 3, 5
OF_FLOATS = 4  # multiplications of bytes take the time of one of floats
# Layers of one shape share a plan.
MOST_KERNELS = 16


@cache
def _compare() -> Any:
    """C's ``memcmp``."""
    memcmp = ctypes.CDLL(None if os.name == "posix" else "msvcrt").memcmp
    memcmp.argtypes, memcmp.restype = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t), ctypes.c_int
    return memcmp


@dataclass(frozen=True)
class IntegerConvolution(Windowed):
    """A convolution of int8 images with an int8 kernel, whose result is int32.

    Attributes:
        x_shape, kernel_shape, stride, padding, dilation, groups: as of :class:`~.convolution.Convolution`.
        x_last, y_last: whether the channels of the input, and of the result, lie behind their sizes in memory.
    """

    x_shape: tuple[int, ...]
    kernel_shape: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    x_last: bool = False
    y_last: bool = False

    def arrays(self) -> tuple[list[tuple[int, ...]], list[bool]]:
        """The shapes of both operands and of the result, and whether their channels lie behind."""
        return [self.x_shape, self.kernel_shape, self.y_shape], [self.x_last, False, self.y_last]

    def plan(self) -> PackedConvolution | None:
        """What computes it; None where oneDNN does not, or not exactly."""
        found_library = library()
        if (
            found_library is None
            or not found_library.exact_integers
            or min(self.x_shape + self.y_shape + self.kernel_shape) < 1
        ):
            return None
        make: Any = partial(_made, self)
        found: PackedConvolution | None = cast(Any, cached(("int8", *astuple(self)), make))
        return found


class PackedConvolution:
    """A convolution that keeps kernels in the library's layout: to bring a large one to it takes longer than the convolution.

    Args:
        product: computes it of an input, a kernel in the library's layout, and a result.
        packing: brings a kernel to that layout.
        kernel_bytes, packed_bytes: the sizes of a kernel, and of one in that layout.
    """

    def __init__(self, product: Plan, packing: Plan, kernel_bytes: int, packed_bytes: int) -> None:
        self.product = product
        self._packing = packing
        self._bytes = kernel_bytes, packed_bytes
        self._kept: list[tuple[np.ndarray, np.ndarray]] = []  # kernels as they were given, and packed

    def run(self, x: int, kernel: int, y: int) -> None:
        """Compute.

        Args:
            x, kernel, y: where the arrays are.
        """
        packed = self._packed(kernel)
        self.product.run(x, packed.ctypes.data, y)

    def _packed(self, kernel: int) -> np.ndarray:
        size, packed_size = self._bytes
        compare = _compare()
        for given, packed in self._kept:
            if not compare(given.ctypes.data, kernel, size):
                return packed
        given = np.empty(size, np.uint8)
        ctypes.memmove(given.ctypes.data, kernel, size)
        packed = _aligned(packed_size)
        self._packing.run(given.ctypes.data, packed.ctypes.data)
        self._kept = [(given, packed), *self._kept[: MOST_KERNELS - 1]]
        return packed

    def __repr__(self) -> str:
        return repr(self.product)


def _aligned(size: int) -> np.ndarray:
    block = np.empty(size + ALIGNMENT, np.uint8)
    start = -block.ctypes.data % ALIGNMENT
    return block[start : start + size]


def _made(of: IntegerConvolution) -> PackedConvolution | None:
    what = f"convolve_integers of {of.x_shape} with {of.kernel_shape}"
    plan, packing = Plan(what, 3, of.products // OF_FLOATS), Plan(f"kernel of a {what}", 2)
    x, y, kernel, groups = of.x_shape, of.y_shape, of.kernel_shape, of.groups
    if groups > 1:
        kernel = (groups, kernel[0] // groups, *kernel[1:])
    # With the channels behind, which is how the library computes integers.
    inner = plan.described(x, strides_of(x, True), INT8), plan.undecided(kernel, INT8)
    inner_y = plan.described(y, strides_of(y, True), INT32)
    window = [dims(v) for v in (of.stride, [d - 1 for d in of.dilation], of.padding, of.padding)]
    lib = plan.lib
    settings = (lib.engine, FORWARD, DIRECT, *inner, None, inner_y, *window, lib.attributes)
    descriptor = plan.supported("convolution_forward", *settings)
    if descriptor is None:
        return None
    in_its_layout = plan.queried(descriptor, _WEIGHTS_MD)
    given_x = plan.argument(plan.described(x, strides_of(x, of.x_last), INT8))
    given_kernel = plan.argument(in_its_layout)
    given_y = plan.argument(plan.described(y, strides_of(y, of.y_last), INT32))
    memory = {SRC: plan.read_as(given_x, plan.queried(descriptor, _SRC_MD)), WEIGHTS: given_kernel}
    memory[DST], finish = plan.written_as(given_y, plan.queried(descriptor, _DST_MD))
    plan.primitive(descriptor, memory)
    finish()
    source = packing.argument(packing.described(kernel, strides_of(kernel, False), INT8))
    packing.reorder(source, packing.argument(in_its_layout))
    return PackedConvolution(plan, packing, prod(kernel), lib.size(in_its_layout.value))
