"""Many threads at once, in both tiers, while plans are forgotten and made again.

python -m tests.ops.onednn.stress [--seconds 600] [--threads 6]
"""

from __future__ import annotations

import argparse
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from megengine.graph.host.interpreter import interpret
from megengine.ops import batch
from megengine.ops.bilinear import convolve
from megengine.ops.onednn import custom_call
from megengine.ops.onednn import plan as plans

Settings = tuple[tuple[int, ...], tuple[int, ...], int, int, int, int]
# Input, kernel, stride, padding, dilation, groups.
SETTINGS: list[Settings] = [
    ((4, 3, 20, 20), (16, 3, 3, 3), 1, 1, 1, 1),
    ((2, 16, 24, 17), (24, 16, 3, 3), 2, 1, 1, 1),
    ((4, 32, 12, 12), (32, 1, 5, 5), 1, 2, 1, 32),
    ((2, 32, 14, 14), (32, 8, 3, 3), 1, 2, 2, 4),
    ((2, 64, 9, 9), (40, 64, 1, 1), 1, 0, 1, 1),
    ((4, 16, 150), (16, 16, 7), 3, 3, 1, 1),
    ((1, 8, 7, 12, 12), (16, 8, 3, 3, 3), 1, 1, 1, 1),
]
FEW_PLANS = 6


class Case:
    """A convolution, a normalisation and their gradients, with what XLA alone makes of them."""

    def __init__(self, settings: Settings, rng: np.random.Generator) -> None:
        x, w, stride, padding, dilation, groups = settings
        many = len(x) - 2
        params: Any = {
            "stride": (stride,) * many,
            "padding": (padding,) * many,
            "dilation": (dilation,) * many,
            "groups": groups,
        }
        arrays = [rng.standard_normal(shape).astype(np.float32) for shape in (x, w, w[:1], w[:1])]

        def f(x: Any, w: Any, scale: Any, shift: Any) -> Any:
            def g(x: Any, w: Any, scale: Any, shift: Any) -> Any:
                return batch.normalize(convolve(x, w, **params), scale, shift, 1e-5)[0]

            y, pull = jax.vjp(g, x, w, scale, shift)
            return [y, *pull(y * y)]

        self.arrays = arrays
        with custom_call.portable():
            self.wanted = jax.jit(f).lower(*arrays).compile()(*arrays)
        lowered = jax.jit(lambda *a: f(*a)).lower(*arrays)
        assert custom_call.TARGET in lowered.as_text(), settings
        self.tiers: Sequence[Callable[..., Any]] = lowered.compile(), interpret(jax.make_jaxpr(f)(*arrays))
        self.what = str(settings)

    def check(self, tier: int) -> None:
        """Compute it once more.

        Raises:
            AssertionError: the results differ.
        """
        for k, (found, wanted) in enumerate(zip(self.tiers[tier](*self.arrays), self.wanted, strict=True)):
            scale = float(np.abs(wanted).max())
            np.testing.assert_allclose(found, wanted, 1e-3, 1e-3 * scale, err_msg=f"{self.what}: {k} of tier {tier}")


def run(seconds: float, threads: int = 6) -> tuple[int, float, float]:
    """Run in so many threads for so long: how often, and how many megabytes the process had early and at the end.

    Raises:
        AssertionError, RuntimeError: as soon as anything differs, or fails.
    """
    rng = np.random.default_rng(0)
    cases = [Case(settings, rng) for settings in SETTINGS]
    start, stop = time.monotonic(), threading.Event()
    failures: list[BaseException] = []
    counts = [0] * threads
    early = 0.0

    def work(k: int) -> None:
        own = np.random.default_rng(k)
        try:
            while not stop.is_set():
                cases[own.integers(len(cases))].check(int(own.integers(2)))
                counts[k] += 1
        except BaseException as error:
            failures.append(error)
            stop.set()

    workers = [threading.Thread(target=partial(work, k), daemon=True) for k in range(threads)]
    for worker in workers:
        worker.start()
    while not stop.wait(0.2) and time.monotonic() - start < seconds:
        with plans._changing:
            while len(plans._plans) > FEW_PLANS:
                plans._plans.popitem(last=False)
        custom_call._plan.cache_clear()
        if not early and time.monotonic() - start > seconds / 4:
            early = _megabytes()
    stop.set()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]
    return sum(counts), early, _megabytes()


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run it as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--threads", type=int, default=6)
    given = parser.parse_args()
    count, early, late = run(given.seconds, given.threads)
    print(f"{count} runs, peak {early:.0f} MB after a quarter, {late:.0f} MB at the end")
    if late > early * 1.2:
        sys.exit("the process grows")


if __name__ == "__main__":
    main()
