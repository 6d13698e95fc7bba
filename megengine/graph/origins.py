"""Where a captured call has its values from: what a replay looks up instead of recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .value import Handle, Value

Target = Handle | int  # a tensor that is rebound or has a gradient, or the number of the argument that it is


def target(which: Target, args: Sequence[Any]) -> Any:
    """The tensor."""
    return args[which] if type(which) is int else which


class Argument(NamedTuple):
    """What an argument holds."""

    number: int

    def value(self, args: Sequence[Any]) -> Value:
        """The value, at a call with these arguments."""
        value: Value = args[self.number]._value
        return value


class Held(NamedTuple):
    """What a tensor holds that is not an argument."""

    tensor: Handle

    def value(self, args: Sequence[Any]) -> Value:
        """See :meth:`Argument.value`."""
        return self.tensor._value


class Gradient(NamedTuple):
    """What the gradient of a tensor holds."""

    of: Target

    def value(self, args: Sequence[Any]) -> Value:
        """See :meth:`Argument.value`."""
        value: Value = target(self.of, args)._grad._value
        return value


class Constant(NamedTuple):
    """What the call made of data of its own."""

    made: Value

    def value(self, args: Sequence[Any]) -> Value:
        """See :meth:`Argument.value`."""
        return self.made


class Output(NamedTuple):
    """A result of the program."""

    number: int


class Itself(NamedTuple):
    """The very tensor, not another one that holds the same."""

    tensor: Target


Origin = Argument | Held | Gradient | Constant
