"""How much of the tutorial's training is spent waiting for batches: ``waiting.py WORKERS`` prints ``[share, µs a step]``."""

from __future__ import annotations

import json
import sys
import time

from loaders import arrays
from step_megengine import NN

import megengine
import megengine.functional as F
from megengine.autodiff import GradManager
from megengine.data import DataLoader, RandomSampler
from megengine.data.dataset import ArrayDataset
from megengine.data.transform import Normalize
from megengine.optimizer import SGD


def epochs(workers, count):
    """Seconds spent in ``next`` and in all, of the epochs after the first."""
    images, labels = arrays()
    dataset = ArrayDataset(images, labels)
    sampler = RandomSampler(dataset, batch_size=64, drop_last=True)
    loader = DataLoader(dataset, sampler, Normalize(images.mean(), images.std()), num_workers=workers)
    model = NN()
    gm = GradManager().attach(model.parameters())
    optimizer = SGD(model.parameters(), lr=0.01)
    waited = total = 0.0
    for epoch in range(count + 1):
        started = time.perf_counter()
        batches = iter(loader)
        here = time.perf_counter() - started
        while True:
            asked = time.perf_counter()
            batch = next(batches, None)
            here += time.perf_counter() - asked
            if batch is None:
                break
            image, label = batch
            with gm:
                loss = F.nn.cross_entropy(model(megengine.Tensor(image)), megengine.Tensor(label.astype("int32")))
                gm.backward(loss)
                optimizer.step().clear_grad()
            loss.item()
        if epoch:
            waited, total = waited + here, total + time.perf_counter() - started
    return waited, total, count * len(loader)


if __name__ == "__main__":
    waited, total, steps = epochs(int(sys.argv[1]), 3)
    print(json.dumps([waited / total, total / steps * 1e6]))
