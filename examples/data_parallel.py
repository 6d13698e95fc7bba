"""Data-parallel training in several processes: each has a part of every batch, gradients are averaged, rank 0 saves.

    python examples/data_parallel.py [--processes 2] [--epochs 3] [--checkpoint FILE]

The pictures are made up. With a checkpoint training goes on from it, in any number of processes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import megengine as mge
import megengine.distributed as dist
import megengine.functional as F
import megengine.module as M
from megengine.autodiff import GradManager
from megengine.data import DataLoader, RandomSampler, SequentialSampler
from megengine.data.dataset import ArrayDataset
from megengine.optimizer import SGD

CLASSES, SIZE, BATCH = 10, 12, 32


class Net(M.Module):
    """A small convolutional network; batches are normalised over all processes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = M.Conv2d(1, 8, 3, padding=1), M.SyncBatchNorm(8)
        self.pool, self.classifier = M.MaxPool2d(2), M.Linear(8 * (SIZE // 2) ** 2, CLASSES)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        x = self.pool(F.relu(self.norm(self.conv(x))))
        return self.classifier(F.flatten(x, 1))


def pictures(count: int, seed: int) -> ArrayDataset:
    """A pattern for each class, under noise."""
    patterns = np.random.default_rng(0).standard_normal((CLASSES, 1, SIZE, SIZE), np.float32)
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count).astype(np.int32)
    noise = 4 * random.standard_normal((count, 1, SIZE, SIZE), np.float32)
    return ArrayDataset(patterns[labels] + noise, labels)


def accuracy(model: Net, loader: DataLoader) -> float:
    """Of all processes, each of which looks at its part."""
    model.eval()
    right = total = 0
    for image, label in loader:
        right += (F.argmax(model(mge.Tensor(image)), axis=1) == mge.Tensor(label)).sum().item()
        total += len(label)
    model.train()
    return float(F.distributed.all_reduce_sum(mge.Tensor([right / total])).item()) / dist.get_world_size()


def train(epochs: int, checkpoint: str | None) -> float:
    """What each process does; the accuracy in the end."""
    mge.random.seed(0)
    rank, world = dist.get_rank(), dist.get_world_size()
    # Samplers know of the processes: a batch of BATCH for all is BATCH / world for each, and no example comes twice.
    training, test = pictures(2048, 1), pictures(512, 2)
    loader = DataLoader(training, RandomSampler(training, BATCH // world, drop_last=True, seed=0))
    test_loader = DataLoader(test, SequentialSampler(test, 64))

    model = Net()
    gm = GradManager().attach(model.parameters(), callbacks=[dist.make_allreduce_cb("mean")])
    optimizer = SGD(model.parameters(), lr=0.02, momentum=0.9)
    first = 0
    if checkpoint and Path(checkpoint).exists():
        state = mge.load(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["epoch"] + 1
    dist.bcast_list_(model.tensors())  # all begin with the numbers of rank 0

    found = 0.0
    for epoch in range(first, first + epochs):
        for image, label in loader:
            with gm:
                loss = F.nn.cross_entropy(model(mge.Tensor(image)), mge.Tensor(label))
                gm.backward(loss)
            optimizer.step().clear_grad()
        found = accuracy(model, test_loader)
        if rank == 0:
            print(f"epoch {epoch}: loss {loss.item():.3f}, test accuracy {found:.3f}", flush=True)
            if checkpoint:
                mge.save(
                    {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, checkpoint
                )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Train in several processes.")
    parser.add_argument("--processes", type=int, default=1, help="default: 1, which starts none")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--checkpoint", metavar="FILE", help="go on from it if it is there; written after each epoch")
    options = parser.parse_args()
    dist.launcher(train, n_gpus=options.processes)(options.epochs, options.checkpoint)


if __name__ == "__main__":
    main()
