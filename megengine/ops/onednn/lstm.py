"""One direction of an LSTM over all time steps, and its gradients."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np

from . import plain_lstm
from .convolution import BIAS, DIFF_DST, DIFF_SRC, DIFF_WEIGHTS, DST, FORWARD, SRC, WEIGHTS
from .library import library
from .plan import Handle, Plan, cached
from .scratch import ALIGNMENT

_INFERENCE, _BACKWARD = 96, 128
_FROM_THE_FIRST, _FROM_THE_LAST = 1, 2
# Arguments of what is behind the first of its kind: the states h and c, and their weights.
_OF_H, _OF_C, _WORKSPACE = 1, 2, 64
_BIAS_GRADIENT = 169
# Else gradients of weights would be added to what is there.
_OVERWRITING = 1
_WEIGHTS_MD, _DIFF_WEIGHTS_MD, _WORKSPACE_MD = 131, 132, 135
# Fewer multiplications take less time than a call; larger workspaces are not worth their memory.
WORTH_A_CALL = 1 << 20
MOST_BYTES = 1 << 31
# Behind a workspace: what is at its end says whether the library wrote it.
_MARK = ALIGNMENT
GRADIENTS = 6
# Numbers of steps that tell how many bytes are kept for each, and how much more they are as each area begins with a page.
_SAMPLED, _ROUNDED_UP = (2, 1026), 1 << 16


@dataclass(frozen=True)
class Lstm:
    """An LSTM over a sequence, or the gradients of one.

    Operands are ``x (T, N, inputs)``, ``h`` and ``c (N, hidden)``, ``weight_ih (4 * hidden, inputs)``,
    ``weight_hh (4 * hidden, hidden)`` and ``bias (4 * hidden,)``, with the gates in the order i, f, g, o. Results are all states
    ``(T, N, hidden)``, the last ``c``, and as bytes what the gradients need; these have all of that as operands, too, and behind
    it the cotangents of the states and of the last ``c``. They are in the order of the operands.

    Attributes:
        steps, batch, inputs, hidden: the sizes.
        reverse: whether it goes from the last step to the first.
        kind: ``"training"``, ``"inference"``, where no bytes are kept, or ``"gradients"``.
    """

    steps: int
    batch: int
    inputs: int
    hidden: int
    reverse: bool
    kind: str

    def worth_it(self) -> bool:
        """Whether it is more than a call of the library costs."""
        return self.steps * self.batch * 4 * self.hidden * (self.inputs + self.hidden) >= WORTH_A_CALL

    def plan(self) -> LstmPlan | None:
        """What computes it; None where the library does not."""
        if library() is None or min(self.steps, self.batch, self.inputs, self.hidden) < 1:
            return None
        found: Any = cached(("lstm", *astuple(self)), partial(_made, self))
        return None if found is None else LstmPlan(self, found)

    def kept_bytes(self) -> int:
        """How many bytes are kept for the gradients; 0 if none are, or the library does not compute it.

        For a symbolic number of steps it is a bound, also symbolic.
        """
        if not isinstance(self.steps, int):
            return self._kept_at_most()
        plan = self.plan() if self.kind == "training" else None
        return 0 if plan is None else plan.workspace + _MARK

    def _kept_at_most(self) -> int:
        few, many = (replace(self, steps=steps).kept_bytes() for steps in _SAMPLED)
        each = -(-(many - few + _ROUNDED_UP) // (_SAMPLED[1] - _SAMPLED[0]))
        return each * self.steps + (few + _ROUNDED_UP - each * _SAMPLED[0]) if few and many else 0

    def plan_within(self, kept: int) -> LstmPlan | None:
        """What computes it with so many bytes, which its gradients are given, too; None where the library does not."""
        plan = self.plan()
        fits = plan is not None and (self.kind == "inference" or plan.workspace + _MARK <= kept)
        return plan if fits else None

    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of operands and results, without bytes that are kept."""
        t, n, i, h = self.steps, self.batch, self.inputs, self.hidden
        given: list[tuple[int, ...]] = [(t, n, i), (n, h), (n, h), (4 * h, i), (4 * h, h), (4 * h,)]
        states: list[tuple[int, ...]] = [(t, n, h), (n, h)]
        return given + states if self.kind != "gradients" else given + states + states + given

    def results(self) -> list[tuple[int, ...]]:
        """The shapes of the results alone."""
        return self.shapes()[-GRADIENTS if self.kind == "gradients" else -2 :]

    def compute(self, *pointers: int) -> None:
        """By NumPy, for where the library fails at what it has computed before."""
        places = list(pointers)
        kept = places.pop(8)
        arrays = [_array(p, shape) for p, shape in zip(places, self.shapes(), strict=True)]
        results: Sequence[np.ndarray]
        if self.kind == "gradients":
            results = plain_lstm.gradients(*arrays[:6], *arrays[8:10], reverse=self.reverse)
            targets = arrays[10:]
        else:
            results, targets = plain_lstm.forward(*arrays[:6], reverse=self.reverse)[:2], arrays[6:]
            if self.kind == "training":
                _mark(kept, self.kept_bytes()).value = 0
        for target, result in zip(targets, results, strict=True):
            target[...] = result


def _array(pointer: int, shape: tuple[int, ...]) -> np.ndarray:
    held: Any = (ctypes.c_float * prod(shape)).from_address(pointer)
    return np.frombuffer(held, np.float32).reshape(shape)


def _mark(kept: int, size: int) -> ctypes.c_int32:
    return ctypes.c_int32.from_address(kept + size - _MARK)


class LstmPlan:
    """What computes an LSTM.

    Args:
        of: the LSTM.
        plan: its primitive, with what it takes and gives in the library's order.
    """

    def __init__(self, of: Lstm, plan: _Primitive) -> None:
        self.of, self.implementations = of, plan.implementations
        self.workspace = plan.workspace
        self._plan = plan
        self._last = 0 if of.reverse else 4 * (of.steps - 1) * of.batch * of.hidden

    def run(self, *pointers: int) -> None:
        """Compute; see :class:`Lstm`.

        Raises:
            MemoryError, OneDNNError: it could not be computed.
        """
        if self.of.kind == "gradients":
            self._pull_back(*pointers)
            return
        *given, states, last_c, kept = pointers
        again = np.empty((self.of.batch, self.of.hidden), np.float32)  # the last state once more
        workspace = [kept] if self.of.kind == "training" else []
        self._plan.run(*given, states, again.ctypes.data, last_c, *workspace)
        if workspace:
            _mark(kept, self.workspace + _MARK).value = 1

    def _pull_back(self, *pointers: int) -> None:
        given, (states, last_c, kept, d_states, d_last_c), results = pointers[:6], pointers[6:11], pointers[11:]
        if not _mark(kept, self.workspace + _MARK).value:
            self.of.compute(*pointers)
            return
        none = np.zeros((self.of.batch, self.of.hidden), np.float32)  # all of the last state's is in that of the states
        after = states, states + self._last, last_c, kept
        self._plan.run(*given, *after, d_states, none.ctypes.data, d_last_c, *results)


class _Primitive(Plan):
    """A plan that knows how many bytes its primitive keeps for the gradients."""

    workspace = 0


def _made(of: Lstm) -> Plan | None:
    made = _Descriptors(of)
    return made.gradients() if of.kind == "gradients" else made.forward()


class _Descriptors:
    """A plan with the memory descriptors of an LSTM."""

    def __init__(self, of: Lstm) -> None:
        t, n, i, h = of.steps, of.batch, of.inputs, of.hidden
        arguments = {"inference": 9, "training": 10, "gradients": 19}[of.kind]
        plan = _Primitive(f"lstm of {(t, n, i)} with {h} units", arguments)
        self.of, self.lib, self._plan = of, plan.lib, plan
        self.x, self.y = plan.described((t, n, i), (n * i, i, 1)), plan.described((t, n, h), (n * h, h, 1))
        self.state = plan.described((1, 1, n, h), (n * h, n * h, h, 1))
        self.bias = plan.described((1, 1, 4, h), (4 * h, 4 * h, h, 1))
        # Of the library's dimensions layers, directions, inputs, gates and outputs.
        self.given = [plan.described((1, 1, k, 4, h), (4 * h * k, 4 * h * k, 1, h * k, k)) for k in (i, h)]
        self.liked = [plan.undecided((1, 1, k, 4, h)) for k in (i, h)]

    def _described(self, training: bool) -> Handle | None:
        direction = _FROM_THE_LAST if self.of.reverse else _FROM_THE_FIRST
        memory = (
            self.x, self.state, self.state, *self.liked, None, None, self.bias, self.y, self.state, self.state
        )  # fmt: skip
        return self._plan.supported(
            "lstm_forward",
            self.lib.engine,
            FORWARD if training else _INFERENCE,
            direction,
            *memory,
            0,
            self.lib.attributes,
        )

    def _read(self, descriptor: Handle, arguments: list[int]) -> dict[int, int]:
        """The operands, with the weights in the layout that the library wants."""
        x, h, c, weight_ih, weight_hh, bias = arguments
        weights = [self._plan.queried_at(descriptor, _WEIGHTS_MD, k) for k in (0, 1)]
        found = {SRC: x, SRC + _OF_H: h, SRC + _OF_C: c, BIAS: bias}
        found[WEIGHTS] = self._plan.read_as(weight_ih, weights[0])
        found[WEIGHTS + _OF_H] = self._plan.read_as(weight_hh, weights[1])
        return found

    def forward(self) -> Plan | None:
        """What computes it; None where the library does not."""
        plan, training = self._plan, self.of.kind == "training"
        descriptor = self._described(training)
        if descriptor is None:
            return None
        given = [self.x, self.state, self.state, *self.given, self.bias, self.y, self.state, self.state]
        if training:
            given.append(self._workspace(descriptor))
        arguments = list(map(plan.argument, given))
        memory = self._read(descriptor, arguments[:6])
        memory.update(zip((DST, DST + _OF_H, DST + _OF_C, _WORKSPACE), arguments[6:], strict=False))
        plan.primitive(descriptor, memory)
        return plan

    def _workspace(self, forward: Handle) -> Handle:
        found = self._plan.queried_at(forward, _WORKSPACE_MD, 0)
        self._plan.workspace = -(-self.lib.size(found.value) // ALIGNMENT) * ALIGNMENT
        return found

    def gradients(self) -> Plan | None:
        """What computes its gradients; None where the library does not."""
        plan, forward = self._plan, self._described(True)
        if forward is None:
            return None
        direction = _FROM_THE_LAST if self.of.reverse else _FROM_THE_FIRST
        after = self.bias, self.y, self.state, self.state
        half = self.x, self.state, self.state, *self.liked, None, None, *after
        descriptor = plan.supported(
            "lstm_backward",
            self.lib.engine,
            _BACKWARD,
            direction,
            *half,
            *half,
            _OVERWRITING,
            forward,
            self.lib.attributes,
        )
        if descriptor is None:
            return None
        states = [self.y, self.state, self.state]
        own = [self.x, self.state, self.state, *self.given, self.bias]
        arguments = list(map(plan.argument, [*own, *states, self._workspace(forward), *states, *own]))
        memory = self._read(descriptor, arguments[:6])
        memory.update(zip((DST, DST + _OF_H, DST + _OF_C, _WORKSPACE), arguments[6:10], strict=True))
        memory.update(zip((DIFF_DST, DIFF_DST + _OF_H, DIFF_DST + _OF_C), arguments[10:13], strict=True))
        results = arguments[13:]
        memory.update(zip((DIFF_SRC, DIFF_SRC + _OF_H, DIFF_SRC + _OF_C), results[:3], strict=True))
        memory[_BIAS_GRADIENT] = results[5]
        finishing = []
        for k in (0, 1):
            wanted = plan.queried_at(descriptor, _DIFF_WEIGHTS_MD, k)
            memory[DIFF_WEIGHTS + k], finish = plan.written_as(results[3 + k], wanted)
            finishing.append(finish)
        plan.primitive(descriptor, memory)
        for finish in finishing:
            finish()
        return plan
