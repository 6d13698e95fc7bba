"""Expressions that programs compile as one operator: ``subgraph``, ``subgraph_fn``. Here what is recorded is compiled anyway,
so they run as they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ClassVar

import numpy as np

from ...autodiff import Function
from ...functional import _modes, zeros_like
from ...tensor import Tensor
from ..ops.builtin import Concat, Elemwise, GetVarShape, Linspace, Subtensor, TypeCvt
from ..ops.opdef import OpDef, apply

__all__ = ["interpret_subgraph", "subgraph", "subgraph_fn"]

# What MegEngine's expressions call their operators, where that is no mode of Elemwise.
_SYMBOLS = {
    ("-", 1): "NEGATE", ("+", 2): "ADD", ("-", 2): "SUB", ("*", 2): "MUL", ("/", 2): "TRUE_DIV", ("//", 2): "FLOOR_DIV",
    ("**", 2): "POW", ("additive", 2): "ADD", ("fma3", 3): "FUSE_MUL_ADD3", ("fma4", 4): "FUSE_MUL_ADD4",
}  # fmt: skip
_SLICES = {
    ("[?:]", 2): Subtensor(items=[(0, True, False, False, False)]),
    ("[:?]", 2): Subtensor(items=[(0, False, True, False, False)]),
}


class _Known(np.ndarray):
    """A value of an expression that is known while it is recorded: a constant, a shape, and what is computed from them.

    Computed at once, so that a shape made of sizes waits for nothing.
    """


def _known(value: Any, dtype: Any) -> _Known:
    return np.asarray(value, dtype=None if dtype is None else np.dtype(dtype)).view(_Known)


_ON_KNOWN: dict[str, Callable[..., Any]] = {
    "ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "FLOOR_DIV": np.floor_divide, "MAX": np.maximum,
    "MIN": np.minimum, "NEGATE": np.negative,
}  # fmt: skip


def _as_op(name: str, op: Any, count: int) -> OpDef:
    """An operator from an operator, its symbol, or the name of its mode."""
    if isinstance(op, OpDef):
        return op
    if not isinstance(op, str):
        raise TypeError(f"{name}: expressions take operators, or their names, not {op!r}")
    if (op, count) in _SLICES:
        return _SLICES[op, count]
    mode = _SYMBOLS.get((op, count), op)
    _modes.check(mode)
    return Elemwise(mode)


def _on_known(op: OpDef, values: Sequence[_Known]) -> _Known | None:
    """The result for operands that are all known, where it is cheap to say."""
    if isinstance(op, Elemwise) and (function := _ON_KNOWN.get(str.__str__(op.mode))):
        result = function(*values)
        return _known(result, values[0].dtype)
    if isinstance(op, Concat):
        return np.concatenate([np.atleast_1d(v) for v in values], axis=op.axis).view(_Known)
    if isinstance(op, TypeCvt):
        return _known(values[0], op.dtype)
    if isinstance(op, Linspace) and op.endpoint:
        start, stop, count = (np.asarray(v).reshape(()) for v in values)
        return _known(np.linspace(start, stop, int(count)), "float32")
    return None


class _Expression:
    """``f`` and ``c`` of one expression."""

    def __init__(self, name: str, dtype: Any, device: Any) -> None:
        self.name, self.dtype, self.device = name, dtype, device

    def constant(self, value: Any, dtype: Any = None, device: Any = None) -> Any:
        if isinstance(value, Tensor):
            return value
        return _known(value, self.dtype if dtype is None else dtype)

    def tensor(self, value: Any) -> Any:
        return Tensor(np.asarray(value), device=self.device) if isinstance(value, _Known) else value

    def __call__(self, op: Any, *operands: Any, nr_out: int | None = None) -> Any:
        made = _as_op(self.name, op, len(operands))
        if all(isinstance(v, _Known) for v in operands) and (known := _on_known(made, operands)) is not None:
            return known if nr_out is None else (known,)
        if isinstance(made, GetVarShape) and len(operands) == 1 and isinstance(operands[0], Tensor):
            shape = operands[0].shape
            return _known(shape if made.axis == GetVarShape().axis else [shape[made.axis]], "int32")
        results = apply(made, *[self.tensor(v) for v in operands])
        if nr_out is None:
            if len(results) != 1:
                raise RuntimeError(f"{self.name}: {made!r} has {len(results)} results; say nr_out={len(results)}")
            return results[0]
        return results


class _Subgraph(OpDef):
    """An expression as an operator."""

    fields: ClassVar[dict[str, Any]] = {"function": None, "expression": None}
    function: Any
    expression: _Expression

    def _run(self, *inputs: Any) -> tuple[Tensor, ...]:
        f = self.expression
        outputs, has_grad = self.function(list(inputs), f, f.constant)
        made = [f.tensor(y) for y in outputs]
        return tuple(y if smooth else y.detach() for y, smooth in zip(made, has_grad, strict=True))

    def __repr__(self) -> str:
        return self.expression.name


class _WithGradient(Function):
    """An expression that yields its results, is sent their cotangents, and yields those of its inputs."""

    def __init__(self, function: Any, expression: _Expression, nr_inputs: int) -> None:
        self.function, self.expression, self.nr_inputs = function, expression, nr_inputs

    def forward(self, *inputs: Tensor) -> Any:
        if len(inputs) != self.nr_inputs:
            raise TypeError(f"{self.expression.name} takes {self.nr_inputs} tensors, got {len(inputs)}")
        f = self.expression
        self.steps = self.function(list(inputs), f, f.constant)
        self.outputs = tuple(f.tensor(y) for y in self.steps.send(None))
        return self.outputs

    def backward(self, *cotangents: Tensor | None) -> Any:
        given = [zeros_like(y) if dy is None else dy for y, dy in zip(self.outputs, cotangents, strict=True)]
        gradients = self.steps.send(given)
        self.steps.close()
        return tuple(None if g is None else self.expression.tensor(g) for g in gradients)


def subgraph(
    name: str,
    dtype: Any,
    device: Any,
    nr_inputs: int,
    gopt_level: int | None = None,
    jit_fusion: bool = False,
    custom_grad: bool = False,
) -> Callable[..., Callable[[], Any]]:
    """Decorator for an expression ``function(inputs, f, c)``; the result makes operators for ``apply``.

    Args:
        name: of the expression, for errors.
        dtype: of constants.
        device: of constants.
        nr_inputs: how many tensors it takes.
        gopt_level, jit_fusion: how MegEngine compiles it; nothing here.
        custom_grad: the expression is a generator: it yields its results, is sent their cotangents, and yields those
            of its inputs.

    Example:
        >>> from megengine.core._imperative_rt.core2 import apply
        >>> from megengine.core.tensor.utils import subgraph
        >>> @subgraph("twice", dtype="float32", device="xpux", nr_inputs=1)
        ... def twice(inputs, f, c):
        ...     return (f("*", inputs[0], c(2.0)),), (True,)
        >>> apply(twice(), Tensor([1.0, 3.0]))
        (Tensor([2. 6.], device=xpux:0),)
    """

    def decorate(function: Callable[..., Any]) -> Callable[[], Any]:
        expression = _Expression(name, dtype, device)

        @wraps(function)
        def make() -> Any:
            if custom_grad:
                return _WithGradient(function, expression, nr_inputs)
            return _Subgraph(function, expression)

        return make

    return decorate


def subgraph_fn(
    name: str,
    dtype: Any,
    device: Any,
    nr_inputs: int,
    gopt_level: int | None = None,
    jit_fusion: bool = False,
    custom_grad: bool = False,
    *,
    interpret: bool = False,
) -> Callable[..., Any]:
    """Decorator for ``function(inputs, f, c)``, which writes an expression with ``f("+", x, y)`` and constants ``c(1.0)``.

    It runs as any other operators do, which are compiled together anyway.

    Args:
        name: of the expression, for errors.
        dtype: of constants.
        device: of constants.
        nr_inputs: how many tensors it takes.
        gopt_level, jit_fusion, interpret: how MegEngine compiles it; nothing here.
        custom_grad: see :func:`subgraph`.

    Returns:
        A decorator; what it returns takes the inputs and returns the tuple of outputs. ``function`` returns them with a
        tuple of bools, which of them have gradients.

    Raises:
        TypeError: another number of inputs, or ``f`` is called with what is no operator.

    Example:
        >>> from megengine.core.tensor.utils import subgraph_fn
        >>> @subgraph_fn("twice", dtype="float32", device="xpux", nr_inputs=1)
        ... def twice(inputs, f, c):
        ...     return (f("*", inputs[0], c(2.0)),), (True,)
        >>> twice(Tensor([1.0, 3.0]))
        (Tensor([2. 6.], device=xpux:0),)
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
        make = subgraph(name, dtype, device, nr_inputs, gopt_level, jit_fusion, custom_grad)(function)

        @wraps(function)
        def call(*inputs: Tensor) -> tuple[Any, ...]:
            if len(inputs) != nr_inputs:
                raise TypeError(f"{name} takes {nr_inputs} tensors, got {len(inputs)}")
            return apply(make(), *inputs)

        return call

    return decorate


def interpret_subgraph(func: Callable[..., Any], dtype: Any, device: Any) -> Callable[..., Any]:
    """An expression as a function of its inputs; see :func:`subgraph_fn`."""
    expression = _Expression(getattr(func, "__name__", "expression"), dtype, device)

    @wraps(func)
    def call(*inputs: Tensor) -> list[Any]:
        return list(apply(_Subgraph(func, expression), *inputs))

    return call
