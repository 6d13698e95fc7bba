"""Writing a file: whenever the program stops, the old file or the new one is there, whole."""

from __future__ import annotations

import os
import pickle
import signal
import stat
import subprocess
import sys
import textwrap
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
    import os, signal, sys
    import numpy as np
    import megengine as mge
    from megengine.serialization import checksum

    path, moment = sys.argv[1], sys.argv[2]
    dies = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)

    class Dies:
        def __reduce__(self):
            dies()

    def after(call):
        def both(*args, **kwargs):
            call(*args, **kwargs)
            dies()
        return both

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
    print("ready", flush=True)
    mge.save(state, path)
    print("not killed", flush=True)
"""
MOMENTS = {
    "while pickling": 3, "in the second array": 3, "before the trailer": 3, "before fsync": 3, "before the rename": 3,
    "after the rename": 4,
}  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_process_killed_while_it_saves(moment: str, checkpoint: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(checkpoint), moment]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL and done.stdout.split() == ["ready"], done.stderr
    assert mge.load(checkpoint)["n"] == MOMENTS[moment]
    left = [name for name in os.listdir(checkpoint.parent) if name != "good.mge"]
    assert len(left) == (moment != "after the rename") and all(name.endswith(".tmp") for name in left)


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
