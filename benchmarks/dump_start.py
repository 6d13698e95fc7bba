"""From a dump to its first result, each time in a process of its own: imports, reading, the first run, and a second one.

    python -m benchmarks.dump_start [--rounds 3] [FILE ...]

FILE is a graph file, of ours or MegEngine's, with inputs of the shapes that they have in the file. Without one, an MLP, a
ResNet-18 of pictures of 64 x 64 and a transformer are dumped first. Seconds, the best of the rounds after one that fills the
cache.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What a process does; the time of the interpreter's own start is added by who starts it.
PROGRAM = """
import json, sys, time
start = time.perf_counter()
import numpy as np
from megengine.utils.comp_graph_tools import GraphInference
imported = time.perf_counter()
graph = GraphInference(sys.argv[1])
read = time.perf_counter()
shapes = {v.name: (v.aval.shape, v.aval.dtype) for v in graph._inputs}
data = {name: np.ones(shape, dtype) for name, (shape, dtype) in shapes.items()}
graph.run(inp_dict=data)
first = time.perf_counter()
graph.run(inp_dict=data)
second = time.perf_counter()
print(json.dumps({"import": imported - start, "read": read - imported, "first": first - read, "second": second - first,
                  "to first": first - start, "on the CPU to the end": time.process_time()}))
"""


def dumps(folder: Path) -> Iterator[Path]:
    """Files of small, middling and larger models."""
    import numpy as np

    import megengine.module as M
    from megengine import Tensor
    from megengine.jit import trace

    from .rematerialisation import LENGTH, WIDTH, model

    def mlp() -> Any:
        return M.Sequential(M.Linear(784, 256), M.ReLU(), M.Linear(256, 256), M.ReLU(), M.Linear(256, 10))

    for name, make, shape in (
        ("mlp", mlp, (16, 784)),
        ("resnet18", residual, (4, 3, 64, 64)),
        ("transformer", lambda: model(6), (4, LENGTH, WIDTH)),
    ):
        net = make()
        net.eval()
        traced = trace(net.forward, symbolic=True, capture_as_const=True)
        traced(Tensor(np.ones(shape, np.float32)))
        path = folder / f"{name}.mge"
        traced.dump(str(path), arg_names=["x"], output_names=["y"])
        yield path


def residual() -> Any:
    """ResNet-18."""
    import megengine.functional as F
    import megengine.module as M

    class Block(M.Module):
        def __init__(self, inputs: int, width: int, stride: int) -> None:
            super().__init__()
            self.first, self.second = M.ConvBnRelu2d(inputs, width, 3, stride, 1), M.ConvBn2d(width, width, 3, 1, 1)
            self.short = M.ConvBn2d(inputs, width, 1, stride) if stride > 1 or inputs != width else M.Identity()

        def forward(self, x: Any) -> Any:
            return F.relu(self.second(self.first(x)) + self.short(x))

    blocks, inputs = [], 64
    for width in (64, 128, 256, 512):
        blocks += [Block(inputs, width, 1 if width == 64 else 2), Block(width, width, 1)]
        inputs = width
    head = [M.AdaptiveAvgPool2d(1), M.Conv2d(512, 1000, 1)]
    return M.Sequential(M.ConvBnRelu2d(3, 64, 7, 2, 3), M.MaxPool2d(3, 2, 1), *blocks, *head)


def measured(path: Path) -> dict[str, float]:
    """One process."""
    found = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], check=True, capture_output=True, text=True)
    return dict(json.loads(found.stdout.splitlines()[-1]))


def main() -> None:
    """Measure each file in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("files", nargs="*", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for path in args.files or list(dumps(Path(folder))):
            cold = measured(path)
            rounds = [measured(path) for _ in range(args.rounds)]
            best = {name: round(min(r[name] for r in rounds), 3) for name in cold}
            print(path.name, best, "the first time", round(cold["to first"], 3), flush=True)


if __name__ == "__main__":
    main()
