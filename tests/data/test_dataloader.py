"""The loader: its arguments, streams, workers, time limit, preloading, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine
from megengine.data import Collator, DataLoader, Infinite, SequentialSampler, StreamSampler
from megengine.data import dataloader as dataloader_module
from megengine.data import transform as T
from megengine.data.dataloader import get_worker_info
from megengine.data.dataset import ArrayDataset, Dataset, StreamDataset
from megengine.tensor import Tensor

Named = namedtuple("Named", "image label")


class Stream(StreamDataset):
    """A stream that is made by a function."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def __iter__(self) -> Iterator[Any]:
        return self.make()


class Items(Dataset):
    """A data set of any samples."""

    def __init__(self, samples: list[Any]) -> None:
        self.samples = samples

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]

    def __len__(self) -> int:
        return len(self.samples)


def values(batches: Any) -> list[Any]:
    return [
        batch.tolist() if isinstance(batch, np.ndarray) else [field.tolist() for field in batch] for batch in batches
    ]


# arguments


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"num_workers": -1}, ValueError, "num_workers must not be negative, but is -1"),
        ({"num_workers": 1.5}, TypeError, "num_workers must be an integer, not 1.5"),
        ({"timeout": -2}, ValueError, "timeout must be at least 0, not -2"),
        ({"timeout": "1"}, TypeError, "timeout must be at least 0, not '1'"),
        ({"dataset": [1, 2]}, AssertionError, "dataset must be a Dataset, not list"),
        ({"dataset": object}, AssertionError, "dataset must be a Dataset, not type"),
        ({"dataset": Path()}, AssertionError, "or have __getitem__ and __len__ or __iter__, which PosixPath has not"),
        ({"sampler": StreamSampler()}, AssertionError, "needs a MapSampler, but the sampler is a StreamSampler"),
        ({"sampler": [[0]]}, AssertionError, "the sampler is a list"),
        ({"transform": len}, TypeError, r"transform must have a method apply_batch\(\)"),
        ({"collator": np.stack}, TypeError, r"collator must have a method apply\(\)"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        DataLoader(**{"dataset": ArrayDataset([1, 2]), **arguments})


def test_each_pass_starts_anew_and_passes_do_not_disturb_each_other() -> None:
    dataset = ArrayDataset(np.arange(5))
    loader = DataLoader(dataset, SequentialSampler(dataset, 2))
    one, other = iter(loader), iter(loader)
    assert next(one)[0].tolist() == next(other)[0].tolist() == [0, 1]
    assert next(one)[0].tolist() == [2, 3]
    assert len(loader) == len(one) == len(list(loader)) == 3
    assert next(other)[0].tolist() == [2, 3]


def test_infinite_sampler() -> None:
    dataset = ArrayDataset(np.arange(3))
    batches = iter(DataLoader(dataset, Infinite(SequentialSampler(dataset, 2))))
    assert [next(batches)[0].tolist() for _ in range(4)] == [[0, 1], [2], [0, 1], [2]]


def test_errors_of_a_sample_leave_the_next_batches() -> None:
    dataset = Items([0, 1, None, 3])
    batches = iter(DataLoader(dataset, SequentialSampler(dataset, 1)))
    assert [next(batches).tolist(), next(batches).tolist()] == [[0], [1]]
    with pytest.raises(TypeError, match="NoneType"):
        next(batches)
    assert next(batches).tolist() == [3]


def test_sampler_with_keys_of_another_kind() -> None:
    class ByName(Items):
        def __getitem__(self, index: Any) -> Any:
            return int(index[1:])

    dataset = ByName([0, 0, 0])
    assert values(DataLoader(dataset, SequentialSampler(dataset, 2, indices=["a5", "b6", "c7"]))) == [[5, 6], [7]]


# streams


def test_stream_ends_with_a_smaller_batch() -> None:
    loader = DataLoader(Stream(lambda: iter(range(5))), StreamSampler(2))
    assert values(loader) == [[0, 1], [2, 3], [4]]
    assert values(loader) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("how", ["raise", "next"])
def test_stream_may_end_by_stop_iteration_inside_of_a_generator(how: str) -> None:
    def numbers() -> Iterator[int]:
        yield from range(3)
        if how == "raise":
            raise StopIteration
        yield next(iter(()))

    assert values(DataLoader(Stream(numbers), StreamSampler(2))) == [[0, 1], [2]]


def test_stream_keeps_samples_that_are_false() -> None:
    assert values(DataLoader(Stream(lambda: iter([0, 0.0, False])), StreamSampler(3))) == [[0.0, 0.0, 0.0]]


def test_stream_errors_are_passed_on() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise RuntimeError("the disk is on fire")

    with pytest.raises(RuntimeError, match="on fire"):
        list(DataLoader(Stream(broken), StreamSampler(2)))


def test_empty_stream_has_no_batches() -> None:
    assert list(DataLoader(Stream(lambda: iter(())), StreamSampler(2))) == []


def test_stream_samples_are_transformed() -> None:
    loader = DataLoader(Stream(lambda: iter([(np.full(2, 3.0), 1)] * 2)), StreamSampler(2), T.Normalize(1.0, 2.0))
    assert values(loader) == [[[[1.0, 1.0], [1.0, 1.0]], [1, 1]]]


def test_parallel_stream_without_workers_is_one_stream() -> None:
    loader = DataLoader(Stream(lambda: iter(range(3))), StreamSampler(2), parallel_stream=True)
    assert values(loader) == [[0, 1], [2]]
    assert get_worker_info() is None


# memory


def test_memory_is_compared_with_what_workers_need(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    loader = DataLoader(ArrayDataset([1]), num_workers=3)
    log.clear()
    monkeypatch.setattr(dataloader_module, "_resident_bytes", lambda: 2 << 30)
    monkeypatch.setattr(dataloader_module, "_memory_limit", lambda: 8 << 30)
    loader.check_memory_rationality()
    assert not log
    monkeypatch.setattr(dataloader_module, "_memory_limit", lambda: 7 << 30)
    loader.check_memory_rationality()
    assert "8.0 GiB of memory" in log[0]


def test_memory_of_this_process_is_known() -> None:
    used, limit = dataloader_module._resident_bytes(), dataloader_module._memory_limit()
    assert used is not None and limit is not None
    assert 1 << 20 < used < limit


# time limit


@pytest.mark.parametrize("kind", ["stream", "map"])
def test_a_batch_that_takes_too_long_ends_the_iteration(kind: str) -> None:
    over = threading.Event()

    def endless() -> Iterator[int]:
        over.wait()
        yield 0

    class Slow(Items):
        def __getitem__(self, index: int) -> int:
            time.sleep(3600)
            return index

    dataset = Stream(endless) if kind == "stream" else Slow([0, 1])
    batches = iter(DataLoader(dataset, num_workers=int(kind == "map"), timeout=0.2))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match=r"dataloader timeout: a batch took longer than 0\.2 s"):
        next(batches)
    with pytest.raises(StopIteration):
        next(batches)
    over.set()


# preloading


def test_preloading_gives_tensors_in_the_same_structure() -> None:
    sample = {"pair": Named(np.zeros((2, 2), np.float32), 1), "list": [np.float32(1), "text"], "id": b"x"}
    loader = DataLoader(Items([sample] * 3), SequentialSampler(range(3), 2), preload=True)
    batches = list(loader)
    assert len(batches) == len(loader) == 2
    pair, items = batches[0]["pair"], batches[0]["list"]
    assert type(pair) is Named
    assert all(isinstance(value, Tensor) for value in (*pair, items[0]))
    assert pair.image.numpy().shape == (2, 2, 2)
    assert items[1] == ["text", "text"]
    assert batches[1]["id"] == [b"x"]


def test_preloading_gives_the_same_values_one_batch_ahead() -> None:
    fetched: list[int] = []

    class Watched(Items):
        def __getitem__(self, index: int) -> int:
            fetched.append(index)
            return self.samples[index]

    batches = iter(DataLoader(Watched([5, 6, 7]), preload=True))
    assert next(batches).numpy().tolist() == [5]
    assert fetched == [0, 1]
    assert [batch.numpy().tolist() for batch in batches] == [[6], [7]]


def test_preloading_a_stream_gives_its_last_batch() -> None:
    loader = DataLoader(Stream(lambda: iter(range(3))), StreamSampler(2), preload=True)
    assert [batch.numpy().tolist() for batch in loader] == [[0, 1], [2]]


def test_custom_collator_sees_the_transformed_samples() -> None:
    class Count(Collator):
        def apply(self, inputs: Any) -> Any:
            return len(inputs), type(inputs)

    dataset = ArrayDataset(np.arange(3))
    assert list(DataLoader(dataset, SequentialSampler(dataset, 2), collator=Count())) == [(2, tuple), (1, tuple)]


def test_importing_the_package_needs_neither_jax_nor_the_engine() -> None:
    program = (
        "import sys, types\n"
        "package = types.ModuleType('megengine')\n"
        "package.__path__ = [sys.argv[1]]\n"
        "sys.modules['megengine'] = package\n"
        "import megengine.data\n"
        "found = sorted({'jax', 'megengine.tensor', 'megengine.graph', 'megengine.ops'} & set(sys.modules))\n"
        "assert not found, found\n"
    )
    folder = Path(megengine.__path__[0])
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, timeout=60)
