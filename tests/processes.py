"""Other processes in tests: started, waited for, and ended whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Seconds that a test waits for what has to happen. Only a test that fails waits so long, on however busy a machine.
PATIENCE = 120.0

# A program of a test hears Ctrl-C although a shell's background job or nohup ignores it, and ends with the test's process.
_PREAMBLE = """\
import ctypes, os, signal
if ctypes.CDLL(None).prctl(1, signal.SIGKILL) or os.getppid() != {parent}:
    raise SystemExit("the test is over")
signal.pthread_sigmask(signal.SIG_SETMASK, ())
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
"""


def until(condition: Callable[[], Any], what: str = "", seconds: float = PATIENCE) -> Any:
    """Waits for a condition to be true, and returns its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what or condition}"
        time.sleep(0.005)
    return value


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be noticed does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pids: Iterable[int]) -> bool:
    """Waits for processes to end."""
    started = {pid: _started(pid) for pid in pids}  # soon enough another process may have the number
    until(lambda: not any(is_alive(p) and _started(p) == at for p, at in started.items()), f"the end of {started}")
    return True


def _started(pid: int) -> str:
    """When a process was started, in the kernel's clock."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def children(pid: int) -> list[int]:
    """The processes that a process has started and that run."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return [child for child in found if is_alive(child)]


def descendants(pid: int) -> list[int]:
    """These, the processes that they have started, and so on."""
    found, pending = [], children(pid)
    while pending:
        found.append(pending.pop())
        pending += children(found[-1])
    return found


class Programs:
    """Starts Python programs, each in a session of its own, and ends them with all that they have started."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []

    def start(self, program: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """Starts a program, which is given as its text, with pipes for what it prints."""
        text = _PREAMBLE.format(parent=os.getpid()) + textwrap.dedent(program)
        process = subprocess.Popen(
            [sys.executable, "-c", text, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            start_new_session=True,
        )
        self._running.append(process)
        return process

    def end(self) -> None:
        """Ends what still runs."""
        for process in self._running:
            started = descendants(process.pid) if process.poll() is None else []
            process.kill()
            for pid in started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdout, process.stderr):
                assert pipe is not None
                pipe.close()
        self._running.clear()


def told(path: Path, folder: Path) -> Any:
    """What a program, which is run in a folder, prints as JSON."""
    programs = Programs()
    text = f"import os; os.chdir({str(folder)!r})\n"
    text += path.read_text().replace("from __future__ import annotations\n", "")
    try:
        out, error = programs.start(text, MEGENGINE_TIER="auto").communicate(timeout=280)
    finally:
        programs.end()
    assert out, error
    return json.loads(out)
