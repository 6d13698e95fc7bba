"""Kernels in the library's layout, kept for arrays that stay as they are: to bring a large one to it takes as long as to use it.

An array of JAX never changes, but the memory that it has may hold another one later. So a kept kernel belongs to the number that
``megengine.graph.serials`` gave to its array, and never to an address.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from ctypes import c_int32
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from .convolution import Convolution
from .plan import Handle, Plan, aligned, cached

# All kept kernels together; what would go beyond is brought to the layout each time.
MOST_BYTES = 1 << 30
# Arrays met so far of which nothing is kept yet.
MOST_MET = 4096
_changing = threading.Lock()
_met: OrderedDict[int, None] = OrderedDict()
_kept: dict[int, list[tuple[Handle, np.ndarray]]] = {}
_bytes = 0


@dataclass(frozen=True)
class Kept:
    """A convolution, or its input's gradient, whose kernel may be kept: it has one more operand, the numbers of arrays.

    Attributes:
        index: which of them is the kernel's.
        of: the convolution.
    """

    index: int
    of: Convolution

    def worth_it(self) -> bool:
        """Whether the library wants kernels in a layout of its own."""
        return self.plan() is not None

    def plan(self) -> KeptPlan | None:
        """What computes it; None where kernels are used as they are, or the library does not compute it."""
        plan = self.of.plan()
        found: Any = cached(("kept", *astuple(self.of)), lambda: _made(self.of))  # type: ignore[arg-type,return-value]
        return None if plan is None or found is None else KeptPlan(self.index, plan, *found)


def _made(of: Convolution) -> tuple[Plan, Plan, Handle, int] | None:
    """The convolution of a kernel in the library's layout, what brings one there, and this layout with its bytes."""
    place = of.kernel_at()
    plan = of.made(as_it_likes=True)
    if plan is None:
        return None
    layout, dense = plan.layout_of(place), of.dense_kernel(plan)
    if plan.lib.equal(layout.value, dense.value):
        return None
    packing = Plan(f"kernel of a {plan.what}", 2)
    packing.reorder(packing.argument(dense), packing.argument(layout))
    return plan, packing, layout, plan.lib.size(layout.value)


class KeptPlan:
    """What computes a convolution, by a kernel that is kept where it can be.

    Args:
        index: where the number of its array is.
        plain: computes it of a dense kernel.
        product: computes it of one in the library's layout.
        packing: brings one there.
        layout, size: this layout, and the bytes of a kernel in it.
    """

    def __init__(self, index: int, plain: Plan, product: Plan, packing: Plan, layout: Handle, size: int) -> None:
        self.product, self.implementations = product, product.implementations
        self._index, self._plain, self._packing, self._layout, self._size = index, plain, packing, layout, size
        self._place = 0 if "gradient" in plain.what else 1

    def run(self, *pointers: int) -> None:
        """Compute.

        Args:
            pointers: where the operands are, the numbers of arrays, and the result.
        """
        *operands, numbers, result = pointers
        serial = c_int32.from_address(numbers + 4 * self._index).value
        packed = self._packed(serial, operands[self._place])
        if packed is None:
            self._plain.run(*operands, result)
            return
        operands[self._place] = packed.ctypes.data
        self.product.run(*operands, result)

    def _packed(self, serial: int, kernel: int) -> np.ndarray | None:
        """The kernel in the library's layout; None for one that comes for the first time, and may never come again."""
        equal = self.product.lib.equal
        with _changing:
            for layout, packed in _kept.get(serial, ()):
                if equal(layout.value, self._layout.value):
                    return packed
            if not serial or _bytes + self._size > MOST_BYTES:
                return None
            if serial not in _met:
                _met[serial] = None
                if len(_met) > MOST_MET:
                    _met.popitem(last=False)
                return None
        packed = aligned((self._size,), np.uint8)
        self._packing.run(kernel, packed.ctypes.data)
        _keep(serial, self._layout, packed)
        return packed


def _keep(serial: int, layout: Handle, packed: np.ndarray) -> None:
    global _bytes
    with _changing:
        if serial in _met:  # else its array went meanwhile
            _kept.setdefault(serial, []).append((layout, packed))
            _bytes += packed.nbytes


def forget(serial: int) -> None:
    """Let go of what is kept for an array that is gone."""
    global _bytes
    with _changing:
        _met.pop(serial, None)
        _bytes -= sum(packed.nbytes for _, packed in _kept.pop(serial, ()))


def kept_bytes() -> int:
    """The bytes of all kept kernels."""
    return _bytes
