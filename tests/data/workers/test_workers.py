"""Worker processes: the same batches as without them, what they take over from the program, and what they give back."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import threading
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine
from megengine.data import Collator, DataLoader, Infinite, RandomSampler, SequentialSampler, StreamSampler
from megengine.data import transform as T
from megengine.data.dataloader import get_worker_info
from megengine.data.dataset import ArrayDataset
from megengine.data.workers.pool import pool
from megengine.tensor import Tensor

from ..made import AsList, Made, Stream, held, values

ROOT = Path(megengine.__path__[0]).parent
Pair = namedtuple("Pair", "image label")


class Jitter(T.Transform):
    """Adds noise of both generators that workers seed."""

    def apply(self, input: Any) -> Any:
        return input + np.random.random(), random.random()


# the same batches


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 4, 7])
def test_batches_do_not_depend_on_workers(workers: int, batch: int) -> None:
    dataset = Made(30, lambda i: (np.full((2, 3), i, np.uint8), i, {"name": str(i), "size": (i, i / 2)}))

    def load(count: int) -> list[Any]:
        sampler = RandomSampler(dataset, batch, seed=3)
        return list(DataLoader(dataset, sampler, num_workers=count))

    alone, together = load(0), load(workers)
    assert len(alone) == len(together)
    for one, other in zip(alone, together, strict=True):
        for left, right in (
            (one[0], other[0]),
            (one[1], other[1]),
            *zip(one[2]["size"], other[2]["size"], strict=True),
        ):
            assert (left.dtype, left.tolist()) == (right.dtype, right.tolist())
        assert list(one[2]["name"]) == list(other[2]["name"])


def test_draws_depend_on_the_seed_and_not_on_the_workers() -> None:
    dataset = Made(20, float)

    def load(count: int) -> list[Any]:
        megengine.random.seed(11)
        loader = DataLoader(dataset, SequentialSampler(dataset, 3), Jitter(), num_workers=count)
        return [values(loader), values(loader)]

    one, two, three = load(1), load(2), load(3)
    assert one == two == three
    assert one[0] != one[1]
    flat = [x for batch in one[0] for x in batch[1]]
    assert len(set(flat)) == len(flat)


def test_whole_batches_are_made_in_workers_too() -> None:
    dataset = ArrayDataset(np.arange(40).reshape(20, 2), np.arange(20))
    loaders = [
        DataLoader(dataset, RandomSampler(dataset, 6, seed=1), T.Normalize(3.0, 2.0), num_workers=n) for n in (0, 2)
    ]
    assert values(loaders[0]) == values(loaders[1])


def test_infinite_sampler_and_two_passes_at_once() -> None:
    dataset = Made(3, int)
    loader = DataLoader(dataset, Infinite(SequentialSampler(dataset, 2)), num_workers=2)
    batches = iter(loader)
    assert [next(batches).tolist() for _ in range(4)] == [[0, 1], [2], [0, 1], [2]]
    finite = DataLoader(dataset, SequentialSampler(dataset, 2), num_workers=2)
    one, other = iter(finite), iter(finite)
    assert [next(one).tolist(), next(other).tolist(), next(one).tolist()] == [[0, 1], [0, 1], [2]]
    assert len(one) == 2  # type: ignore[arg-type]


def test_batches_that_are_kept_stay_what_they_were() -> None:
    dataset = Made(60, lambda i: (np.full(50_000, i, np.int64), i))
    before = held()
    kept = list(DataLoader(dataset, SequentialSampler(dataset, 2), num_workers=2))
    assert held()["slots"] <= 9  # some look into shared memory, the others were copied
    for number, (large, small) in enumerate(kept):
        assert (large == [[2 * number], [2 * number + 1]]).all()
        assert small.tolist() == [2 * number, 2 * number + 1]
        large += 1
    small_ones = [small for _, small in kept]
    del kept, large
    assert held() == before
    assert small_ones[3].tolist() == [6, 7]


def test_memory_is_used_again() -> None:
    dataset = Made(40, lambda i: np.full(100_000, i))
    addresses = {batch.ctypes.data for batch in DataLoader(dataset, num_workers=1)}
    assert len(addresses) <= 5


@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_layouts_and_sizes_of_arrays(layout: str) -> None:
    def make(i: int) -> np.ndarray:
        array = np.arange(40_000 * (i % 3), dtype=np.float32).reshape(200 * (i % 3), 200) * i
        return np.asfortranarray(array) if layout == "F" else array[::2, ::-1] if layout == "strided" else array

    loader = DataLoader(Made(8, make), collator=AsList(), num_workers=2)
    for i, (array,) in enumerate(loader):
        assert array.dtype == np.float32
        assert np.array_equal(array, make(i))
        assert array.flags.writeable


def test_preloading_gives_tensors() -> None:
    dataset = Made(5, lambda i: {"x": np.full((70, 300), i, np.float32), "name": "n"})
    batches = list(DataLoader(dataset, SequentialSampler(dataset, 2), num_workers=2, preload=True))
    assert [type(batch["x"]) for batch in batches] == [Tensor] * 3
    assert [batch["x"].numpy()[:, 3, 4].tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert batches[2]["name"] == ["n"]


# streams


def test_parallel_stream_gives_each_worker_its_turn() -> None:
    def numbers() -> Iterator[Any]:
        info = get_worker_info()
        assert info is not None and info.worker == 3
        for i in range(info.idx * 100, info.idx * 100 + 3 + info.idx):
            yield i, info.seed, os.getpid()

    loader = DataLoader(Stream(numbers), StreamSampler(2), num_workers=3, parallel_stream=True)
    batches = values(loader)
    assert [b[0] for b in batches] == [[0, 1], [100, 101], [200, 201], [2], [102, 103], [202, 203], [204]]
    for position in (1, 2):
        assert len({value for batch in batches for value in batch[position]}) == 3
    assert os.getpid() not in {pid for batch in batches for pid in batch[2]}


def test_parallel_stream_draws_from_the_seeds_of_its_workers() -> None:
    def numbers() -> Iterator[float]:
        for _ in range(3):
            yield np.random.random()

    def load() -> list[Any]:
        megengine.random.seed(4)
        return values(DataLoader(Stream(numbers), StreamSampler(1), num_workers=2, parallel_stream=True))

    first = load()
    assert first == load()
    assert len({x for batch in first for x in batch}) == 6


def test_a_stream_is_read_here_and_transformed_in_workers() -> None:
    read_by: list[int] = []

    def numbers() -> Iterator[int]:
        for i in range(7):
            read_by.append(os.getpid())
            yield i

    class Where(T.Transform):
        def apply(self, input: Any) -> Any:
            return input, os.getpid()

    batches = values(DataLoader(Stream(numbers), StreamSampler(2), Where(), num_workers=2))
    assert [b[0] for b in batches] == [[0, 1], [2, 3], [4, 5], [6]]
    assert set(read_by) == {os.getpid()}
    assert os.getpid() not in {pid for b in batches for pid in b[1]}


def test_samples_of_a_stream_and_indices_may_be_of_any_class() -> None:
    class Key:
        def __init__(self, value: Any) -> None:
            self.value = value

    class Unwrapped(T.Transform):
        def apply(self, input: Any) -> Any:
            return input.value

    stream = Stream(lambda: (Key(np.full(20_000, i)) for i in range(3)))
    batches = list(DataLoader(stream, StreamSampler(2), Unwrapped(), num_workers=1))
    assert [batch[:, 7].tolist() for batch in batches] == [[0, 1], [2]]
    dataset = Made(3, lambda key: key.value)  # type: ignore[attr-defined]
    sampler = SequentialSampler(dataset, 2, indices=[Key(5), Key(6), Key(7)])
    assert values(DataLoader(dataset, sampler, num_workers=1)) == [[5, 6], [7]]


def test_a_sample_of_a_stream_that_cannot_be_sent_is_an_error_of_its_batch() -> None:
    samples = [1, threading.Lock(), 3]
    batches = iter(DataLoader(Stream(lambda: iter(samples)), num_workers=1))
    assert next(batches).tolist() == [1]
    with pytest.raises(TypeError, match="cannot pickle") as info:
        next(batches)
    assert info.value.__notes__ == ["while sending what batch 1 is made of to a worker"]
    assert next(batches).tolist() == [3]


@pytest.mark.parametrize("parallel", [False, True])
def test_stream_may_end_by_stop_iteration_inside_of_a_generator(parallel: bool) -> None:
    def numbers() -> Iterator[int]:
        yield from range(3)
        raise StopIteration

    loader = DataLoader(Stream(numbers), StreamSampler(2), num_workers=1, parallel_stream=parallel)
    assert values(loader) == [[0, 1], [2]]


# what workers take over


def test_workers_hold_neither_jax_nor_the_engine() -> None:
    names = ("jax", "jaxlib", "megengine.graph", "megengine.ops")
    dataset = Made(4, lambda i: [name in sys.modules for name in names])
    assert "jax" in sys.modules
    assert values(DataLoader(dataset, num_workers=2)) == [[[False]] * 4] * 4


def test_workers_are_other_processes_that_are_used_again(old_workers: None) -> None:
    loader = DataLoader(Made(8, lambda i: os.getpid()), num_workers=2)
    list(loader)
    before = {worker.process.pid for worker in pool._all}
    used = {pid for batch in loader for pid in batch.tolist()}
    assert 1 <= len(used) <= 2
    assert used <= before and os.getpid() not in used


def test_dataset_is_as_it_is_when_the_pass_begins() -> None:
    dataset = Made(2, lambda i: i)
    loader = DataLoader(dataset, num_workers=1)
    assert values(loader) == [[0], [1]]
    offset = 10
    dataset.make = lambda i: i + offset
    assert values(loader) == [[10], [11]]


def test_a_worker_may_write_to_its_own_copy() -> None:
    class Counting(Made):
        def __getitem__(self, index: int) -> Any:
            self.make[index] += 1  # type: ignore[index]
            return self.make[index]  # type: ignore[index]

    array = np.zeros(100_000)
    loader = DataLoader(Counting(2, array), num_workers=1)  # type: ignore[arg-type]
    assert values(loader) == values(loader) == [[1.0], [1.0]]
    assert not array.any()


def test_memory_mapped_files_are_mapped_and_not_copied(tmp_path: Path) -> None:
    file = np.memmap(tmp_path / "numbers", np.float32, "w+", shape=(100, 1000))
    file[:] = np.arange(100)[:, None]
    file.flush()
    mapped = np.memmap(tmp_path / "numbers", np.float32, "r", shape=(100, 1000))

    class Mapped(Made):
        def __getitem__(self, index: int) -> Any:
            array: Any = self.make
            return float(array[index, 3]), os.path.basename(str(array.base.filename)) == "numbers"

    for array in (mapped, mapped[10:, 2:], np.asarray(mapped).T):
        got = values(DataLoader(Mapped(5, array), num_workers=1))  # type: ignore[arg-type]
        assert got == [[[float(array[i, 3])], [True]] for i in range(5)]


def test_surroundings_are_those_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(index: int) -> list[str]:
        import sys

        return [os.getcwd(), os.environ.get("OF_THE_TEST", ""), sys.argv[0], str(str(tmp_path) in sys.path)]

    loader = DataLoader(Made(1, look), collator=AsList(), num_workers=1)
    assert list(loader)[0][0] == [os.getcwd(), "", sys.argv[0], "False"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OF_THE_TEST", "yes")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(loader)[0][0] == [str(tmp_path), "yes", sys.argv[0], "True"]


SCRIPT = """
    import sys, os
    from collections import namedtuple
    import numpy as np
    import megengine as mge
    import megengine.functional as F
    from megengine.data import DataLoader, SequentialSampler, Collator
    from megengine.data.dataset import Dataset
    import of_the_user

    Named = namedtuple("Named", "x y")
    SCALE = 10
    print(mge.tensor([1.0]).numpy())  # JAX runs before the workers start

    def scaled(value):
        return value * SCALE

    class Mine(Dataset):
        def __init__(self, function):
            super().__init__()
            self.function = function
        def __len__(self):
            return 4
        def __getitem__(self, index):
            return Named(self.function(index), of_the_user.double(index))

    loader = DataLoader(Mine(lambda i: scaled(i) + 1), num_workers=2)
    for batch in loader:
        assert type(batch) is Named, type(batch)
        print(batch.x.tolist(), batch.y.tolist())
    print(len(list(DataLoader(of_the_user.Theirs(), num_workers=1))), list(DataLoader(of_the_user.Theirs(), num_workers=1))[0])
"""
MODULE = """
    import sys
    import megengine as mge
    import megengine.functional as F
    import megengine.module as M
    from megengine import Parameter, Tensor
    from megengine.data.dataset import Dataset
    from megengine.jit import trace

    logger = mge.get_logger(__name__)
    MEAN = mge.tensor([1.0, 2.0])

    class Net(M.Module):
        def __init__(self):
            super().__init__()
            self.layer = M.Linear(3, 4)
        def forward(self, x: Tensor | None) -> "Tensor":
            return F.relu(self.layer(x))

    @trace(symbolic=True)
    def step(x):
        return F.nn.relu(x)

    net = Net()

    def double(index):
        return 2 * index

    class Theirs(Dataset):
        def __init__(self):
            self.net = net
        def __len__(self):
            return 2
        def __getitem__(self, index):
            logger.debug("sample %d", index)
            return "jax" in sys.modules, isinstance(self.net, M.Module), isinstance(index, Tensor)
"""


def test_a_program_without_guard_whose_modules_import_the_engine(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    (tmp_path / "of_the_user.py").write_text(textwrap.dedent(MODULE))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", str(tmp_path / "script.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "[1.]"
    assert lines[1:5] == [f"[{10 * i + 1}] [{2 * i}]" for i in range(4)]
    assert lines[5] == "2 [array([False]), array([ True]), array([False])]"


def test_tensors_have_no_value_in_a_worker() -> None:
    import megengine.functional as F

    loader = DataLoader(Made(2, lambda i: F.relu(Tensor([1.0])).numpy()), num_workers=1)
    message = r"megengine\.functional\.\S*relu\(\.\.\.\)\.numpy\(\.\.\.\) has no value in a data worker"
    with pytest.raises(RuntimeError, match=message):
        list(loader)


def test_custom_collator_and_classes_of_this_function_come_back_as_themselves() -> None:
    class Own:
        def __init__(self, value: int) -> None:
            self.value = value

    class Wrap(Collator):
        def apply(self, inputs: Any) -> Any:
            return Own(sum(inputs))

    batches = list(DataLoader(Made(4, int), SequentialSampler(range(4), 2), collator=Wrap(), num_workers=2))
    assert [type(batch) is Own and batch.value for batch in batches] == [1, 5]
