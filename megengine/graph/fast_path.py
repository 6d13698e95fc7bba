"""A short graph that the interpreter ran the last time that it came is run as then: no key is made and nothing is looked up.

What a person does at a prompt, and what a program does between its steps, is one op or a few and a look at the result.
"""

from __future__ import annotations

from typing import NamedTuple

from . import forked
from .counters import counters, counting
from .errors import raise_interrupt
from .liveness import are_live
from .options import options
from .program import Program
from .recorder import Recorder, pack, thread
from .tiers import tier_of

SHORT = 16  # ops


class Last(NamedTuple):
    """How a structure was run the last time.

    Attributes:
        live: the positions of what was returned.
        program: what ran.
    """

    live: tuple[int, ...]
    program: Program


def remember(recorder: Recorder, program: Program) -> None:
    """Have the next graph of this structure run by :func:`run_as_last`, if it is one that can be."""
    node, key = recorder.node, program.key
    plain = recorder.capture is None and not (node.checks or key.check_nan or key.residuals or program.ranks)
    node.last = Last(key.outputs, program) if plain and program.interpreted and node.depth <= SHORT else None


def run_as_last(recorder: Recorder, reason: str) -> bool:
    """Run a graph as its structure was run the last time, and give its live outputs their arrays.

    An interrupt leaves it to be run again for those that have none yet.

    Args:
        recorder: what holds the graph.
        reason: what made it necessary; counted.

    Returns:
        Whether it was run; if not, nothing has changed.
    """
    node = recorder.node
    last = node.last
    if last is None:
        return False
    live, program = last
    if recorder.nodes or recorder.stepped or recorder.scopes is not None or recorder.capture is not None:
        return False
    if not program.interpreted or program.ready is not None or program.tier is not tier_of(recorder.device):
        return False
    if program.donated and thread.several:
        return False  # another may have it taken over meanwhile by an executable that overwrites its inputs
    if options.check_nan or thread.unchecked or forked.in_child or not recorder.is_whole():
        return False
    values = list(recorder.index)
    alive = are_live(values)
    if live != tuple([k for k, a in enumerate(alive) if a and values[k].array is None]):
        return False
    arrays = [values[p].array for p in program.inputs]
    for array in arrays:
        if array is None:
            return False
    with recorder.lock:
        try:
            outs = program.run(*pack(recorder), *arrays)
        except Exception as error:
            raise_interrupt(error)
            return False  # so that it is run, fails and is told as any other
        for position, array in zip(program.live, outs, strict=True):
            value = values[position]
            value.array, value.recorder = array, None
    with counting:
        counters.flushes[reason] += 1
        counters.ops += node.depth
        counters.hits += 1
        program.hits += 1
    return True
