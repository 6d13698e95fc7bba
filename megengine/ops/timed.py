"""Choices between ways to compute the same thing, made by measuring each of them once on a machine, and kept on its disk."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .._support.files import written_beside

Run = Callable[[], object]
# What is first of the candidates stays unless another takes less than this part of its time.
CLEARLY = 0.95
# Turns at least and at most, and the seconds after which the fastest has had enough of them.
LEAST_ROUNDS, MOST_ROUNDS = 5, 40
ENOUGH = 0.05
# After so many turns no more of what took so many times as long as the fastest; another process may have disturbed one turn.
SETTLED, HOPELESS = 3, 3.0
KNOWN = 4096
log = logging.getLogger("megengine.graph")
_here = threading.local()


@contextmanager
def measuring(holds: bool) -> Iterator[None]:
    """Whether what this thread lowers inside is chosen by measuring."""
    before, _here.holds = wanted(), holds
    try:
        yield
    finally:
        _here.holds = before


def wanted() -> bool:
    """Whether this thread is to choose by measuring."""
    return getattr(_here, "holds", False)


def seconds(run: Run) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compared(candidates: Mapping[str, Callable[[], Run]]) -> dict[str, float]:
    """The least seconds of a run of each candidate, in turns, without those that cannot be made ready.

    Args:
        candidates: by name what makes each ready.
    """
    runs: dict[str, Run] = {}
    times: dict[str, float] = {}
    for name, prepare in candidates.items():
        try:
            run = prepare()
            run()
            runs[name], times[name] = run, float("inf")
        except (MemoryError, NotImplementedError, RuntimeError) as error:
            log.info("%s is not measured: %s: %s", name, type(error).__name__, error)
    for turn in range(MOST_ROUNDS if runs else 0):
        best = min(times.values())
        if turn >= LEAST_ROUNDS and turn * best >= ENOUGH:
            break
        for name, run in runs.items():
            if turn < SETTLED or times[name] <= HOPELESS * best:
                times[name] = min(times[name], seconds(run))
    return times


class Choices:
    """What was chosen so far, by signature: in memory, and in a folder with a file for each."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._measuring = threading.Lock()
        self._known: OrderedDict[str, str] = OrderedDict()
        self._folder: Callable[[], Path | None] = lambda: None

    def keep_in(self, folder: Callable[[], Path | None]) -> None:
        """Keep them in a folder, which is made when it is needed; where that is None, in memory alone."""
        with self._changing:
            self._folder = folder
            self._known.clear()

    def choose(self, signature: str, candidates: Mapping[str, Callable[[], Run]]) -> str:
        """The name of the fastest candidate.

        Args:
            signature: what is to be computed.
            candidates: by name what makes each ready to be run; the first is the one that a rule would take.
        """
        if len(candidates) == 1:
            return next(iter(candidates))
        with self._measuring:
            known = (find(signature) for find in (self._remembered, self._read))
            name = next((n for n in known if n is not None and n in candidates), None)
            if name is None:
                name = self._measured(signature, candidates)
            with self._changing:
                self._known[signature] = name
                if len(self._known) > KNOWN:
                    self._known.popitem(last=False)
        return name

    def _remembered(self, signature: str) -> str | None:
        with self._changing:
            return self._known.get(signature)

    def _path(self, signature: str) -> Path | None:
        folder = self._folder()
        return None if folder is None else folder / f"{hashlib.sha256(signature.encode()).hexdigest()[:32]}.json"

    def _read(self, signature: str) -> str | None:
        """What an earlier process chose; None if there is no such file, or it is damaged."""
        path = self._path(signature)
        try:
            found: Any = None if path is None else json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read and is measured anew: %s", path, error)
            return None
        if not isinstance(found, dict) or found.get("signature") != signature:
            return None
        name = found.get("chosen")
        return name if isinstance(name, str) else None

    def _measured(self, signature: str, candidates: Mapping[str, Callable[[], Run]]) -> str:
        # A thread of its own is in no trace of JAX, and what it computes becomes no part of one.
        with ThreadPoolExecutor(1, "megengine-fastrun") as pool:
            times = pool.submit(compared, candidates).result()
        first = next(iter(candidates))
        best = min(times, key=times.__getitem__, default=first)
        if first in times and times[best] > CLEARLY * times[first]:
            best = first
        log.info("measured %s: %s; %s", signature, {name: f"{t * 1e6:.0f} us" for name, t in times.items()}, best)
        self._write(signature, best, times)
        return best

    def _write(self, signature: str, chosen: str, times: Mapping[str, float]) -> None:
        path = self._path(signature)
        if path is None:
            return
        microseconds = {name: round(t * 1e6, 1) for name, t in times.items()}
        text = json.dumps({"signature": signature, "chosen": chosen, "microseconds": microseconds})
        try:
            with written_beside(path) as beside:
                beside.write_text(text, encoding="utf-8")
        except OSError as error:
            log.warning("what was measured is not kept for later processes: %s", error)


CHOICES = Choices()
