"""Helpers of functions that programs define on their own: scalars, shapes, and vectors from either."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ..._help.public import public_names
from ..._methods import axes as _axes
from ...functional import _modes, concat
from ...tensor import Tensor

__all__ = ["astensor1d", "isscalar", "make_shape_tuple", "subgraph_fn"]

# What MegEngine's expressions call their operators, where that is no mode of Elemwise.
_SYMBOLS = {
    ("-", 1): "NEGATE", ("+", 2): "ADD", ("-", 2): "SUB", ("*", 2): "MUL", ("/", 2): "TRUE_DIV", ("//", 2): "FLOOR_DIV",
    ("**", 2): "POW", ("additive", 2): "ADD", ("fma3", 3): "FUSE_MUL_ADD3", ("fma4", 4): "FUSE_MUL_ADD4",
}  # fmt: skip


def isscalar(x: Any) -> bool:
    """Whether this is a number, or a tensor without dimensions.

    Example:
        >>> from megengine.core.tensor.utils import isscalar
        >>> isscalar(1.0), isscalar(Tensor(1.0)), isscalar(Tensor([1.0]))
        (True, True, False)
    """
    return x.ndim == 0 if isinstance(x, Tensor) else bool(np.isscalar(x))


def make_shape_tuple(shape: Any) -> tuple[int, ...]:
    """A shape from an int, a tensor, or a sequence of these.

    Raises:
        ArgumentError: other entries.

    Example:
        >>> from megengine.core.tensor.utils import make_shape_tuple
        >>> make_shape_tuple([2, Tensor(3)]), make_shape_tuple(Tensor([4, 5]))
        ((2, 3), (4, 5))
    """
    return tuple(_axes.as_shape(shape, "shape"))


def astensor1d(x: Any, *reference: Tensor, dtype: Any = None, device: Any = None) -> Tensor:
    """A vector from a sequence of numbers and tensors; a tensor is returned as it is.

    Args:
        x: the sequence.
        reference: tensors that decide the dtype where ``dtype`` does not, by their promotion with it.
        dtype: default that of the elements.
        device: default that of new tensors.

    Example:
        >>> from megengine.core.tensor.utils import astensor1d
        >>> astensor1d([1, Tensor(2)])
        Tensor([1 2], dtype=int32, device=xpux:0)
    """
    if isinstance(x, Tensor):
        return x
    if isinstance(x, (list, tuple)) and any(isinstance(v, Tensor) for v in x):
        parts = [v if isinstance(v, Tensor) else Tensor(v) for v in x]
        vector = concat(parts, device=device)
        return vector if dtype is None else vector.astype(dtype)
    return Tensor(x, dtype=dtype, device=device)


def subgraph_fn(name: str, dtype: Any, device: Any, nr_inputs: int, *settings: Any, **named: Any) -> Callable[..., Any]:
    """Decorator for ``function(inputs, f, c)``, which writes an expression with ``f("+", x, y)`` and constants ``c(1.0)``.

    It runs as any other operators do, which are compiled together anyway.

    Args:
        name: of the expression, for errors.
        dtype: of constants.
        device: of constants.
        nr_inputs: how many tensors it takes.
        settings, named: how MegEngine compiles it; nothing here.

    Returns:
        A decorator; what it returns takes the inputs and returns the tuple of outputs. ``function`` returns them with a
        tuple of bools, which of them have gradients.

    Raises:
        NotImplementedError: ``f`` is called with an operator of MegEngine's interpreter.

    Example:
        >>> from megengine.core.tensor.utils import subgraph_fn
        >>> @subgraph_fn("twice", dtype="float32", device="xpux", nr_inputs=1)
        ... def twice(inputs, f, c):
        ...     return (f("*", inputs[0], c(2.0)),), (True,)
        >>> twice(Tensor([1.0, 3.0]))
        (Tensor([2. 6.], device=xpux:0),)
    """

    def constant(value: Any, dtype: Any = dtype, device: Any = device) -> Tensor:
        return Tensor(value, dtype=dtype, device=device)

    def expression(op: Any, *operands: Tensor) -> Tensor:
        if not isinstance(op, str):
            raise NotImplementedError(
                f"{name}: expressions take operators by name, not {op!r}; write it in functional's"
            )
        return _modes.call(_SYMBOLS.get((op, len(operands)), op), *operands)

    def decorate(function: Callable[..., Any]) -> Callable[..., tuple[Tensor, ...]]:
        @wraps(function)
        def call(*inputs: Tensor) -> tuple[Tensor, ...]:
            if len(inputs) != nr_inputs:
                raise TypeError(f"{name} takes {nr_inputs} tensors, got {len(inputs)}")
            outputs, has_grad = function(inputs, expression, constant)
            return tuple(y if smooth else y.detach() for y, smooth in zip(outputs, has_grad, strict=True))

        return call

    return decorate


__dir__ = public_names(globals())
