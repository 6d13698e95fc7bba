"""A graph that was read from a file, run: its equations are recorded again, and compiled and kept as any that are recorded."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from ..graph.apply import apply, apply_vjp
from ..graph.capture import capture_call
from ..graph.device import resolve
from ..graph.exchange import Model
from ..graph.flushing import flush
from ..graph.ir import Equation, Scalar, Var, VjpEquation
from ..graph.options import options
from ..graph.precision import current as precision
from ..graph.recorder import thread
from ..graph.replay import Replay
from ..graph.source import here
from ..graph.value import Value, new_handle
from ..ops.sized import FROM_NUMBERS
from ..tensor import Tensor
from .resizing import RESIZABLE, resized, sized

KINDS = 16  # shapes of inputs for which a recorded call is kept


class Runnable:
    """A model to be called with tensors; several threads may call it at once.

    Shapes other than those that it was recorded with do where its ops take them.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        function = model.function
        self.constants = {var: Tensor(_value(var, array)) for var, array in function.constants.items()}
        self.differentiates = any(isinstance(e, VjpEquation) for e in function.equations)
        self.records_each = any(isinstance(e, Equation) and e.op in FROM_NUMBERS for e in function.equations)
        self._known: OrderedDict[Any, Replay | None] = OrderedDict()  # by what calls have in common; None: met once

    def __call__(self, tensors: Sequence[Any]) -> list[Any]:
        """The outputs for these inputs."""
        recorder = thread.recorder
        plain = recorder.capture is None and not (recorder.tapes or options.eager or options.check_nan)
        if self.records_each or self.differentiates or not plain:
            return self._recorded(tensors)
        key = (precision(), resolve(None), *[(t._value.aval, t._value.device) for t in tensors])
        if key not in self._known:
            self._keep(key, None)
            return self._recorded(tensors)
        known = self._known.get(key)
        if known is not None and known.holds(tensors):
            return known(tensors)
        outs, capture = capture_call(lambda: self._recorded(tensors), tensors, symbolic=False)
        if capture.valid():
            replay = Replay(capture, outs)
            if not replay.escapes and capture.failed is None:
                self._keep(key, replay)
        return outs

    def _keep(self, key: Any, call: Replay | None) -> None:
        self._known[key] = call
        if len(self._known) > KINDS:
            self._known.popitem(last=False)

    def _recorded(self, tensors: Sequence[Any]) -> list[Any]:
        if not self.differentiates:
            return self._record(tensors)
        flush("graph")  # a gradient refers to an op of the graph that is being recorded
        recorder = thread.recorder
        before, recorder.limit = recorder.limit, sys.maxsize
        try:
            return self._record(tensors)
        finally:
            recorder.limit = before

    def _record(self, tensors: Sequence[Any]) -> list[Any]:
        function = self.model.function
        env: dict[Var, Any] = dict(zip(function.inputs, tensors, strict=True))
        env.update(self.constants)
        place: dict[Equation, int] = {}
        for equation in function.equations:
            if isinstance(equation, Equation):
                operands = [env[o] if type(o) is Var else self._number(o) for o in equation.inputs]
                place[equation] = thread.recorder.node.depth
                made = apply(equation.op, *operands, **_attributes(equation, operands))
                outs = made if isinstance(made, tuple) else (made,)
            else:
                outs = _gradient(equation, place[equation.of], env)
            env.update(zip(equation.outputs, outs, strict=True))
        return [env[var] for var in function.outputs]

    def _number(self, operand: Any) -> float | int | bool:
        kind, k = operand
        if kind == "f":
            return float(self.model.floats[k])
        return bool(self.model.ints[k]) if kind == "b" else int(self.model.ints[k])


def _attributes(equation: Equation, operands: Sequence[Any]) -> dict[str, Any]:
    """Those of an equation, for operands that may have other sizes than when it was recorded."""
    if equation.op in FROM_NUMBERS:
        return sized(equation.op, equation.attributes, operands)
    if equation.op not in RESIZABLE:
        return equation.attributes
    recorded = equation.inputs[0]
    assert isinstance(recorded, Var)
    return resized(equation.op, equation.attributes, recorded.aval, operands[0]._value.aval)


def _gradient(equation: VjpEquation, source: int, env: dict[Var, Any]) -> tuple[Any, ...]:
    need = tuple(equation.linearised.index(k) for k in equation.wrt)
    cotangents = [None if c is None else env[c] for c in equation.cotangents]
    operands = [equation.of.inputs[k] for k in equation.wrt]
    avals = tuple(env[o]._value.aval for o in operands if not isinstance(o, Scalar))
    return apply_vjp(source, equation.linearised, need, cotangents, avals, here(2))


def _value(var: Var, array: Any) -> Any:
    return new_handle(Value(None, var.aval, array, resolve(None)))
