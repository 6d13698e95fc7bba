"""What can go wrong with workers: each fault is named soon, nothing is lost silently, and nothing is left behind."""

from __future__ import annotations

import gc
import linecache
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine
from megengine.data import Collator, DataLoader, RandomSampler, SequentialSampler, StreamSampler, worker_pool
from megengine.data import transform as T
from megengine.data.dataset import ArrayDataset
from megengine.data.worker_pool import pool

from .workers import AsList, Made, Stream, connections, gone, held, members, values

ROOT = Path(megengine.__path__[0]).parent


def at(index: int, action: Any) -> Any:
    """A function of an index that does something at one of them."""

    def make(i: int) -> int:
        if i == index:
            action()
        return i

    return make


def kill_me(signal_number: int) -> None:
    os.kill(os.getpid(), signal_number)


# errors


def test_an_error_names_the_sample_and_leaves_the_other_batches() -> None:
    dataset = Made(6, at(3, lambda: {}["missing"]))
    batches = iter(DataLoader(dataset, SequentialSampler(dataset, 2), num_workers=2))
    assert next(batches).tolist() == [0, 1]
    with pytest.raises(
        RuntimeError, match=r"^Caught KeyError in DataLoader worker process \d\.\nOriginal Traceback"
    ) as info:
        next(batches)
    assert "while fetching sample 3 for batch 1" in str(info.value)
    assert "test_worker_faults.py" in str(info.value)
    assert isinstance(info.value.__cause__, KeyError) and info.value.__cause__.args == ("missing",)
    assert next(batches).tolist() == [4, 5]
    assert list(batches) == []


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_of_transform_and_collator_say_what_they_are_about(workers: int) -> None:
    class Refusing(T.Transform):
        def apply(self, input: Any) -> Any:
            assert input != 70, "seventy"
            return np.zeros(2 if input < 50 else 3)

    dataset = Made(8, lambda i: 10 * i)
    sampler = SequentialSampler(dataset, 2, indices=[7, 1, 4, 5, 3, 0])
    batches = iter(DataLoader(dataset, sampler, Refusing(), num_workers=workers))
    seen = []
    for error in (AssertionError, ValueError):
        with pytest.raises(error if not workers else RuntimeError) as info:
            next(batches)
        seen.append(str(info.value) + "".join(getattr(info.value, "__notes__", ())))
    assert "while transforming sample 7 for batch 0" in seen[0]
    assert "sample 0 has (2,), sample 1 (3,)" in seen[1]
    assert "while collating batch 1 of the samples 4, 5" in seen[1]
    assert next(batches).shape == (2, 2)


def test_errors_of_a_stream_come_after_the_batches_before_them() -> None:
    def broken() -> Iterator[int]:
        yield from range(4)
        raise OSError("the disk is on fire")

    for parallel in (False, True):
        batches = iter(DataLoader(Stream(broken), StreamSampler(2), num_workers=1, parallel_stream=parallel))
        assert [next(batches).tolist(), next(batches).tolist()] == [[0, 1], [2, 3]]
        with pytest.raises(RuntimeError if parallel else OSError, match="on fire"):
            next(batches)


def test_an_exception_that_cannot_be_sent_is_told_by_its_traceback() -> None:
    class Own(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__("own words")

    def fail() -> None:
        raise Own(1, 2)

    with pytest.raises(RuntimeError, match="Caught Own in DataLoader worker process 0(.|\n)*own words") as info:
        list(DataLoader(Made(2, at(0, fail)), num_workers=1))
    assert info.value.__cause__ is None


CELL = """
from megengine.data.dataset import Dataset

class Cells(Dataset):
    zero = 0

    def __init__(self):
        self.divide = lambda i: i // self.zero  # by nothing

    def __getitem__(self, index):
        return self.divide(index) if index else index

    def __len__(self):
        return 2
"""


@pytest.mark.parametrize("where", ["a file", "a module that workers cannot import", "a notebook's cell"])
def test_the_traceback_of_a_worker_shows_file_and_line(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, module = str(tmp_path / "cell.py"), types.ModuleType("cell_of_the_test")
    if where == "a notebook's cell":
        monkeypatch.setitem(linecache.cache, name, (len(CELL), None, CELL.splitlines(True), name))
    else:
        Path(name).write_text(CELL)
    if where == "a module that workers cannot import":
        module.__file__ = name
        monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(CELL, name, "exec"), module.__dict__)
    batches = iter(DataLoader(module.Cells(), num_workers=1))
    assert next(batches).tolist() == [0]
    with pytest.raises(RuntimeError, match="ZeroDivisionError") as info:
        next(batches)
    for line, function, text in (
        (11, "__getitem__", "return self.divide(index) if index else index"),
        (8, "<lambda>", "self.divide = lambda i: i // self.zero  # by nothing"),
    ):
        assert f'File "{name}", line {line}, in {function}\n    {text}\n' in str(info.value)


def test_a_function_that_a_worker_returns_still_names_its_file() -> None:
    batches = list(DataLoader(Made(2, lambda i: lambda: 1 // i), collator=AsList(), num_workers=1))
    assert batches[1][0]() == 1
    with pytest.raises(ZeroDivisionError) as info:
        batches[0][0]()
    assert info.traceback[-1].path == Path(__file__)


# death


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, "exit"])
def test_a_dead_worker_is_noticed_at_once(how: Any) -> None:
    die = (lambda: os._exit(3)) if how == "exit" else (lambda: kill_me(how))
    batches = iter(DataLoader(Made(20, at(9, die)), num_workers=2))
    pids = members(batches)
    for i in range(9):
        assert next(batches).tolist() == [i]
    started = time.monotonic()
    status = 3 if how == "exit" else -how
    with pytest.raises(RuntimeError, match=rf"DataLoader worker.* exited unexpectedly, exitcode\(s\): {status}"):
        list(batches)
    assert time.monotonic() - started < 1
    assert list(batches) == []
    assert gone(pids, 1)


def test_a_worker_killed_from_outside_while_it_is_waited_for_is_noticed_within_a_second() -> None:
    batches = iter(DataLoader(Made(4, at(1, lambda: time.sleep(60))), num_workers=1))
    next(batches)
    killed: list[float] = []

    def kill() -> None:
        killed.append(time.monotonic())
        os.kill(pid, signal.SIGKILL)

    (pid,) = members(batches)
    timer = threading.Timer(0.2, kill)
    timer.start()
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        next(batches)
    assert time.monotonic() - killed[0] < 1
    timer.join()


def test_batches_of_living_workers_before_the_lost_one_are_given() -> None:
    def slow_or_dead(i: int) -> int:
        if i == 1:
            os._exit(3)
        time.sleep(0.8 if i == 0 else 0)
        return i

    batches = iter(DataLoader(Made(6, slow_or_dead), num_workers=2))
    assert next(batches).tolist() == [0]
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        next(batches)


def test_idle_workers_that_were_killed_are_replaced() -> None:
    loader = DataLoader(Made(4, int), num_workers=2)
    first = values(loader)
    for worker in list(pool._all):
        worker.process.kill()
    time.sleep(0.05)
    assert values(loader) == first


# time


def test_a_batch_that_takes_too_long_ends_the_pass_and_its_workers() -> None:
    batches = iter(DataLoader(Made(4, at(2, lambda: time.sleep(60))), num_workers=2, timeout=0.3))
    pids = members(batches)
    assert [next(batches).tolist(), next(batches).tolist()] == [[0], [1]]
    started = time.monotonic()
    with pytest.raises(RuntimeError, match=r"dataloader timeout: a batch took longer than 0\.3 s"):
        next(batches)
    assert 0.25 < time.monotonic() - started < 1.5
    assert list(batches) == []
    assert gone(pids, 1)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_timeout_event_that_returns_lets_the_wait_go_on(workers: int) -> None:
    asked: list[int] = []

    def slow() -> Iterator[int]:
        time.sleep(0.35)
        yield 5

    loader = DataLoader(
        Stream(slow), StreamSampler(1), num_workers=workers, timeout=0.1, timeout_event=lambda: asked.append(1),
        parallel_stream=True,
    )  # fmt: skip
    assert values(loader) == [[5]]
    assert len(asked) >= 2


def test_a_stream_that_is_read_here_is_timed_too() -> None:
    def slow() -> Iterator[int]:
        yield 0
        time.sleep(3)
        yield 1

    batches = iter(DataLoader(Stream(slow), StreamSampler(1), num_workers=1, timeout=0.2))
    assert next(batches).tolist() == [0]
    with pytest.raises(RuntimeError, match="dataloader timeout"):
        next(batches)


# nothing is left


def test_two_hundred_passes_leave_nothing() -> None:
    dataset = ArrayDataset(np.arange(1200).reshape(12, 100), np.arange(12))
    loader = DataLoader(dataset, RandomSampler(dataset, 5, seed=0), num_workers=2)
    list(loader)
    before, workers, connected = held(), len(pool._all), connections()
    for _ in range(200):
        assert sorted(i for _, labels in loader for i in labels.tolist()) == list(range(12))
    assert held() == before
    assert len(pool._all) <= workers
    assert connections() <= connected


def test_a_loader_for_each_pass_keeps_the_workers() -> None:
    pids = set()
    for _ in range(5):
        batches = iter(DataLoader(Made(4, int), num_workers=1))
        pids.update(members(batches))
        assert values(batches) == [[0], [1], [2], [3]]
    assert len(pids) <= 2


def test_abandoned_passes_leave_nothing() -> None:
    dataset = Made(100, lambda i: np.full(20_000, i))
    loader = DataLoader(dataset, SequentialSampler(dataset, 4), num_workers=2)
    list(loader)
    before = held()
    for _ in range(20):
        batches = iter(loader)
        assert next(batches)[0, 0] == 0
        del batches
    gc.collect()
    assert held() == before


def test_workers_hold_nothing_of_earlier_passes() -> None:
    class Look(T.Transform):
        def apply(self, input: Any) -> Any:
            maps = Path("/proc/self/maps").read_text()
            return len(os.listdir("/proc/self/fd")), maps.count("megengine-data"), np.zeros(20_000)

    def look() -> tuple[int, int]:
        batches = iter(DataLoader(Stream(lambda: iter([np.zeros(20_000)] * 100)), transform=Look(), num_workers=1))
        next(batches)
        descriptors, maps, _ = next(batches)
        return int(descriptors[0]), int(maps[0])

    first = look()
    for _ in range(30):
        last = look()
    assert max(last) <= max(first) + 1  # a task that waits may have come with a descriptor, or not


def test_a_worker_busy_with_an_abandoned_batch_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "_GRACE", 0.1)
    monkeypatch.setattr(worker_pool, "_LINGER", 0.2)
    loader = DataLoader(Made(4, at(1, lambda: time.sleep(60))), num_workers=1)
    batches = iter(loader)
    next(batches)
    pids = members(batches)
    time.sleep(0.05)
    if pool._timer is not None:
        pool._timer.cancel()
        pool._timer = None
    del batches
    assert gone(pids, 3)


def test_workers_end_soon_after_the_last_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "_LINGER", 0.1)
    gc.collect()
    if pool._timer is not None:
        pool._timer.cancel()
        pool._timer = None
    list(DataLoader(Made(4, int), num_workers=2))
    pids = [worker.process.pid for worker in pool._all]
    assert pids
    assert gone(pids, 5)
    deadline = time.monotonic() + 5
    while pool._all and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not pool._all


def test_huge_and_tiny_batches() -> None:
    dataset = Made(9, lambda i: np.full(30_000_000 if i % 3 == 1 else 1, i, np.uint8))
    before = held()
    for i, batch in enumerate(DataLoader(dataset, num_workers=2)):
        assert batch.shape == (1, 30_000_000 if i % 3 == 1 else 1)
        assert batch[0, 0] == batch[0, -1] == i
    del batch
    assert held() == before


def test_batches_of_long_texts_and_of_many_indices() -> None:
    dataset = Made(40_000, lambda i: "x" * (i % 7))
    (batch,) = DataLoader(dataset, SequentialSampler(dataset, 40_000), num_workers=1)
    assert list(batch) == ["x" * (i % 7) for i in range(40_000)]


CHILD = """
    import os, sys, time
    import numpy as np
    import megengine as mge
    from megengine.data import DataLoader
    from megengine.data.dataset import Dataset

    class Busy(Dataset):
        def __init__(self): ...
        def __len__(self):
            return 1000
        def __getitem__(self, index):
            while index >= 10 and sys.argv[1] == "busy":
                pass
            time.sleep(0.01)
            return np.zeros(100_000)

    print(mge.tensor([1.0]).numpy())
    batches = iter(DataLoader(Busy(), num_workers=2))
    next(batches)
    print(*[worker.process.pid for worker in batches._batches._crew.members], flush=True)
    for batch in batches:
        pass
"""


@pytest.mark.parametrize(
    ("state", "how"),
    [("idle", signal.SIGINT), ("busy", signal.SIGINT), ("busy", signal.SIGTERM), ("busy", signal.SIGKILL)],
)
def test_a_program_that_is_stopped_leaves_no_process_and_no_memory(state: str, how: int) -> None:
    shared = sorted(os.listdir("/dev/shm"))
    command = [sys.executable, "-c", textwrap.dedent(CHILD), state]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as program:
        assert program.stdout is not None and program.stderr is not None
        program.stdout.readline()
        pids = [int(pid) for pid in program.stdout.readline().split()]
        time.sleep(0.3)
        os.killpg(program.pid, how)  # what a terminal does on Ctrl-C
        assert program.wait(20) == -how
        assert len(pids) == 2
        assert gone(pids, 1)
        errors = program.stderr.read()
        assert errors.count("Traceback") == (how == signal.SIGINT)
    assert sorted(os.listdir("/dev/shm")) == shared


# forks of the program


def _load_in_fork(inherited: Any, results: Any) -> None:
    before = list(pool._all)
    got = [batch.tolist() for batch in DataLoader(Made(4, int), num_workers=2)]
    try:
        next(inherited)
    except RuntimeError as error:
        results.send((before, got, str(error)))


@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning", "ignore:.*fork:DeprecationWarning")
def test_a_fork_of_the_program_has_workers_of_its_own() -> None:
    loader = DataLoader(Made(6, int), num_workers=2)
    batches = iter(loader)
    assert next(batches).tolist() == [0]
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_load_in_fork, args=(batches, there))
    process.start()
    there.close()
    assert here.poll(30)
    before, got, message = here.recv()
    assert (before, got) == ([], [[0], [1], [2], [3]])
    assert "a fork of" in message
    process.join(10)
    assert process.exitcode == 0
    assert [batch.tolist() for batch in batches] == [[1], [2], [3], [4], [5]]
    assert values(loader) == [[0], [1], [2], [3], [4], [5]]


# what cannot be sent


def test_what_workers_cannot_be_sent_is_named_and_batches_are_made_here(log: list[str]) -> None:
    class Guarded(Made):
        def __init__(self) -> None:
            super().__init__(3, int)
            self.tools = {"lock": threading.Lock()}

    loader = DataLoader(Guarded(), num_workers=2)
    assert values(loader) == values(loader) == [[0], [1], [2]]
    assert len(log) == 1
    assert (
        "num_workers=2: dataset.tools['lock'] cannot be sent to workers (TypeError: cannot pickle '_thread.lock'"
        in log[0]
    )


def test_what_workers_cannot_rebuild_is_named_and_batches_are_made_here(log: list[str]) -> None:
    class OnlyHere:
        def __reduce__(self) -> Any:
            return refuse, (os.getpid(),)

    def refuse(pid: int) -> Any:
        assert pid == os.getpid(), "not there"
        return OnlyHere()

    class Collating(Collator):
        part = OnlyHere()

        def __init__(self) -> None:
            self.part = OnlyHere()

    loader = DataLoader(Made(3, int), collator=Collating(), num_workers=1)
    assert values(loader) == [[0], [1], [2]]
    assert len(log) == 1
    assert "a worker could not take over dataset, transform and collator (AssertionError: not there" in log[0]


def test_a_stream_that_cannot_be_sent_needs_not_be(log: list[str]) -> None:
    class Guarded(Stream):
        def __init__(self) -> None:
            super().__init__(lambda: iter(range(3)))
            self.lock = threading.Lock()

    assert values(DataLoader(Guarded(), StreamSampler(2), num_workers=1)) == [[0, 1], [2]]
    assert not log
