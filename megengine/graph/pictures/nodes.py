"""A function's inputs and equations as data for a picture: what each is, reads, and costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..ir import AnyEquation, Function, Var, VjpEquation
from ..lower import Plan
from ..value import Aval
from .operations import operations

Data = dict[str, Any]


def nodes(function: Function, held: bool = False) -> list[Data]:
    """A node for each input, constant and equation of a function, ready for JSON.

    Args:
        function: the function.
        held: its inputs that have names are held by modules and optimizers.

    Returns:
        in an order in which they can be computed, each with ``id``, ``kind`` (input, param, op, gradient, output), ``op``,
        ``name``, ``shape``, ``dtype``, ``inputs`` (ids), ``where`` (the line), ``scope`` (modules), and, of equations,
        ``attributes``, ``flops`` and ``bytes`` (read and written, if it ran alone).
    """
    made = _Nodes()
    for var in function.inputs:
        made.add((var,), (), op="input", kind="param" if held and var.name else "input", name=var.name or "input")
    for var in function.constants:
        made.add((var,), (), op="constant", kind="param", name=var.name or "constant")
    for equation, flops in zip(function.equations, flops_of(function), strict=True):
        made.add_equation(equation, flops)
    for var in function.outputs:
        if made.found[made.producer[var]]["kind"] == "op":
            made.found[made.producer[var]]["kind"] = "output"
    return made.found


class _Nodes:
    """The nodes so far, and which of them makes each value."""

    def __init__(self) -> None:
        self.found: list[Data] = []
        self.producer: dict[Var, int] = {}

    def add(self, outputs: Sequence[Var], reads: Iterable[Var], **about: Any) -> Data:
        number, aval = len(self.found), outputs[0].aval
        inputs = sorted({self.producer[v] for v in reads})
        self.producer.update(dict.fromkeys(outputs, number))
        node: Data = {"id": number, "shape": list(aval.shape), "dtype": aval.dtype.name, "inputs": inputs}
        node |= {"where": "", "scope": [], **about}
        if len(outputs) > 1:
            node["also"] = [repr(v.aval) for v in outputs[1:]]
        self.found.append(node)
        return node

    def add_equation(self, equation: AnyEquation, flops: int) -> None:
        reads = equation.reads()
        kind = "op"
        if isinstance(equation, VjpEquation):
            op, kind = f"{equation.of.name}.grad", "gradient"
            reads = (*reads, equation.of.outputs[0])
            attributes = f"with regard to operand {', '.join(map(str, equation.wrt))}"
        else:
            op = equation.name
            kind = "gradient" if op.endswith(".grad") else "op"
            attributes = ", ".join(f"{name}={value!r}" for name, value in equation.attributes.items())
        size = sum(_bytes(v.aval) for v in (*reads, *equation.outputs))
        about = {"where": equation.source, "scope": [*equation.scope], "attributes": attributes}
        self.add(equation.outputs, reads, op=op, kind=kind, name=op, flops=flops, bytes=size, **about)


def flops_of(function: Function) -> list[int]:
    """The operations of each equation, counted in what computes it."""
    counted: dict[int, int] = {}
    found = []
    for step in Plan(function, len(function.outputs), check_nan=False).steps:
        key = id(step.traced)
        if key not in counted:
            counted[key] = operations(step.traced.closed.jaxpr)
        found.append(counted[key])
    return found


def _bytes(aval: Aval) -> int:
    return aval.size * aval.dtype.itemsize


def is_equation(node: Data) -> bool:
    """Whether a node computes something."""
    return "flops" in node
