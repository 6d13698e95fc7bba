"""The end of a training step: when to run it, so that gradients which are cleared at once are never written out."""

from __future__ import annotations

from .record import thread
from .run import cut, run_ended


def end_step() -> None:
    """All parameters have been updated: they change together or not at all.

    The step runs when the next op is recorded, when a value is needed, or when the gradients have been cleared: what is dead by
    then, such as the gradients after ``step().clear_grad()``, is no result of the program.
    """
    graph = thread.graph
    graph.stepped = True
    cut("step", later=graph.capture is None and not graph.tapes)


def gradients_cleared() -> None:
    """Run the step that has ended."""
    run_ended()
