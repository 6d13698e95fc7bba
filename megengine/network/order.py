"""Orders in which the operators of a network can run."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

_SOURCES = ("ImmutableTensor", "Host2DeviceCopy")


def dependencies(outputs: Sequence[Any]) -> list[Any]:
    """The operators that variables depend on, each once, those nearest to the outputs first.

    Raises:
        RuntimeError: the graph has a cycle.
    """
    found: dict[Any, None] = {}
    queue = [v.owner for v in outputs]
    while queue:
        node = queue.pop(0)
        if node not in found:
            found[node] = None
            queue += [v.owner for v in node.inputs]
    return list(found)


def operators(outputs: Sequence[Any]) -> list[Any]:
    """The operators that variables depend on, in an order in which they can run: by priority, then as they were made.

    Inputs and constants come right before the first operator that reads them.

    Raises:
        RuntimeError: the graph has a cycle.
    """
    nodes = dependencies(outputs)
    waiting = {node: len({v.owner for v in node.inputs}) for node in nodes}
    readers: dict[Any, list[Any]] = {}
    for node in nodes:
        for owner in {v.owner for v in node.inputs}:
            readers.setdefault(owner, []).append(node)
    serial = {node: k for k, node in enumerate(nodes)}
    ready = [(node.priority, node.id, serial[node], node) for node in nodes if not waiting[node]]
    heapq.heapify(ready)
    done = []
    while ready:
        node = heapq.heappop(ready)[-1]
        done.append(node)
        for reader in readers.get(node, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, (reader.priority, reader.id, serial[reader], reader))
    if len(done) < len(nodes):
        raise RuntimeError(f"the graph has a cycle among {len(nodes) - len(done)} operators")
    return _near_readers(done)


def _near_readers(done: Sequence[Any]) -> list[Any]:
    placed: dict[Any, None] = {}
    for node in done:
        if node.type not in _SOURCES:
            placed.update((v.owner, None) for v in node.inputs if v.owner.type in _SOURCES)
            placed[node] = None
    placed.update((node, None) for node in done)
    return list(placed)
