"""What rematerialisation costs and gives: a training step of a transformer, each way in a process of its own.

    python -m benchmarks.rematerialisation [--layers 24] [--batch 8] [--rounds 2]

Prints what XLA plans for the step besides its arguments, the process's peak, the shortest of five steps, and the loss.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

WIDTH, LENGTH, HEADS = 128, 128, 4


def model(layers: int) -> Any:
    """Pre-norm blocks and a head."""
    import megengine.functional as F
    import megengine.module as M

    class Block(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2, self.qkv = M.LayerNorm(WIDTH), M.LayerNorm(WIDTH), M.Linear(WIDTH, 3 * WIDTH)
            self.out, self.up, self.down = (
                M.Linear(WIDTH, WIDTH),
                M.Linear(WIDTH, 4 * WIDTH),
                M.Linear(4 * WIDTH, WIDTH),
            )

        def forward(self, x: Any) -> Any:
            n, length = x.shape[:2]
            parts = F.split(self.qkv(self.norm1(x)), 3, axis=2)
            q, k, v = (F.transpose(p.reshape(n, length, HEADS, -1), (0, 2, 1, 3)) for p in parts)
            weights = F.softmax(F.matmul(q, k, transpose_b=True) / (WIDTH // HEADS) ** 0.5, axis=-1)
            y = F.transpose(F.matmul(weights, v), (0, 2, 1, 3)).reshape(n, length, WIDTH)
            x = x + self.out(y)
            return x + self.down(F.gelu(self.up(self.norm2(x))))

    return M.Sequential(*[Block() for _ in range(layers)], M.Linear(WIDTH, 8))


def one(layers: int, batch: int, again: bool) -> dict[str, float]:
    """Train a few steps; what is measured."""
    import numpy as np

    import megengine as mge
    import megengine.functional as F
    import megengine.optimizer as optim
    from megengine.autodiff import GradManager
    from megengine.graph import tier
    from megengine.graph.program import loaded
    from megengine.jit import SublinearMemoryConfig, trace

    mge.random.seed(0)
    net = model(layers)
    optimizer, manager = optim.SGD(net.parameters(), lr=1e-3), GradManager().attach(net.parameters())

    @trace(sublinear_memory_config=SublinearMemoryConfig() if again else None)
    def step(x: Any) -> Any:
        with manager:
            loss = F.mean(net(x) ** 2)
            manager.backward(loss)
        optimizer.step().clear_grad()
        return loss

    x = mge.Tensor(np.random.default_rng(0).standard_normal((batch, LENGTH, WIDTH), np.float32))
    times = []
    with tier("compiled"):
        for _ in range(7):
            start = time.perf_counter()
            loss = step(x).item()
            times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "planned MB": max(p.needs for p in loaded()) / 2**20,
        "peak MB": peak,
        "ms": 1000 * min(times[2:]),
        "loss": loss,
    }


def main() -> None:
    """Run both ways, alternating."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--one", choices=["kept", "again"])
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.layers, args.batch, args.one == "again")))
        return
    for _ in range(args.rounds):
        for way in ("kept", "again"):
            command = [sys.executable, "-m", "benchmarks.rematerialisation", "--one", way]
            command += ["--layers", str(args.layers), "--batch", str(args.batch)]
            found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(
                way, {name: round(value, 3) for name, value in json.loads(found.splitlines()[-1]).items()}, flush=True
            )


if __name__ == "__main__":
    main()
