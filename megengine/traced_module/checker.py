"""Compares what expressions and traced modules compute with what was computed while they were traced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..tensor import Tensor

__all__ = ["TracedModuleChecker", "draws_numbers"]


def _differ(some: Any, others: Any) -> bool:
    for one, other in zip(some, others, strict=True):
        if isinstance(one, Tensor) and not np.allclose(one.numpy(), other.numpy(), 1e-6, 1e-6, equal_nan=True):
            return True
    return False


class TracedModuleChecker:
    """Checks of one tracing."""

    def check(self, expr: Any, scope: Any, outputs: Sequence[Any]) -> None:
        """Run an expression again on the values that its inputs had, as far as they are known.

        Random numbers differ from call to call; what draws them is not compared.

        Raises:
            ValueError: it gives other values.
        """
        owners = [node.owner if not hasattr(node, "_shape") else scope.values.get(node) for node in expr.inputs]
        if any(value is None for value in owners) or getattr(expr, "method", "") == "__setitem__":
            return
        if getattr(expr, "graph", None) is not None:
            return
        values = [Tensor(value.detach()) if isinstance(value, Tensor) else value for value in owners]
        if draws_numbers(expr):
            return
        found = expr.interpret(*values)
        if found is not None and _differ(found, outputs):
            raise ValueError(f"the expression gives other values than when it was traced: {expr}")

    def check_net_outputs(self, found: Sequence[Any], expected: Sequence[Any]) -> None:
        """Compare the results of a traced module with those of the original.

        Raises:
            AssertionError: they differ.
        """
        for one, other in zip(found, expected, strict=True):
            if isinstance(one, Tensor):
                np.testing.assert_allclose(one.numpy(), other.numpy(), 1e-5, 1e-6)


def draws_numbers(expr: Any) -> bool:
    """Whether an expression draws random numbers, or keeps statistics: it gives something else each time."""
    owner = expr.inputs[0].owner if expr.inputs and hasattr(expr.inputs[0], "owner") else None
    func = getattr(expr, "func", None)
    draws = getattr(func, "__name__", "") == "dropout" or getattr(func, "__module__", "").startswith("megengine.random")
    return draws or bool(getattr(owner, "training", False))
