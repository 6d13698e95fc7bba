"""A program whose tensors are divided among two processes of two simulated devices each; what it finds, as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"

import numpy as np

import megengine as mge
import megengine.distributed as dist
import megengine.functional as F
import megengine.module as M
from megengine import Tensor
from megengine.autodiff import GradManager
from megengine.optimizer import Adam
from megengine.serialization import CheckpointError, load_sharded, save_sharded

WIDTH, WORDS, LENGTH, BATCH = 8, 16, 4, 8


class Block(M.Module):
    """Of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = M.LayerNorm(WIDTH), M.Linear(WIDTH, 3 * WIDTH), M.Linear(WIDTH, WIDTH)
        self.up, self.down = M.Linear(WIDTH, 4 * WIDTH), M.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = F.split(self.qkv(self.norm(x)), 3, axis=-1)
        hidden = Tensor(np.triu(np.full((LENGTH, LENGTH), -1e9, np.float32), 1))
        x = x + self.out(F.matmul(F.softmax(F.matmul(q, k, transpose_b=True) + hidden, axis=-1), v))
        return x + self.down(F.gelu(self.up(x)))


class Gpt(M.Module):
    def __init__(self) -> None:
        super().__init__()
        mge.random.seed(0)
        self.words, self.block = M.Embedding(WORDS, WIDTH), Block()

    def forward(self, ids: Tensor) -> Tensor:
        return F.matmul(self.block(self.words(ids)), self.words.weight, transpose_b=True)


class Training:
    """Steps of a network, whose numbers lie as they may."""

    def __init__(self, callbacks: Any = None) -> None:
        self.net = Gpt()
        self.manager = GradManager().attach(self.net.parameters(), callbacks=callbacks)
        self.optimizer = Adam(self.net.parameters(), lr=1e-2)

    def state(self) -> dict[str, Any]:
        return {"net": self.net.state_dict(keep_var=True), "optimizer": self.optimizer.state_dict(keep_var=True)}

    def load(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])

    def steps(self, numbers: range, give: Callable[[Tensor], Tensor] = lambda x: x) -> list[float]:
        losses = []
        for k in numbers:
            ids = np.random.default_rng(k).integers(0, WORDS, (BATCH, LENGTH + 1)).astype(np.int32)
            x, y = give(Tensor(ids[:, :-1])), give(Tensor(ids[:, 1:]))
            with self.manager:
                loss = F.nn.cross_entropy(self.net(x).reshape(-1, WORDS), y.reshape(-1))
                self.manager.backward(loss)
            self.optimizer.step().clear_grad()
            losses.append(loss.item())
        return losses


def own(x: Tensor) -> Tensor:
    """This rank's part of a batch."""
    size = BATCH // dist.get_world_size()
    return x[dist.get_rank() * size :][:size]


def data_parallel() -> list[float]:
    """Two steps after those of one process; the state of rank 0 is saved."""
    training = Training(dist.make_allreduce_cb("mean"))
    training.load(mge.load("one.mge"))
    losses = training.steps(range(2, 4), own)
    if dist.get_rank() == 0:
        mge.save({"net": training.net.state_dict(), "optimizer": training.optimizer.state_dict()}, "two.mge")
    return F.distributed.all_gather(Tensor(losses).reshape(1, -1)).mean(axis=0).tolist()


def sharded() -> dict[str, Any]:
    """Two steps, and a checkpoint."""
    training = Training()
    dist.fully_shard(training.net, "data")
    with mge.graph.watch() as seen:
        losses = training.steps(range(2), lambda x: dist.assemble(own(x), "data"))
    save_sharded({**training.state(), "step": 2}, "sharded")
    weight = training.net.block.up.weight
    held = sum(piece.data.nbytes for piece in weight._value.array.addressable_shards)
    found = {"losses": losses, "held": held, "spec": dist.spec_of(weight), "collectives": dist.collectives(seen)}
    return {**found, "sum": float(weight.numpy().sum()), "whole": float(weight.sum())}


def split() -> list[float]:
    """A step from a checkpoint of one process, with divided matrices."""
    training = Training()
    block = training.net.block
    for layer in (block.qkv, block.up):
        dist.shard(layer.weight, "model"), dist.shard(layer.bias, "model")
    for layer in (block.out, block.down):
        dist.shard(layer.weight, None, "model")
    training.load(load_sharded("one", training.state()))
    return training.steps(range(2, 3), lambda x: dist.shard(x, "data"))


def mistakes() -> list[str]:
    """What is said where the processes do not do the same."""
    rank, said = dist.get_rank(), []
    x = dist.shard(Tensor(np.ones((4, 4), np.float32)), "data")
    same = Tensor([2.0])
    for mistake in (
        lambda: dist.mesh(data=2),
        lambda: dist.mesh(**{("a", "b")[rank]: 4}),
        lambda: dist.shard(Tensor(np.full(4, rank, np.float32)), "data"),
        lambda: dist.assemble(Tensor(np.ones(2 + 2 * rank, np.float32)), "data"),
        lambda: (x * Tensor([float(rank)])).numpy(),
        lambda: (x * same if rank else x + same).numpy(),
        lambda: x.numpy() if rank else save_sharded({"x": x}, "mistaken"),
        lambda: save_sharded({"x": x, "step": rank}, "mistaken"),
    ):
        try:
            mistake()
            said.append("nothing")
        except (ValueError, RuntimeError, CheckpointError) as error:
            said.append(str(error))
        dist.group_barrier()
    return [*said, str(x.numpy().sum())]


def work() -> dict[str, Any]:
    """What each process does."""
    found: dict[str, Any] = {"data parallel": data_parallel()}
    dist.mesh(data=-1)
    found["sharded"], found["mistakes"] = sharded(), mistakes()
    dist.mesh(data=2, model=2)
    found["split"] = split()
    return found


def main() -> None:
    one = Training()
    losses = one.steps(range(2))
    mge.save({"net": one.net.state_dict(), "optimizer": one.optimizer.state_dict()}, "one.mge")
    save_sharded(one.state(), "one")
    losses += one.steps(range(2, 6))
    ranks = dist.launcher(work, n_gpus=2)()
    resumed, from_ranks = Training(), Training()
    state = load_sharded("sharded")
    resumed.load(state)
    from_ranks.load(mge.load("two.mge"))
    found = {"one": losses, "ranks": ranks, "step": state["step"], "parts": len([*Path("sharded").glob("part-*")])}
    found |= {"resumed": resumed.steps(range(2, 4)), "from ranks": from_ranks.steps(range(4, 6))}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
