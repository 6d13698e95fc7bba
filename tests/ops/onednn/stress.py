"""Many threads at once, in both tiers, while plans are forgotten and made again, calls fail and processes are forked.

python -m tests.ops.onednn.stress [--seconds 600] [--threads 6]
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import numpy as np

from megengine.graph.blas import single_thread
from megengine.graph.host.interpreter import interpret
from megengine.graph.layout import channels_behind
from megengine.graph.serials import WithSerials
from megengine.ops import batch
from megengine.ops.activation import relu, relu6
from megengine.ops.bilinear import convolve
from megengine.ops.lstm import lstm
from megengine.ops.nn import batch_norm
from megengine.ops.onednn import custom_call
from megengine.ops.onednn import plan as plans
from megengine.ops.onednn.kept import kept_bytes
from megengine.ops.onednn.library import library

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
# One in so many calls of the library fails.
FAILS = 400
SHAPE = (2, 16, 14, 14)


class Case:
    """A function of arrays, with what XLA alone makes of it.

    Args:
        what: its name.
        f: makes the function.
        arrays: what it is called with.
    """

    def __init__(self, what: str, f: Callable[[], Callable[..., Any]], arrays: list[np.ndarray]) -> None:
        self.arrays, self.what = arrays, what
        with custom_call.portable():
            self.wanted = jax.jit(f()).lower(*arrays).compile()(*arrays)
        lowered = jax.jit(f()).lower(*arrays)
        assert custom_call.TARGET in lowered.as_text(), what
        self.tiers: Sequence[Callable[..., Any]] = lowered.compile(), interpret(jax.make_jaxpr(f())(*arrays))

    def check(self, tier: int) -> None:
        """Compute it once more.

        Raises:
            AssertionError: the results differ.
        """
        for k, (found, wanted) in enumerate(zip(self.tiers[tier](*self.arrays), self.wanted, strict=True)):
            scale = float(np.abs(wanted).max())
            np.testing.assert_allclose(found, wanted, 1e-3, 1e-3 * scale, err_msg=f"{self.what}: {k} of tier {tier}")


class Convolved(Case):
    """A convolution, a normalisation and their gradients."""

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

        super().__init__(str(settings), lambda: lambda *a: f(*a), arrays)


class Recurrent(Case):
    """An LSTM and its gradients."""

    def __init__(self, reverse: bool, rng: np.random.Generator) -> None:
        shapes = [(15, 8, 40), (128, 40), (128,), (8, 32), (8, 32), (128, 32)]
        arrays = [rng.standard_normal(shape, np.float32) / 4 for shape in shapes]

        def f(*given: Any) -> Any:
            (states, last), pull = jax.vjp(lambda *a: lstm(reverse, *a), *given)
            return [states, last, *pull((states, last))]

        super().__init__(f"lstm, reverse {reverse}", lambda: lambda *a: f(*a), arrays)


class Inference:
    """A block of an evaluated network, whose kernels are kept and are others now and then."""

    def __init__(self, groups: int, rng: np.random.Generator) -> None:
        params: Any = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": groups}
        self.x = rng.standard_normal(SHAPE).astype(np.float32)
        p = rng.uniform(0.5, 2, (1, SHAPE[1], 1, 1)).astype(np.float32)

        def f(x: Any, w: Any, v: Any) -> list[Any]:
            y = relu.lower(batch_norm.lower(convolve(x, w, **params), p, p, p, p, eps=1e-5))
            return [relu6.lower(convolve(y, v, **params) + x)]

        kernels = rng.standard_normal((2, SHAPE[1], SHAPE[1] // groups, 3, 3)).astype(np.float32)
        # Some are the same all the time, and are kept.
        self.given = [tuple(jax.device_put(w * k) for w in kernels) for k in (0.1, -0.2)]
        with custom_call.portable():
            plain = jax.jit(f).lower(self.x, *kernels).compile()
        self.wanted = [plain(self.x, *given)[0] for given in self.given]
        self.run = WithSerials(jax.jit(channels_behind(f, [1, 2])), [1, 2])

    def check(self, which: int) -> None:
        """Compute it with kernels of either kind, one of them in an array of its own.

        Raises:
            AssertionError: the results differ.
        """
        k = random.randrange(2)
        w, v = self.given[k]
        found = self.run(self.x, w, jax.device_put(np.array(v)) if random.random() < 0.1 else v)[0]
        np.testing.assert_allclose(found, self.wanted[k], 1e-3, 1e-3)


@contextmanager
def failing(one_in: int) -> Iterator[None]:
    """Have one in so many calls of the library say that there is no memory; 0 for none."""
    lib: Any = library()
    execute = lib.execute
    if one_in:
        lib.execute = lambda *args: 1 if random.randrange(one_in) == 0 else execute(*args)
    try:
        yield
    finally:
        lib.execute = execute


def run(seconds: float, threads: int = 6, fails: int = FAILS) -> tuple[int, int, float, float]:
    """Run in so many threads for so long: how often, how often it failed, and the megabytes early and at the end.

    Raises:
        AssertionError, RuntimeError: as soon as anything differs, or fails that was not made to.
    """
    rng = np.random.default_rng(0)
    cases: list[Any] = [Convolved(settings, rng) for settings in SETTINGS]
    cases += [Inference(groups, rng) for groups in (1, 16)] + [Recurrent(reverse, rng) for reverse in (False, True)]
    # NumPy's OpenBLAS, with threads of its own, hangs by itself if a process is forked amid its products.
    with failing(fails), single_thread("stress"):
        return _run(cases, seconds, threads)


def _run(cases: list[Any], seconds: float, threads: int) -> tuple[int, int, float, float]:
    start, stop = time.monotonic(), threading.Event()
    failures: list[BaseException] = []
    counts, failed = [0] * threads, [0] * threads
    early = 0.0

    def work(k: int) -> None:
        own = np.random.default_rng(k)
        try:
            while not stop.is_set():
                try:
                    cases[own.integers(len(cases))].check(int(own.integers(2)))
                    counts[k] += 1
                except (MemoryError, ValueError, RuntimeError) as error:  # by XLA, of several types
                    if "oneDNN: out of memory in " not in str(error):
                        raise
                    failed[k] += 1
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
        _fork()
        if not early and time.monotonic() - start > seconds / 4:
            early = _megabytes()
    stop.set()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]
    return sum(counts), sum(failed), early, _megabytes()


def _fork() -> None:
    """A process that is forked and ends, as those of a data loader do, leaves the threads alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run it as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--threads", type=int, default=6)
    given = parser.parse_args()
    count, failed, early, late = run(given.seconds, given.threads)
    print(f"{count} runs, {failed} made to fail, {kept_bytes()} bytes of kernels still kept")
    print(f"peak {early:.0f} MB after a quarter, {late:.0f} MB at the end")
    if late > early * 1.2:
        sys.exit("the process grows")


if __name__ == "__main__":
    main()
