"""Ways to compute common convolutions, forward and both gradients, in both tiers, and whether the rule takes the fastest.

    python -m benchmarks.choices [--rounds N] [--shapes N] [--one-core]

A line has the milliseconds of each way, least of all rounds, and how many times as long as the fastest the rule's choice takes.
Those above 1.1 are counted at the end. With ``--one-core`` it is the time that the process has one core for, on a machine that
others use: start it so that it has no other (``OMP_NUM_THREADS=1 taskset -c 1``).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from megengine.graph import options
from megengine.graph.host.interpreter import interpret
from megengine.ops import timed
from megengine.ops.bilinear import convolve, input_gradient, kernel_gradient
from megengine.ops.timed import CHOICES, measuring

Ways = Mapping[str, Callable[[], timed.Run]]
KINDS = "convolve", "convolve_input_gradient", "convolve_kernel_gradient"
# Batch, channels, size, filters, window, stride, groups.
SHAPES = [
    (64, 3, 32, 32, 3, 1, 1), (64, 32, 16, 64, 3, 1, 1),
    (16, 3, 64, 64, 7, 2, 1), (16, 64, 16, 64, 3, 1, 1), (16, 128, 8, 128, 3, 1, 1), (16, 256, 4, 256, 3, 1, 1),
    (16, 512, 2, 512, 3, 1, 1), (16, 64, 16, 128, 1, 2, 1),
    (8, 3, 224, 64, 7, 2, 1), (8, 64, 56, 64, 3, 1, 1), (8, 128, 28, 128, 3, 1, 1), (8, 256, 14, 256, 3, 1, 1),
    (8, 512, 7, 512, 3, 1, 1), (8, 64, 56, 256, 1, 1, 1), (8, 256, 56, 512, 1, 2, 1), (8, 1024, 14, 256, 1, 1, 1),
    (8, 96, 112, 96, 3, 2, 96), (8, 192, 28, 192, 3, 1, 192), (8, 96, 28, 96, 7, 1, 96), (8, 128, 28, 128, 3, 1, 32),
    (2, 32, 256, 32, 3, 1, 1), (1, 64, 56, 64, 3, 1, 1), (1, 512, 7, 512, 3, 1, 1),
]  # fmt: skip


def busy_seconds(run: timed.Run) -> float:
    """How long one run keeps cores busy."""
    start = time.process_time()
    run()
    return time.process_time() - start


def called(kind: str, shape: tuple[int, ...]) -> tuple[Callable[..., Any], list[np.ndarray]]:
    """What computes one of the shapes, and random operands."""
    n, c, size, filters, window, stride, groups = shape
    of_x, of_kernel = (n, c, size, size), (filters, c // groups, window, window)
    settings: Any = {
        "stride": (stride,) * 2, "padding": (window // 2,) * 2, "dilation": (1, 1), "groups": groups
    }  # fmt: skip
    rng = np.random.default_rng(0)
    x, kernel = (rng.standard_normal(s, np.float32) for s in (of_x, of_kernel))
    y = np.ones(jax.eval_shape(lambda x, k: convolve(x, k, **settings), x, kernel).shape, np.float32)
    if kind == "convolve":
        return lambda x, k: convolve(x, k, **settings), [x, kernel]
    if kind == "convolve_input_gradient":
        return lambda k, ct: input_gradient(k, ct, shape=of_x, **settings), [kernel, y]
    return lambda x, ct: kernel_gradient(x, ct, shape=of_kernel, **settings), [x, y]


def ways(kind: str, shape: tuple[int, ...], tier: str) -> Ways | None:
    """What the engine would choose from, what the rule takes first; None where there is nothing to choose."""
    run, arrays = called(kind, shape)
    seen: list[Ways] = []

    def noted(signature: str, candidates: Ways) -> str:
        seen.append(candidates)
        return next(iter(candidates))

    choose, CHOICES.choose = CHOICES.choose, noted  # type: ignore[method-assign,assignment]
    options.measured = True
    try:
        if tier == "interpreter":
            interpret(jax.make_jaxpr(run)(*arrays))(*arrays)
        else:
            with measuring(True):
                jax.jit(run).lower(*arrays)
    finally:
        options.measured, CHOICES.choose = False, choose  # type: ignore[method-assign]
    return seen[0] if seen else None


def main(argv: list[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.choices", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="turns at least")
    parser.add_argument("--shapes", type=int, default=len(SHAPES), help="so many of the shapes")
    parser.add_argument("--one-core", action="store_true", help="the time of one core")
    given = parser.parse_args(argv)
    if given.one_core:
        timed.seconds = busy_seconds
    timed.LEAST_ROUNDS = given.rounds
    print("| tier | batch, channels, size, filters, window, stride, groups | what | ways, ms | rule / fastest |")
    print("|---|---|---|---|---|")
    beyond = total = 0
    for shape in SHAPES[: given.shapes]:
        for kind in KINDS:
            for tier in ("compiled", "interpreter"):
                found = ways(kind, shape, tier)
                if found is None or len(found) < 2:
                    continue
                times = timed.compared(found)
                rule = times[next(iter(times))] / min(times.values())
                total, beyond = total + 1, beyond + (rule > 1.1)
                text = ", ".join(f"{name} {t * 1e3:.2f}" for name, t in times.items())
                print(f"| {tier} | {', '.join(map(str, shape))} | {kind} | {text} | {rule:.2f} |", flush=True)
    print(f"\n{beyond} of {total} are more than a tenth slower than the fastest way.")


if __name__ == "__main__":
    main()
