"""Whether processes communicate, and a small GPT trains in bfloat16, on the devices that are here; within a few minutes.

    python -m benchmarks.nccl [--processes N] [--steps 20] [--tiny]

Collectives are compared with NumPy's results: in a group of one process, which starts JAX's runtime (of one device XLA leaves the
communication out), and with one process for each GPU, or N. The GPT's losses in bfloat16 are compared with those in float32, and
its steps timed. On a CPU gloo stands for NCCL, and --tiny is a small enough network, to see whether the script works.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# Dense bfloat16 operations a second by words in a device's name, from NVIDIA's data sheets.
PEAKS = {"H100": 989.4e12, "H200": 989.4e12, "A100": 312e12}
CLOSE = 5e-2  # how far the losses of the first steps in bfloat16 may be from those in float32, relative
SIZES = {"tiny": (64, 2, 2, 16, 4), "full": (1024, 16, 12, 512, 16)}  # width, heads, layers, length, batch


def operand(rank: int, count: int) -> Any:
    """What a rank of so many has."""
    import numpy as np

    return np.random.default_rng(rank).standard_normal((2 * count, 6), np.float32)


def wanted(name: str, operands: Sequence[Any], rank: int) -> Any:
    """What a rank gets of these, by NumPy."""
    import numpy as np

    count = len(operands)
    total = np.sum(operands, 0)
    return {
        "ALL_REDUCE_SUM": total,
        "ALL_REDUCE_MAX": np.max(operands, 0),
        "ALL_GATHER": np.concatenate(operands),
        "REDUCE_SCATTER_SUM": np.split(total, count)[rank],
        "BROADCAST": operands[0],
        "ALL_TO_ALL": np.concatenate([np.split(x, count)[rank] for x in operands]),
    }[name]


NAMES = ("ALL_REDUCE_SUM", "ALL_REDUCE_MAX", "ALL_GATHER", "REDUCE_SCATTER_SUM", "BROADCAST", "ALL_TO_ALL")


def alone() -> str:
    """A group of one process on JAX's runtime; what it computed on."""
    import jax
    import numpy as np

    from megengine.distributed import runtime
    from megengine.distributed.machines import free_port

    runtime.join(f"127.0.0.1:{free_port('127.0.0.1')}", "127.0.0.1", 1, 0, None)
    for name in NAMES:
        axes = {"ALL_TO_ALL": (("axis", 0), ("concat_axis", 0)), "ALL_GATHER": (("axis", 0),)}
        axes["REDUCE_SCATTER_SUM"] = axes["ALL_GATHER"]
        found = runtime.run(name, operand(0, 1), (0,), axes.get(name, ()))
        np.testing.assert_allclose(np.asarray(found), wanted(name, [operand(0, 1)], 0), rtol=1e-6, err_msg=name)
    device = jax.devices()[0]
    runtime.leave()
    return f"{device.device_kind} ({device.platform})"


def together() -> int:
    """Collectives of several processes; how many were right."""
    import numpy as np

    import megengine as mge
    import megengine.distributed as dist
    import megengine.functional as F

    rank, count = dist.get_rank(), dist.get_world_size()
    operands = [operand(r, count) for r in range(count)]
    for name in NAMES:
        found = F.distributed.collective_comm(mge.Tensor(operands[rank]), name, None, None)
        np.testing.assert_allclose(found.numpy(), wanted(name, operands, rank), rtol=1e-5, err_msg=name)
    return len(NAMES)


def losses_and_seconds(size: str, half: bool, steps: int) -> tuple[list[float], float]:
    """The losses of a GPT's first steps, and the median of the rest's times."""
    import numpy as np

    import megengine as mge
    from examples.gpt import GPT, Trainer
    from megengine.amp import autocast

    width, heads, layers, length, batch = SIZES[size]
    mge.random.seed(0)
    model = GPT(tokens=128, length=length, width=width, heads=heads, layers=layers)
    text = np.random.default_rng(0).integers(0, 128, 64 * length).astype(np.int32)
    trainer = Trainer(model, text, batch)
    losses, seconds = [], []
    with autocast(enabled=half, low_prec_dtype="bfloat16"):
        for _ in range(steps):
            start = time.perf_counter()
            losses.append(trainer.step())
            seconds.append(time.perf_counter() - start)
    return losses[:3], statistics.median(seconds[len(seconds) // 2 :])


def operations(size: str) -> float:
    """Of a step, forward and backward."""
    width, _, layers, length, batch = SIZES[size]
    return 6.0 * batch * length * (12 * layers * width**2 + 128 * width + 2 * layers * width * length)


def gpt(size: str, steps: int, device: str) -> None:
    """Train in both precisions, compare, and print."""
    import numpy as np

    exact, slow = losses_and_seconds(size, False, steps)
    found, quick = losses_and_seconds(size, True, steps)
    np.testing.assert_allclose(found, exact, rtol=CLOSE)
    peak = next((peak for word, peak in PEAKS.items() if word in device), None)
    part = "" if peak is None else f", {operations(size) / quick / peak:.0%} of the peak"
    print(f"GPT, {size}: losses agree; {1e3 * slow:.2f} ms a step in float32, {1e3 * quick:.2f} ms in bfloat16{part}")


def main(argv: Sequence[str] | None = None) -> None:
    """Check what is here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, help="default: one for each GPU")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--tiny", action="store_true", help="a network for a CPU")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.alone:
        print(alone())
        return
    command = [sys.executable, "-m", "benchmarks.nccl", "--alone"]
    root = Path(__file__).resolve().parent.parent
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root).stdout
    device = made.splitlines()[-1]
    print(f"a group of one process: {len(NAMES)} collectives are right, {device}", flush=True)

    import megengine.distributed as dist

    count = dist.launcher(together).n_gpus if given.processes is None else given.processes
    if count > 1:
        right = dist.launcher(together, n_gpus=count)()
        print(f"{count} processes: {min(right)} collectives are right", flush=True)
    gpt("tiny" if given.tiny else "full", given.steps, device)


if __name__ == "__main__":
    main()
