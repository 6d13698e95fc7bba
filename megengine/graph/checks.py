"""What only the numbers of a program can show: values that an op does not take, and NaN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import ReferenceType, ref

import numpy as np

from .errors import BadIndexError
from .ir import AnyEquation, Equation, Function, Scalar
from .options import options
from .program import Program
from .recorder import Recorder, thread
from .signature import Signature
from .source import Source, here, text
from .value import Aval, Value

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
        self, flags: Any, program: Program, where: Sequence[Source], dependent: list[tuple[ReferenceType[Value], int]]
    ) -> None:
        self.flags = flags
        self.program = program
        self.where = where
        self.dependent = dependent

    @property
    def of_a_step(self) -> bool:
        """Whether what an optimizer changes in it has stayed as it was if something is wrong."""
        return bool(self.program.key.guards[:1] == (True,))

    def error(self) -> BadIndexError | None:
        """What is wrong, if something is; results that depend on it are no values any more."""
        holds = np.asarray(self.flags)
        if b"\0" not in holds.tobytes():
            return None
        first = int(holds.argmin())
        error = _refused(self.program.signature_of(self.program.checked[first]), self.where[first])
        bad = sum(1 << k for k, fine in enumerate(holds) if not fine)
        for reference, bits in self.dependent:
            value = reference()
            if value is not None and bits & bad:
                value.array, value.recorder = None, Failed(error)  # type: ignore[assignment]
        return error


def _refused(signature: Signature, where: Source) -> BadIndexError:
    what = signature.op.invalid.format(**signature.attributes)
    return BadIndexError(f"{signature.op.name} at {text(where)}: {what}")


def checked_on_host(recorder: Recorder, values: Sequence[Value]) -> tuple[int, ...]:
    """Check the ops whose rule asks for integers that are still on the host, such as labels of a batch; returns those that hold.

    Raises:
        BadIndexError: one does not, in an optimizer's step; naming the op and its line.
    """
    found = []
    for number, call in recorder.node.checked():
        operands = [values[o] if isinstance(o, int) else number_of(o, recorder) for o in call.operands]
        try:
            if fits(call.signature, operands, recorder.sources[number]):
                found.append(number)
        except BadIndexError:
            if recorder.stepped:
                raise
            # else the graph itself tells what depends on it from what does not
    return tuple(found)


def fits(signature: Signature, operands: Sequence[Any], where: Source) -> bool:
    """Whether an op takes its operands' values; False where they have yet to be computed or are not on the host.

    Args:
        signature: the op.
        operands: values and numbers.
        where: the user's line.

    Raises:
        BadIndexError: it does not take them.
    """
    integers = [operands[k] for k in signature.integers]
    rule: tuple[Any, ...] = (signature.op.valid, signature.attrs, signature.specs)
    only = integers[0] if len(integers) == 1 else None
    if only is not None and rule in getattr(only, "fits", ()):
        return True
    known = [spec if isinstance(spec, Aval) else x for x, spec in zip(operands, signature.specs, strict=True)]
    for k, value in zip(signature.integers, integers, strict=True):
        if type(value.array) is not np.ndarray:
            return False
        known[k] = value.array  # of a tensor that is not of integers, only shape and dtype
    try:
        holds = rule[0](*known, **signature.attributes)
    except (AttributeError, TypeError):  # it asks for numbers of a tensor of which only the shape is known
        return False
    if not holds:
        raise _refused(signature, where)
    if only is not None:  # it is known to fit when it has moved to the device, too
        only.fits = {rule, *getattr(only, "fits", ())}
    return True


def is_integral(spec: Any) -> bool:
    """Whether an operand is of integers, which is what rules ask about."""
    return bool(spec.dtype.kind in "iu")


def number_of(operand: tuple[str, int], recorder: Recorder) -> float | int:
    """The Python number that an op was recorded with."""
    kind, k = operand
    return (recorder.floats if kind == "f" else recorder.ints)[k]


def note_flags(flags: Any, program: Program, where: Sequence[Source], values: Sequence[Value] = ()) -> None:
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


def verify_before_step() -> None:
    """Wait for what ran of a step before the rest of it does, and raise as :func:`verify`: a step happens whole or not at all.

    Raises:
        BadIndexError: naming the op and its line.
    """
    if not all(entry.of_a_step for entry in thread.unchecked):
        verify(wait=True)


def raise_on_nan(recorder: Recorder, program: Program, flags: np.ndarray) -> None:
    """Raise if an input, a number or a result of an op is or holds NaN.

    Raises:
        FloatingPointError: naming the first such op and its line.
    """
    function = program.function
    equations = function.equations
    given = _given_nan(recorder, function)
    if not flags.any() and given is None:
        return
    first, inputs = int(flags.argmax()) if flags.any() else len(flags), len(program.inputs)
    if given is not None and first >= inputs + given:
        raise FloatingPointError(
            f"{_name(equations[given])} at {text(recorder.sources[given])} is given the number NaN"
        )
    if first >= inputs:
        number = first - inputs
        outs = ", ".join(repr(v.aval) for v in equations[number].outputs)
        raise FloatingPointError(f"{equations[number].name} at {text(recorder.sources[number])} gave NaN ({outs})")
    var = function.inputs[first]
    number = next(k for k, e in enumerate(equations) if var in e.reads())
    what = f"an input {var.aval!r} of {_name(equations[number])}"
    raise FloatingPointError(f"{what} at {text(recorder.sources[number])} holds NaN")


def read_for(name: str, x: Any) -> np.ndarray:
    """The elements of a tensor that an operation looks at on the host.

    Raises:
        FloatingPointError: they hold NaN, and NaN is looked for.
    """
    array: np.ndarray = x.numpy()
    if options.check_nan and array.dtype.kind not in "iub" and np.isnan(array).any():
        raise FloatingPointError(f"an input {x._value.aval!r} of {name} at {text(here(2))} holds NaN")
    return array


def _given_nan(recorder: Recorder, function: Function) -> int | None:
    """The first equation that takes a Python number which is NaN: what it computes of it need not be."""
    bad = {Scalar("f", k) for k, number in enumerate(recorder.floats) if number != number}
    if not bad:
        return None
    equations = enumerate(function.equations)
    return next((n for n, e in equations if isinstance(e, Equation) and not bad.isdisjoint(e.inputs)), None)


def _name(equation: AnyEquation) -> str:
    return equation.name if isinstance(equation, Equation) else f"the {equation.name}"
