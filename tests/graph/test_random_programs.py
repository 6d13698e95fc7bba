"""Random imperative programs give the same numbers in whole steps as op by op, and in each tier."""

from __future__ import annotations

import contextlib
import gc
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import program, straight_line
from megengine.optimizer import SGD, Adam

SHAPES = [(2, 3), (3,), (2, 1)]
Op = Callable[[Tensor, Tensor], Tensor]
OPS: list[Op] = [
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: F.sin(a),
    lambda a, b: F.maximum(a, b),
    lambda a, b: a.sum(axis=-1, keepdims=True) + b,
    lambda a, b: a * 2.5 - b,
    lambda a, b: a.detach(),
    lambda a, b: F.exp(-F.abs(a)),
    lambda a, b: F.where(a > 0, a, a * 0.1),
    lambda a, b: a[0] + b if a.ndim == 2 else a + b,
    lambda a, b: mge.random.normal(size=(2, 3)) * 0.1 + a,
    lambda a, b: F.concat([a.flatten(), b.flatten()])[:3],
    lambda a, b: F.softmax(a, axis=-1) * b,
]


def _array(seed: int) -> np.ndarray:
    return np.float32(np.random.RandomState(seed).uniform(-1, 1, SHAPES[seed % 3]))


class Life:
    """A pool of tensors, parameters with an optimizer, and what a seed does with them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        mge.random.seed(seed)
        self.pool = [Tensor(_array(self.rng.randrange(999))) for _ in range(5)]
        self.params = [Parameter(_array(k)) for k in range(3)]
        self.held: list[Tensor] = []
        self.seen: list[Any] = []
        self.gm = GradManager().attach(self.params)
        momentum = self.rng.random() < 0.5
        self.optimizer = SGD(self.params, lr=0.1, momentum=0.9) if momentum else Adam(self.params, lr=0.1)

    def likely(self, chance: float) -> bool:
        return self.rng.random() < chance

    def any(self) -> Tensor:
        return self.rng.choice(self.pool + self.params)

    def compute(self) -> None:
        for _ in range(self.rng.randint(2, 7)):
            result = self.rng.choice(OPS)(self.any(), self.any())
            self.pool[self.rng.randrange(5)] = result
            if self.likely(0.15):
                self.seen.append(self.any().numpy().tolist())
            if self.likely(0.05):
                gc.collect()
            if self.likely(0.1):
                self.held = [self.any(), *self.held[:2]]

    def change(self) -> None:
        k, t = self.rng.randrange(5), self.rng.choice(self.pool)
        if k == 0:
            t += 1
        elif k == 1:
            t[...] = t * 0.3
        elif k == 2:
            t[0] = 0.7
        elif k == 3:
            t._reset(self.any() * 1.0)
        else:
            t.set_value(np.full(t.shape, 0.2, np.float32))

    def learn(self) -> None:
        with self.gm:
            self.compute()
            loss = F.tanh(self.any()).sum() * 0.5 + sum((p * p).sum() for p in self.params) * 0.01
            if self.likely(0.2):
                self.seen.append(loss.item())
            self.gm.backward(loss)
        if self.likely(0.3):
            self.seen.append([None if p.grad is None else p.grad.numpy().tolist() for p in self.params])
        if self.likely(0.8):
            self.optimizer.step()
        if self.likely(0.7):
            self.optimizer.clear_grad()
        if self.likely(0.2):
            self.optimizer.param_groups[0]["lr"] *= 0.5
        if self.likely(0.3):
            self.seen.append(loss.item())

    def run(self) -> list[Any]:
        for _ in range(self.rng.randint(3, 6)):
            self.rng.choice([self.compute, self.change, self.learn, self.learn])()
        self.seen.append([t.numpy().tolist() for t in self.pool + self.params + self.held])
        return self.seen


def numbers(nested: Any) -> list[Any]:
    """What a life has seen, one after the other."""
    return [n for part in nested for n in numbers(part)] if isinstance(nested, list) else [nested]


def agree(first: list[Any], second: list[Any]) -> None:
    """Check that two lives have seen the same."""
    assert [n is None for n in first] == [n is None for n in second]
    np.testing.assert_allclose(np.float32(first), np.float32(second), rtol=1e-4, atol=1e-5)


def _life(seed: int, tier: str, mode: contextlib.AbstractContextManager[Any]) -> list[Any]:
    with graph.tier(tier), mode:
        return numbers(Life(seed).run())


@pytest.mark.parametrize("seed", range(5))
def test_whole_steps_are_op_by_op(seed: int) -> None:
    agree(_life(seed, "compiled", contextlib.nullcontext()), _life(seed, "compiled", graph.eager()))


@pytest.mark.parametrize("seed", range(12))
def test_whole_steps_are_op_by_op_on_the_host(seed: int) -> None:
    agree(_life(seed, "host", contextlib.nullcontext()), _life(seed, "host", graph.eager()))


@pytest.mark.parametrize("seed", range(200, 206))
def test_straight_line_code_computes_the_same_bits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreted = _life(seed, "host", contextlib.nullcontext())
    monkeypatch.setattr(straight_line, "WORTH_IT", 1)
    program.clear()  # one that has run already is interpreted on
    first = _life(seed, "host", contextlib.nullcontext())
    assert any(p.interpreter.__name__ == "straight" for p in program.loaded() if p.interpreter is not None)
    assert _life(seed, "host", contextlib.nullcontext()) == first == interpreted


@pytest.mark.parametrize("seed", range(100, 104))
def test_the_host_computes_what_is_compiled(seed: int) -> None:
    agree(_life(seed, "host", contextlib.nullcontext()), _life(seed, "compiled", contextlib.nullcontext()))
