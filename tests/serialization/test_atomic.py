"""Writing a file: whenever the program stops, the old file or the new one is there, whole."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import stat
from pathlib import Path

import numpy as np
import pytest

import megengine as mge
from megengine import Tensor
from tests.processes import Programs


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "good.mge"
    mge.save({"w": Tensor(np.arange(1000, dtype="float32")), "n": 3}, path)
    return path


def test_an_unfinished_write_leaves_the_file_that_was_there(checkpoint: Path) -> None:
    before = checkpoint.read_bytes()
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        mge.save({"w": Tensor(np.zeros(10**5, "float32")), "bad": lambda: 0}, checkpoint)
    assert checkpoint.read_bytes() == before
    assert os.listdir(checkpoint.parent) == ["good.mge"]


def test_a_replaced_file_keeps_its_mode_and_a_link_its_target(checkpoint: Path) -> None:
    checkpoint.chmod(0o640)
    link = checkpoint.with_name("link.mge")
    link.symlink_to(checkpoint)
    mge.save(5, link)
    assert link.is_symlink() and mge.load(checkpoint) == 5
    assert stat.S_IMODE(checkpoint.stat().st_mode) == 0o640


def test_paths_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="cannot save to .*nosuch"):
        mge.save(1, tmp_path / "nosuch" / "x.mge")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        mge.save(1, tmp_path)
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(PermissionError, match="cannot save to"):
            mge.save(1, tmp_path / "x.mge")
        tmp_path.chmod(0o700)


def test_a_pipe_is_written_directly() -> None:
    mge.save(1, os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


KILLED = """
    import json, os, signal, sys
    import numpy as np
    import megengine as mge
    from megengine.serialization import checksum

    dies = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)

    class Dies:
        def __reduce__(self):
            dies()

    def after(call):
        def both(*args, **kwargs):
            call(*args, **kwargs)
            dies()
        return both

    def save(path, moment):
        state = {"n": 4, "a": np.zeros(10**6), "b": np.ones(10**6)}
        if moment == "while pickling":
            state["c"] = Dies()
        elif moment == "in the second array":
            seen = []
            add = checksum.BlockSum.add
            checksum.BlockSum.add = lambda self, sums: add(self, sums) if len(seen.append(1) or seen) < 12 else dies()
        elif moment == "before the trailer":
            checksum.SummedWriter.finish = dies
        elif moment == "before fsync":
            os.fsync = dies
        elif moment == "before the rename":
            os.replace = dies
        elif moment == "after the rename":
            os.replace = after(os.replace)
        mge.save(state, path)

    status = {}
    for moment, path in json.loads(sys.argv[1]).items():
        if (child := os.fork()) == 0:
            save(path, moment)
            os._exit(0)
        status[moment] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps(status))
"""
MOMENTS = {
    "while pickling": 3, "in the second array": 3, "before the trailer": 3, "before fsync": 3, "before the rename": 3,
    "after the rename": 4,
}  # fmt: skip


def test_a_process_killed_while_it_saves(checkpoint: Path, programs: Programs) -> None:
    """One program, of which a child is killed at each moment."""
    paths = {moment: checkpoint.parent / str(k) / "good.mge" for k, moment in enumerate(MOMENTS)}
    for path in paths.values():
        path.parent.mkdir()
        shutil.copy(checkpoint, path)
    out, errors = programs.start(KILLED, json.dumps({m: str(p) for m, p in paths.items()})).communicate(timeout=120)
    assert out and json.loads(out) == dict.fromkeys(MOMENTS, -signal.SIGKILL), errors
    for moment, path in paths.items():
        assert mge.load(path)["n"] == MOMENTS[moment], moment
        left = [name for name in os.listdir(path.parent) if name != "good.mge"]
        assert len(left) == (moment != "after the rename") and all(name.endswith(".tmp") for name in left), moment


SAVING = """
    import sys
    import numpy as np
    import megengine as mge

    state = {"n": 0, "a": np.zeros(3 * 10**6)}
    for state["n"] in range(1, 10**6):
        mge.save(state, sys.argv[1])
        print(state["n"], flush=True)
"""


def test_a_process_killed_at_any_time(checkpoint: Path, programs: Programs) -> None:
    for delay in (0.0, 0.007, 0.031):
        process = programs.start(SAVING, checkpoint)
        assert process.stdout is not None
        finished = int(process.stdout.readline())
        signal.sigtimedwait([], delay)
        process.kill()
        finished = max([finished, *map(int, process.communicate()[0].split())])
        state = mge.load(checkpoint)
        assert state["n"] in (finished, finished + 1) and state["a"].shape == (3 * 10**6,)


def test_a_full_disk_leaves_the_file_that_was_there(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    before = checkpoint.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        mge.save(np.zeros(10**5), checkpoint)
    assert checkpoint.read_bytes() == before and os.listdir(checkpoint.parent) == ["good.mge"]
