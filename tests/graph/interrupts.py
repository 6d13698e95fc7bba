"""Training that is interrupted at random moments, compared with the same training left alone.

``python -m tests.graph.interrupts 1000`` interrupts each kind of training so often.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine import Tensor
from megengine.autodiff import GradManager
from megengine.jit import trace
from megengine.optimizer import SGD, Adam

KINDS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9},
    "Adam": {"kind": Adam},
    "traced": {"momentum": 0.9, "traced": {}},
    "traced, without host": {"momentum": 0.9, "traced": {"without_host": True}},
}


class Trainer:
    """A small network, in whose training every kind of state takes part."""

    def __init__(
        self, kind: Callable[..., Any] = SGD, width: int = 8, traced: dict[str, bool] | None = None, **options: float
    ) -> None:
        mge.random.seed(3)
        self.net = M.Sequential(M.Linear(4, width, bias=False), M.BatchNorm1d(width), M.ReLU(), M.Linear(width, 3))
        self.gm = GradManager().attach(self.net.parameters())
        self.opt = kind(self.net.parameters(), lr=0.1, **options)
        rng = np.random.default_rng(0)
        self.x = Tensor(rng.normal(size=(6, 4)).astype("float32"))
        self.label = rng.integers(0, 3, 6).astype("int32")
        self.train = self._train if traced is None else trace(self._train, **traced)

    def step(self, number: int = 0, label: object = None) -> Tensor:
        """A step; those of other numbers learn other labels, so that no two leave the same state."""
        label = (self.label + number) % 3 if label is None else label
        return self.train(self.x, label if isinstance(label, Tensor) else Tensor(label))

    def _train(self, x: Tensor, label: Tensor) -> Tensor:
        self.opt.clear_grad()
        with self.gm:
            loss = F.nn.cross_entropy(self.net(x), label)
            self.gm.backward(loss)
            self.opt.step()
        return loss

    def trained(self) -> np.ndarray:
        """What only a step changes, in one array."""
        states = [t for p in self.net.parameters() for t in self.opt._state.get(p, {}).values()]
        return np.concatenate([t.numpy().ravel() for t in [*self.net.parameters(), *states]])

    def everything(self) -> np.ndarray:
        return np.concatenate([self.trained(), *(b.numpy().ravel() for b in self.net.buffers())])


class Known:
    """What a trainer of the same kind, left alone, has after each number of steps."""

    def __init__(self, **options: object) -> None:
        self.trainer = Trainer(**options)  # type: ignore[arg-type]
        self.states = [self.trainer.trained()]

    def reached(self, state: np.ndarray, *steps: int) -> int:
        """After which of these steps the trainer had this state, to rounding."""
        matching = [k for k in steps if np.allclose(self[k], state, rtol=1e-3, atol=1e-5)]
        assert len(matching) == 1, f"a state of step {matching}, not of one of {steps}"
        return matching[0]

    def __getitem__(self, step: int) -> np.ndarray:
        while len(self.states) <= step:
            self.trainer.step(len(self.states) - 1)
            self.states.append(self.trainer.trained())
        return self.states[step]


def interrupted(body: Callable[[], object], seconds: float) -> bool:
    """Whether an interrupt after so long came before the end of ``body()``."""
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        body()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0)
        return True
    return False


@contextmanager
def alarms() -> Iterator[None]:
    """SIGALRM interrupts as Ctrl-C does, also where SIGINT is ignored."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def interrupt_training(count: int, seed: int, **options: Any) -> int:
    """Interrupt so often; returns how many steps happened. After each interrupt all tensors are before the step or after it."""
    known, trainer, chance = Known(**options), Trainer(**options), random.Random(seed)
    lengths = []
    for done in range(6):  # the first ones compile
        started = time.perf_counter()
        trainer.step(done).item()
        lengths.append(time.perf_counter() - started)
    done, interrupts = 6, 0
    while interrupts < count:
        interrupts += interrupted(lambda k=done: trainer.step(k).item(), chance.uniform(1e-6, 1.5 * min(lengths)))
        done = known.reached(trainer.trained(), done, done + 1)
    return done


if __name__ == "__main__":
    for name, options in KINDS.items():
        with alarms():
            steps = interrupt_training(int(sys.argv[1]), 0, **options)
        print(f"{name}: {sys.argv[1]} interrupts in {steps} steps, nothing lost")
