"""What the engine did so far, counted."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet


@dataclass(slots=True)
class Counters:
    """Totals of this process.

    Attributes:
        ops: ops recorded and run.
        flushes: how often a pending graph was run, by reason.
        compilations: programs compiled, by reason (``new``, ``shape``, ``dtype``, ``format``, ``op``, ``liveness``,
            ``donation``).
        compile_seconds: time spent tracing and compiling.
        hits: flushes served by a program compiled before.
        bytes_donated: memory of inputs reused for outputs.
        replays: traced calls that skipped recording.
        interpreted: programs run by the host's tier.
        by_ops: programs run op by op, by an executable for each.
        ops_compiled: those executables compiled.
        refused: programs that one of these failed at, which were compiled instead.
        take_overs: programs that a compiled one took over.
        background_seconds: time spent compiling in the background.
        compiled_alone: primitives that the host's tier has no rule for and compiled each by itself, by name.
    """

    ops: int = 0
    flushes: Counter[str] = field(default_factory=Counter)
    compilations: Counter[str] = field(default_factory=Counter)
    compile_seconds: float = 0.0
    hits: int = 0
    bytes_donated: int = 0
    replays: int = 0
    interpreted: int = 0
    by_ops: int = 0
    ops_compiled: int = 0
    refused: int = 0
    take_overs: int = 0
    background_seconds: float = 0.0
    compiled_alone: Counter[str] = field(default_factory=Counter)

    @property
    def executables(self) -> int:
        """Programs alive now."""
        return len(alive)

    def snapshot(self) -> dict[str, object]:
        """A copy as plain numbers and dicts."""
        return {
            "ops": self.ops,
            "flushes": dict(self.flushes),
            "compilations": dict(self.compilations),
            "compile_seconds": self.compile_seconds,
            "hits": self.hits,
            "executables": self.executables,
            "bytes_donated": self.bytes_donated,
            "replays": self.replays,
            "interpreted": self.interpreted,
            "by_ops": self.by_ops,
            "ops_compiled": self.ops_compiled,
            "refused": self.refused,
            "take_overs": self.take_overs,
            "background_seconds": self.background_seconds,
            "compiled_alone": dict(self.compiled_alone),
        }


alive: WeakSet[Any] = WeakSet()  # every program; more than the recent ones, since traced functions keep theirs
counters = Counters()
counting = threading.Lock()  # held while totals change
