"""Branches and loops: their conditions are waited for, and their bodies are run as the rest of the graph is."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rules import Node, as_tensor, axis_of, computes
from .shaping import at_axis, stacked


@computes("If", host=[0])
def _if(e: Node) -> Any:
    assert e.run is not None
    return e.run(e.get("then_branch" if e.host(0).reshape(-1)[0] else "else_branch"), [])


@computes("Loop", host=[0, 1])
def _loop(e: Node) -> Any:
    assert e.run is not None
    body, most = e.get("body"), int(e.host(0).reshape(-1)[0]) if e.has(0) else None
    goes_on = bool(e.host(1).reshape(-1)[0]) if e.has(1) else True
    state, turn = list(e.inputs[2:]), 0
    collected: list[list[Any]] = [[] for _ in range(len(body.output) - 1 - len(state))]
    while goes_on and (most is None or turn < most):
        condition, *results = e.run(body, [np.array(turn, np.int64), np.array(True), *state])
        state = results[: len(state)]
        for items, result in zip(collected, results[len(state) :], strict=True):
            items.append(result)
        goes_on, turn = bool(np.asarray(_number(condition)).reshape(-1)[0]), turn + 1
    return [*state, *map(_stacked, collected)]


def _number(value: Any) -> Any:
    return value.numpy() if hasattr(value, "numpy") else value


def _stacked(items: list[Any]) -> Any:
    if not items:
        return np.zeros((0,), np.float32)
    if all(isinstance(i, np.ndarray) for i in items):
        return np.stack(items)
    return stacked([as_tensor(i) for i in items])


@computes("Scan")
def _scan(e: Node) -> Any:
    assert e.run is not None
    body, count = e.get("body"), e.get("num_scan_inputs")
    if e.opset < 9:
        return _batched_scan(e)
    state, sequences = list(e.inputs[: len(e.inputs) - count]), e.inputs[len(e.inputs) - count :]
    ranks = [s.ndim for s in sequences]
    axes = [axis_of(a, r) for a, r in zip(e.get("scan_input_axes") or [0] * count, ranks, strict=True)]
    backwards = e.get("scan_input_directions") or [0] * count
    steps = sequences[0].shape[axes[0]]
    outputs = len(body.output) - len(state)
    collected: list[list[Any]] = [[] for _ in range(outputs)]
    for turn in range(steps):
        now = [
            s[at_axis(a, steps - 1 - turn if b else turn)] for s, a, b in zip(sequences, axes, backwards, strict=True)
        ]
        results = e.run(body, [*state, *now])
        state = results[: len(state)]
        for items, result in zip(collected, results[len(state) :], strict=True):
            items.append(result)
    reversed_ = e.get("scan_output_directions") or [0] * outputs
    places = e.get("scan_output_axes") or [0] * outputs
    made = []
    for items, turned, axis in zip(collected, reversed_, places, strict=True):
        tensors = [as_tensor(i) for i in (items[::-1] if turned else items)]
        made.append(stacked(tensors, axis_of(axis, tensors[0].ndim + 1)))
    return [*state, *made]


def _batched_scan(e: Node) -> Any:
    """Opset 8: everything has a batch as its first dimension, and the scan is over the second."""
    assert e.run is not None
    body, count = e.get("body"), e.get("num_scan_inputs")
    given = [as_tensor(v) for v in e.inputs[1:]]
    of_samples = []
    for sample in range(given[0].shape[0]):
        inner = Node(
            "Scan", {"body": body, "num_scan_inputs": count}, [v[sample] for v in given], e.count, 9, e.training, e.run
        )
        of_samples.append(_scan(inner))
    return [stacked([as_tensor(v) for v in values]) for values in zip(*of_samples, strict=True)]
