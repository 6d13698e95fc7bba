"""Automatic mixed precision: the rules by which it casts operands, which ops name, and the op that follows its rule.

A rule takes the dtypes that an op's operands are cast to anyway, and the low and the high precision. Only floating-point
dtypes are exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import promote
from .op import Op


def low(wanted: Sequence[Any], low: Any, high: Any) -> Sequence[Any]:
    """Everything in low precision: what most time is spent on, and sums in float32 anyway."""
    return [_exchanged(w, low) for w in wanted]


def high(wanted: Sequence[Any], low: Any, high: Any) -> Sequence[Any]:
    """Everything in high precision: what overflows or loses digits."""
    return [_exchanged(w, high) for w in wanted]


def low_input(wanted: Sequence[Any], low: Any, high: Any) -> Sequence[Any]:
    """The input in low precision, its parameters and statistics in high."""
    return [_exchanged(w, high if k else low) for k, w in enumerate(wanted)]


def _exchanged(dtype: Any, other: Any) -> Any:
    return other if dtype in promote.FLOATS else dtype


def under(op: Op, low: Any, high: Any) -> Op:
    """An op that casts its operands by ``op``'s rule."""
    base, rule = op.promote, op.autocast
    assert base is not None and rule is not None

    def promoted(name: str, kinds: Sequence[Any]) -> Sequence[Any]:
        return rule(base(name, kinds), low, high)

    return op.variant(promote=promoted, on_host=None, autocast=None)
