"""A graph as StableHLO, serialized by ``jax.export``: JAX alone runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from ...ops.onednn import custom_call
from ...ops.promote import SCALAR_DTYPE
from ...ops.sized import FROM_NUMBERS
from ..ir import Equation, Scalar
from ..lower import Plan
from ..value import Aval, aval
from .batch import Batched, Reciprocal, Varying, at
from .model import GraphFileError, Model


def stablehlo(model: Model, other: Model | None, platforms: Sequence[str], batch: str = "batch") -> bytes:
    """The bytes that ``jax.export.deserialize`` reads.

    Args:
        model: the graph.
        other: the same one with another batch size, for one whose batch is free.
        platforms: where it may run: ``"cpu"``, ``"cuda"``, ``"rocm"``, ``"tpu"``.
        batch: the name of the free dimension.

    Raises:
        GraphFileError: an op does not take sizes that are free.
    """
    for equation in model.function.equations:
        if isinstance(equation, Equation) and equation.op in FROM_NUMBERS:
            raise GraphFileError(f"the size of the result of {equation.name}{at(equation)} depends on numbers")
    batched = Batched(model, other)
    size = None if other is None else export.symbolic_shape(batch)[0]
    specs = [jax.ShapeDtypeStruct(_at(batched.shape(v), size), v.aval.dtype) for v in model.function.inputs]
    function = _plain(model) if other is None else _of_any_batch(batched, size)
    try:
        with custom_call.portable():
            return bytes(export.export(jax.jit(function), platforms=tuple(platforms))(*specs).serialize())
    except jax.errors.InconclusiveDimensionOperation as error:
        raise GraphFileError(
            f"an op does not take a free batch: export it with dynamic_batch=False ({error})"
        ) from error


def _plain(model: Model) -> Callable[..., Any]:
    function = model.function
    numbers: list[Any] = [np.asarray(model.floats, np.float32)] if function.floats else []
    numbers += [np.asarray(model.ints, np.int32)] if function.ints else []
    run = Plan(function, len(function.outputs), False).callable(jnp, attrgetter("staged"))
    checks = any(isinstance(e, Equation) and e.op.valid is not None for e in function.equations)
    return lambda *args: tuple(run(*numbers, *args)[checks:])


def _of_any_batch(batched: Batched, size: Any) -> Callable[..., Any]:
    """The graph op by op, with sizes that are expressions of the batch's."""
    function = batched.function
    constants = {var: batched.constant(var) for var in function.constants}

    def run(*args: Any) -> tuple[Any, ...]:
        env: dict[Any, Any] = {**constants, **dict(zip(function.inputs, args, strict=True))}
        for equation in function.equations:
            if not isinstance(equation, Equation):
                raise GraphFileError(f"{equation.name}{at(equation)}: gradients need dynamic_batch=False")
            operands = [
                _number(batched, o, size) if isinstance(o, Scalar) else jnp.asarray(env[o]) for o in equation.inputs
            ]
            op = equation.op
            try:
                attributes = {name: _at(value, size) for name, value in batched.attributes(equation).items()}
                made = op.bind(op.in_order(attributes), equation.signature.casts)(*operands)
            except (GraphFileError, TypeError, ValueError, jax.errors.JAXTypeError) as error:
                raise GraphFileError(
                    f"the op {op.name}{at(equation)} does not take a free batch: export it with dynamic_batch=False ({error})"
                ) from error
            env.update(zip(equation.outputs, made if isinstance(made, tuple) else (made,), strict=True))
        return tuple(jnp.asarray(env[var]) for var in function.outputs)

    return run


def _number(batched: Batched, scalar: Scalar, size: Any) -> Any:
    value = batched.number(scalar)
    if isinstance(value, Reciprocal):
        return jnp.float32(value.scale) / jnp.asarray(size, jnp.float32)
    return jnp.asarray(_at(value, size), SCALAR_DTYPE[scalar.kind])


def _at(value: Any, size: Any) -> Any:
    """An attribute in which sizes that depend on the batch are expressions of its symbol."""
    if isinstance(value, Varying):
        return (value.factor * size + value.offset) // value.divisor
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(_at(v, size) for v in value)
    if isinstance(value, slice):
        return slice(*(_at(v, size) for v in (value.start, value.stop, value.step)))
    return value


def load(data: bytes) -> tuple[list[Aval], list[Aval], Callable[..., Sequence[Any]]]:
    """What a program that :func:`stablehlo` wrote takes and gives, and how it is called; a free size is told as 1.

    Raises:
        GraphFileError: the bytes are no such program.
    """
    try:
        exported = export.deserialize(bytearray(data))
    except Exception as error:  # what a damaged file makes of it is not said by JAX
        raise GraphFileError(f"this is no StableHLO that jax.export wrote: {error}") from error
    return _described(exported.in_avals), _described(exported.out_avals), exported.call


def _described(arrays: Sequence[Any]) -> list[Aval]:
    return [aval(tuple(n if isinstance(n, int) else 1 for n in a.shape), np.dtype(a.dtype)) for a in arrays]
