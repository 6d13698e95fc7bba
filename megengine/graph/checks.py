"""What only the numbers of a program can show: values that an op does not take, and NaN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import ReferenceType, ref

import numpy as np

from .errors import BadIndexError
from .options import options
from .program import Program
from .record import Graph, thread
from .structure import Instr, State
from .value import Value
from .where import Where, here, text

UNCHECKED_LIMIT = 256


class Failed:
    """In place of the graph of a value that cannot be computed: why."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Unchecked:
    """A program that ran, whose flags nobody has looked at yet.

    Attributes:
        flags: for each op with a rule on its operands' values, whether it holds.
        where: the user's line of each of these ops.
        dependent: the program's results, and which of these ops each depends on, as bits.
    """

    __slots__ = ("flags", "program", "where", "dependent")

    def __init__(
        self, flags: Any, program: Program, where: Sequence[Where], dependent: list[tuple[ReferenceType[Value], int]]
    ) -> None:
        self.flags = flags
        self.program = program
        self.where = where
        self.dependent = dependent

    def error(self) -> BadIndexError | None:
        """What is wrong, if something is; results that depend on it are no values any more."""
        holds = np.asarray(self.flags)
        if b"\0" not in holds.tobytes():
            return None
        first = int(holds.argmin())
        error = _refused(self.program.state.path()[self.program.checked[first]].instr, self.where[first])
        bad = sum(1 << k for k, fine in enumerate(holds) if not fine)
        for reference, bits in self.dependent:
            value = reference()
            if value is not None and bits & bad:
                value.array, value.graph = None, Failed(error)  # type: ignore[assignment]
        return error


def _refused(instr: Instr, where: Where) -> BadIndexError:
    what = instr.op.invalid.format(**instr.op.named(instr.attrs))
    return BadIndexError(f"{instr.op.name} at {text(where)}: {what}")


def checked_on_host(graph: Graph, values: Sequence[Value]) -> tuple[int, ...]:
    """Check the ops whose rule asks for integers that are still on the host, such as labels of a batch; returns those that hold.

    Raises:
        BadIndexError: one does not, in an optimizer's step; naming the op and its line.
    """
    found = []
    for number, instr in graph.state.checked():
        operands = [values[o] if isinstance(o, int) else number_of(o, graph) for o in instr.operands]
        try:
            if fits(instr, operands, graph.where[number]):
                found.append(number)
        except BadIndexError:
            if graph.stepped:
                raise
            # else the graph itself tells what depends on it from what does not
    return tuple(found)


def fits(instr: Instr, operands: Sequence[Any], where: Where) -> bool:
    """Whether an op takes its operands' values; False where they have yet to be computed or are not on the host.

    Args:
        instr: the op.
        operands: values and numbers.
        where: the user's line.

    Raises:
        BadIndexError: it does not take them.
    """
    pairs = [*zip(operands, instr.specs, strict=True)]
    integers = [x for x, spec in pairs if isinstance(x, Value) and is_integral(spec)]
    rule: tuple[Any, ...] = (instr.op.valid, instr.attrs, instr.specs)
    only = integers[0] if len(integers) == 1 else None
    if only is not None and rule in getattr(only, "fits", ()):
        return True
    if any(type(x.array) is not np.ndarray for x in integers):
        return False
    # Of a tensor that is not of integers, only shape and dtype.
    known = [(x.array if is_integral(spec) else spec) if isinstance(x, Value) else x for x, spec in pairs]
    try:
        holds = rule[0](*known, **instr.op.named(instr.attrs))
    except (AttributeError, TypeError):  # it asks for numbers of a tensor of which only the shape is known
        return False
    if not holds:
        raise _refused(instr, where)
    if only is not None:  # it is known to fit when it has moved to the device, too
        only.fits = {rule, *getattr(only, "fits", ())}
    return True


def is_integral(spec: Any) -> bool:
    """Whether an operand is of integers, which is what rules ask about."""
    return bool(spec.dtype.kind in "iu")


def number_of(operand: tuple[str, int], graph: Graph) -> float | int:
    """The Python number that an op was recorded with."""
    kind, k = operand
    return (graph.floats if kind == "f" else graph.ints)[k]


def note_flags(flags: Any, program: Program, where: Sequence[Where], values: Sequence[Value] = ()) -> None:
    """Remember to look whether a program's ops got values they take.

    Args:
        flags: what the program says of it.
        program: the program.
        where: the user's line of each of its ops with such a rule.
        values: the results in the order of ``program.live``.
    """
    dependent = [(ref(v), bits) for v, bits in zip(values, program.depends, strict=False) if bits]
    thread.unchecked.append(Unchecked(flags, program, where, dependent))


def verify(wait: bool = False) -> None:
    """Raise if an op of a program that finished got values it does not take.

    Args:
        wait: look at programs that still run, too, as is done op by op and when there are many.

    Raises:
        BadIndexError: naming the op and its line.
    """
    wait = wait or options.eager or len(thread.unchecked) > UNCHECKED_LIMIT
    pending, thread.unchecked = thread.unchecked, []
    found = None
    for entry in pending:
        if not wait and not entry.flags.is_ready():
            thread.unchecked.append(entry)
        else:
            error = entry.error()
            found = found or error
    if found is not None:
        raise found


def raise_on_nan(graph: Graph, program: Program, flags: np.ndarray) -> None:
    """Raise if an input, a number or a result of an op is or holds NaN.

    Raises:
        FloatingPointError: naming the first such op and its line.
    """
    steps = program.state.path()
    given = _given_nan(graph, steps)
    if not flags.any() and given is None:
        return
    first, inputs = int(flags.argmax()) if flags.any() else len(flags), len(program.inputs)
    if given is not None and first >= inputs + given:
        raise FloatingPointError(f"{_name(steps, given)} at {text(graph.where[given])} is given the number NaN")
    if first >= inputs:
        number = first - inputs
        instr = steps[number].instr
        name = instr.op.name if isinstance(instr, Instr) else "gradient of " + steps[instr.source].instr.op.name
        raise FloatingPointError(
            f"{name} at {text(graph.where[number])} gave NaN ({', '.join(map(repr, instr.avals))})"
        )
    position = program.inputs[first]
    number = next(k for k, s in enumerate(steps) if s.parent is not None and position < s.count)
    raise FloatingPointError(
        f"an input {program.input_avals[first]!r} of {_name(steps, number)} at {text(graph.where[number])} holds NaN"
    )


def read_for(name: str, x: Any) -> np.ndarray:
    """The elements of a tensor that an operation looks at on the host.

    Raises:
        FloatingPointError: they hold NaN, and NaN is looked for.
    """
    array: np.ndarray = x.numpy()
    if options.check_nan and array.dtype.kind not in "iub" and np.isnan(array).any():
        raise FloatingPointError(f"an input {x._value.aval!r} of {name} at {text(here(2))} holds NaN")
    return array


def _given_nan(graph: Graph, steps: list[State]) -> int | None:
    """The first op that takes a Python number which is NaN: what it computes of it need not be."""
    bad = {("f", k) for k, number in enumerate(graph.floats) if number != number}
    taken = ((n, s.instr) for n, s in enumerate(steps) if bad)
    return next((n for n, instr in taken if isinstance(instr, Instr) and not bad.isdisjoint(instr.operands)), None)


def _name(steps: list[State], number: int) -> str:
    instr = steps[number].instr
    return instr.op.name if isinstance(instr, Instr) else f"the gradient of {steps[instr.source].instr.op.name}"
