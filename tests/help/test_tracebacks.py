"""Tracebacks that a user sees end at the user's line, however they are shown; all frames are there when asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import megengine
from megengine._help import tracebacks

PRELUDE = """
import logging, sys, threading, traceback
import numpy as np
import megengine as mge, megengine.functional as F, megengine.module as M
from megengine.autodiff import GradManager
from megengine.data import DataLoader, SequentialSampler
from megengine.data.dataset import Dataset

class Net(M.Module):
    def __init__(self):
        super().__init__()
        self.layer = M.Linear(3, 2)
    def forward(self, x):
        return self.layer(x)  # HERE in forward

class Broken(Dataset):
    def __init__(self): ...
    def __len__(self): return 4
    def __getitem__(self, index):
        return 1 // 0  # HERE in the data set

def concat():
    F.concat([mge.Tensor([1.0]), mge.Tensor([[1.0]])])  # HERE

"""
CASES = """
def operator(): mge.Tensor([1.0, 2.0]) + mge.Tensor([1.0, 2.0, 3.0])  # HERE
def index(): mge.Tensor([1, 2])[5]  # HERE
def module(): M.Sequential(Net())(mge.Tensor(np.ones((2, 4))))  # HERE
def hooked():
    net = Net()
    net.register_forward_hook(lambda m, i, o: o)
    net(mge.Tensor(np.ones((2, 4))))  # HERE
def setting(): M.Conv2d(3, 4, 0)  # HERE
def optimizer(): mge.optimizer.SGD([], lr=0.1)  # HERE
def keyword(): F.sum(mge.Tensor([1.0]), dim=0)  # HERE
def attribute(): mge.Tensor([1.0]).view(1)  # HERE
def callback():
    p = mge.Parameter([1.0])
    manager = GradManager().attach(p, callbacks=lambda t, g: g.nonsense)  # HERE in the callback
    with manager:
        manager.backward(p * 2)  # HERE
def traced():
    @mge.jit.trace
    def step(x):
        return F.matmul(x, x)  # HERE in the trace
    step(mge.Tensor(np.ones((2, 3))))  # HERE
def nan():
    with mge.graph.check_nan():
        x = F.log(mge.Tensor([-1.0]))
        (x + 1).numpy()  # HERE
def bad_index():
    x = F.gather(mge.Tensor([[1.0, 2.0]]), 1, mge.Tensor([[5]], dtype="int32") + 0)
    (x + 1).numpy()  # HERE
def loader():
    for _ in DataLoader(Broken(), SequentialSampler(Broken(), 2)):  # HERE
        pass
def missing_file(): mge.load("/no/such/file")  # HERE
def not_numbers(): mge.tensor("abc")  # HERE
"""


def _run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "MEGENGINE_FULL_TRACEBACK"}
    root = str(Path(megengine.__path__[0]).parent)
    path = os.pathsep.join([root, *filter(None, [clean.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-c" if "\n" in program else program, *([program] if "\n" in program else [])],
        capture_output=True,
        text=True,
        timeout=300,
        env={**clean, "PYTHONPATH": path, "MEGENGINE_RECOMPILE": "silent", **environment},
    )


def _script(folder: Path, tail: str, **environment: str) -> subprocess.CompletedProcess[str]:
    file = folder / "program.py"
    file.write_text(PRELUDE + textwrap.dedent(tail))
    return _run(str(file), **environment)


def _files_and_lines(text: str) -> list[tuple[str, str]]:
    lines = text.splitlines()
    return [(line.split('"')[1], lines[n + 1].strip()) for n, line in enumerate(lines) if line.startswith('  File "')]


def test_formatted_tracebacks_hold_the_users_lines_only(tmp_path: Path) -> None:
    """One process goes through all kinds of errors, as a program that catches and prints them does."""
    tail = CASES + textwrap.dedent(
        """
        import json
        found = {}
        for name, case in list(globals().items()):
            if callable(case) and getattr(case, "__module__", None) == "__main__" and not isinstance(case, type):
                try:
                    case()
                except Exception:
                    found[name] = traceback.format_exc()
        print(json.dumps(found))
        """
    )
    done = _script(tmp_path, tail)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == CASES.count("\ndef ") + 1
    for name, text in found.items():
        frames = _files_and_lines(text)
        assert frames and all(file == str(tmp_path / "program.py") for file, _ in frames), text
        assert all("# HERE" in line for _, line in frames[1:]), text
        assert "# HERE" in frames[-1][1], (name, text)
    assert "HERE in forward" in found["module"] and "HERE in the callback" in found["callback"]
    assert "HERE in the trace" in found["traced"] and "HERE in the data set" in found["loader"]
    assert "log at" in found["nan"] and "program.py:" in found["nan"]
    assert "gather at" in found["bad_index"] and "while fetching sample 0" in found["loader"]


def _prints(text: str, frames: int) -> None:
    shown = _files_and_lines(text)
    assert len(shown) == frames and "HERE" in shown[-1][1] and "RuntimeError: " in text, text
    assert not [file for file, _ in shown if "megengine" in Path(file).parts[-3:-1] or "jax" in file]


def test_what_a_program_prints_whenever_it_fails(tmp_path: Path) -> None:
    tail = """
        thread = threading.Thread(target=concat)
        thread.start()
        thread.join()
        print("----", file=sys.stderr)
        logging.basicConfig()
        try:
            concat()
        except RuntimeError:
            logging.exception("caught")
        print("----", file=sys.stderr)
        concat()
    """
    in_a_thread, logged, uncaught = _script(tmp_path, tail).stderr.split("----")
    _prints(in_a_thread, 3)
    _prints(logged, 2)
    _prints(uncaught, 2)


def test_what_a_program_prints_of_an_error_in_forward(tmp_path: Path) -> None:
    _prints(_script(tmp_path, "Net()(mge.Tensor(np.ones((2, 4))))").stderr, 2)


def test_causes_stay_and_are_shortened_too(tmp_path: Path) -> None:
    tail = "try:\n    concat()\nexcept RuntimeError as error:\n    raise KeyError('mine') from error"
    text = _script(tmp_path, tail).stderr
    assert "direct cause" in text and "RuntimeError: concat" in text and text.rstrip().endswith("KeyError: 'mine'")
    assert {file for file, _ in _files_and_lines(text)} == {str(tmp_path / "program.py")}


def test_all_frames_are_shown_when_asked_for(tmp_path: Path) -> None:
    text = _script(tmp_path, "concat()", MEGENGINE_FULL_TRACEBACK="1").stderr
    assert "apply.py" in text and "infer.py" in text


def test_a_worker_shows_the_users_lines(tmp_path: Path) -> None:
    tail = "if __name__ == '__main__':\n    for _ in DataLoader(Broken(), SequentialSampler(Broken(), 2), num_workers=1): pass"
    text = _script(tmp_path, tail).stderr
    assert "HERE in the data set" in text and "worker.py" not in text and "batching.py" not in text, text
    assert "while fetching sample 0" in text


def test_pytest_hides_the_engines_frames(tmp_path: Path) -> None:
    file = tmp_path / "test_mine.py"
    file.write_text(PRELUDE + "def test_it():\n    concat()\n")
    clean = {name: value for name, value in os.environ.items() if name != "MEGENGINE_FULL_TRACEBACK"}
    root = str(Path(megengine.__path__[0]).parent)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": root},
    )
    assert "1 failed" in done.stdout and "# HERE" in done.stdout and "apply.py" not in done.stdout, done.stdout


def test_what_is_not_the_engines_is_left_alone() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        trace = error.__traceback__
    assert tracebacks.shortened(trace) is trace and tracebacks.shortened(None) is None


def test_a_traceback_of_the_engine_alone_is_kept() -> None:
    try:
        megengine.Tensor("abc")
    except RuntimeError as error:
        trace = error.__traceback__
    assert trace is not None and trace.tb_next is not None
    assert tracebacks.shortened(trace.tb_next) is trace.tb_next
    assert tracebacks.shortened(trace.tb_next, keep_something=False) is None
    short = tracebacks.shortened(trace)
    assert short is not None and short.tb_next is None and short.tb_lineno == trace.tb_lineno


def test_ipython_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shell:
        custom_exceptions = ()

        def set_custom_exc(self, kinds: tuple[type, ...], handler: object) -> None:
            self.kinds, self.handler = kinds, handler

        def showtraceback(self, shown: tuple, tb_offset: int | None = None) -> None:
            self.shown = shown

    shell = Shell()
    ipython = type(sys)("IPython")
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    tracebacks._tell_ipython()
    try:
        megengine.Tensor("abc")
    except RuntimeError as error:
        shell.handler(shell, type(error), error, error.__traceback__, tb_offset=None)  # type: ignore[operator]
    assert shell.kinds == (Exception,) and shell.shown[2].tb_next is None
    assert shell.shown[2].tb_frame.f_code.co_filename == __file__
