"""Random traced functions, with random changes of what they can see between the calls, give the numbers of the untraced ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.jit import trace
from megengine.optimizer import SGD, Adam

Part = Callable[["World", Tensor], Tensor]


def in_place(world: World, x: Tensor) -> Tensor:
    world.pool[0][...] = world.pool[0] * 0.5 + x
    return world.pool[0] * 1


def by_assignment(world: World, x: Tensor) -> Tensor:
    world.pool[1] = world.pool[1] * 0.5 + x
    return world.pool[1]


def learns(world: World, x: Tensor) -> Tensor:
    with world.gm:
        loss = (F.tanh(world.net(x.reshape(1, 2))).sum() + (world.free * x).sum()) ** 2
        world.gm.backward(loss)
    if world.flags["step"]:
        world.optimizer.step()
    if world.flags["clear"]:
        world.optimizer.clear_grad()
    return x + loss


def counts(world: World, x: Tensor) -> Tensor:
    world.calls += 1
    return x


def counts_and_reads(world: World, x: Tensor) -> Tensor:
    world.steps += 1
    return x if world.steps % 3 else x * 0.5


def keeps(world: World, x: Tensor) -> Tensor:
    world.kept.append(x)
    return x * 2


PARTS: list[Part] = [
    lambda world, x: x * world.scale + 1,
    lambda world, x: F.sin(x) + world.pool[2],
    lambda world, x: world.net(x.reshape(1, 2)).reshape(2),
    lambda world, x: x * world.table["gain"] if world.flags["on"] else x - 1,
    lambda world, x: world.bn(F.stack([x, x * 0.5 - 1]).reshape(2, 2, 1, 1)).sum(axis=(0, 2, 3)) + x,
    lambda world, x: world.layers[0](x),
    lambda world, x: x + Tensor(world.array),
    lambda world, x: x * world.free.detach(),
    lambda world, x: x + mge.random.uniform(size=(2,)),
    lambda world, x: world.pool[0].detach() + x * 0.1,
    in_place,
    in_place,
    learns,
    learns,
    counts,
]
RARE: list[Part] = [by_assignment, counts_and_reads, keeps, lambda world, x: x + float(np.random.rand())]


class World:
    """Everything that a random function sees; the same seed gives the same world, function and history."""

    def __init__(self, seed: int, wrap: Callable[[Any], Any]) -> None:
        self.rng = random.Random(seed)
        np.random.seed(seed)
        mge.random.seed(seed)
        self.pool = [Tensor([0.5 * k, -1.0]) for k in range(4)]
        self.free = Parameter([0.3, -0.2])
        self.net = M.Sequential(M.Linear(2, 3), M.ReLU(), M.Linear(3, 2))
        self.bn = M.BatchNorm2d(2)
        self.gm = GradManager().attach([*self.net.parameters(), self.free])
        params = [*self.net.parameters(), self.free]
        self.optimizer: Any = Adam(params, lr=0.01) if seed % 2 else SGD(params, lr=0.01, momentum=0.9)
        self.layers: list[Any] = [M.Identity(), M.Sigmoid()]
        self.array = np.float32([0.1, 0.2])
        self.table = {"gain": 1.5}
        self.flags = {"on": True, "step": True, "clear": True}
        self.scale = 1.0
        self.calls = self.steps = 0
        self.kept: list[Tensor] = []
        parts = self.rng.sample(PARTS, self.rng.randint(1, 5))
        if self.rng.random() < 0.25:
            parts.insert(0, self.rng.choice(RARE))
        make = self.rng.choice([lambda x: x, lambda x: {"x": x, "n": [3]}, lambda x: (x, self.pool[3])])

        def body(x: Tensor) -> Any:
            for part in parts:
                x = part(self, x)
            return make(x)

        self.function = wrap(body)

    def change(self) -> None:
        k = self.rng.randrange(14)
        if k == 0:
            self.scale = self.rng.choice([1.0, 2.0])
        elif k == 1:
            self.table["gain"] = self.rng.choice([1.5, 2.5])
        elif k == 2:
            name = self.rng.choice(sorted(self.flags))
            self.flags[name] = not self.flags[name]
        elif k == 3:
            self.net[2].bias = Parameter(np.full(2, self.rng.random(), np.float32).reshape(self.net[2].bias.shape))
        elif k == 4:
            self.layers.reverse()
        elif k == 5:
            self.bn.train(not self.bn.training)
        elif k == 6:
            self.array[0] = self.rng.random()
        elif k == 7:
            self.pool[2] = Tensor([self.rng.random(), 0.0])
        elif k == 8:
            self.pool[0][...] = self.rng.random()
        elif k == 9:
            self.optimizer.param_groups[0]["lr"] *= 0.5
        elif k == 10:
            self.optimizer.clear_grad()
        elif k == 11:
            self.pool[2]._reset(self.pool[0])
        elif k == 12:
            self.net = M.Sequential(M.Linear(2, 2), M.Identity(), M.Linear(2, 2))

    def run(self) -> list[Any]:
        seen: list[Any] = []
        for _ in range(14):
            if self.rng.random() < 0.3:
                self.change()
            x = self.pool[3] if self.rng.random() < 0.2 else Tensor([self.rng.random(), -0.5])
            result = self.function(x)
            out = result["x"] if isinstance(result, dict) else result[0] if isinstance(result, tuple) else result
            seen.append((out is x, np.round(out.numpy(), 4).tolist(), type(result).__name__))
            seen.append([np.round(t.numpy(), 4).tolist() for t in [*self.pool, *self.net.parameters(), self.free]])
            seen.append([p.grad is not None and np.round(p.grad.numpy(), 4).tolist() for p in self.net.parameters()])
            seen.append((self.steps, [np.round(t.numpy(), 4).tolist() for t in self.kept]))
        return seen


@pytest.mark.parametrize("seed", range(10))
def test_a_world_whose_body_is_skipped_is_like_an_untraced_one(seed: int) -> None:
    compare(seed, without_host=True)


@pytest.mark.parametrize("seed", [1, 4])
def test_a_traced_world_is_like_an_untraced_one(seed: int) -> None:
    compare(seed)


def test_most_calls_skip_the_body() -> None:
    before = graph.counters.replays
    World(4, trace(without_host=True)).run()
    assert graph.counters.replays - before > 7


def compare(seed: int, **mode: bool) -> None:
    plain, traced = World(seed, lambda f: f).run(), World(seed, trace(**mode)).run()
    for step, (expected, got) in enumerate(zip(plain, traced, strict=True)):
        assert str(got) == str(expected), step
