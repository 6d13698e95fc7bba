"""The structure of recorded graphs, as a trie that recording walks.

A state is "these instructions, in this order". Recording an instruction is one dictionary look-up: key -> next state. The
look-up finds the shapes inferred the first time and, at the end, the compiled programs of the whole structure; so shape
inference, structural hashing and the compile cache are one thing, paid for once.

An instruction's key holds the op, its static attributes and where each operand comes from: the position of an earlier value,
the abstract value of a new input, or ``"f"``/``"i"``/``"b"`` for the next Python scalar. Values of inputs and scalars are not
in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..ops.op import Op
from .infer import infer
from .value import Aval

STATE_LIMIT = 200_000


class Instr:
    """One instruction: ``op(*operands)`` writes values ``start .. start + len(avals) - 1``.

    Operands are positions of values (int) or scalars ``("f" | "i" | "b", index)``; ``targets`` are the dtypes they are cast to,
    ``smooth`` the operands that gradients flow to, and ``specs`` what each operand is.
    """

    __slots__ = ("op", "attrs", "operands", "targets", "start", "avals", "multi", "specs", "smooth")

    def __init__(
        self,
        op: Op,
        attrs: tuple[Any, ...],
        operands: tuple[Any, ...],
        targets: tuple[Any, ...],
        start: int,
        avals: tuple[Aval, ...],
        multi: bool,
        specs: tuple[Any, ...],
    ) -> None:
        self.op = op
        self.attrs = attrs
        self.operands = operands
        self.targets = targets
        self.start = start
        self.avals = avals
        self.multi = multi
        self.specs = specs
        self.smooth: tuple[int, ...] = _smooth(op, specs) if any(a.is_float for a in avals) else ()


def _smooth(op: Op, specs: tuple[Any, ...]) -> tuple[int, ...]:
    """The operands that gradients of the op flow to."""
    flags = op.differentiable if isinstance(op.differentiable, tuple) else (op.differentiable,) * len(specs)
    return tuple(
        k for k, (s, flag) in enumerate(zip(specs, flags, strict=False)) if flag and isinstance(s, Aval) and s.is_float
    )


class Pull:
    """The gradient of instruction ``source`` of the same graph, sharing what its forward kept.

    ``mask`` are the operands differentiated, ``need`` those of them wanted now, ``cots`` the positions of the outputs'
    cotangents (None: zero).
    """

    __slots__ = ("source", "mask", "need", "cots", "start", "avals")

    def __init__(
        self,
        source: int,
        mask: tuple[int, ...],
        need: tuple[int, ...],
        cots: tuple[int | None, ...],
        start: int,
        avals: tuple[Aval, ...],
    ) -> None:
        self.source = source
        self.mask = mask
        self.need = need
        self.cots = cots
        self.start = start
        self.avals = avals


class State:
    """A node of the trie.

    Attributes:
        avals: the outputs of the instruction that leads to it.
        checks: whether an op has a rule on its operands' values.
    """

    __slots__ = (
        "next",
        "parent",
        "instr",
        "inputs",
        "depth",
        "count",
        "floats",
        "ints",
        "checks",
        "aval",
        "avals",
        "programs",
        "_positions",
        "_checked",
    )

    def __init__(self, parent: State | None, instr: Any, inputs: tuple[Aval, ...], floats: int, ints: int) -> None:
        self.next: dict[Any, State] = {}
        self.parent = parent
        self.instr = instr
        self.inputs = inputs
        self.floats = floats
        self.ints = ints
        self.programs: dict[Any, Any] | None = None
        self._positions: list[tuple[int, Aval]] | None = None
        self._checked: tuple[tuple[int, Instr], ...] | None = None
        if parent is None:
            self.depth, self.count = 0, 0
            self.checks = False
            self.aval: Aval | None = None
            self.avals: tuple[Aval, ...] = ()
        else:
            self.avals = instr.avals
            self.aval = None if getattr(instr, "multi", True) else instr.avals[0]
            self.depth = parent.depth + 1
            self.checks = parent.checks or (isinstance(instr, Instr) and instr.op.valid is not None)
            self.count = parent.count + len(inputs) + len(instr.avals)

    def path(self) -> list[State]:
        """The states from the first instruction to this one."""
        states = []
        state: State | None = self
        while state is not None and state.parent is not None:
            states.append(state)
            state = state.parent
        states.reverse()
        return states

    def equals(self, other: State) -> bool:
        """Whether both are the same structure; in a trie that was forgotten in between they are two objects."""
        if self is other:
            return True
        if self.depth != other.depth:
            return False
        return all(
            one.inputs == two.inputs and _recorded(one.instr) == _recorded(two.instr)
            for one, two in zip(self.path(), other.path(), strict=True)
        )

    def checked(self) -> tuple[tuple[int, Instr], ...]:
        """The instructions that have a rule on their operands' values, with their numbers."""
        if self._checked is None:
            steps = enumerate(s.instr for s in self.path())
            self._checked = tuple((n, i) for n, i in steps if isinstance(i, Instr) and i.op.valid is not None)
        return self._checked

    def results(self) -> dict[int, Aval]:
        """Abstract value of each position that an instruction writes."""
        return {step.instr.start + k: a for step in self.path() for k, a in enumerate(step.avals)}

    def input_positions(self) -> list[tuple[int, Aval]]:
        """Position and abstract value of each input, in the order they were bound."""
        if self._positions is None:
            self._positions = [pair for state in self.path() for pair in _inputs_of(state)]
        return self._positions


def _recorded(instr: Instr | Pull) -> tuple[Any, ...]:
    """What was recorded of an instruction, from which the rest of it was inferred."""
    if isinstance(instr, Instr):
        return instr.op, instr.attrs, instr.operands, instr.specs
    return Pull, instr.source, instr.mask, instr.need, instr.cots


def _inputs_of(state: State) -> Iterator[tuple[int, Aval]]:
    assert state.parent is not None
    return enumerate(state.inputs, state.parent.count)


ROOT = State(None, None, (), 0, 0)
_states = 0


def extend(state: State, key: tuple[Any, ...]) -> State:
    """The state after an instruction seen here for the first time; raises at once where shapes or dtypes do not fit."""
    op, attrs, *sources = key
    operands: list[Any] = []
    specs: list[Any] = []
    inputs: list[Aval] = []
    avals = _avals_by_position(state, sources)
    floats, ints = state.floats, state.ints
    for source in sources:
        if isinstance(source, int):
            operands.append(source)
            specs.append(avals[source] if source < state.count else inputs[source - state.count])
        elif isinstance(source, Aval):
            operands.append(state.count + len(inputs))
            inputs.append(source)
            specs.append(source)
        elif source == "f":
            operands.append(("f", floats))
            floats += 1
            specs.append("f")
        else:
            operands.append((source, ints))
            ints += 1
            specs.append(source)
    targets, outs, multi = infer(op, attrs, tuple(specs))
    instr = Instr(op, attrs, tuple(operands), targets, state.count + len(inputs), outs, multi, tuple(specs))
    return _add(state, key, State(state, instr, tuple(inputs), floats, ints))


def extend_pull(state: State, key: tuple[Any, ...], avals: tuple[Aval, ...]) -> State:
    """The state after a gradient instruction; its key is ``(Pull, source, mask, need, *cotangent sources)``."""
    _, source, mask, need, *sources = key
    inputs: list[Aval] = []
    cots: list[int | None] = []
    for s in sources:
        if isinstance(s, Aval):
            cots.append(state.count + len(inputs))
            inputs.append(s)
        else:
            cots.append(s)
    instr = Pull(source, mask, need, tuple(cots), state.count + len(inputs), avals)
    return _add(state, key, State(state, instr, tuple(inputs), state.floats, state.ints))


def _add(state: State, key: tuple[Any, ...], new: State) -> State:
    global _states
    _states += 1
    if _states > STATE_LIMIT:
        forget()
    return state.next.setdefault(key, new)


def prune(state: State) -> None:
    """Drop a structure that has no program any more, as far back as nothing else begins with it."""
    global _states
    while state.parent is not None and not state.next and not state.programs:
        siblings = state.parent.next
        key = next((k for k, other in list(siblings.items()) if other is state), None)
        if key is None:
            return
        del siblings[key]
        _states -= 1
        state = state.parent


def forget() -> None:
    """Drop every structure (recordings under way keep theirs); bounds the trie's memory."""
    global _states
    ROOT.next.clear()
    _states = 0


def _avals_by_position(state: State, sources: list[Any]) -> dict[int, Aval]:
    """Abstract values of the positions named, walking back only as far as the earliest of them."""
    wanted = [s for s in sources if isinstance(s, int) and s < state.count]
    found: dict[int, Aval] = {}
    lowest = min(wanted, default=state.count)
    node = state
    while node.parent is not None and node.count > lowest:
        found.update(_inputs_of(node))
        found.update(enumerate(node.avals, node.instr.start))
        node = node.parent
    return found
