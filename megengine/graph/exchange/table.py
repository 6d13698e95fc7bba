"""The table of ops by name: what a file calls an op is what messages and pictures call it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ... import ops
from ...ops.op import Op
from ...ops.promote import SCALAR_DTYPE
from ..equations import Equation
from .model import GraphFileError


@cache
def by_name() -> dict[str, Op]:
    """Every op of the table."""
    found: dict[str, Op] = {}
    for module in pkgutil.walk_packages(ops.__path__, f"{ops.__name__}."):
        for op in vars(importlib.import_module(module.name)).values():
            if isinstance(op, Op):
                assert found.setdefault(op.name, op) is op, f"two ops are called {op.name}"
    return found


def written(equation: Equation) -> tuple[str, tuple[Any, ...] | None]:
    """The name of an equation's op, and the dtypes that it casts its operands to where mixed precision says so.

    Raises:
        GraphFileError: the op was made while the program ran.
    """
    op = equation.op
    known = by_name().get(op.name)
    if known is None or known.lower is not op.lower:
        raise GraphFileError(
            f"{op.name} (of {equation.source or 'a pass'}) cannot be kept in a file: it is no op of the table, but was derived "
            "from one while the program ran"
        )
    return op.name, None if known is op else equation.signature.casts


@cache
def named(name: str, casts: tuple[np.dtype | None, ...] | None = None) -> Op:
    """The op of this name, or one like it that casts its operands to given dtypes.

    Raises:
        GraphFileError: there is none.
    """
    found = by_name().get(name)
    if found is None:
        raise GraphFileError(f"the file uses an op {name!r}, which this version does not have: a newer one wrote it")
    if casts is None:
        return found

    def promoted(_: str, kinds: Sequence[Any]) -> Sequence[Any]:
        own = [SCALAR_DTYPE[k] if isinstance(k, str) else k for k in kinds]
        return [o if c is None else c for o, c in zip(own, casts, strict=True)]

    return found.variant(promote=promoted, on_host=None, autocast=None)
