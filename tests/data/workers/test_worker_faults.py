"""What can go wrong with workers: each fault is named soon, nothing is lost silently, and nothing is left behind."""

from __future__ import annotations

import gc
import linecache
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from megengine.data import Collator, DataLoader, RandomSampler, SequentialSampler, StreamSampler
from megengine.data import transform as T
from megengine.data.dataset import ArrayDataset
from megengine.data.iterators import raise_timeout
from megengine.data.workers import parallel
from megengine.data.workers.channel import Channel
from megengine.data.workers.pool import Worker, pool
from megengine.data.workers.worker import END, IDLE
from tests.processes import PATIENCE, Programs, gone, is_alive, until

from ..made import AsList, Made, Stream, connections, held, members, shared_memory, values

NEVER = 3600.0  # seconds; what has to happen happens before, or the test's time limit ends it


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

    for reads_itself in (False, True):
        batches = iter(DataLoader(Stream(broken), StreamSampler(2), num_workers=1, parallel_stream=reads_itself))
        assert [next(batches).tolist(), next(batches).tolist()] == [[0, 1], [2, 3]]
        with pytest.raises(RuntimeError if reads_itself else OSError, match="on fire"):
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
def test_a_dead_worker_is_noticed_at_once(how: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_LOOK", NEVER)  # its socket tells
    die = (lambda: os._exit(3)) if how == "exit" else (lambda: kill_me(how))
    batches = iter(DataLoader(Made(20, at(9, die)), num_workers=2))
    pids = members(batches)
    for i in range(9):
        assert next(batches).tolist() == [i]
    status = 3 if how == "exit" else -how
    with pytest.raises(RuntimeError, match=rf"DataLoader worker.* exited unexpectedly, exitcode\(s\): {status}"):
        list(batches)
    assert list(batches) == []
    assert gone(pids)


def test_a_worker_killed_from_outside_while_it_is_waited_for_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_LOOK", NEVER)
    batches = iter(DataLoader(Made(4, at(1, lambda: time.sleep(NEVER))), num_workers=1))
    next(batches)
    (pid,) = members(batches)
    timer = threading.Timer(0.2, os.kill, (pid, signal.SIGKILL))
    timer.start()
    with pytest.raises(RuntimeError, match=r"exited unexpectedly, exitcode\(s\): -9"):
        next(batches)
    timer.join()


def test_a_dead_worker_whose_connection_a_fork_holds_open_is_noticed(tmp_path: Path) -> None:
    def fork_and_die() -> None:
        if os.fork():
            os._exit(3)
        while not (tmp_path / "over").exists():
            time.sleep(0.01)
        os._exit(0)

    batches = iter(DataLoader(Made(4, at(1, fork_and_die)), num_workers=1))
    try:
        assert next(batches).tolist() == [0]
        with pytest.raises(RuntimeError, match=r"exited unexpectedly, exitcode\(s\): 3"):
            next(batches)
    finally:
        (tmp_path / "over").touch()


def test_batches_of_living_workers_before_the_lost_one_are_given(tmp_path: Path) -> None:
    def late_or_dead(i: int) -> int:
        if i == 1:
            os._exit(3)
        while i == 0 and not (tmp_path / "go").exists():
            time.sleep(0.01)
        return i

    batches = iter(DataLoader(Made(6, late_or_dead), num_workers=2))
    pids = members(batches)
    until(lambda: sum(map(is_alive, pids)) == 1, "the death of one worker")
    (tmp_path / "go").touch()
    assert next(batches).tolist() == [0]
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        next(batches)


def test_idle_workers_that_were_killed_are_replaced() -> None:
    loader = DataLoader(Made(4, int), num_workers=2)
    first = values(loader)
    for worker in list(pool._all):
        worker.process.kill()
    assert gone(worker.process.pid for worker in list(pool._all))
    assert values(loader) == first


# time


def test_a_batch_that_takes_too_long_ends_the_pass_and_its_workers() -> None:
    batches = iter(DataLoader(Made(4, at(2, lambda: time.sleep(NEVER))), num_workers=2, timeout=0.3))
    pids = members(batches)
    for i in range(2):
        until(batches._batches.ready, f"batch {i}")  # type: ignore[attr-defined]
        assert next(batches).tolist() == [i]
    started = time.monotonic()
    with pytest.raises(RuntimeError, match=r"dataloader timeout: a batch took longer than 0\.3 s"):
        next(batches)
    assert time.monotonic() - started >= 0.3
    assert list(batches) == []
    assert gone(pids)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_timeout_event_that_returns_lets_the_wait_go_on(workers: int, tmp_path: Path) -> None:
    asked: list[int] = []

    def slow() -> Iterator[int]:
        while not (tmp_path / "go").exists():
            time.sleep(0.01)
        yield 5

    def ask() -> None:
        asked.append(1)
        if len(asked) == 3:
            (tmp_path / "go").touch()

    loader = DataLoader(
        Stream(slow), StreamSampler(1), num_workers=workers, timeout=0.1, timeout_event=ask, parallel_stream=True
    )
    assert values(loader) == [[5]]
    assert len(asked) >= 3


def test_a_stream_that_is_read_here_is_timed_too() -> None:
    waiting, over = threading.Event(), threading.Event()

    def slow() -> Iterator[int]:
        yield 0
        waiting.set()
        over.wait()

    def event() -> None:
        if waiting.is_set():
            raise_timeout(0.2)

    batches = iter(DataLoader(Stream(slow), StreamSampler(1), num_workers=1, timeout=0.2, timeout_event=event))
    assert next(batches).tolist() == [0]
    with pytest.raises(RuntimeError, match=r"dataloader timeout: a batch took longer than 0\.2 s"):
        next(batches)
    over.set()


# nothing is left


def test_two_hundred_passes_leave_nothing(old_workers: None) -> None:
    dataset = ArrayDataset(np.arange(1200).reshape(12, 100), np.arange(12))
    loader = DataLoader(dataset, RandomSampler(dataset, 5, seed=0), num_workers=2)
    list(loader)
    before, workers, connected = held(), len(pool._all), connections()
    for _ in range(200):
        assert sorted(i for _, labels in loader for i in labels.tolist()) == list(range(12))
    assert held() == before
    assert len(pool._all) <= workers
    assert connections() <= connected


def test_a_loader_for_each_pass_keeps_the_workers(old_workers: None) -> None:
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


def test_a_worker_busy_with_an_abandoned_batch_is_ended(impatient: None) -> None:
    loader = DataLoader(Made(4, at(1, lambda: time.sleep(NEVER))), num_workers=1)
    batches = iter(loader)
    next(batches)
    pids = members(batches)
    del batches
    assert gone(pids)


def test_what_a_worker_said_of_an_earlier_pass_is_not_taken_for_this_one() -> None:
    worker = object.__new__(Worker)
    worker.channel, theirs = Channel.pair()
    worker.ends = 2
    try:
        theirs.send((IDLE, 1))
        assert not worker.is_idle()
        theirs.send((IDLE, 2))
        assert worker.is_idle()
    finally:
        worker.channel.close()
        theirs.close()


def test_workers_end_although_a_timer_ended_before_its_start_returned(
    impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Timer.start
    waits = [True]

    def slow(timer: threading.Timer) -> None:
        start(timer)
        if waits:
            waits.pop()
            timer.join()

    monkeypatch.setattr(threading.Timer, "start", slow)
    for _ in range(2):
        batches = iter(DataLoader(Made(4, at(1, lambda: time.sleep(NEVER))), num_workers=1))
        next(batches)
        pids = members(batches)
        del batches
        assert gone(pids)


def interrupted(call: Callable[..., Any], when: Callable[..., bool]) -> Callable[..., Any]:
    """A function that Ctrl-C interrupts the first time that it is called with such arguments."""
    pending = [KeyboardInterrupt]

    def interrupting(*args: Any, **kwargs: Any) -> Any:
        if pending and when(*args):
            raise pending.pop()
        return call(*args, **kwargs)

    return interrupting


def spin() -> None:
    while True:
        pass


@pytest.mark.parametrize("where", ["giving back", "killing", "waiting for a death"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_workers_end_although_an_interrupt_comes_while_a_pass_ends(
    where: str, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = DataLoader(Made(9, at(2, spin)), num_workers=2, timeout=0 if where == "giving back" else 0.2)
    batches = iter(loader)
    pids = members(batches)
    for i in range(2):
        until(batches._batches.ready, f"batch {i}")  # type: ignore[attr-defined]
        assert next(batches).tolist() == [i]
    if where == "giving back":
        monkeypatch.setattr(Channel, "send", interrupted(Channel.send, lambda channel, message: message[0] == END))
        del batches
    else:
        name = "kill" if where == "killing" else "wait"
        monkeypatch.setattr(subprocess.Popen, name, interrupted(getattr(subprocess.Popen, name), lambda *args: True))
        with pytest.raises(KeyboardInterrupt) as info:
            next(batches)
        assert info.traceback  # which holds on to the pass, as that of a notebook's last error does
    assert gone(pids)
    until(lambda: not {worker.process.pid for worker in pool._all} & set(pids), "their removal from the pool")
    assert list(DataLoader(Made(2, int), num_workers=2))[1].tolist() == [1]


def test_an_interrupt_while_workers_start_leaves_none_that_nobody_knows(
    impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.shut_down()
    loader = DataLoader(Made(4, int), num_workers=2)
    monkeypatch.setattr(subprocess, "Popen", interrupted(subprocess.Popen, lambda *args: len(pool._all) == 1))
    with pytest.raises(KeyboardInterrupt):
        iter(loader)
    assert len(pool._all) == 1
    assert values(loader) == [[0], [1], [2], [3]]
    assert len(pool._all) == 2


def test_workers_end_soon_after_the_last_loader(impatient: None) -> None:
    list(DataLoader(Made(4, int), num_workers=2))
    pids = [worker.process.pid for worker in pool._all]
    assert pids
    assert gone(pids)
    until(lambda: not pool._all, "an empty pool")


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


PROGRAM = """
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
            if index >= 10 and sys.argv[1] == "busy":
                open(os.path.join(sys.argv[2], str(os.getpid())), "w").close()
                while True:
                    pass
            return np.zeros(100_000)

    print(mge.tensor([1.0]).numpy())
    batches = iter(DataLoader(Busy(), num_workers=2))
    next(batches)
    print(*[worker.process.pid for worker in batches._batches._crew.members], flush=True)
    if sys.argv[1] == "idle":
        time.sleep(3600)
    for batch in batches:
        pass
"""


@pytest.mark.parametrize(
    ("state", "how"),
    [("idle", signal.SIGINT), ("busy", signal.SIGINT), ("busy", signal.SIGTERM), ("busy", signal.SIGKILL)],
)
def test_a_program_that_is_stopped_leaves_no_process_and_no_memory(
    state: str, how: int, tmp_path: Path, programs: Programs
) -> None:
    shared = shared_memory()
    program = programs.start(PROGRAM, state, tmp_path)
    assert program.stdout is not None and program.stderr is not None
    program.stdout.readline()
    pids = [int(pid) for pid in program.stdout.readline().split()]
    assert len(pids) == 2 and all(map(is_alive, pids))
    if state == "busy":
        until(lambda: sorted(os.listdir(tmp_path)) == sorted(map(str, pids)), "two busy workers")
    os.killpg(program.pid, how)  # what a terminal does on Ctrl-C
    assert program.wait(PATIENCE) == -how
    assert gone(pids)
    errors = program.stderr.read()
    assert errors.count("Traceback") == (how == signal.SIGINT)
    assert shared_memory() == shared


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
    try:
        there.close()
        assert here.poll(PATIENCE)
        before, got, message = here.recv()
        assert (before, got) == ([], [[0], [1], [2], [3]])
        assert "a fork of" in message
        process.join(PATIENCE)
        assert process.exitcode == 0
    finally:
        process.kill()
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
