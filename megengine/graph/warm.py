"""Programs that earlier processes compiled: found again on the disk by what was recorded, before anything is traced.

Beside what XLA made of a program, which JAX keeps by what it was given, this keeps the step that was given to it, under a
digest of the recorded structure and of the sources that give it its meaning. A program that one process has earned starts
compiled in the next.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from ..ops.onednn import custom_call
from ..ops.onednn.library import identity as onednn
from . import compiler, runtime
from .identity import Nameless, named, plain
from .ir import AnyEquation, Function, Var, VjpEquation
from .memory import bytes_needed
from .options import options as settings
from .runtime import KEPT_STEP, cache_directory
from .stored.families import settings as jax_settings

if TYPE_CHECKING:
    from .program import Program

_PACKAGE = Path(__file__).resolve().parent.parent
_MEANING = (
    "ops",
    "graph/layout",
    *(
        f"graph/{m}.py"
        for m in (
            "lower", "traced", "polymorphic", "template", "symbols", "concrete", "elementwise", "stored/families",
            "stored/jaxprs", "pullbacks", "backward", "compiler",
        )
    ),
)


def find(program: Program) -> Callable[..., Any] | None:
    """What runs a program, if a process has compiled it before."""
    names = _kept()
    if not names or (name := digest(program)) not in names:
        return None
    try:
        head, _, exported = (cache_directory() / (name + KEPT_STEP)).read_bytes().partition(b"\n")
        options, calls_library = json.loads(head)
        jitted, structs = compiler.restage(exported, program.donated_arguments(), options, program.place)
        program.needs = bytes_needed(jitted.lower(*structs).compile())
        program.calls_library = calls_library
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
        beside.write_bytes(json.dumps([options, program.calls_library]).encode() + b"\n" + exported)
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
        # What pullbacks hold depends on their trace.
        kept = [named(pullback.op.identity) for pullback, _ in program.pullbacks]
        # The order of the outputs says what is donated to which.
        library = (onednn(), settings.channels_behind) if custom_call.ready() else ""
        flags = os.environ.get("XLA_FLAGS", ""), str(jax_settings())
        place = program.place.platform, program.place.device_kind
        parts = [_sources(), place, library, flags, _text_of(program.function), plain(program.key), kept]
    except Nameless:
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


def _text_of(function: Function) -> list[Any]:
    """A function with its values numbered, which is the same in every process."""
    numbers = {var: k for k, var in enumerate(function.inputs)}
    number_of: dict[AnyEquation, int] = {}
    parts: list[Any] = [[plain(v.aval) for v in function.inputs]]

    def at(operand: Any) -> Any:
        return numbers[operand] if isinstance(operand, Var) else operand and tuple(operand)

    for equation in function.equations:
        if isinstance(equation, VjpEquation):
            of = number_of[equation.of]
            parts.append((of, equation.linearised, equation.wrt, [at(c) for c in equation.cotangents]))
        else:
            signature = equation.signature
            what = named(signature.op.identity), plain(signature.attrs), plain(signature.casts), plain(signature.specs)
            parts.append((*what, [at(v) for v in equation.inputs]))
        number_of[equation] = len(number_of)
        for var in equation.outputs:
            numbers[var] = len(numbers)
    parts.append([numbers[v] for v in function.outputs])
    parts.append([(number_of[of], linearised) for of, linearised in function.residuals])
    return parts
