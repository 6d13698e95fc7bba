"""Whether a function is well formed: checked after each pass in the tests, and where ``MEGENGINE_VERIFY=1`` asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .equations import AnyEquation, Equation, Var, VjpEquation
from .errors import VerificationError
from .infer import infer
from .printing import Names, call
from .value import Aval

if TYPE_CHECKING:
    from .ir import Function


def verify(function: Function) -> None:
    """See :meth:`megengine.graph.ir.Function.verify`."""
    defined: set[Var] = set(function.constants)
    _define(function, defined, function.inputs, None)
    seen: set[AnyEquation] = set()
    for equation in function.equations:
        for var in equation.reads():
            if var not in defined:
                _fail(function, equation, f"reads {var!r}, which is not computed before it")
        _scalars(function, equation)
        expected = _expected(function, equation, seen)
        for k, (var, aval) in enumerate(zip(equation.outputs, expected, strict=False)):
            if var.aval is not aval:
                _fail(function, equation, f"gives {var.aval!r} as result {k}, where {aval!r} is inferred")
        if len(equation.outputs) != len(expected):
            _fail(function, equation, f"has {len(equation.outputs)} results, where {len(expected)} are inferred")
        _define(function, defined, equation.outputs, equation)
        seen.add(equation)
    for var in function.outputs:
        if var not in defined:
            _fail(function, None, f"returns {var!r}, which is not computed")
    for of, _ in function.residuals:
        if of not in seen:
            _fail(function, None, f"keeps residuals of {of!r}, which is not one of its equations")


def _define(function: Function, defined: set[Var], made: tuple[Var, ...], equation: AnyEquation | None) -> None:
    for var in made:
        if var in defined:
            _fail(function, equation, f"defines {var!r} twice")
        defined.add(var)


def _scalars(function: Function, equation: AnyEquation) -> None:
    if isinstance(equation, Equation):
        for operand in equation.inputs:
            if not isinstance(operand, Var):
                count = function.floats if operand.kind == "f" else function.ints
                if not 0 <= operand.number < count:
                    _fail(function, equation, f"takes number {operand.number} of {count} of kind {operand.kind!r}")


def _expected(function: Function, equation: AnyEquation, seen: set[AnyEquation]) -> tuple[Aval, ...]:
    """The avals of an equation's results, as they are inferred."""
    if isinstance(equation, VjpEquation):
        return _expected_of_vjp(function, equation, seen)
    specs = tuple(v.aval if isinstance(v, Var) else v.kind for v in equation.inputs)
    signature = equation.signature
    if specs != signature.specs:
        _fail(function, equation, f"takes {specs}, where its signature has {signature.specs}")
    return infer(signature.op, signature.attrs, specs).avals


def _expected_of_vjp(function: Function, equation: VjpEquation, seen: set[AnyEquation]) -> tuple[Aval, ...]:
    of = equation.of
    if of not in seen:
        _fail(function, equation, f"is the VJP of {of!r}, which is not computed before it")
    if not set(equation.wrt) <= set(equation.linearised):
        _fail(function, equation, f"is wrt {equation.wrt}, where its forward is linearised in {equation.linearised}")
    if len(equation.cotangents) != len(of.outputs):
        _fail(function, equation, f"has {len(equation.cotangents)} cotangents for {len(of.outputs)} results")
    for cotangent, out in zip(equation.cotangents, of.outputs, strict=True):
        if cotangent is not None and cotangent.aval.shape != out.aval.shape:
            _fail(function, equation, f"has the cotangent {cotangent!r} for the result {out!r}")
    return tuple(of.signature.specs[k] for k in equation.wrt)


def _fail(function: Function, equation: AnyEquation | None, what: Any) -> None:
    where = "the function" if equation is None else call(equation, Names(function))
    at = f" at {equation.source}" if equation is not None and equation.source else ""
    raise VerificationError(f"{where}{at} {what}")
