"""Ranks that fail at other moments than those in test_processes.py: at the start and within a collective; nothing stays behind.

| a rank | at the start | in a collective | between steps |
|---|---|---|---|
| raises | here | here | test_the_error_of_a_rank_comes_out_and_ends_the_others |
| is killed | here | here | test_a_rank_that_is_killed_is_named |
| hangs | here | test_a_rank_that_hangs_is_named_in_time: others wait for it | the same |
| hears Ctrl-C | - | - | test_ctrl_c_ends_all_ranks_which_save_what_they_have |
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import megengine.distributed as dist
import megengine.functional as F
from megengine import Tensor
from megengine.distributed.processes import ProcessError
from tests.processes import descendants

AT_ONCE = """\
import os, signal, time
if os.environ.get("MEGENGINE_RANK") == "1":
    {}
"""


def left() -> tuple[set[str], set[str]]:
    """The shared memory that there is, and the sockets, pipes and files without a name that this process has open."""
    opened = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that the folder is read by
            opened.add(str(descriptor.readlink()))
    kinds = "socket:", "pipe:", "/memfd:"
    return {entry.name for entry in Path("/dev/shm").iterdir()}, {name for name in opened if name.startswith(kinds)}


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    before = left()
    yield
    gc.collect()
    shared, opened = left()
    end = time.monotonic() + 10
    while opened - before[1] and time.monotonic() < end:  # a thread of the server closes what a rank that went has left
        time.sleep(0.05)
        shared, opened = left()
    assert not [p for p in descendants(os.getpid()) if b"distributed.rank" in Path(f"/proc/{p}/cmdline").read_bytes()]
    assert not shared - before[0] and not opened - before[1]


@pytest.mark.parametrize(
    ("how", "rank", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", 1, r"process 1 was ended by signal 9 \(SIGKILL\)"),
        ("time.sleep(600)", 0, r"rank 1 did not come to the Server at localhost:\d+ within 2 s"),
    ],
    ids=["killed", "hangs"],
)
def test_before_the_ranks_have_met(
    how: str, rank: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(AT_ONCE.format(how))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("MEGENGINE_DISTRIBUTED_TIMEOUT", "2")
    with pytest.raises(ProcessError, match=words) as info:
        dist.launcher(int, n_gpus=2)()
    assert info.value.rank == rank


class Fails:
    """An argument that one rank cannot load."""

    def __reduce__(self) -> Any:
        return _load, ()


def _load() -> None:
    if dist.get_rank() == 1:
        raise LookupError("no such thing here")


def test_an_argument_that_a_rank_cannot_load() -> None:
    def work(_: Any) -> None:
        F.distributed.all_reduce_sum(Tensor([1.0]))

    with pytest.raises(ProcessError, match="process 1 exited with code 1: LookupError: no such thing here"):
        dist.launcher(work, n_gpus=2)(Fails())


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "raises"])
def test_amid_a_collective(killed: bool) -> None:
    def work() -> None:
        F.distributed.all_reduce_sum(Tensor([1.0]))  # the ranks know of such calls: they do not ask first
        if dist.get_rank() == 1:
            dist.get_client().user_set("waits", True)
            if killed:
                threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
            else:
                signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError("rang")))
                signal.setitimer(signal.ITIMER_REAL, 0.3)
            F.distributed.all_reduce_sum(Tensor([1.0])).numpy()
        dist.get_client().user_get("waits")
        time.sleep(600)

    words = r"process 1 was ended by signal 9" if killed else "process 1 exited with code 1: TimeoutError: rang"
    with pytest.raises(ProcessError, match=words):
        dist.launcher(work, n_gpus=2)()
