"""Explicit casts: that operands are cast to a common dtype is an equation of its own, as exporters and pictures want it."""

from __future__ import annotations

import numpy as np

from ...ops.elemwise import cast as cast_op
from ...ops.promote import SCALAR_DTYPE
from ..infer import infer
from ..ir import AnyEquation, Equation, Function, Residuals, Scalar, Var, VjpEquation
from ..signature import Signature
from ..value import Aval


def explicit_casts(function: Function) -> Function:
    """Put an equation ``cast`` before each operand that an op casts, and one after its cotangent.

    An op that would take what it casts to for something else keeps its casts: a transposed convolution sums int8 as int32, but
    takes no int32.
    """
    made: list[AnyEquation] = []
    instead: dict[Equation, Equation] = {}
    for equation in function.equations:
        if isinstance(equation, VjpEquation):
            made += _vjp(equation, instead.get(equation.of, equation.of))
        elif any(c is not None for c in equation.signature.casts) and _takes_what_it_casts_to(equation.signature):
            *casts, bare = _without_casts(equation)
            made += [*casts, bare]
            instead[equation] = bare
        else:
            made.append(equation)
    residuals = [Residuals(instead.get(of, of), linearised) for of, linearised in function.residuals]
    return function.having(equations=made, residuals=residuals)


def _takes_what_it_casts_to(signature: Signature) -> bool:
    """Whether an op leaves operands alone that have the dtypes to which it casts."""
    op = signature.op
    if op.promote is None:
        return True
    kinds = [s.dtype if isinstance(s, Aval) else s for s in signature.specs]
    kinds = [k if c is None else c for k, c in zip(kinds, signature.casts, strict=True)]
    try:
        again = op.promote(op.name, kinds)
    except RuntimeError:  # it refuses them
        return False
    return all(
        w is None or w == (SCALAR_DTYPE[k] if isinstance(k, str) else k) for w, k in zip(again, kinds, strict=True)
    )


def _cast(value: Var | Scalar, dtype: np.dtype, near: AnyEquation) -> Equation:
    spec = value.kind if isinstance(value, Scalar) else value.aval
    signature = infer(cast_op, (dtype,), (spec,))
    return Equation(signature, (value,), (Var(signature.avals[0]),), None, near.source, near.scope)


def _without_casts(equation: Equation) -> list[Equation]:
    """The casts, and the equation that reads what they give."""
    casts: list[Equation] = []
    inputs: list[Var | Scalar] = []
    for value, dtype in zip(equation.inputs, equation.signature.casts, strict=True):
        if dtype is not None:
            casts.append(_cast(value, dtype, equation))
            value = casts[-1].outputs[0]
        inputs.append(value)
    specs = tuple(v.kind if isinstance(v, Scalar) else v.aval for v in inputs)
    signature = infer(equation.op, equation.signature.attrs, specs)
    where = equation.number, equation.source, equation.scope
    return [*casts, Equation(signature, tuple(inputs), equation.outputs, *where)]


def _vjp(equation: VjpEquation, of: Equation) -> list[AnyEquation]:
    """The VJP of an equation without casts, and the casts of what it gives."""
    outputs, casts = [], []
    for k, out in zip(equation.wrt, equation.outputs, strict=True):
        spec = of.signature.specs[k]
        if spec is not out.aval:
            narrow = Var(spec)
            cast = _cast(narrow, out.aval.dtype, equation)
            casts.append(cast.with_vars((narrow,), (out,)))
            outputs.append(narrow)
        else:
            outputs.append(out)
    return [equation.with_vars(equation.cotangents, tuple(outputs), of), *casts]
