"""Programs that earlier processes compiled: found again on the disk by what was recorded, before anything is traced.

Beside what XLA made of a program, which JAX keeps by what it was given, this keeps the step that was given to it, under a
digest of the recorded structure and of the sources that give it its meaning. A program that one process has earned starts
compiled in the next.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from . import compiler, runtime
from .memory import bytes_needed
from .runtime import KEPT_STEP, cache_directory
from .structure import Instr
from .value import Aval

if TYPE_CHECKING:
    from .program import Program

_PACKAGE = Path(__file__).resolve().parent.parent
_MEANING = (
    "ops",
    *(
        f"graph/{m}.py"
        for m in ("lower", "traced", "polymorphic", "concrete", "pullbacks", "differentiate", "compiler")
    ),
)


class _Nameless(Exception):
    """Something has no name that means the same in another process."""


def find(program: Program) -> Callable[..., Any] | None:
    """What runs a program, if a process has compiled it before."""
    names = _kept()
    if not names or (name := digest(program)) not in names:
        return None
    try:
        head, _, exported = (cache_directory() / (name + KEPT_STEP)).read_bytes().partition(b"\n")
        jitted, structs = compiler.restage(exported, program.donated_arguments(), json.loads(head))
        program.needs = bytes_needed(jitted.lower(*structs).compile())
    except Exception:
        # Deleted meanwhile, not whole, or of another version: it is like what is met for the first time.
        names.discard(name)
        return None
    return jitted


def keep(program: Program, exported: bytes, options: dict[str, str] | None) -> None:
    """Write down a program that has been compiled, for later processes."""
    name = digest(program) if runtime.keeps else None
    if name is None:
        return
    directory = cache_directory()
    beside = directory / f"{name}.{os.getpid()}.new"
    try:
        beside.write_bytes(json.dumps(options).encode() + b"\n" + exported)
        os.replace(beside, directory / (name + KEPT_STEP))
    except OSError:  # a full or read-only disk: the next process compiles again
        with contextlib.suppress(OSError):
            beside.unlink()


@cache
def _kept() -> set[str]:
    """The digests of what was on the disk when this process first looked."""
    if not runtime.keeps:
        return set()
    try:
        return {e.name.removesuffix(KEPT_STEP) for e in os.scandir(cache_directory()) if e.name.endswith(KEPT_STEP)}
    except OSError:
        return set()


def digest(program: Program) -> str | None:
    """A name for a program that is the same in every process; None where it holds what has no such name."""
    try:
        steps = [_of_instr(s.instr) for s in program.state.path()]
        kept = [
            _named(pullback.op.identity) for pullback, _ in program.pullbacks
        ]  # what they hold depends on their trace
        parts = [_sources(), os.environ.get("XLA_FLAGS", ""), steps, _plain(program.key), kept]
    except _Nameless:
        return None
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@cache
def _sources() -> str:
    """A digest of the code that says what ops compute."""
    found = hashlib.sha256(jax.__version__.encode())
    for part in _MEANING:
        path = _PACKAGE / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            found.update(file.read_bytes())
    return found.hexdigest()


def _of_instr(instr: Any) -> tuple[Any, ...]:
    if not isinstance(instr, Instr):
        return instr.source, instr.mask, instr.need, instr.cots
    return _named(instr.op.identity), _plain(instr.attrs), instr.operands, _plain(instr.targets), _plain(instr.specs)


def _named(identity: str) -> str:
    if not identity:
        raise _Nameless
    return identity


def _plain(x: Any) -> Any:
    """What an attribute is, in terms whose text is the same in every process.

    Raises:
        _Nameless: there are no such terms.
    """
    if x is None or x is Ellipsis or isinstance(x, (str, bytes, int, float, complex)):
        return x if not isinstance(x, enum.Enum) else (type(x).__qualname__, x.name)
    if isinstance(x, (tuple, list)):
        return tuple(map(_plain, x))
    if isinstance(x, slice):
        return "slice", _plain((x.start, x.stop, x.step))
    if isinstance(x, Aval):
        return x.shape, _plain(x.dtype), x.format
    if isinstance(x, np.dtype):
        return x.name, repr(x.metadata)
    if isinstance(x, (np.generic, enum.Enum)):
        return repr(x)
    raise _Nameless


def identity_of(*parts: Any) -> str:
    """The identity of an op derived from another; empty where it has none."""
    try:
        return repr(_plain(parts)) if all(parts[:1]) else ""
    except _Nameless:
        return ""
