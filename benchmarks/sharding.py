"""A GPT of two blocks on eight simulated devices: what each division of its tensors changes. Nothing is timed.

    python -m benchmarks.sharding

Prints the largest difference of five losses from those of one device, the bytes of parameters and optimizer state that a device
holds, and the bytes that it receives in a step, by collective: as XLA planned it, and what each way of training needs in theory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

WIDTH, HEADS, WORDS, LENGTH, BLOCKS, BATCH = 64, 4, 96, 16, 2, 8
WAYS = {
    "one": "one device",
    "data": "mesh(data=8), inputs divided",
    "fsdp": "the same, and fully_shard",
    "tensor": "mesh(data=2, model=4), attention and MLP divided",
}


def model() -> Any:
    """Words to the next words."""
    import numpy as np

    import megengine.functional as F
    import megengine.module as M
    from megengine import Tensor

    class Block(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = M.LayerNorm(WIDTH), M.LayerNorm(WIDTH)
            self.qkv, self.out = M.Linear(WIDTH, 3 * WIDTH), M.Linear(WIDTH, WIDTH)
            self.up, self.down = M.Linear(WIDTH, 4 * WIDTH), M.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            n, t, _ = x.shape
            parts = self.qkv(self.norm1(x)).reshape(n, t, 3, HEADS, WIDTH // HEADS)
            q, k, v = F.transpose(parts, (2, 0, 3, 1, 4))
            hidden = Tensor(np.triu(np.full((t, t), -1e9, np.float32), 1))
            scores = F.softmax(F.matmul(q, k, transpose_b=True) * (WIDTH // HEADS) ** -0.5 + hidden, axis=-1)
            x = x + self.out(F.transpose(F.matmul(scores, v), (0, 2, 1, 3)).reshape(n, t, WIDTH))
            return x + self.down(F.gelu(self.up(self.norm2(x))))

    class Gpt(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places = M.Embedding(WORDS, WIDTH), M.Embedding(LENGTH, WIDTH)
            self.blocks = M.Sequential(*[Block() for _ in range(BLOCKS)])
            self.norm, self.head = M.LayerNorm(WIDTH), M.Linear(WIDTH, WORDS)

        def forward(self, ids: Any) -> Any:
            places = Tensor(np.arange(ids.shape[1], dtype=np.int32))
            return self.head(self.norm(self.blocks(self.words(ids) + self.places(places))))

    return Gpt()


def divide(net: Any, way: str) -> None:
    """Lay out the parameters."""
    import megengine.distributed as dist

    if way == "tensor":
        dist.mesh(data=2, model=4)
        for block in net.blocks:
            for layer in (block.qkv, block.up):
                dist.shard(layer.weight, "model")
                dist.shard(layer.bias, "model")
            for layer in (block.out, block.down):
                dist.shard(layer.weight, None, "model")
    elif way != "one":
        dist.mesh(data=8)
        if way == "fsdp":
            dist.fully_shard(net, "data")


def one(way: str) -> dict[str, Any]:
    """Five steps of Adam."""
    import jax
    import numpy as np

    import megengine as mge
    import megengine.distributed as dist
    import megengine.functional as F
    from megengine import Tensor
    from megengine.autodiff import GradManager
    from megengine.optimizer import Adam

    mge.random.seed(0)
    net, random = model(), np.random.default_rng(0)
    manager, optimizer = GradManager().attach(net.parameters()), Adam(net.parameters(), lr=1e-3)
    divide(net, way)
    losses = []
    for _ in range(5):
        ids = random.integers(0, WORDS, (BATCH, LENGTH + 1)).astype(np.int32)
        x, y = Tensor(ids[:, :-1]), Tensor(ids[:, 1:])
        if way != "one":
            dist.shard(x, "data")
            dist.shard(y, "data")
        with mge.graph.watch() as seen:
            with manager:
                loss = F.nn.cross_entropy(net(x).reshape(-1, WORDS), y.reshape(-1))
                manager.backward(loss)
            optimizer.step().clear_grad()
            losses.append(loss.item())
    held = dict.fromkeys(jax.devices(), 0)
    for array in jax.live_arrays():
        for piece in array.addressable_shards:
            held[piece.device] += piece.data.nbytes
    sizes = {name: parameter.size for name, parameter in net.named_parameters()}
    return {"losses": losses, "held": max(held.values()), "received": dist.collectives(seen), "sizes": sizes}


def in_theory(sizes: dict[str, int], way: str) -> str:
    """What a device receives in a step at least, of parameters with so many elements: gradients, parameters, activations.

    Data parallelism sums all gradients; FSDP gathers the parameters, once if they are kept for the backward pass, and sums the
    gradients; in tensor parallelism four activations a block are summed over the devices that divide its matrices, and each
    gradient, or its part, over those that divide the batch.
    """
    parameters = 4 * sum(sizes.values())
    if way == "data":
        return f"all-reduce {parameters / 1024:.0f} KiB"
    if way == "fsdp":
        return f"all-gather {parameters / 1024:.0f} KiB, reduce-scatter or all-reduce of {parameters / 1024:.0f} KiB"
    if way == "tensor":
        whole = ("norm1", "norm2", "out.bias", "down.bias")
        divided = 4 * sum(
            n for name, n in sizes.items() if "blocks" in name and not any(part in name for part in whole)
        )
        activations = 4 * BLOCKS * 4 * (BATCH // 2) * LENGTH * WIDTH
        return f"all-reduce {(activations + parameters - divided + divided / 4) / 1024:.0f} KiB"
    return "-"


def main() -> None:
    """Each division in a process of its own."""
    if sys.argv[1:]:
        print(json.dumps(one(sys.argv[1])))
        return
    variables = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    titles = "division", "difference of losses", "held by a device", "received by a device in a step", "in theory"
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    wanted: list[float] = []
    for way, words in WAYS.items():
        command = [sys.executable, "-m", "benchmarks.sharding", way]
        tier = {"MEGENGINE_TIER": "compiled"} if way == "one" else {}
        made = subprocess.run(command, env=variables | tier, check=True, stdout=subprocess.PIPE, text=True).stdout
        found = json.loads(made.splitlines()[-1])
        wanted = wanted or found["losses"]
        difference = max(abs(a - b) for a, b in zip(found["losses"], wanted, strict=True))
        received = ", ".join(f"{kind} {size / 1024:.0f} KiB" for kind, size in sorted(found["received"].items()))
        cells = (
            words,
            f"{difference:.1e}",
            f"{found['held'] / 1024:.0f} KiB",
            received or "-",
            in_theory(found["sizes"], way),
        )
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
