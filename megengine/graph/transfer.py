"""Moving values between devices; gradients move back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from .device import Device
from .flushing import evaluate
from .recorder import thread
from .tape import ChainNode
from .value import Handle, Value, new_handle


class _Moved(ChainNode):
    """The node of a value that came from another device."""

    __slots__ = ("origin",)

    origin: Device

    def pull(self, cots: list[Handle | None], need: tuple[int, ...]) -> Sequence[Handle | None]:
        """The cotangent, moved to where the operand is."""
        assert cots[0] is not None
        return [transfer(cots[0], self.origin)]


def transfer(x: Handle, target: Device) -> Any:
    """A tensor with the same value on another device."""
    value = x._value
    evaluate(value)
    array: Any = jax.device_put(value.array, target.jax_device)
    moved = new_handle(Value(None, value.aval, array, target))
    if thread.recorder.capture is not None:
        thread.recorder.capture.moved(value, moved._value)
    if x._node is not None and x._node.live():
        node = _Moved(x._node.tapes, ((x._node, x._slot),))
        node.origin = value.device
        moved._node, moved._slot = node, 0
    return moved
