"""A program under `mge run` is the program under python: arguments, exit status, errors, children
and a report at its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

ARGUMENTS = """
import sys, os
import __main__
if __name__ == "__main__":
    here = os.path.basename(sys.path[0]) == os.path.basename(os.getcwd())
    print(sys.argv, os.path.basename(__file__), here, __main__ is sys.modules[__name__])
    sys.exit(3)
"""


def test_arguments_and_exit_status(old: Run) -> None:
    ran, plain = (old(ARGUMENTS, "--epochs", "2", "-m", "x", "--also", "y", plain=plain) for plain in (False, True))
    assert (ran.returncode, ran.stdout, ran.stderr) == (plain.returncode, plain.stdout, "") == (3, ran.stdout, "")
    assert "['program.py', '--epochs', '2', '-m', 'x', '--also', 'y'] program.py True True" in ran.stdout


def test_a_module(old: Run, tmp_path: Path) -> None:
    text = "import sys, numpy as np\nprint(sys.argv[1:], __name__, __package__, np.int)\n"
    old("", **{"package/train": text, "package/__init__": ""})
    command = [sys.executable, "-m", "megengine.tools.mge", "run", "-m", "package.train", "--lr", "1"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert ran.stdout == "['--lr', '1'] __main__ package <class 'int'>\n", ran.stderr
    assert f"np.int -> int  (NumPy 1.24)  package{os.sep}train.py:2" in ran.stderr


ERRORS = """
import numpy as np
def fail(x):
    x[0] = "no number"
try:
    fail(np.zeros(2))
except ValueError:
    pass
np.bool8
fail(np.zeros(2))
"""


def test_tracebacks_are_the_programs(old: Run) -> None:
    ran, plain = old(ERRORS), old(ERRORS.replace("np.bool8", "np.bool_"), plain=True)
    assert (ran.returncode, plain.returncode) == (1, 1)
    trace, _, report = ran.stderr.partition("mge run:")
    assert trace == plain.stderr and 'line 4, in fail\n    x[0] = "no number"' in trace
    assert (
        report
        == " the program used one name that is gone today. Write instead:\n  np.bool8 -> np.bool_  (NumPy 1.24)  program.py:9\n"
    )


def test_a_program_that_removes_its_folder(old: Run) -> None:
    ran = old("import os, shutil, numpy as np\nprint(np.float(2))\nshutil.rmtree(os.getcwd())\n")
    assert (ran.returncode, ran.stdout) == (0, "2.0\n")
    assert ran.stderr.startswith("mge run: the program used one name") and "program.py:2" in ran.stderr


@pytest.mark.parametrize("words", [["run"], ["run", "missing.py"], ["run", "-m"]])
def test_no_program(words: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "megengine.tools.mge", *words]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 2 and ran.stderr.startswith("mge: error: ") and ran.stdout == ""


REPORT = """
import numpy as np
from PIL import Image
def twice():
    return np.bool8, np.bool8
for _ in range(3):
    twice()
np.float; Image.ANTIALIAS
np.bool8
"""


def test_the_report_is_short_and_grouped(old: Run) -> None:
    ran = old(REPORT, other="")
    assert ran.stderr.splitlines() == [
        "mge run: the program used 3 names that are gone today. Write instead:",
        "  Image.ANTIALIAS -> Image.LANCZOS  (Pillow 10.0)  program.py:8",
        "  np.bool8 -> np.bool_  (NumPy 1.24)  program.py:5, 9",
        "  np.float -> float  (NumPy 1.24)  program.py:8",
    ]
    assert old("print(1)").stderr == ""


CHILDREN = """
import multiprocessing, os, subprocess, sys
import numpy as np
def child(parent):
    print(np.bool8.__name__, os.getpid() != parent, np.int, flush=True)
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        process = multiprocessing.get_context(method).Process(target=child, args=(os.getpid(),))
        process.start()
        process.join()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print([a.tolist() for a in pool.map(np.array, [[1], [2, 3]])], flush=True)
    subprocess.run([sys.executable, "other.py"], check=True)
    os._exit(0) if len(sys.argv) > 1 else sys.exit(0)
"""


def test_processes_that_the_program_starts(old: Run) -> None:
    ran = old(CHILDREN, other="import numpy as np\nprint(np.product([2, 3]))\n")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["bool True <class 'int'>"] * 3 + ["[[1], [2, 3]]", "6"]
    assert "np.bool8 -> np.bool_  (NumPy 1.24)  program.py:5" in ran.stderr
    assert "np.product -> np.prod  (NumPy 2.0)  other.py:2" in ran.stderr
    assert ran.stderr.count("mge run:") == 1


WORKERS = """
import numpy as np
import megengine as mge
from megengine.data import DataLoader, SequentialSampler
from megengine.data.dataset import Dataset
class Numbers(Dataset):
    def __init__(self):
        super().__init__()
    def __getitem__(self, index):
        x = np.zeros(2, np.float32)
        x[0] = np.array([index])
        return x.astype(np.float), np.product([index, 2])
    def __len__(self):
        return 6
if __name__ == "__main__":
    data = Numbers()
    for workers in (0, 2):
        loader = DataLoader(data, SequentialSampler(data, batch_size=3), num_workers=workers)
        print([(x.tolist(), y.tolist()) for x, y in loader])
"""


def test_data_workers(old: Run) -> None:
    ran = old(WORKERS)
    assert ran.returncode == 0, ran.stderr
    without, with_workers = ran.stdout.splitlines()
    assert without == with_workers and "[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]], [0, 2, 4]" in without
    assert "megengine" not in ran.stderr.replace("mge run", "") and "batches are made" not in ran.stderr


INTERRUPTED = """
import time
import numpy as np
getattr(np, %r)
print("ready", flush=True)
time.sleep(60)
"""
# A background job has SIGINT ignored, and what it starts inherits that.
RESTORED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def interrupted(tmp_path: Path, name: str, *words: str) -> tuple[int, str]:
    """Exit status and standard error of a program that gets a Ctrl-C."""
    (tmp_path / "program.py").write_text(INTERRUPTED % name)
    command = [sys.executable, "-c", RESTORED, *words, "program.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
    return process.returncode, errors


def test_interrupt(tmp_path: Path) -> None:
    plain, errors = interrupted(tmp_path, "bool_")
    assert plain == -signal.SIGINT and errors.endswith("KeyboardInterrupt\n")
    status, more = interrupted(tmp_path, "bool8", "-m", "megengine.tools.mge", "run")
    assert status == plain
    trace, _, report = more.partition("mge run:")
    assert trace.endswith("KeyboardInterrupt\n") and "compat" not in trace and "np.bool8 -> np.bool_" in report


def test_names_that_a_program_gives_itself(old: Run) -> None:
    ran = old(
        "import numpy as np\nif not hasattr(np, 'bool8'): np.bool8 = 3\nnp.bool = 4\nnp.float = 5\nprint(np.bool, np.float)\n"
    )
    assert ran.stdout == "4 5\n", ran.stderr


def test_a_sitecustomize_of_the_users_own_still_counts(
    old: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 7\n")
    path = os.environ["PYTHONPATH"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), path]))
    ran = old("import numpy as np\nprint(mine, np.int)\n")
    assert ran.stdout == "7 <class 'int'>\n", ran.stderr
