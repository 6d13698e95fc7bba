"""A program on eight simulated devices: what several ways to divide a small network give, as JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"

import jax
import numpy as np

import megengine as mge
import megengine.distributed as dist
import megengine.functional as F
import megengine.module as M
from megengine import Tensor
from megengine.autodiff import GradManager
from megengine.jit import trace
from megengine.optimizer import Adam

WIDTH, WORDS, LENGTH = 32, 64, 8


class Bag(M.Module):
    """Says what comes after some words."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.norm = M.Embedding(WORDS, WIDTH), M.LayerNorm(WIDTH)
        self.up, self.down = M.Linear(WIDTH, 4 * WIDTH), M.Linear(4 * WIDTH, WIDTH)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids).mean(axis=1)
        x = x + self.down(F.relu(self.up(self.norm(x))))
        return F.matmul(x, self.words.weight, transpose_b=True)


def bytes_of(tensors: list[Tensor]) -> list[int]:
    """What each device holds of these."""
    held = dict.fromkeys(jax.devices(), 0)
    for tensor in tensors:
        for piece in jax.numpy.asarray(tensor._value.array).addressable_shards:
            held[piece.device] += piece.data.nbytes
    return list(held.values())


def network() -> Bag:
    """The same each time."""
    mge.random.seed(0)
    return Bag()


def train(net: Bag, way: str, tracing: bool = False) -> dict[str, Any]:
    """Four steps, the last two after a checkpoint was saved and loaded."""
    if way == "fsdp":
        dist.fully_shard(net, "data")
    elif way == "tensor":
        grid = dist.mesh(data=2, model=4)
        dist.shard(net.up.weight, "model", mesh=grid), dist.shard(net.up.bias, "model")
        dist.shard(net.down.weight, None, "model")
    manager, optimizer = GradManager().attach(net.parameters()), Adam(net.parameters(), lr=1e-2)

    def step(x: Tensor, y: Tensor) -> Tensor:
        with manager:
            loss = F.nn.cross_entropy(net(x), y)
            manager.backward(loss)
        optimizer.step().clear_grad()
        return loss

    call = trace(without_host=True)(step) if tracing else step
    losses = []
    for k in range(4):
        ids = np.random.default_rng(k).integers(0, WORDS, (8, LENGTH + 1)).astype(np.int32)
        x, y = Tensor(ids[:, :-1]), Tensor(ids[:, -1])
        if way != "one":
            dist.shard(x, "data"), dist.shard(y, "data")
        with mge.graph.watch() as seen:
            losses.append(call(x, y).item())
        if k == 1 and not tracing:
            mge.save([net.state_dict(), optimizer.state_dict()], "state.mge")
            model, state = mge.load("state.mge")
            for tensor in net.parameters():
                tensor[...] = np.zeros(tensor.shape, np.float32)
            net.load_state_dict(model), optimizer.load_state_dict(state)
    states = [tensor for of in optimizer._state.values() for tensor in of.values()]
    return {
        "losses": losses,
        "bytes": bytes_of([*net.parameters(), *states]),
        "collectives": dist.collectives(seen),
        "up": dist.spec_of(net.up.weight),
        "replays": mge.graph.counters.replays,
    }


def checkpointed(net: Bag) -> dict[str, Any]:
    """Parts of divided parameters in files, loaded again by whoever divides them otherwise or not at all."""
    dist.fully_shard(net, "data")
    dist.shard(net.norm.weight)
    wanted = net.state_dict()
    state = net.state_dict(keep_var=True)
    mge.serialization.save_sharded({"net": state, "epoch": 3, "way": ["fsdp", (1, None)]}, "sharded")
    sizes = [path.stat().st_size for path in sorted(Path("sharded").glob("part-*"))]
    state["up.weight"] = dist.shard(Tensor(np.zeros((4 * WIDTH, WIDTH), np.float32)), None, "data")
    loaded = mge.serialization.load_sharded("sharded", {"net": state})
    whole = mge.serialization.load_sharded("sharded")
    same = all(np.array_equal(np.array(tree["net"][k]), v) for k, v in wanted.items() for tree in (loaded, whole))
    specs = [dist.spec_of(loaded["net"]["up.weight"]), dist.spec_of(Tensor(whole["net"]["up.weight"]))]
    net.load_state_dict(loaded["net"])
    rest = [loaded["epoch"], loaded["way"], dist.spec_of(net.up.weight)]
    return {"same": same, "rest": rest, "sizes": sizes, "specs": specs}


def convolved() -> float:
    """How far a convolution of divided images is from that of whole ones."""
    layer, images = M.Conv2d(4, 8, 3), np.random.default_rng(0).standard_normal((8, 4, 9, 9)).astype(np.float32)
    whole = layer(Tensor(images)).numpy()
    return float(np.abs(layer(dist.shard(Tensor(images), "data")).numpy() - whole).max())


def misused() -> list[str]:
    """What is said of mistakes."""
    x, said = Tensor(np.ones((6, 8), np.float32)), []
    for mistake in (
        lambda: dist.shard(x, "rows"),
        lambda: dist.shard(x, "data"),
        lambda: dist.shard(x[0], None, "data"),
        lambda: dist.shard(x, "data", "data"),
        lambda: dist.mesh(data=16),
        lambda: dist.mesh(data=0),
        lambda: dist.shard(np.ones(8), "data"),
    ):
        try:
            mistake()
        except (ValueError, TypeError) as error:
            said.append(str(error))
    return said


def main() -> None:
    networks = [network() for _ in range(6)]  # before there is a mesh nothing is compiled
    found: dict[str, Any] = {"one": train(networks.pop(), "one")}
    dist.mesh(data=-1)
    found |= {way: train(networks.pop(), way) for way in ("data", "fsdp")}
    found["traced"] = train(networks.pop(), "fsdp", tracing=True)
    found["checkpointed"] = checkpointed(networks.pop())
    found["convolved"], found["misused"] = convolved(), misused()
    y = dist.shard(Tensor(np.arange(16, dtype=np.float32)) * 2, "data")
    found["pending"] = [dist.spec_of(y), y.sum().item(), y[y > 20].shape]
    found["tensor"] = train(networks.pop(), "tensor")
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
