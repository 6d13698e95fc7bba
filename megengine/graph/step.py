"""The end of a training step: when to run it, so that gradients which are cleared at once are never written out."""

from __future__ import annotations

from time import perf_counter

from .record import thread
from .run import cut, run_ended
from .structure import ROOT

AT_ONCE = 1e-3
SURE = 3  # a pause of the machine is no habit of the program's


class StepEnd:
    """Learns of one optimizer whether its gradients are cleared right after its step, as in ``step().clear_grad()``.

    If they are, the step runs when they have been cleared, or when a value is needed before: what is dead by then is no
    result of the program. If something else comes between, it runs at once, so that a GPU computes meanwhile. Either is
    another program to compile, so one step that goes otherwise changes nothing.
    """

    def __init__(self) -> None:
        self.clears_at_once = True
        self._ended = 0.0
        self._otherwise = 0

    def step(self) -> None:
        """The parameters have been updated."""
        graph = thread.graph
        cut("step", later=self.clears_at_once and not graph.op_by_op and graph.capture is None and not graph.tapes)
        self._ended = perf_counter()

    def cleared(self) -> None:
        """The gradients have been cleared."""
        at_once = thread.graph.state is ROOT and perf_counter() - self._ended < AT_ONCE
        self._otherwise = 0 if at_once is self.clears_at_once else self._otherwise + 1
        if self._otherwise == SURE:
            self.clears_at_once, self._otherwise = at_once, 0
        run_ended()
