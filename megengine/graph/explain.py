"""Where a tensor's value comes from, as far as that is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

from .build import build
from .inspect import made_by
from .ir import Function, VjpEquation
from .names import holders, names_of
from .passes import dead_code
from .pictures.shown import Shown
from .pictures.tables import count
from .recorder import Recorder
from .source import text
from .value import Aval, Handle, Symbol

if TYPE_CHECKING:
    from .pictures.picture import Picture

FORGOTTEN = (
    "It has its numbers, and what made them is not kept. Ask before the value is read, or compute it inside of\n"
    "`with megengine.graph.watch() as seen:`, which keeps the graphs that run."
)
MOST_STEPS = 20


class Explanation(Shown):
    """What is known of where a value comes from: ``print`` it, or ``show()`` the operations that lead to it.

    Attributes:
        text: in words.
        function: the operations, if they are known.
    """

    def __init__(self, text: str, function: Function | None = None) -> None:
        self.text = text
        self.function = function

    def _pictures(self) -> Sequence[Picture]:
        if self.function is None:
            return ()
        from .pictures.picture import Picture

        return [Picture(self.function, self._title(), held=True)]

    def _title(self) -> str:
        return self.text.partition("\n")[0]

    def __repr__(self) -> str:
        return self.text


def explain(handle: Handle) -> Explanation:
    """See ``Tensor.explain``."""
    value = handle._value
    if isinstance(value, Symbol):
        return Explanation(f"{value.aval!r}, a variable of a graph: it has no numbers.")
    recorder = value.recorder
    if isinstance(recorder, Recorder) and value in recorder.index:
        function, name = _pending(handle, recorder)
        return _of_function(function, "It has not been computed; it will be when it is read, by", name)
    (name,) = names_of([ref(handle)])
    if value.array is None:
        error = getattr(recorder, "error", None)
        return Explanation(f"{value.aval!r}, which could not be computed: {error}")
    found = made_by(value)
    if found is not None:
        ran, position = found
        function = dead_code(ran.recorded_up_to(position))
        if function.equations:
            return _of_function(function, f"It was computed in <{ran.title}>, by", name)
    if name and _is_outside(handle):
        return Explanation(f"{value.aval!r}, held by the model as {name}.\n{FORGOTTEN}")
    steps = list(_history(handle))
    if steps:
        lines = [f"{value.aval!r}, which has its numbers. What is kept of it for gradients, newest first:"]
        return Explanation("\n".join([*lines, *steps, "Operations without gradients are not listed."]))
    return Explanation(f"{value.aval!r}{f', named {name}' if name else ''}.\n{FORGOTTEN}")


def _pending(handle: Handle, recorder: Recorder) -> tuple[Function, str]:
    """What is recorded that the tensor depends on, and its name."""
    node, values = recorder.node, list(recorder.index)
    inputs = [p for p, _ in node.input_positions()]
    name, *names = names_of([ref(handle), *holders(values, inputs, list(recorder.rebound.values()))])
    lines = [text(s) for s in recorder.sources[: node.depth]]
    where = list(recorder.scopes or ())
    scopes = where if len(where) >= node.depth else ()
    position = recorder.index[handle._value]
    return dead_code(build(node, (position,), names=names, sources=lines, scopes=scopes)), name


def _of_function(function: Function, how: str, name: str) -> Explanation:
    (result,) = function.outputs
    last = function.producer().get(result)
    aval: Aval = result.aval
    used = dead_inputs(function)
    made = f", the result of {last.name} at {last.source}" if last is not None else ""
    head = f"{aval!r}{f', named {name}' if name else ''}{made}."
    return Explanation(f"{head}\n{how} {count(len(function.equations), 'operation')}:\n{used}", used)


def dead_inputs(function: Function) -> Function:
    """The function without the inputs that nothing of it reads."""
    read = {v for e in function.equations for v in e.reads()} | set(function.outputs)
    read |= {v for e in function.equations if isinstance(e, VjpEquation) for v in e.of.reads()}
    return function.having(inputs=[v for v in function.inputs if v in read])


def _is_outside(handle: Any) -> bool:
    """Whether nothing that is kept for gradients made the tensor: a parameter, a buffer, an optimizer's state."""
    node = handle._node
    return node is None or bool(node.leaf_of)


def _history(handle: Handle) -> Iterator[str]:
    """The operations kept for gradients that lead to a tensor."""
    pending, seen, count = [handle._node], set(), 0
    while pending:
        node = pending.pop(0)
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        pending += [parent for parent, _ in node.parents]
        if node.signature is None or node.source is None:
            continue
        count += 1
        if count > MOST_STEPS:
            yield "  ..."
            return
        yield f"  {node.signature!r} at {text(node.source)}"
