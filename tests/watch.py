"""What a run of the tests takes, process by process, and what it leaves behind."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes import children

MOST_MEMORY = 1_500_000_000  # bytes of any process
KEPT_MEMORY = 500_000_000  # bytes from which on a test's process lets go of what earlier tests compiled
GROWTH = 150_000_000  # bytes more than after the last time: each time takes a second
COLLECT = (20_000, 10, 20)  # what is traced lives on: as often as Python looks for garbage, that takes a tenth
LARGE = 700_000_000  # bytes from which on it does so for whatever takes them
_after = 0


def peak_memory() -> int:
    """The most bytes of memory that this process, or one that it started and that has ended, has had at a time."""
    own = 0
    with contextlib.suppress(OSError):
        status = Path("/proc/self/status").read_text()
        own = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit)


def resident_memory() -> int:
    """Bytes of memory that this process has now; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def release_memory() -> None:
    """Unloads compiled programs, some megabytes each, and traces, when there are many; they are loaded again from the disk.

    Done also when the package is half way to forgetting all structures, so that it does not while a test counts compilations.
    """
    global _after
    if (program := sys.modules.get("megengine.graph.program")) is None:
        return
    trie = sys.modules["megengine.graph.trie"]
    resident = resident_memory()
    many = resident >= max(KEPT_MEMORY, _after + GROWTH) and (len(program.loaded()) >= 20 or resident >= LARGE)
    if not many and trie._nodes < trie.NODE_LIMIT // 2:
        return
    program.clear()
    for cache in sys.modules["megengine.graph.caches"].caches:
        cache.clear()
    sys.modules["megengine.graph.polymorphic"]._families.clear()
    sys.modules["jax"].clear_caches()
    gc.unfreeze()
    sys.modules["megengine.graph.memory"].release_free()
    gc.freeze()  # collecting what lives on anyway takes a tenth of the time of the tests
    _after = resident_memory()


def end_children() -> list[str]:
    """Ends the processes that this one has started and that still run, and says which they are."""
    found = []
    for pid in children(os.getpid()):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
            os.kill(pid, signal.SIGKILL)
            found.append(f"process {pid}: {command[:300]}")
    return found


class Watch:
    """Reports, after the tests, the memory of each process; fails a run that takes more, or that leaves processes behind."""

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}
        self.left: list[str] = []
        self.largest = ""  # the first test after which a process had taken too much

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        if not self.largest and peak_memory() > MOST_MEMORY:
            self.largest = item.nodeid

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is None and self.peaks:
            return self._judge(session)  # of its workers
        if (background := sys.modules.get("megengine.graph.background")) is not None:
            background.shut_down()
        if (pools := sys.modules.get("megengine.data.workers.pool")) is not None:
            pools.pool.shut_down()
        peak, left = peak_memory(), end_children()
        if output is not None:
            output["peak memory"], output["left"], output["largest"] = peak, left, self.largest
            return None
        self.peaks["tests"], self.left = peak, left
        return self._judge(session)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        output = getattr(node, "workeroutput", {})
        if "peak memory" in output:
            self.peaks[node.gateway.id] = output["peak memory"]
            self.left += output["left"]
            self.largest = self.largest or output["largest"]

    def _judge(self, session: pytest.Session) -> None:
        if session.exitstatus == pytest.ExitCode.OK and (self.left or max(self.peaks.values()) > MOST_MEMORY):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.peaks:
            each = ", ".join(f"{name} {peak / 1e9:.2f} GB" for name, peak in sorted(self.peaks.items()))
            terminalreporter.write_line(f"peak memory: {each}")
        for name, peak in self.peaks.items():
            if peak > MOST_MEMORY:
                terminalreporter.write_line(
                    f"ERROR {name} took more than {MOST_MEMORY / 1e9:g} GB, in {self.largest}", red=True
                )
        for process in self.left:
            terminalreporter.write_line(f"ERROR a test left a process behind, which was ended: {process}", red=True)
