"""Element by element."""

from __future__ import annotations

from typing import Any

from .... import functional as F
from ....core.ops import builtin
from ....graph.exchange import GraphFileError
from ..building import Builder, rule, tensor
from ..container import Operator


@rule("Elemwise")
def elementwise(builder: Builder, op: Operator, *xs: Any) -> Any:
    """A mode; comparisons answer in the operands' dtype."""
    mode = op.param("Elemwise").mode
    if mode.upper() not in vars(builtin.Elemwise.Mode):
        raise GraphFileError(f"{op} has the mode {mode}, which megengine-xla does not have")
    return builtin.Elemwise(mode)._run(*map(tensor, xs))


@rule("ElemwiseMultiType")
def of_several_types(builder: Builder, op: Operator, *xs: Any) -> Any:
    """Comparisons, which answer in bools, and modes of quantised numbers."""
    mode = op.param("ElemwiseMultiType").mode
    if mode not in vars(builtin.ElemwiseMultiType.Mode):
        raise GraphFileError(f"{op} has the mode {mode}, which megengine-xla does not have")
    if mode.startswith("Q") and not op.dtype.is_quantised:
        raise GraphFileError(f"{op} has the mode {mode}, and its result no quantised dtype")
    dtype = op.dtype.dtype if mode.startswith("Q") else None
    return builtin.ElemwiseMultiType(mode, dtype)._run(*map(tensor, xs))


@rule("TypeCvt")
def cast(builder: Builder, op: Operator, x: Any) -> Any:
    """Another dtype."""
    return tensor(x).astype(op.params[0].dtype.dtype)


@rule("PowC")
def to_a_power(builder: Builder, op: Operator, x: Any) -> Any:
    """A fixed power."""
    return F.pow(tensor(x), op.param("PowC").exp)


@rule("Where")
def choose(builder: Builder, op: Operator, mask: Any, x: Any, y: Any) -> Any:
    """One or the other."""
    return F.where(tensor(mask), tensor(x), tensor(y))


@rule("MaskedFill")
def fill_under(builder: Builder, op: Operator, x: Any, mask: Any) -> Any:
    """One value under a mask."""
    return F.where(tensor(mask), F.full_like(tensor(x), op.param("Fill").value), tensor(x))


@rule("Identity", "Copy", "MarkDynamicVar", "MarkNoBroadcastElemwise", "PersistentOutputStorage", "VirtualDep")
def same(builder: Builder, op: Operator, x: Any, *others: Any) -> Any:
    """The operand itself; the kinds differ in where MegEngine keeps it."""
    return F.copy(tensor(x))
