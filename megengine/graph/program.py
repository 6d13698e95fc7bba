"""Compiled programs, and the bounded cache that holds them."""

from __future__ import annotations

import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from .counters import counters, counting
from .donate import pair
from .lower import depends, lower
from .memory import bytes_needed, loaded_by_xla
from .options import options
from .runtime import prune
from .sound import PRODUCTS_ALONE, first_options, sound
from .structure import ROOT, State, forget
from .value import Aval


class Program:
    """One executable: a structure, which of its values live on, and which inputs it may overwrite.

    Attributes:
        state: the structure.
        live: positions of the values it returns, in the order of the results.
        inputs: positions of its inputs.
        donated: which inputs are overwritten.
        checked: instructions with a rule on their operands' values that the program itself checks.
        depends: for each living value the checked instructions that it depends on, as bits; none where a failure leaves it as it
            was before.
        leading: how many results come before the living values: flags of NaN, flags of those rules.
        proven: whether it has run: then it fits into memory, and running it is a call of C code alone.
        needs: bytes that it allocates while it runs.
        hits: how often it was found again.
        pullbacks: for each kept gradient, its op and where its arrays are.
    """

    def __init__(self, state: State, key: tuple[Any, ...]) -> None:
        live, candidates, kept, check_nan, guards, trusted = key
        self.state = state
        self.key = key
        self.check_nan: bool = check_nan
        pairs = state.input_positions()
        self.inputs = [position for position, _ in pairs]
        self.input_avals = [aval for _, aval in pairs]
        pairing = {} if kept else pair(state, live, candidates)
        self.donated = tuple(sorted(pairing))
        # JAX gives each donated buffer to the first result of its shape, so the partners come first, in the same order.
        partners = [pairing[k] for k in self.donated]
        self.live: tuple[int, ...] = (*partners, *(p for p in live if p not in partners))
        self.donated_bytes = sum(self.input_avals[k].size * self.input_avals[k].dtype.itemsize for k in self.donated)
        self.checked = tuple(n for n, _ in state.checked() if n not in trusted) if state.checks else ()
        self.leading = bool(check_nan) + bool(self.checked)
        guarded = {new for new, _ in guards[1:]}
        bits = depends(state, trusted) if self.checked else {}
        self.depends = [0 if p in guarded else bits.get(p, 0) for p in self.live]
        self.offset = bool(state.floats) + bool(state.ints)
        self._jit(first_options(s.instr.op.name for s in state.path() if hasattr(s.instr, "op")))
        self.first = threading.Lock()  # two threads would compile twice
        self.run: Any = _observed(self, self._first_run)
        self.proven = False
        self.needs = 0
        self.seconds = 0.0
        self.hits = 0

    def _jit(self, compiler_options: dict[str, str] | None) -> None:
        # A function of its own each time, so that JAX keeps nothing of what was compiled before.
        _, _, kept, check_nan, guards, trusted = self.key
        function, self.pullbacks = lower(self.state, self.live, kept, check_nan, guards, trusted)
        donated = tuple(k + self.offset for k in self.donated)
        self.jitted = jax.jit(function, donate_argnums=donated, compiler_options=compiler_options)

    def _first_run(self, *args: Any) -> Any:
        with self.first:
            return self.jitted(*args) if self.seconds else self._compile(args)

    def _compile(self, args: tuple[Any, ...]) -> Any:
        before = set(loaded_by_xla())
        start = time.perf_counter()
        if not sound(self.jitted, args):
            self._jit(PRODUCTS_ALONE)
        outs = self.jitted(*args)
        self.seconds = time.perf_counter() - start
        with counting:
            counters.compile_seconds += self.seconds
        self.needs = max((bytes_needed(e) for e in loaded_by_xla() if e not in before), default=0)
        self.run = _observed(self, self.jitted)
        self.proven = not _observers
        return outs

    def abstract_args(self) -> list[jax.ShapeDtypeStruct]:
        """Shapes and dtypes of the compiled function's arguments, scalars first."""
        packed = [(n, t) for n, t in ((self.state.floats, np.float32), (self.state.ints, np.int32)) if n]
        scalars = [jax.ShapeDtypeStruct((n,), t) for n, t in packed]
        return scalars + [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in self.input_avals]


def avals_of(state: State, positions: tuple[int, ...]) -> list[Aval]:
    """Abstract values at these positions."""
    table = state.results()
    return [table[p] for p in positions]


Run = Callable[..., Any]
Observer = Callable[[Program, Run], Run]

building = threading.RLock()
_recent: OrderedDict[Program, None] = OrderedDict()
_observers: list[Observer] = []
_alive: weakref.WeakSet[Program] = weakref.WeakSet()  # more than the recent ones: traced functions keep theirs


def _observed(program: Program, run: Run) -> Run:
    """What runs a program, inside every observer."""
    for observer in _observers:
        run = observer(program, run)
    return run


def observe(observer: Observer) -> None:
    """Have every program run by ``observer(program, run)`` from now on; what is not observed costs nothing."""
    _observers.append(observer)
    _rewrap()


def unobserve(observer: Observer) -> None:
    """Undo :func:`observe`."""
    _observers.remove(observer)
    _rewrap()


def _rewrap() -> None:
    with building:
        programs = list(_alive)
    for program in programs:
        program.run = _observed(program, program.jitted if program.seconds else program._first_run)
        program.proven = bool(program.seconds) and not _observers


def lookup(state: State, key: tuple[Any, ...]) -> Program | None:
    """The program compiled before for this structure and key, if it is still loaded."""
    programs = state.programs
    program = None if programs is None else programs.get(key)
    if program is not None:
        with building:
            _recent[program] = None
            _recent.move_to_end(program)
    return program


def build(state: State, key: tuple[Any, ...]) -> Program:
    """A new program; the least recently used one is unloaded when there are too many."""
    with building:
        if not _recent:
            prune()
        program = Program(state, key)
        if state.programs is None:
            state.programs = {}
        _recent[program] = None
        _alive.add(program)
        state.programs[key] = program
        while len(_recent) > options.programs_limit:
            discard(next(iter(_recent)))
        return program


def discard(program: Program) -> None:
    """Unload a program; recording the same structure again compiles again."""
    with building:
        _recent.pop(program, None)
        if program.state.programs is not None:
            program.state.programs.pop(program.key, None)


def loaded() -> list[Program]:
    """The programs alive, least recently used first."""
    with building:
        return list(_recent)


def clear() -> None:
    """Unload every program and forget every structure."""
    for program in loaded():
        discard(program)
    forget()
    assert not ROOT.next


counters.count_executables = _alive.__len__
