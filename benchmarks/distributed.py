"""What communication costs: collectives against JAX's, a training step in two processes against one, a ResNet-50's messages.

    python -m benchmarks.distributed [--rounds 5] [--sizes 1 1024 1048576 26214400]

Prints three tables for two processes of this machine: an all-reduce of so many floats, here and by ``jax.jit`` over the same
devices, alternating; the collectives of one step of a ResNet-50; and a step of the same batch in one process and in two, with the
processors' time that it takes in all, beside what two processes would take if they only divided the work.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

BATCH, WIDTH, FEATURES = 512, 1024, 784
BUCKET = 10 << 20  # bytes of gradients in a message


def bandwidth(sizes: list[int], rounds: int) -> list[tuple[int, float, float]]:
    """Seconds of an all-reduce of each size, here and by JAX."""
    import jax
    import numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    import megengine as mge
    import megengine.distributed as dist
    import megengine.functional as F

    mesh = Mesh(np.array(jax.devices()), ("ranks",))
    divided, same = NamedSharding(mesh, PartitionSpec("ranks")), NamedSharding(mesh, PartitionSpec())
    summed = jax.jit(lambda x: x.sum(0), out_shardings=same)
    found = []
    for size in sizes:
        numbers = np.ones(size, np.float32)
        local = jax.device_put(numbers[None], jax.local_devices()[0])
        whole = jax.make_array_from_single_device_arrays((dist.get_world_size(), size), divided, [local])
        ours, theirs = [], []
        for _ in range(rounds + 1):
            x = mge.Tensor(numbers)
            x.numpy()
            start = time.perf_counter()
            F.distributed.all_reduce_sum(x)  # waits for its end
            middle = time.perf_counter()
            summed(whole).block_until_ready()
            ours.append(middle - start)
            theirs.append(time.perf_counter() - middle)
        found.append((size, statistics.median(ours[1:]), statistics.median(theirs[1:])))
    return found


def messages() -> tuple[int, int, int]:
    """Gradients of a ResNet-50, their bytes, and the collectives that reduce them in one step."""
    import numpy as np

    import megengine as mge
    import megengine.distributed as dist
    import megengine.functional as F
    from examples.resnet import Bottleneck, ResNet
    from megengine.autodiff import GradManager
    from megengine.distributed import runtime

    net = ResNet(Bottleneck, (3, 4, 6, 3))
    manager = GradManager().attach(net.parameters(), callbacks=[dist.make_allreduce_cb("mean")])
    before = sum(runtime.ran.values())
    with manager:
        loss = F.nn.cross_entropy(net(mge.Tensor(np.zeros((2, 3, 64, 64), np.float32))), mge.Tensor([0, 1]))
        manager.backward(loss)
    grads = [p.grad for p in net.parameters() if p.grad is not None]
    return len(grads), 4 * sum(g.size for g in grads), sum(runtime.ran.values()) - before


def steps(count: int) -> tuple[float, float]:
    """Seconds and processor's seconds a step of a network of four layers, each rank with its part of the batch."""
    import numpy as np

    import megengine as mge
    import megengine.distributed as dist
    import megengine.functional as F
    import megengine.module as M
    from megengine.autodiff import GradManager
    from megengine.optimizer import SGD

    rank, world = dist.get_rank(), dist.get_world_size()
    mge.random.seed(0)
    layers: list[Any] = [M.Linear(FEATURES, WIDTH), M.ReLU(), M.Linear(WIDTH, WIDTH), M.ReLU(), M.Linear(WIDTH, 10)]
    net = M.Sequential(*layers)
    dist.bcast_list_(net.tensors())
    manager = GradManager().attach(net.parameters(), callbacks=[dist.make_allreduce_cb("mean")])
    optimizer = SGD(net.parameters(), lr=0.01)
    rng = np.random.default_rng(0)
    images = rng.standard_normal((BATCH, FEATURES), np.float32)[rank::world]
    labels = rng.integers(0, 10, BATCH).astype(np.int32)[rank::world]

    def step() -> None:
        with manager:
            loss = F.nn.cross_entropy(net(mge.Tensor(images)), mge.Tensor(labels))
            manager.backward(loss)
        optimizer.step().clear_grad()
        loss.item()

    for _ in range(count):  # until what is compiled has taken over
        step()
    start, spent = time.perf_counter(), time.process_time()
    for _ in range(count):
        step()
    return (time.perf_counter() - start) / count, (time.process_time() - spent) / count


def header(*titles: str) -> None:
    """Begin a table."""
    print(f"\n| {' | '.join(titles)} |\n|{'---|' * len(titles)}", flush=True)


def line(*cells: str) -> None:
    """Go on with it."""
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 1024, 1 << 20, 25 << 20])
    parser.add_argument("--steps", type=int, default=60)
    args = parser.parse_args()
    import megengine.distributed as dist

    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n")
    header("all-reduce of", "here", "JAX", "ratio", "of a link, here")
    for size, ours, theirs in dist.launcher(bandwidth, n_gpus=2)(args.sizes, args.rounds)[0]:
        # Of two processes each sends 2 (n - 1) / n = 1 times the array.
        cells = f"{size:,} floats", f"{1e3 * ours:.3f} ms", f"{1e3 * theirs:.3f} ms", f"{ours / theirs:.2f}"
        line(*cells, f"{4e-9 * size / ours:.3f} GB/s")
    header("step", "gradients", "of", "collectives", "in theory")
    gradients, size, collectives = dist.launcher(messages, n_gpus=2)()[0]
    line(
        "ResNet-50",
        str(gradients),
        f"{size / 2**20:.1f} MiB",
        str(collectives),
        f"{math.ceil(size / BUCKET)} of 10 MiB at most",
    )
    header("processes", "a step", "in theory", "of the processors")
    alone = 0.0
    measured: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    for _ in range(args.rounds):
        for ranks, found in measured.items():
            made = dist.launcher(steps, n_gpus=ranks)(args.steps)
            found.append((max(seconds for seconds, _ in made), sum(processor for _, processor in made)))
    for ranks, found in measured.items():
        wall, spent = (1e3 * statistics.median(column) for column in zip(*found, strict=True))
        alone = alone or spent
        # One process has all processors; what it does not use of them, more processes may.
        line(str(ranks), f"{wall:.1f} ms", f"{alone / (os.cpu_count() or 1):.1f} ms at least", f"{spent:.1f} ms")


if __name__ == "__main__":
    main()
