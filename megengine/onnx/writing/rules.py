"""How an op is written: one rule an op, found by its name; the files beside this one hold those of a family each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...graph.exchange.batch import Size
from .graph import Graph

Rule = Callable[[Graph, "Call"], "str | Sequence[str]"]
RULES: dict[str, Rule] = {}


class Call:
    """One equation, as a rule sees it.

    Attributes:
        name: the op's.
        inputs: the operands, values of the ONNX graph.
        attributes: the op's attributes; sizes that depend on the batch are :class:`~megengine.graph.exchange.batch.Varying`.
        shapes, dtypes: of the operands.
        out_shapes, out_dtypes: of the results.
        numbers: gives the numbers of an operand that depends on constants alone, else None.
        result: the same of the first result.
    """

    __slots__ = ("name", "inputs", "attributes", "shapes", "dtypes", "out_shapes", "out_dtypes", "numbers", "result")

    def __init__(
        self,
        name: str,
        inputs: list[str],
        attributes: dict[str, Any],
        operands: Sequence[tuple[tuple[Size, ...], np.dtype]],
        results: Sequence[tuple[tuple[Size, ...], np.dtype]],
        numbers: Callable[[int], np.ndarray | None] = lambda k: None,
        result: Callable[[], np.ndarray | None] = lambda: None,
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.attributes = attributes
        self.shapes, self.dtypes = [s for s, _ in operands], [d for _, d in operands]
        self.out_shapes, self.out_dtypes = [s for s, _ in results], [d for _, d in results]
        self.numbers, self.result = numbers, result

    @property
    def x(self) -> str:
        """The first operand."""
        return self.inputs[0]

    @property
    def dtype(self) -> np.dtype:
        """The first operand's dtype."""
        return self.dtypes[0]

    @property
    def shape(self) -> tuple[Any, ...]:
        """The first operand's shape."""
        return self.shapes[0]

    @property
    def out_shape(self) -> tuple[Any, ...]:
        """The first result's shape."""
        return self.out_shapes[0]

    @property
    def out_dtype(self) -> np.dtype:
        """The first result's dtype."""
        return self.out_dtypes[0]

    @property
    def is_float(self) -> bool:
        """Whether the first operand is floating."""
        return self.dtype.kind in "fV"

    def __getitem__(self, attribute: str) -> Any:
        return self.attributes[attribute]


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Declare the decorated function as the rule of ops."""

    def declare(function: Rule) -> Rule:
        for name in names:
            assert name not in RULES, f"two rules for {name}"
            RULES[name] = function
        return function

    return declare
