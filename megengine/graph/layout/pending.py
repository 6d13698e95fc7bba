"""Convolutions that wait for what is done to their results, to do it themselves: scales, shifts, sums, rectifiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.extend.core import Literal

from ...ops.onednn import custom_call
from ...ops.onednn.convolution import Convolution
from .arrays import Laid
from .flat import Flat, Name, Step


class Pending(Laid):
    """The result of a convolution that is computed when it is first needed as an array.

    Args:
        of: the convolution, with what is done to its result so far.
        operands: its operands.
        kept: of its kernel.
        scale, shift: numbers of channels that the result is then multiplied by, and moved by.
    """

    __slots__ = ("_of", "_operands", "_of_kernel", "_scale", "_shift")

    def __init__(
        self,
        of: Convolution,
        operands: Sequence[Any],
        kept: tuple[Any, int] | None = None,
        scale: Any = None,
        shift: Any = None,
    ) -> None:
        self._of, self._operands, self._scale, self._shift = of, tuple(operands), scale, shift
        self._front = self._behind = self.channels = None
        self.free = False
        self.kept, self._of_kernel = None, kept
        self.shape, self.dtype = of.y_shape, jnp.dtype(jnp.float32)

    def settle(self) -> None:
        if self._behind is None:
            of, operands = self._whole()
            self._behind = custom_call.call(of, *operands, kept=self._of_kernel)

    def _whole(self, *more: str) -> tuple[Any, tuple[Any, ...]]:
        """The convolution with all that is to be done, and its operands; None if the library does not do it."""
        named = [(name, v) for name, v in (("scale", self._scale), ("shift", self._shift)) if v is not None]
        names = (*(name for name, _ in named), *more)
        of = self._of.joined(*names) if names else self._of
        return of, (*self._operands, *(v for _, v in named))

    def moved_by(self, scale: Any, shift: Any) -> Pending | None:
        """``self * scale + shift``, both numbers of channels or None."""
        one, other = self._scale, self._shift
        if scale is not None:
            one = scale if one is None else one * scale
            other = None if other is None else other * scale
        if shift is not None:
            other = shift if other is None else other + shift
        made = Pending(self._of, self._operands, self._of_kernel, one, other)
        return made if made._whole()[0] is not None else None

    def then(self, *more: str, operands: Sequence[Any] = ()) -> Pending | None:
        """The same with further steps of :mod:`megengine.ops.onednn.steps`."""
        of, given = self._whole(*more)
        return None if of is None else Pending(of, (*given, *operands), self._of_kernel)


def joined(eqn: Any, operands: list[Laid], once: Sequence[bool]) -> Laid | None:
    """The result of an elementwise equation as part of a convolution that computes one of its operands; None where it is not.

    Args:
        eqn: the equation.
        operands: its operands.
        once: for each, whether nothing else reads it.
    """
    name = eqn.primitive.name
    if len(operands) != 2 or name not in ("add", "add_any", "sub", "mul") or eqn.outvars[0].aval.dtype != jnp.float32:
        return None
    for k in (0, 1) if name != "sub" else (0,):
        x, other = operands[k], operands[1 - k]
        if not (isinstance(x, Pending) and once[k]) or x is other or x.shape != eqn.outvars[0].aval.shape:
            continue
        numbers = of_channels(other, x.shape)
        if numbers is not None:
            return (
                x.moved_by(numbers, None) if name == "mul" else x.moved_by(None, -numbers if name == "sub" else numbers)
            )
        if name in ("add", "add_any") and other.shape == x.shape and other.dtype == jnp.float32:
            found = x.then("add")
            if found is not None and (other.is_behind or not other.moves(True)):
                return x.then("add", operands=[other.behind])
    return None


def of_channels(array: Laid, shape: tuple[int, ...]) -> Any:
    """What an array that is broadcast to a shape has for each of the channels; None where it differs within one."""
    if array.dtype != jnp.float32:
        return None
    if array.channels is not None:
        return array.channels if array.shape == shape else None
    channels = shape[1]
    if not array.shape:
        return jnp.broadcast_to(array.front, (channels,))
    if array.shape == (1, channels, *[1] * (len(shape) - 2)):
        return array.front.reshape(channels)
    return None


class Rectifier(NamedTuple):
    """``x`` where it is above zero, else zero; with a limit, at most that.

    Attributes:
        source: what is rectified.
        limit: None for none.
        members: the equations, all of which nothing else needs.
    """

    source: Name
    limit: float | None
    members: list[Step]

    def of(self, x: Pending) -> Pending | None:
        """As part of the convolution that computes the source."""
        if self.limit is None:
            return x.then("relu")
        return x.then("least", "relu", operands=[jnp.full(x.shape[1], self.limit, jnp.float32)])


def rectifiers(flat: Flat) -> dict[Step, Rectifier]:
    """The rectifiers in a jaxpr, by their last equation."""
    found = {}
    for step in flat.steps:
        if step.primitive.name == "select_n":
            rectifier = _relu(flat, step) or _relu6(flat, step)
            if rectifier is not None:
                found[step] = rectifier
    return found


def _relu(flat: Flat, last: Step) -> Rectifier | None:
    """``where(x > 0, x, 0)``."""
    which, zeros, x = last.invars
    test = _comparison(flat, which, "gt", x, 0.0)
    if test is None or _number(flat, zeros) != 0 or flat.uses[x] != 2:
        return None
    return Rectifier(x, None, [test, last])


def _relu6(flat: Flat, last: Step) -> Rectifier | None:
    """``where(x <= 0, 0, where(x < limit, x, limit))``."""
    which, inner, zeros = last.invars
    below = flat.producer.get(inner) if type(inner) is Name else None
    if below is None or below.primitive.name != "select_n" or flat.uses[inner] != 1:
        return None
    limit, x = _number(flat, below.invars[1]), below.invars[2]
    if limit is None or _number(flat, zeros) != 0 or type(x) is not Name or flat.uses[x] != 3:
        return None
    one, other = _comparison(flat, which, "le", x, 0.0), _comparison(flat, below.invars[0], "lt", x, limit)
    return None if one is None or other is None else Rectifier(x, limit, [one, other, below, last])


def _comparison(flat: Flat, which: Any, name: str, x: Any, number: float) -> Step | None:
    """The step that compares ``x`` with a number for this one use."""
    step = flat.producer.get(which) if type(which) is Name else None
    if step is None or step.primitive.name != name or flat.uses[which] != 1 or type(x) is not Name:
        return None
    return step if step.invars[0] is x and _number(flat, step.invars[1]) == number else None


def _number(flat: Flat, v: Any) -> float | None:
    """The number that all elements of an operand are."""
    while type(v) is Name and (step := flat.producer.get(v)) is not None and step.primitive.name == "broadcast_in_dim":
        v = step.invars[0]
    return float(v.val) if isinstance(v, Literal) and not jnp.shape(v.val) else None


def per_channel(x: Laid, shape: tuple[int, ...], dimensions: tuple[int, ...]) -> Any:
    """What an array that is broadcast so has for each channel of the result; None where it differs within one."""
    if len(shape) < 3 or x.dtype != jnp.float32:
        return None
    along = [d for d, n in zip(dimensions, x.shape, strict=True) if n > 1]
    if along == [1] or not along:
        return jnp.broadcast_to(x.front.reshape(-1), (shape[1],))
    return None
