"""Jaxprs of elementwise ops at other shapes, made from one that was traced: an optimizer updates parameters of many shapes.

Where all operands are of one shape or numbers, nothing of the jaxpr but that shape differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from ..ops.op import Op
from .caches import Cache
from .stored import families as stored
from .stored.families import Kept
from .stored.jaxprs import dumps, loads
from .symbols import Symbols
from .value import Aval

Shape = tuple[int, ...]
Made = tuple[ClosedJaxpr, bool]
_ELEMENTWISE = {
    "abs", "add", "and", "convert_element_type", "copy", "div", "eq", "exp", "ge", "gt", "integer_pow", "is_finite", "le", "log",
    "lt", "max", "min", "mul", "ne", "neg", "not", "or", "pow", "rsqrt", "select_n", "sign", "sqrt", "square", "sub",
}  # fmt: skip
_CALLS = ("jit", "pjit")
_traced = Cache(1024)  # (shape, jaxpr) by what else the jaxpr depends on


def elementwise(
    op: Op, attrs: tuple[Any, ...], targets: tuple[Any, ...], specs: tuple[Any, ...], trace: Callable[[], Made]
) -> Made | None:
    """An op's jaxpr, traced or from another shape's, and whether its results are a tuple; None where shapes differ.

    Args:
        op: an elementwise one.
        attrs: its attributes.
        targets: the dtype that each operand is cast to first, or None.
        specs: what the operands are, as in :func:`megengine.graph.infer.infer`.
        trace: gives the jaxpr for this shape.
    """
    shapes = {s.shape for s in specs if isinstance(s, Aval)} - {()}
    if len(shapes) != 1:
        return None
    (shape,) = shapes
    kinds = tuple([(s.shape == shape, s.dtype) if isinstance(s, Aval) else s for s in specs])
    made = _traced.get((op, attrs, targets, kinds), lambda: _stored(op, attrs, targets, kinds) or (shape, trace()))
    known, (closed, multi) = made
    if known == shape:
        return closed, multi
    moved = _at(closed, known, shape)
    return trace() if moved is None else (moved, multi)


def _stored(op: Op, *parts: Any) -> tuple[Shape, Made] | None:
    """What the package comes with for this op."""
    for kept in stored.find(op.identity, "elementwise", *parts):
        content, multi = kept.content
        return kept.example, (loads(content, Symbols(())), multi)
    return None


def store() -> Iterator[tuple[Op, tuple[Any, ...], Kept]]:
    """The jaxprs that were traced: op, what else each depends on, and it in terms that can be written into a file."""
    for (op, *parts), (shape, (closed, multi)) in _traced.items():
        yield op, ("elementwise", *parts), Kept(shape, (), (), (dumps(closed, True), multi))


def _at(closed: ClosedJaxpr, known: Shape, shape: Shape) -> ClosedJaxpr | None:
    """A jaxpr with one shape in place of another; None where it may depend on it otherwise."""
    if any(getattr(c, "shape", ()) for c in closed.consts):
        return None
    jaxpr = _jaxpr_at(closed.jaxpr, known, shape)
    return None if jaxpr is None else ClosedJaxpr(jaxpr, closed.consts)


def _jaxpr_at(jaxpr: Jaxpr, known: Shape, shape: Shape) -> Jaxpr | None:
    new: dict[Any, Any] = {}

    def moved(atom: Any) -> Any:
        if isinstance(atom, Literal) or atom.aval.shape != known:
            return atom
        if atom not in new:
            new[atom] = type(atom)(atom.aval.update(shape=shape))
        return new[atom]

    equations = []
    for eqn in jaxpr.eqns:
        params, atoms = _params_at(eqn, known, shape), [*eqn.invars, *eqn.outvars]
        if params is None or any(getattr(v.aval, "shape", None) not in ((), known) for v in atoms):
            return None
        invars, outvars = list(map(moved, eqn.invars)), list(map(moved, eqn.outvars))
        equations.append(eqn.replace(invars=invars, outvars=outvars, params=params))
    invars, outvars = list(map(moved, jaxpr.invars)), list(map(moved, jaxpr.outvars))
    return jaxpr.replace(invars=invars, outvars=outvars, eqns=equations)


def _params_at(eqn: Any, known: Shape, shape: Shape) -> dict[str, Any] | None:
    name, params = eqn.primitive.name, eqn.params
    if name in _ELEMENTWISE:
        return dict(params)
    if name == "broadcast_in_dim" and params["shape"] == known and not params["broadcast_dimensions"]:
        return {**params, "shape": shape}
    if name in _CALLS:
        inner = _at(params["jaxpr"], known, shape)
        return None if inner is None else {**params, "jaxpr": inner}
    return None
