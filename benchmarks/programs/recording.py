"""Recording graphs of 1,000 ops, and cutting them: microseconds an op of each repetition, as JSON."""

from __future__ import annotations

import json
import sys
import time

import numpy as np

import megengine
import megengine.functional as F
from megengine.autodiff import GradManager
from megengine.graph import flush
from megengine.graph.recorder import thread
from megengine.graph.source import line

LAYERS, OPS = 200, 1000


def make():
    """Inputs of the graph: each layer has a weight and a bias of its own."""
    random = np.random.default_rng(0)
    x = megengine.Tensor(random.standard_normal((8, 16), np.float32))
    layers = [
        (
            megengine.Parameter(random.standard_normal((16, 16), np.float32) / 4),
            megengine.Parameter(random.standard_normal(16, np.float32)),
        )
        for _ in range(LAYERS)
    ]
    return x, layers


def record(x, layers):
    """Five ops a layer: matmul, add, relu, mul by a number, reshape."""
    shapes = (2, 4, 16), (8, 16)
    for number, (weight, bias) in enumerate(layers):
        x = F.reshape(F.relu(F.matmul(x, weight) + bias) * 0.9, shapes[number % 2])
    return x


class Timed:
    """A program's executable that notes how long its calls take."""

    def __init__(self, run):
        self.run = run
        self.seconds = 0.0

    def __call__(self, *args):
        started = time.perf_counter()
        try:
            return self.run(*args)
        finally:
            self.seconds += time.perf_counter() - started


def once(x, layers):
    """Microseconds an op of recording and of cutting, the executable's own time taken off."""
    before = time.perf_counter()
    y = record(x, layers)
    recorded = time.perf_counter()
    graph = thread.recorder
    depth, places = graph.node.depth, {line(where) for where in graph.sources}
    # Since the first time this structure has one program; its executable is timed from inside.
    [program] = graph.node.programs.values()
    program.run = timed = Timed(program.run)
    started = time.perf_counter()
    flush()
    ended = time.perf_counter()
    program.run = timed.run
    y.numpy()
    assert depth == OPS and {file for file, _ in places} == {__file__}, (depth, places)
    return (recorded - before) / OPS * 1e6, (ended - started - timed.seconds) / OPS * 1e6


def tracked(x, layers, manager):
    """Microseconds an op of recording the forward pass under a GradManager, and of its backward pass."""
    with manager:
        before = time.perf_counter()
        y = record(x, layers)
        middle = time.perf_counter()
        manager.backward(y.sum())
        after = time.perf_counter()
    for weight, bias in layers:
        weight.grad = bias.grad = None
    flush()
    return (middle - before) / OPS * 1e6, (after - middle) / OPS * 1e6


def main(repetitions):
    x, layers = make()
    before = time.perf_counter()
    y = record(x, layers)
    first = (time.perf_counter() - before) / OPS * 1e6
    y.numpy()
    del y
    once(x, layers)
    plain = [once(x, layers) for _ in range(repetitions)]
    manager = GradManager().attach([parameter for layer in layers for parameter in layer])
    tracked(x, layers, manager)
    with_tape = [tracked(x, layers, manager) for _ in range(repetitions)]
    print(
        json.dumps(
            {
                "first": first,
                "record": [r for r, _ in plain],
                "cut": [c for _, c in plain],
                "tracked": [f for f, _ in with_tape],
                "backward": [b for _, b in with_tape],
            }
        )
    )


main(int(sys.argv[1]))
