"""What of a graph depends on constants alone, computed where a rule asks for the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...graph.exchange.batch import Batched, Reciprocal, Varying
from ...graph.ir import Equation, Scalar, Var
from ...graph.traced import forward
from ...ops.promote import SCALAR_DTYPE

_STATE = np.dtype(np.uint32)  # of a generator: what is drawn from it is no constant


class Constants:
    """The numbers of variables, by the interpreter.

    Args:
        batched: the graph.
    """

    def __init__(self, batched: Batched) -> None:
        self.batched = batched
        function = batched.function
        self._maker = {v: e for e in function.equations if isinstance(e, Equation) for v in e.outputs}
        self._found: dict[Any, np.ndarray | None] = dict.fromkeys(function.inputs)

    def of(self, operand: Var | Scalar) -> np.ndarray | None:
        """The numbers of an operand; None for one that depends on inputs, on the batch or on what is drawn."""
        pending = [operand]
        while pending:
            last = pending[-1]
            if last in self._found:
                pending.pop()
                continue
            maker = self._maker.get(last) if isinstance(last, Var) else None
            if maker is None:
                self._found[last] = self._given(last)
                continue
            missing = [v for v in maker.inputs if v not in self._found]
            if missing:
                pending += missing
            else:
                values = self._computed(maker, [self._found[v] for v in maker.inputs])
                self._found.update(zip(maker.outputs, values, strict=True))
        return self._found[operand]

    def _given(self, operand: Var | Scalar) -> np.ndarray | None:
        if isinstance(operand, Scalar):
            number = self.batched.number(operand)
            varies = isinstance(number, (Varying, Reciprocal))
            return None if varies else np.asarray(number, SCALAR_DTYPE[operand.kind])
        if operand.aval.dtype == _STATE or operand not in self.batched.function.constants:
            return None
        return self.batched.constant(operand)

    def _computed(self, equation: Equation, inputs: Sequence[np.ndarray | None]) -> Sequence[np.ndarray | None]:
        shapes = [self.batched.shape(v) for v in equation.outputs]
        if any(i is None for i in inputs) or any(isinstance(n, Varying) for shape in shapes for n in shape):
            return [None] * len(equation.outputs)
        signature = equation.signature
        traced, _ = forward(signature.op, signature.attrs, signature.casts, signature.specs)
        return [np.asarray(v) for v in traced.interpreted(*inputs)]
