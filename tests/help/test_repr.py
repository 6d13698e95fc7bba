"""What optimizers, managers, loaders and the like print says what they hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from megengine import Parameter, amp, jit, module, optimizer
from megengine import random as random_
from megengine.autodiff import GradManager
from megengine.data import DataLoader, Infinite, MapSampler, RandomSampler, SequentialSampler, StreamSampler
from megengine.data.dataset import ArrayDataset, StreamDataset
from megengine.data.transform import Normalize


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda p: optimizer.SGD(p, lr=0.5), "SGD(2 parameters of 5 numbers, lr=0.5, momentum=0.0, weight_decay=0.0)"),
        (
            lambda p: optimizer.Adam([{"params": p[0]}, {"params": p[1], "lr": 0.2}], lr=0.1),
            "Adam(\n"
            "  group 0: 1 parameter of 3 numbers, lr=0.1, weight_decay=0.0, betas=(0.9, 0.999), eps=1e-08\n"
            "  group 1: 1 parameter of 2 numbers, lr=0.2, weight_decay=0.0, betas=(0.9, 0.999), eps=1e-08\n"
            ")",
        ),
        (
            lambda p: optimizer.MultiStepLR(optimizer.SGD(p, lr=0.5), [2, 4]),
            "MultiStepLR(milestones=[2, 4], gamma=0.1, current_epoch=0, lr=0.5)",
        ),
    ],
)
def test_optimizers(made: object, text: str) -> None:
    assert repr(made([Parameter(np.ones(3)), Parameter(np.ones(2))])) == text  # type: ignore[operator]


def test_gradient_managers() -> None:
    net = module.Linear(3, 2)
    manager = GradManager().attach(net.parameters())
    assert repr(manager) == "GradManager(2 tensors attached)"
    with manager:
        assert repr(manager) == "GradManager(2 tensors attached, recording)"
    assert repr(manager | GradManager()) == "GradManager(2 tensors attached) | GradManager(0 tensors attached)"


class _Endless(StreamDataset):
    def __init__(self) -> None: ...

    def __iter__(self) -> Iterator[int]:
        yield 1


class _Mine(MapSampler):
    def __init__(self) -> None: ...


def test_samplers_and_loaders() -> None:
    dataset = ArrayDataset(np.zeros((1200, 2)))
    sampler = RandomSampler(dataset, batch_size=32, drop_last=True)
    assert repr(sampler) == "RandomSampler(1,200 samples, batch_size=32, drop_last=True)"
    assert repr(Infinite(sampler)) == f"Infinite({sampler!r})"
    shared = SequentialSampler(dataset, world_size=4, rank=1)
    assert repr(shared) == "SequentialSampler(300 samples, batch_size=1, drop_last=False, rank=1, world_size=4)"
    assert repr(StreamSampler(5)) == "StreamSampler(batch_size=5)"
    assert repr(_Mine()) == "_Mine()"  # a class whose __init__ does not call the base's
    loader = DataLoader(dataset, sampler, Normalize(), num_workers=2)
    assert repr(loader) == (
        f"DataLoader(ArrayDataset of 1,200 samples, sampler={sampler!r}, transform=Normalize, collator=Collator, num_workers=2)"
    )
    assert repr(DataLoader(_Endless())) == (
        "DataLoader(_Endless, sampler=StreamSampler(batch_size=1), transform=PseudoTransform, collator=Collator)"
    )


def test_others() -> None:
    assert repr(amp.GradScaler(init_scale=8)) == (
        "GradScaler(scale_factor=8.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000)"
    )
    assert repr(random_.RNG(seed=7)) == "RNG(seed=7, device='xpux:0')"
    random_.seed(5)
    assert repr(random_.RNG()) == "RNG(the shared streams, seed=5)"

    def double(x: object) -> object:
        return x

    assert repr(jit.trace(double, symbolic=True)) == "trace(test_others.<locals>.double, symbolic=True)"
