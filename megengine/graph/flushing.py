"""When to run what has been recorded: a flush runs the pending graph, once, for everything in it that is still referred to."""

from __future__ import annotations

import time

import jax

from .checks import UNCHECKED_LIMIT, verify
from .execute import evaluate_together, failure, run
from .fast_path import run_as_last
from .options import options
from .recorder import Recorder, count_flush, thread
from .splits import split_after
from .value import Value

OWNER = 60.0  # seconds


def flush(reason: str = "read", later: bool = False) -> None:
    """Run what this thread has recorded.

    Args:
        reason: what made it necessary; ``counters.flushes`` counts by it.
        later: end the graph here and run it when the next op is recorded or one of its values is needed.

    Example:
        >>> from megengine.graph import counters, flush
        >>> flush()
        >>> before = counters.flushes["mine"]
        >>> y = Tensor([1.0]) + 1
        >>> flush("mine")
        >>> counters.flushes["mine"] - before
        1
    """
    if thread.ended is not None:
        run_ended()
    recorder = thread.recorder
    if recorder.capture is not None and reason == "step":
        recorder.capture.stepped()
        return
    if not recorder.node.depth:
        return
    if recorder.capture is not None:
        recorder.capture.interrupted(reason)
    recorder.recompute = thread.recompute or options.recompute
    following = Recorder(recorder.device, recorder.tapes, recorder.capture)
    if not later and run_as_last(recorder, reason):
        thread.flushes += 1
        thread.recorder = following
        recorder.index.clear()
        return
    count_flush(reason, recorder.node)
    if later:
        following.limit = 0
    thread.flushes += 1
    thread.ended, thread.recorder = recorder, following
    if not later:
        run_ended()


def begin_recorded() -> None:
    """Have collectives that were recorded begin, before this thread waits for others who may wait in them."""
    if thread.ended is not None and thread.ended.collectives:
        run_ended()
    if thread.recorder.collectives:
        flush("collective")


def flush_before() -> None:
    """Run what is pending before what will repeat, so that the first step is not compiled together with the initialisation."""
    recorder = thread.recorder
    if recorder.capture is None and not recorder.tapes:
        flush("before")


def run_ended() -> None:
    """Run the graph that has ended and has yet to run, if there is one."""
    recorder = thread.ended
    if recorder is None:
        return
    with recorder.lock:
        try:
            run(recorder)
        finally:
            if not recorder.index or recorder.error is not None:
                thread.ended = None
                if thread.recorder.limit == 0:
                    thread.recorder.reset_limit()
    if thread.unchecked and (recorder.stepped or options.eager or len(thread.unchecked) > UNCHECKED_LIMIT):
        verify()


def full_sync() -> None:
    """Run what is pending in this thread and wait for every device to be done, as timings need it.

    Raises:
        BadIndexError: an op got values it does not take.
    """
    flush("option")
    jax.block_until_ready(jax.live_arrays())
    verify(wait=True)


def evaluate(value: Value) -> None:
    """Give a value its array.

    Raises:
        RuntimeError: what it depends on cannot be computed; the reason is its cause.
    """
    if value.array is not None:
        return
    recorder = value.recorder
    if recorder is thread.recorder:
        flush("read")
    elif recorder is not None and recorder is thread.ended:
        run_ended()
    elif isinstance(recorder, Recorder):
        if recorder.collectives:
            _await_owner(value, recorder)
        evaluate_together(recorder, [value], others=recorder.asked and recorder.error is None)
        recorder.asked = True
        verify()
    if value.array is None:
        raise failure(value)


def _await_owner(value: Value, recorder: Recorder) -> None:
    """Wait for the thread that records a graph with collectives, which only that one runs, and does soon."""
    deadline = time.monotonic() + OWNER
    while value.array is None and recorder.error is None and time.monotonic() < deadline:
        time.sleep(0.002)


def flush_at_limit(recorder: Recorder) -> None:
    """Run what is pending if there is as much of it as may be, or find the limit that there is for this call site."""
    depth = recorder.node.depth
    if thread.ended is not None:
        run_ended()
        if depth < recorder.limit:
            return
    if options.eager:
        flush("eager")
    elif depth >= options.pending_limit:
        if thread.undo is None:
            flush("limit")
    else:
        end = split_after(recorder.sources[0]) if recorder.capture is None else None
        if end is None or depth < end:
            recorder.limit = min(end or options.pending_limit, options.pending_limit)
        elif thread.undo is None:
            flush("split")
