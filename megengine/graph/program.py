"""Programs, and the bounded cache that holds them."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec, Sharding

from .._support.collecting import Start
from ..ops.onednn import custom_call
from ..ops.onednn.library import OneDNNError
from ..ops.timed import measuring
from . import straight_line
from .background import submit
from .blas import adapt, end
from .build import build
from .caches import Weighed
from .collectives import collectives_of
from .counters import alive, counters, counting
from .device import resolve
from .donate import pair
from .errors import as_heard
from .executables import by_executable
from .flights import staged, started
from .host_array import owned, plain
from .ir import Equation, Function
from .layout import channels_behind, kernels
from .lower import Plan, checked, depends
from .memory import WORTH_A_LOOK, bytes_needed, loaded_by_xla, trim
from .options import options
from .passes import PIPELINE, rematerialise, updates_last
from .passes import run as run_passes
from .patience import announced
from .pullbacks import Pullback
from .ranks import ranks_of
from .recording import Recording
from .runtime import prune_once
from .serials import WithSerials, numbers_of
from .signature import Signature
from .sound import PRODUCTS_ALONE, first_options, sound
from .spanning import Carried, identity, spans
from .spent import spent
from .tiers import Tier, earns, partitions
from .trie import ROOT, Node, forget
from .trie import prune as drop
from .value import Aval
from .warm import find

if TYPE_CHECKING:
    from .recompile import CallSite

log = logging.getLogger("megengine.graph")
WAITED_FOR = 2  # runs op by op
# What a program takes in memory, roughly, with what the trie has of it.
BYTES, BYTES_AN_EQUATION, BYTES_OF_EXECUTABLE = 4096, 1800, 192 << 10


class Key(NamedTuple):
    """What makes a program of a structure.

    Attributes:
        outputs: positions of the live values.
        donatable: numbers of the inputs that may be overwritten.
        residuals: calls, with the operands that they are linearised in, whose residuals are kept.
        check_nan: whether NaN is looked for.
        guards: whether the graph holds an optimizer's step, then pairs of positions: in place of the first's value the second's
            is returned where an op that it depends on, or any op of a step, got values that it does not take.
        trusted: calls whose operands' values are known to be ones that they take.
        place: the name of the device, unless it is the default one.
        recompute: how much is computed again where gradients need it; None for nothing.
        divided: how inputs are divided among devices, if any is (see :func:`megengine.graph.tiers.divided`).
        measured: whether its convolutions are computed by what is measured to be fastest.
    """

    outputs: tuple[int, ...]
    donatable: tuple[int, ...] = ()
    residuals: tuple[tuple[int, tuple[int, ...]], ...] = ()
    check_nan: bool = False
    guards: tuple[Any, ...] = ()
    trusted: tuple[int, ...] = ()
    place: str = ""
    recompute: tuple[int, int] | None = None
    divided: tuple[Any, ...] = ()
    measured: bool = False


class Program:
    """One executable: a structure, which of its values live on, and which inputs it may overwrite.

    Attributes:
        node: the structure.
        key: what else it was made by.
        recording: where it was recorded when it was made.
        function: what it computes, after the passes; its outputs are the live values, then what guards return instead.
        live: positions of the values it returns, in the order of the results.
        inputs: positions of its inputs.
        size: the bytes that it takes, about; without its executable.
        donated: which inputs are overwritten.
        checked: calls with a rule on their operands' values that the program itself checks.
        spans: whether it runs on devices of other processes, too.
        everywhere: how an array that all those devices have lies; None where it runs in this process alone.
        depends: for each live output the checked calls that it depends on, as bits; none where a failure leaves it as it
            was before.
        leading: how many results come before the live outputs: flags of NaN, flags of those rules.
        proven: whether it has run: then it fits into memory, and running it is a call of C code alone where its arguments
            are familiar.
        familiar: which of its arguments were bound to a device, in runs by its executable.
        needs: bytes that it allocates while it runs.
        hits: how often it was found again.
        tier: what it was last prepared for.
        first_tier: what its next run is by: ``"interpreter"``, ``"ops"``, or None for its executable.
        interpreted: whether that is the interpreter.
        overwrites: which inputs the next run overwrites.
        first_tier_seconds, runs: how long, and how often, the first tier has run it.
        kernel_seconds: how much of that kernels took that a compiled program calls, too.
        submitted: whether it has been given to the compiler in the background.
        ready: what was compiled there and is to take over.
        failure: why that could not be.
        refused: whether the first tier fails at it.
        calls_library: whether its executable calls a library by way of Python; assumed until it is known.
        site: where it was first recorded, if that is kept account of.
        reason: what ``counters.compilations`` counts it by when it is compiled.
        ranks: those of each collective among processes that it has; all are of one group.
        collectives: what the devices exchange in a run, as XLA planned it: bytes a device receives, by collective.
    """

    def __init__(self, node: Node, key: Key, recording: Recording) -> None:
        self.node = node
        self.key = key
        self.recording = recording
        function = self._function()
        self.ranks = ranks_of(function.equations)
        # A rank that is lost amid its collectives must not take what they overwrite with it.
        pairing = {} if key.residuals or self.ranks else pair(function, len(key.outputs), key.donatable)
        self.donated = tuple(sorted(pairing))
        # JAX gives each donated buffer to the first result of its shape, so the partners come first, in the same order.
        order = [pairing[k] for k in self.donated]
        paired = set(order)
        order += [k for k in range(len(key.outputs)) if k not in paired]
        rest = function.outputs[len(order) :]
        self.function = function.having(outputs=(*(function.outputs[k] for k in order), *rest))
        self.live = tuple(key.outputs[k] for k in order)
        self.donated_bytes = sum(_bytes(function.inputs[k].aval) for k in self.donated)
        self.size = BYTES + BYTES_AN_EQUATION * len(function.equations)
        self.size += sum(array.nbytes for array in function.constants.values())
        self.inputs = [position for position, _ in node.input_positions()]
        self.input_avals = [var.aval for var in function.inputs]
        self.output_avals = [var.aval for var in self.function.outputs[: len(order)]]
        self.checked = checked(self.function, key.trusted) if node.checks else ()
        self.leading = bool(key.check_nan) + bool(self.checked)
        guarded = {new for new, _ in key.guards[1:]}
        bits = depends(self.function, key.trusted) if self.checked else {}
        self.depends = [
            0 if p in guarded else bits.get(v, 0) for p, v in zip(self.live, self.function.outputs, strict=False)
        ]
        self.everywhere = _everywhere(function, key) if partitions() else None
        self.spans = self.everywhere is not None
        self.offset = bool(node.floats) + bool(node.ints)  # arrays of numbers, before the inputs
        self.first = threading.Lock()  # two threads would compile twice
        self.tier: Tier | None = None
        self.first_tier: str | None = None
        self.interpreted = False
        self.overwrites = self.donated
        self.interpreter: Run | None = None
        self.by_ops: Run | None = None
        self.first_tier_seconds = 0.0
        self.kernel_seconds = 0.0
        self.longest = 0.0
        self.runs = 0
        self.submitted = False
        self.ready: Run | None = None
        self.failure: Exception | None = None
        self.site: CallSite | None = None
        self.reason: str | None = None
        self.refused = False
        self.calls_library = True
        self.collectives: Counter[str] = Counter()
        self.run: Run = self._compile_first
        self._unobserved: Run = self.run
        self.proven = False
        self.familiar: set[tuple[bool | None, ...]] = set()
        self.needs = 0
        self.seconds = 0.0
        self.hits = 0

    def _function(self) -> Function:
        """What was recorded, after the passes; where NaN is looked for, all of it as it was recorded."""
        key, node = self.key, self.node
        olds = [old for _, old in key.guards[1:]]
        function = build(node, (*key.outputs, *olds), key.residuals)
        if key.recompute is not None and not key.check_nan:
            return run_passes(
                function, (*PIPELINE, partial(rematerialise, above=key.recompute[0], smallest=key.recompute[1]))
            )
        return run_passes(function, () if key.check_nan else PIPELINE)

    @cached_property
    def plan(self) -> Plan:
        """How it is computed; what was compiled before needs none."""
        return self._plan_of(self.function)

    def _plan_of(self, function: Function) -> Plan:
        key, guards = self.key, self.key.guards
        if guards:
            pairs = [(self.live.index(new), len(self.live) + k) for k, (new, _) in enumerate(guards[1:])]
            guards = (guards[0], *pairs)
        return Plan(function, len(self.live), key.check_nan, guards, key.trusted)

    @cached_property
    def jitted(self) -> Any:
        """What compiles it when first called; later what was compiled."""
        return self.numbered(self.stage(first_options(self.names())))

    @cached_property
    def identity(self) -> str:
        """What tells it from other programs in every process that has it."""
        return identity(self)

    def numbered(self, jitted: Any) -> Any:
        """What was staged, to be called with the program's arguments alone."""
        if self.spans:
            return Carried(jitted)
        return WithSerials(jitted, [k + self.offset for k in self.kept]) if self.kept else jitted

    @cached_property
    def kept(self) -> tuple[int, ...]:
        """Which inputs are kernels that its executable keeps as the library has them: those that it does not overwrite."""
        return tuple(k for k in kernels(self.function) if k not in self.donated) if self.laid_out else ()

    @cached_property
    def laid_out(self) -> bool:
        """Whether it is compiled in the layout of oneDNN's convolutions."""
        on_cpu = options.channels_behind and self._on_one_cpu
        return on_cpu and any("conv" in e.name for e in self.function.equations) and custom_call.ready()

    @cached_property
    def place(self) -> jax.Device:
        """The device that it runs on."""
        return resolve(self.key.place).jax_device if self.key.place else jax.local_devices()[0]

    @property
    def _on_one_cpu(self) -> bool:
        return self.place.platform == "cpu" and not partitions()

    @property
    def pullbacks(self) -> list[tuple[Pullback, tuple[Any, ...]]]:
        """For each kept gradient, its pullback and where its arrays are."""
        return self.plan.pullbacks if self.key.residuals else []

    @property
    def calls_python(self) -> bool:
        """Whether its next run may be of an executable that calls Python, as far as is known."""
        return self.calls_library and not self.interpreted

    @property
    def takes_over(self) -> bool:
        """Whether its next run is the first of what was compiled before, by another process or beside the program."""
        return self._unobserved == self._take_over and not self.seconds and not _observers

    def names(self) -> list[str]:
        """The names of its ops."""
        return [e.name for e in self.function.equations if isinstance(e, Equation)]

    def signature_of(self, number: int) -> Signature:
        """Of a recorded call of an op."""
        equations = (e for e in self.function.equations if isinstance(e, Equation))
        return next(e.signature for e in equations if e.number == number)

    def donated_arguments(self) -> tuple[int, ...]:
        """Which arguments of the compiled function are overwritten."""
        return tuple(k + self.offset for k in self.donated)

    def stage(self, compiler_options: dict[str, str] | None) -> Any:
        """What compiles the program when it is first called, with these options of XLA."""
        # A function of its own each time, so that JAX keeps nothing of what was compiled before.
        ordered = self._on_one_cpu and self.donated and not self.key.check_nan  # whose flags are one for each step
        plan = self._plan_of(updates_last(self.function, self.donated)) if ordered else self.plan
        function = plan.callable(jnp, attrgetter("staged"))
        if self.laid_out:
            function = channels_behind(function, [k + self.offset for k in self.kept])
        if self.ranks:
            return staged(function, self.ranks[0], compiler_options)
        divides = self.key.divided or self.spans
        layout: dict[str, Any] = {"out_shardings": self._shardings()} if divides else {}
        return jax.jit(
            function, donate_argnums=self.donated_arguments(), compiler_options=compiler_options, **layout
        )

    def _shardings(self) -> list[Any]:
        """What replaces an input stays divided as that is; XLA chooses for all else."""
        replaced = [self.key.divided[k] for k in self.donated] if self.key.divided else [None] * len(self.donated)
        rest = len(self.live) + len(self.plan.extra) - len(replaced)
        return [*[self.everywhere] * self.leading, *replaced, *[None] * rest]

    def prepare(self, tier: Tier) -> None:
        """Called before each run: from here on the program is run by this tier, or by what has been compiled meanwhile."""
        if tier is self.tier and (self.ready is None or self.first_tier is None):
            return
        if tier.first and tier.compiles and self.tier is None:
            self.ready = find(self)
        compiled = bool(self.seconds) or self.ready is not None
        first = None if self.refused or (tier.compiles and compiled) else tier.first
        self.first_tier, self.interpreted = first, first == "interpreter"
        self.overwrites = () if first else self.donated
        if first:
            self._use(self._run_first)
        elif self.seconds:
            self._use(self.jitted)
            self.proven = not _observers
        elif self.ready is not None:
            self.jitted = self.numbered(self.ready)
            self._use(self._take_over)
        else:
            self._use(self._compile_first)
        self.tier = tier  # last: what an interrupt divides is done again

    def unfamiliar(self, arguments: Sequence[Any]) -> tuple[bool | None, ...] | None:
        """Which arguments are bound to a device (None: NumPy's), if no run had these: then JAX goes by way of Python."""
        bound = tuple(map(getattr, arguments, repeat("_committed"), repeat(None)))  # the public name takes thrice as long
        return None if bound in self.familiar else bound

    def _use(self, run: Run) -> None:
        self.proven = False
        self.familiar.clear()
        self._unobserved = run
        self.run = _observed(self, run)

    def observe_again(self) -> None:
        """Take account of observers that came or went."""
        proven = self.proven or (bool(self.seconds) and self._unobserved is self.jitted)
        self._use(self._unobserved)
        self.proven = proven and not _observers

    @property
    def compiles_next(self) -> bool:
        """Whether its next run compiles it first."""
        return self._unobserved == self._compile_first and not self.seconds

    def _run_first(self, *args: Any) -> list[Any]:
        """By what needs no compilation of the program."""
        start, waited, kernels = time.perf_counter(), spent.compiling, spent.kernels
        try:
            outs = self._interpret(args) if self.interpreted else self._run_by_ops(args)
        except MemoryError as error:
            raise MemoryError(f"out of memory: {error}") from None
        except OneDNNError:  # another tier would call it, too
            raise
        except Exception as error:
            if started() or as_heard(error) is not error:
                raise
            return self._compile_instead(args, error)
        seconds = time.perf_counter() - start - (spent.compiling - waited)
        if not self.runs:
            _start.made()  # its traces and what runs them are there now
        with counting:
            if self.interpreted:
                counters.interpreted += 1
            else:
                counters.by_ops += 1
            self.runs += 1
            self.first_tier_seconds += max(seconds, self.longest)
            self.kernel_seconds += spent.kernels - kernels
        if self.interpreted and self.runs == straight_line.WORTH_IT:
            self.interpreter = straight_line.function(self.plan) or self.interpreter
        if self.tier is not None and self.tier.compiles and not self.submitted and earns(self):
            submit(self)
        return outs

    def _interpret(self, args: tuple[Any, ...]) -> list[Any]:
        if self.tier is not None and self.tier.compiles:
            adapt()
        if self.interpreter is None:
            self.interpreter = self.plan.callable(np, attrgetter("interpreted"))
        try:
            with np.errstate(all="ignore"):
                return list(map(owned, self.interpreter(*map(plain, args))))
        finally:
            end()

    def _run_by_ops(self, args: tuple[Any, ...]) -> list[Any]:
        device = self.place
        if self.by_ops is None:
            self.by_ops = self.plan.callable(jnp, lambda traced: by_executable(traced, device))
        start, waited = time.perf_counter(), spent.compiling
        numbers, inputs = args[: self.offset], args[self.offset :]
        outs = self.by_ops(*numbers, *[jax.device_put(a, device) if isinstance(a, np.ndarray) else a for a in inputs])
        if self.runs < WAITED_FOR:  # what a device computes behind the program's back counts too
            jax.block_until_ready(outs)
            self.longest = time.perf_counter() - start - (spent.compiling - waited)
        return outs

    def _compile_instead(self, args: tuple[Any, ...], error: Exception) -> Any:
        """Run, compiled, what the first tier fails at, which is a fault of its rules."""
        log.warning("compiling %s, which the %s fails at: %s: %s", self, self.first_tier, type(error).__name__, error)
        with counting:
            counters.refused += 1
        self.refused, self.first_tier, self.interpreted, self.ready = True, None, False, None
        self.overwrites = self.donated
        operands = [jax.device_put(np.array(plain(a)), self._own_place) for a in args]  # what it overwrites are copies
        return self._compile_first(*operands)

    @property
    def _own_place(self) -> jax.Device | None:
        return self.place if self.key.place else None

    def _take_over(self, *args: Any) -> Any:
        """The first run of what was compiled in the background."""
        with self.first:
            if self.seconds:
                return self.jitted(*args)
            if self.needs > WORTH_A_LOOK:
                trim()
            outs = self._timed(args)
            with counting:
                counters.take_overs += 1
            return outs

    def _compile_first(self, *args: Any) -> Any:
        with self.first:
            if self.seconds:
                return self.jitted(*args)
            prune_once()
            before = set(loaded_by_xla())
            start = time.perf_counter()
            told = "compiling a program of %d ops; later processes load it from the disk", self.node.depth
            # XLA cannot divide what a library does: it would gather the operands on every device.
            alone = custom_call.portable() if partitions() else nullcontext()
            with announced(*told), alone, measuring(self.key.measured), custom_call.noticing() as noticed:
                if not sound(self.jitted, args):
                    self.jitted = self.numbered(self.stage(PRODUCTS_ALONE))
                outs = self._timed(args, start)
            self.calls_library = noticed.called
            made = [e for e in loaded_by_xla() if e not in before]
            self.needs = max(map(bytes_needed, made), default=0)
            if partitions():
                self.collectives = sum(map(collectives_of, made), Counter())
            return outs

    def _timed(self, args: tuple[Any, ...], start: float | None = None) -> Any:
        """The first run of the executable, which may compile it."""
        start = time.perf_counter() if start is None else start
        outs = self.jitted(*args)
        self.seconds = time.perf_counter() - start
        with counting:
            counters.compile_seconds += self.seconds
            if self.reason is not None:
                counters.compilations[self.reason] += 1
        self._use(self.jitted)
        self.proven = not _observers
        grown(self, self.size + BYTES_OF_EXECUTABLE)
        return outs

    def __repr__(self) -> str:
        names = ", ".join(self.names()[:4])
        how = (
            f"compiled in {self.seconds:.2f} s"
            if self.seconds
            else "interpreted"
            if self.interpreted
            else "not run yet"
        )
        return f"<program of {self.node.depth} ops: {names}{', ...' if self.node.depth > 4 else ''}; {how}>"

    def abstract_args(self) -> list[jax.ShapeDtypeStruct]:
        """Shapes and dtypes of the compiled function's arguments, scalars first."""
        packed = [(n, t) for n, t in ((self.node.floats, np.float32), (self.node.ints, np.int32)) if n]
        scalars = [jax.ShapeDtypeStruct((n,), t) for n, t in packed]
        place = jax.sharding.SingleDeviceSharding(self.place) if self.key.place else None
        return scalars + [jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=place) for a in self.input_avals]

    def staged_args(self) -> list[jax.ShapeDtypeStruct]:
        """The same for what :meth:`stage` gives."""
        return [*self.abstract_args(), *([numbers_of(len(self.kept))] if self.kept else [])]


def _everywhere(function: Function, key: Key) -> Sharding | None:
    """How an array lies that all devices have, of a program that runs in several processes."""
    settings = [value for e in function.equations if isinstance(e, Equation) for value in e.attributes.values()]
    for sharding in (*key.divided, *settings):
        if isinstance(sharding, NamedSharding) and spans(sharding):
            return NamedSharding(sharding.mesh, PartitionSpec())
    return None


def _bytes(aval: Aval) -> int:
    return aval.size * aval.dtype.itemsize


Run = Callable[..., Any]
Observer = Callable[[Program, Run], Run]

building = threading.RLock()
_recent: Weighed[Program] = Weighed()
_observers: list[Observer] = []
_start = Start(64)


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
    """Undo :func:`observe`, if it has been called."""
    _observers[:] = [other for other in _observers if other != observer]
    _rewrap()


def _rewrap() -> None:
    with building:
        programs = list(alive)
    for program in programs:
        program.observe_again()


def lookup(node: Node, key: Key) -> Program | None:
    """The program compiled before for this structure and key, if it is still loaded."""
    programs = node.programs
    program = None if programs is None else programs.get(key)
    if program is not None:
        with building:
            _recent.use(program)
    return program


def make(node: Node, key: Key, recording: Recording) -> Program:
    """A new program; those least recently used are unloaded when all together take too much."""
    with building:
        program = Program(node, key, recording)
        if node.programs is None:
            node.programs = {}
        _recent.weigh(program, program.size)
        alive.add(program)
        node.programs[key] = program
        _make_room()
        return program


def grown(program: Program, size: int) -> None:
    """Take account of a loaded program that takes more bytes now."""
    with building:
        if program in _recent:
            _recent.weigh(program, size)
            _make_room()


def _make_room() -> None:
    while (oldest := _recent.beyond(options.programs_bytes)) is not None:
        discard(oldest)


def loaded_bytes() -> int:
    """What the loaded programs take, about."""
    return _recent.total


def discard(program: Program) -> None:
    """Unload a program; recording the same structure again compiles again."""
    with building:
        _recent.remove(program)
        program.node.last = None
        if program.node.programs is not None:
            program.node.programs.pop(program.key, None)
        drop(program.node)


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
