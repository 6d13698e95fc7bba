"""The end of a training step: when to run it, so that gradients which are cleared at once are never written out."""

from __future__ import annotations

from .flushing import flush, flush_at_limit, run_ended
from .recorder import thread


def begin_step() -> None:
    """A step is about to be recorded, within which no graph ends: one that is at its limit ends before it."""
    recorder = thread.recorder
    if recorder.node.depth >= max(recorder.limit, 1):
        flush_at_limit(recorder)


def end_step() -> None:
    """All parameters have been updated: they change together or not at all.

    The step runs when the next op is recorded, when a value is needed, or when the gradients have been cleared: what is dead by
    then, such as the gradients after ``step().clear_grad()``, is no result of the program.
    """
    recorder = thread.recorder
    recorder.stepped = True
    flush("step", later=recorder.capture is None and not recorder.tapes)


def gradients_cleared() -> None:
    """Run the step that has ended."""
    run_ended()
