"""The end of a training step: when to run it, so that gradients which are cleared at once are never written out."""

from __future__ import annotations

from time import perf_counter

from .record import thread
from .run import cut, run_ended
from .structure import ROOT

AT_ONCE = 1e-3


class StepEnd:
    """Learns of one optimizer whether its gradients are cleared right after its step, as in ``step().clear_grad()``.

    If they are, the step runs when they have been cleared, or when a value is needed before: what is dead by then is no
    result of the program. If something else comes between, it runs at once, so that a GPU computes meanwhile.
    """

    def __init__(self) -> None:
        self.clears_at_once = True
        self._ended = 0.0

    def step(self) -> None:
        """The parameters have been updated."""
        graph = thread.graph
        cut("step", later=self.clears_at_once and not graph.op_by_op and graph.capture is None and not graph.tapes)
        self._ended = perf_counter()

    def cleared(self) -> None:
        """The gradients have been cleared."""
        self.clears_at_once = thread.graph.state is ROOT and perf_counter() - self._ended < AT_ONCE
        run_ended()
