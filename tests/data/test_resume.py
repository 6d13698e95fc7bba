"""Going on from where a pass was: the same batches as if the program had not stopped, with any number of workers."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import megengine
from megengine.data import DataLoader, Infinite, MapSampler, RandomSampler, ReplacementSampler, StreamSampler
from megengine.data import transform as T
from megengine.data.dataloader import get_worker_info

from .made import Made, Stream, values


class Noise(T.Transform):
    """Adds a random draw."""

    def apply(self, input: Any) -> Any:
        return input, np.random.random(), random.random()


def make(workers: int, kind: type[MapSampler] = RandomSampler, **settings: Any) -> DataLoader:
    dataset = Made(23, float)
    return DataLoader(dataset, kind(dataset, 4), Noise(), num_workers=workers, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("first", "second"), [(2, 2), (2, 1), (1, 3)])
@pytest.mark.parametrize("preload", [False, True])
def test_a_pass_goes_on_with_the_same_batches_and_draws(first: int, second: int, preload: bool) -> None:
    megengine.random.seed(1)
    loader = make(first, preload=preload)
    list(loader)
    batches = iter(loader)
    for _ in range(3):
        next(batches)
    state = pickle.loads(pickle.dumps(loader.state_dict()))
    rest = [[np.asarray(field).tolist() for field in batch] for batch in batches]
    following = [[np.asarray(field).tolist() for field in batch] for batch in loader]

    other = make(second, preload=preload)
    other.load_state_dict(state)
    assert other.state_dict() == state
    assert [[np.asarray(field).tolist() for field in batch] for batch in other] == rest
    assert [np.asarray(batch[0]).tolist() for batch in other] == [batch[0] for batch in following]


def test_between_passes_the_next_one_is_begun() -> None:
    loader, other = make(0, ReplacementSampler), make(0, ReplacementSampler)
    list(loader)
    other.load_state_dict(loader.state_dict())
    assert [batch[0].tolist() for batch in other] == [batch[0].tolist() for batch in loader]


def test_an_infinite_sampler_goes_on() -> None:
    dataset = Made(7, int)

    def load() -> DataLoader:
        return DataLoader(dataset, Infinite(RandomSampler(dataset, 3)))

    loader = load()
    early = iter(loader)
    for _ in range(2):
        next(early)
    batches = iter(loader)  # begins within a pass of the sampler
    for _ in range(4):
        next(batches)
    other = load()
    other.load_state_dict(loader.state_dict())
    again = iter(other)
    assert [next(again).tolist() for _ in range(9)] == [next(batches).tolist() for _ in range(9)]


@pytest.mark.parametrize("given", range(9))
@pytest.mark.parametrize("workers", [0, 2])
def test_uneven_streams_go_on(given: int, workers: int) -> None:
    def numbers() -> Iterator[int]:
        info = get_worker_info()
        start, count = (0, 20) if info is None else (100 * info.idx, 13 if info.idx == 0 else 3)
        yield from range(start, start + count)

    def load() -> DataLoader:
        return DataLoader(Stream(numbers), StreamSampler(2), num_workers=workers, parallel_stream=True)

    loader = load()
    batches = iter(loader)
    for _ in range(given):
        next(batches)
    other = load()
    other.load_state_dict(loader.state_dict())
    rest = values(batches)
    assert len(rest) == (10 if workers == 0 else 9) - given
    assert values(other) == rest


def test_a_stream_that_is_read_here_goes_on() -> None:
    def load() -> DataLoader:
        return DataLoader(Stream(lambda: iter(range(11))), StreamSampler(2), Noise(), num_workers=2)

    loader = load()
    batches = iter(loader)
    next(batches)
    other = load()
    other.load_state_dict(loader.state_dict())
    assert values(other) == values(batches)


def test_a_batch_with_an_error_comes_again_unless_it_was_passed_over() -> None:
    dataset = Made(4, lambda i: 1 // (i - 1))
    loader = DataLoader(dataset)
    batches = iter(loader)
    next(batches)
    with pytest.raises(ZeroDivisionError):
        next(batches)
    assert loader.state_dict()["batches"] == 1
    next(batches)
    assert loader.state_dict()["batches"] == 3


def test_other_dicts_are_refused() -> None:
    with pytest.raises(KeyError, match="not a loader's state: batches, sampler is missing"):
        make(0).load_state_dict({"seed": 1})
