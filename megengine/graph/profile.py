"""What ran when, as events of Chrome's trace format: programs of the engine, and XLA's kernels inside them."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

from . import scopes
from .flushing import full_sync
from .ir import Equation
from .program import Program, Run, observe, unobserve
from .source import here, is_user_file, text

Event = dict[str, Any]


class Recorder:
    """Collects events from :meth:`start` to :meth:`stop`.

    Args:
        kernels: also collect XLA's kernels, by JAX's profiler.
        backtrace: with each program the stack of the user's calls that made it run, not only the line.
        modules: also collect the forwards of modules, as they are recorded.
    """

    def __init__(self, kernels: bool, backtrace: bool, modules: bool) -> None:
        self.backtrace = backtrace
        self.modules = modules
        self.kernels = kernels
        self.events: list[Event] = []
        self._threads: dict[int, str] = {}
        self._tracing = False
        self._origin = 0
        self._epoch = 0.0
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> None:
        """Begin, after what is pending has run."""
        full_sync()
        if self.kernels:
            self._directory = tempfile.TemporaryDirectory()
            options = jax.profiler.ProfileOptions()
            options.python_tracer_level = 0
            jax.profiler.start_trace(self._directory.name, profiler_options=options)
            self._tracing = True
        self._origin, self._epoch = time.perf_counter_ns(), time.time()
        try:
            observe(self._timed)
            if self.modules:
                scopes.listeners.append(self.mark)
                scopes.watch(self)
        except BaseException:
            self.end()
            raise

    def stop(self) -> list[Event]:
        """Run what is pending and end; returns the events in the order of their times."""
        try:
            full_sync()
        finally:
            try:
                self.end()
            finally:
                self.end()  # an interrupt may have come amid the first
        if self._directory is not None:
            self.events += self._kernels(Path(self._directory.name))
            self._directory.cleanup()
        head = [self._meta("Metadata", 0, localTime=self._epoch * 1e6), self._meta("process_name", 0, name="megengine")]
        head += [self._meta("thread_name", tid, name=name) for tid, name in self._threads.items()]
        return head + sorted(self.events, key=lambda e: e["ts"])

    def end(self) -> None:
        """Once or more often, also where :meth:`start` was interrupted."""
        unobserve(self._timed)
        scopes.listeners[:] = [listener for listener in scopes.listeners if listener != self.mark]
        scopes.unwatch(self)
        if self._tracing:
            self._tracing = False
            jax.profiler.stop_trace()

    def mark(self, name: str, phase: str) -> None:
        """Note the begin (``"B"``), the end (``"E"``) or an instant (``"i"``) of something in this thread."""
        self._add(name, phase, time.perf_counter_ns())

    def _add(self, name: str, phase: str, at: int, **more: Any) -> None:
        tid = threading.get_native_id()
        self._threads.setdefault(tid, threading.current_thread().name)
        event = {"name": name, "ph": phase, "ts": (at - self._origin) / 1e3, "pid": os.getpid(), "tid": tid}
        self.events.append({**event, **more})

    @staticmethod
    def _meta(kind: str, tid: int, **args: Any) -> Event:
        return {"name": kind, "ph": "M", "pid": os.getpid(), "tid": tid, "args": args}

    def _timed(self, program: Program, run: Run) -> Run:
        """The observer: times each run until its results are there."""
        description = _describe(program)

        def timed(*args: Any) -> Any:
            first = program.compiles_next
            started = time.perf_counter_ns()
            outs = jax.block_until_ready(run(*args))
            took = (time.perf_counter_ns() - started) / 1e3
            about = {**description, "where": self._where(), "compiled now": first}
            if first:
                about["seconds to compile and run"] = round(program.seconds, 6)
            self._add(_name(description, first), "X", started, dur=took, cat="program", args=about)
            return outs

        return timed

    def _where(self) -> str | list[str]:
        if not self.backtrace:
            return text(here(2))
        return [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_stack() if is_user_file(f.filename)]

    def _kernels(self, directory: Path) -> list[Event]:
        """JAX's events that belong to an operation of a program."""
        found: list[Event] = []
        for path in directory.rglob("*.trace.json.gz"):
            with gzip.open(path, "rt", encoding="utf-8") as file:
                events = json.load(file)["traceEvents"]
            names = {e["tid"]: e["args"]["name"] for e in events if e.get("name") == "thread_name"}
            for event in events:
                if "hlo_op" in event.get("args", {}):
                    self._threads.setdefault(event["tid"], f"XLA {names.get(event['tid'], '')}")
                    found.append({**event, "pid": os.getpid(), "cat": "kernel"})
        return found


@contextmanager
def run_times() -> Iterator[dict[Program, list[float]]]:
    """How many seconds each run of a program takes inside, until its results are there; runs that compile are left out."""
    times: dict[Program, list[float]] = {}

    def observer(program: Program, run: Run) -> Run:
        def timed(*args: Any) -> Any:
            compiles = program.compiles_next
            start = time.perf_counter()
            outs = jax.block_until_ready(run(*args))
            if not compiles:
                times.setdefault(program, []).append(time.perf_counter() - start)
            return outs

        return timed

    try:
        observe(observer)
        yield times
    finally:
        unobserve(observer)


def _describe(program: Program) -> Event:
    names = Counter(e.name if isinstance(e, Equation) else f"{e.of.name}.grad" for e in program.function.equations)
    return {"ops": dict(names.most_common()), "inputs": len(program.inputs), "results": len(program.live)}


def _name(description: Event, first: bool) -> str:
    ops = description["ops"]
    count = sum(ops.values())
    what = next(iter(ops)) if count == 1 else f"{count} ops"
    return f"compile, {what}" if first else what
