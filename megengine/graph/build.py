"""From the trie's calls to a :class:`megengine.graph.ir.Function`."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from .device import Device
from .ir import AnyEquation, Equation, Function, Residuals, Scalar, Var, VjpEquation
from .trie import Call, Node
from .value import Aval

_sharing = threading.Lock()


def build(
    node: Node,
    outputs: Sequence[int] = (),
    kept: Sequence[tuple[int, tuple[int, ...]]] = (),
    *,
    names: Sequence[str] = (),
    sources: Sequence[str] = (),
    scopes: Sequence[tuple[str, ...]] = (),
    device: Device | None = None,
) -> Function:
    """The function that a recorded structure computes.

    Functions without names, lines and scopes share what they have of structures that begin alike.

    Args:
        node: the structure.
        outputs: positions of the values to return.
        kept: numbers of calls, with operands that they are linearised in, whose residuals are returned, too.
        names: of the inputs, in their order.
        sources: the user's line of each call.
        scopes: the module scope of each call.
        device: where it runs.
    """
    values: dict[int, Var] = {}
    equations: list[AnyEquation] = []
    if names or sources or scopes:
        inputs = []
        for k, (position, aval) in enumerate(node.input_positions()):
            var = values[position] = Var(aval, names[k] if names else "", None, position)
            inputs.append(var)
        for number, step in enumerate(node.path()):
            where = number, sources[number] if sources else "", scopes[number] if scopes else ()
            equations.append(_equation(step, values, equations, where))
    else:
        inputs = _shared(node, values, equations)
    residuals = [Residuals(equations[number], linearised) for number, linearised in kept]  # type: ignore[arg-type]
    returned = [values[position] for position in outputs]
    return Function(inputs, equations, returned, node.floats, node.ints, residuals, device=device)


def _shared(node: Node, values: dict[int, Var], equations: list[AnyEquation]) -> list[Var]:
    """Add a structure's values and equations to these; its inputs."""
    found: list[Var] = []
    with _sharing:
        for number, step in enumerate(node.path()):
            if step.built is None:
                assert step.parent is not None
                inputs = _results(step.inputs, step.parent.count, values)
                step.built = inputs, _equation(step, values, equations, (number, "", ()))
            else:
                values.update([(var.position, var) for var in (*step.built[0], *step.built[1].outputs)])
            found += step.built[0]
            equations.append(step.built[1])
    return found


def _equation(
    node: Node, values: dict[int, Var], before: list[AnyEquation], where: tuple[int, str, tuple[str, ...]]
) -> AnyEquation:
    call = node.call
    outputs = _results(node.avals, call.start, values)
    if isinstance(call, Call):
        inputs = tuple([values[o] if type(o) is int else Scalar(*o) for o in call.operands])
        return Equation(call.signature, inputs, outputs, *where)
    of = before[call.number]
    assert isinstance(of, Equation)
    wrt = tuple(call.linearised[k] for k in call.wrt)
    cotangents = tuple(None if c is None else values[c] for c in call.cotangents)
    return VjpEquation(of, call.linearised, wrt, cotangents, outputs, *where)


def _results(avals: tuple[Aval, ...], start: int, values: dict[int, Var]) -> tuple[Var, ...]:
    made = [Var(aval, "", None, start + k) for k, aval in enumerate(avals)]
    values.update(zip(range(start, start + len(made)), made, strict=True))
    return tuple(made)
