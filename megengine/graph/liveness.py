"""What CPython's reference counts say: which values live, and which arrays may be overwritten.

A pending value that only its graph refers to cannot be read any more: it is no result. An input's array that only its dead value
refers to may be overwritten. Each count is held against a baseline, taken of such an object in code of the same form. Whoever
refers to a value besides makes it seem alive, which is safe.
"""

from __future__ import annotations

import sys

from .recorder import Recorder
from .tape import GradNode
from .value import Handle, Value, new_handle

_refs = sys.getrefcount


def _baseline_of_listed() -> int:
    """Reference count, as the loops below see it, of an object that only a list refers to."""
    items = [Value(None, None, None, None)]  # type: ignore[arg-type]
    return [_refs(v) for v in items][0]


def _baseline_of_array() -> int:
    """The same for an array that only its value refers to."""
    items = [Value(None, None, object(), None)]  # type: ignore[arg-type]
    return [_refs(v.array) for v in items][0]


def _counts(handle: Handle) -> tuple[int, int]:
    """Reference counts of a handle's value and of its array."""
    value = handle._value
    return _refs(value), _refs(value.array)


LISTED = _baseline_of_listed()
INDEXED = LISTED + 1  # by the index of its graph, too
ONLY_ARRAY = _baseline_of_array()
OF_HANDLE = _counts(new_handle(Value(None, None, object(), None)))  # type: ignore[arg-type]


def live_values(recorder: Recorder) -> list[Value]:
    """The values of a graph that something besides it refers to."""
    recorded = list(recorder.index)[: recorder.node.count]
    return [v for v in recorded if _refs(v) > INDEXED]


def are_live(values: list[Value]) -> list[bool]:
    """For each value of a graph, all of which this list and the graph refer to, whether something else does."""
    return [_refs(v) > INDEXED for v in values]


def only_owner(value: Value) -> bool:
    """Whether nothing but a value refers to its array."""
    return _refs(value.array) <= ONLY_ARRAY


def only_handle(handle: Handle, lists: int = 0) -> bool:
    """Whether nothing but a handle refers to its value, and nothing but that value and so many lists to the array."""
    of_value, of_array = _counts(handle)
    return of_value <= OF_HANDLE[0] and of_array <= OF_HANDLE[1] + lists


def live_nodes(recorder: Recorder) -> list[GradNode]:
    """Gradient nodes of this graph that a recording still needs; the others let go of what they hold."""
    if not recorder.nodes:
        return []
    for node in recorder.nodes:
        if not node.live():
            node.clear()
    del node
    changed = True
    while changed:
        # A dropped node may have been the last to refer to its parents.
        before = len(recorder.nodes)
        recorder.nodes = [node for node in recorder.nodes if _refs(node) > LISTED and node.live()]
        changed = 0 < len(recorder.nodes) < before
    return list(recorder.nodes)
