"""What communication costs: collectives against JAX's, a training step in two processes against one, a ResNet-50's messages.

    python -m benchmarks.distributed [--rounds 5] [--sizes 1 1024 1048576 26214400]

Prints, for two processes of this machine: milliseconds and GB/s of an all-reduce of so many floats, here and by ``jax.jit`` over
the same devices, alternating; the collectives of one step of a ResNet-50; and the milliseconds of a step of the same batch in one
process and in two, with the processors' time that it takes in all.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

BATCH, WIDTH, FEATURES = 512, 1024, 784


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


def messages() -> tuple[int, int]:
    """Gradients of a ResNet-50, and the collectives that reduce them in one step."""
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
    return sum(p.grad is not None for p in net.parameters()), sum(runtime.ran.values()) - before


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


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 1024, 1 << 20, 25 << 20])
    parser.add_argument("--steps", type=int, default=60)
    args = parser.parse_args()
    import megengine.distributed as dist

    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for size, ours, theirs in dist.launcher(bandwidth, n_gpus=2)(args.sizes, args.rounds)[0]:
        speeds = f"{1e3 * ours:.3f} ms here, {1e3 * theirs:.3f} by JAX, ratio {ours / theirs:.2f}"
        print(f"all-reduce of {size} floats: {speeds}, {4e-9 * size / ours:.3f} GB/s", flush=True)
    gradients, collectives = dist.launcher(messages, n_gpus=2)()[0]
    print(f"ResNet-50: {gradients} gradients in {collectives} collectives", flush=True)
    for _ in range(args.rounds):
        for ranks in (1, 2):
            measured = dist.launcher(steps, n_gpus=ranks)(args.steps)
            wall, spent = max(seconds for seconds, _ in measured), sum(processor for _, processor in measured)
            print(
                f"{ranks} process{'es' * (ranks > 1)}: {1e3 * wall:.1f} ms a step, {1e3 * spent:.1f} ms of the processors",
                flush=True,
            )


if __name__ == "__main__":
    main()
