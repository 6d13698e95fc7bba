"""The trie of recorded structures, which recording walks.

A node is "these calls, in this order". Recording a call is one dictionary look-up: key -> next node. The look-up finds the
shapes inferred the first time and, at the end, the programs of the whole structure; so shape inference, structural hashing and
the compile cache are one thing, paid for once. What reads a structure does so as a :class:`megengine.graph.ir.Function`.

A call's key holds the op, its static attributes and where each operand comes from: the position of an earlier value, the
abstract value of a new input, ``"f"``/``"i"``/``"b"`` for the next Python number, or the place of one that another call takes,
too. Values of inputs and numbers are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .infer import infer
from .signature import Signature
from .value import Aval

NODE_LIMIT = 200_000


class Call:
    """A recorded call of an op, which writes the values ``start .. start + len(avals) - 1``.

    Attributes:
        signature: the op, bound to attributes, shapes and dtypes.
        operands: positions of values (int), or Python numbers ``("f" | "i" | "b", index)``.
        start: position of the first result.
    """

    __slots__ = ("signature", "operands", "start")

    def __init__(self, signature: Signature, operands: tuple[Any, ...], start: int) -> None:
        self.signature = signature
        self.operands = operands
        self.start = start

    def recorded(self) -> tuple[Any, ...]:
        """What was recorded, from which the rest of it was inferred."""
        return self.signature.op, self.signature.attrs, self.operands, self.signature.specs


class VjpCall:
    """A recorded VJP of the call ``number`` of the same structure, sharing the residuals of its forward.

    Attributes:
        number: which call that is.
        linearised: the operands that its forward is linearised in.
        wrt: which of them (indices into ``linearised``) the cotangents are wanted of.
        cotangents: positions of those of the results (None: zero).
        start: position of the first result.
    """

    __slots__ = ("number", "linearised", "wrt", "cotangents", "start")

    def __init__(
        self,
        number: int,
        linearised: tuple[int, ...],
        wrt: tuple[int, ...],
        cotangents: tuple[int | None, ...],
        start: int,
    ) -> None:
        self.number = number
        self.linearised = linearised
        self.wrt = wrt
        self.cotangents = cotangents
        self.start = start

    def recorded(self) -> tuple[Any, ...]:
        """See :meth:`Call.recorded`."""
        return VjpCall, self.number, self.linearised, self.wrt, self.cotangents


class Node:
    """A node of the trie.

    Attributes:
        next: the nodes after it, by key.
        call: the call that leads to it.
        inputs: the inputs that this call is the first to read.
        avals: abstract values of its results; ``aval`` if it is one that is no tuple.
        depth, count, floats, ints: how many calls, values and Python numbers the structure has.
        checks: whether an op of it has a rule on its operands' values.
        programs: what has been made of the structure, by key.
        last: how the structure was run the last time (see :mod:`megengine.graph.fast_path`).
        built: what programs have of its call (see :mod:`megengine.graph.build`).
    """

    __slots__ = (
        "next", "parent", "call", "inputs", "depth", "count", "floats", "ints", "checks", "aval", "avals", "programs",
        "last", "built", "_positions", "_checked",
    )  # fmt: skip

    def __init__(
        self,
        parent: Node | None,
        call: Call | VjpCall | None,
        avals: tuple[Aval, ...],
        inputs: tuple[Aval, ...],
        floats: int,
        ints: int,
    ) -> None:
        self.next: dict[Any, Node] = {}
        self.parent = parent
        self.call: Any = call
        self.inputs = inputs
        self.avals = avals
        self.aval: Aval | None = None
        self.floats = floats
        self.ints = ints
        self.programs: dict[Any, Any] | None = None
        self.last: Any = None
        self.built: Any = None
        self._positions: list[tuple[int, Aval]] | None = None
        self._checked: tuple[tuple[int, Call], ...] | None = None
        self.depth = self.count = 0
        self.checks = False
        if parent is not None:
            self.depth = parent.depth + 1
            self.count = parent.count + len(inputs) + len(avals)
            self.checks = parent.checks
        if isinstance(call, Call):
            self.checks = self.checks or call.signature.op.valid is not None
            if not call.signature.multi:
                self.aval = avals[0]

    def path(self) -> list[Node]:
        """The nodes from the first call to this one."""
        nodes = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            nodes.append(node)
            node = node.parent
        nodes.reverse()
        return nodes

    def equals(self, other: Node) -> bool:
        """Whether both are the same structure; in a trie that was forgotten in between they are two objects."""
        if self is other:
            return True
        if self.depth != other.depth:
            return False
        return all(
            one.inputs == two.inputs and one.call.recorded() == two.call.recorded()
            for one, two in zip(self.path(), other.path(), strict=True)
        )

    def checked(self) -> tuple[tuple[int, Call], ...]:
        """The calls of ops that have a rule on their operands' values, with their numbers."""
        if self._checked is None:
            calls = enumerate(node.call for node in self.path())
            self._checked = tuple((n, c) for n, c in calls if isinstance(c, Call) and c.signature.op.valid is not None)
        return self._checked

    def input_positions(self) -> list[tuple[int, Aval]]:
        """Position and abstract value of each input, in the order they were bound."""
        if self._positions is None:
            self._positions = [pair for node in self.path() for pair in _inputs_of(node)]
        return self._positions


def _inputs_of(node: Node) -> Iterator[tuple[int, Aval]]:
    assert node.parent is not None
    return enumerate(node.inputs, node.parent.count)


ROOT = Node(None, None, (), (), 0, 0)
_nodes = 0


def extend(node: Node, key: tuple[Any, ...], tracked: tuple[int, ...] = ()) -> Node:
    """The node after a call seen here for the first time; raises at once where shapes or dtypes do not fit.

    Args:
        node: what was recorded before.
        key: the call.
        tracked: the operands that gradients may be taken of.
    """
    op, attrs, *sources = key
    operands: list[Any] = []
    specs: list[Any] = []
    inputs: list[Aval] = []
    floats, ints = node.floats, node.ints
    for source in sources:
        if isinstance(source, int):
            operands.append(source)
            specs.append(_aval_at(node, source) if source < node.count else inputs[source - node.count])
        elif isinstance(source, Aval):
            operands.append(node.count + len(inputs))
            inputs.append(source)
            specs.append(source)
        elif isinstance(source, tuple):
            operands.append(source)
            specs.append(source[0])
        elif source == "f":
            operands.append(("f", floats))
            floats += 1
            specs.append("f")
        else:
            operands.append((source, ints))
            ints += 1
            specs.append(source)
    signature = infer(op, attrs, tuple(specs), tracked)
    call = Call(signature, tuple(operands), node.count + len(inputs))
    return _add(node, key, Node(node, call, signature.avals, tuple(inputs), floats, ints))


def extend_vjp(node: Node, key: tuple[Any, ...], avals: tuple[Aval, ...]) -> Node:
    """The node after a VJP; its key is ``(VjpCall, number, linearised, wrt, *cotangent sources)``."""
    _, number, linearised, wrt, *sources = key
    inputs: list[Aval] = []
    cotangents: list[int | None] = []
    for s in sources:
        if isinstance(s, Aval):
            cotangents.append(node.count + len(inputs))
            inputs.append(s)
        else:
            cotangents.append(s)
    call = VjpCall(number, linearised, wrt, tuple(cotangents), node.count + len(inputs))
    return _add(node, key, Node(node, call, avals, tuple(inputs), node.floats, node.ints))


def _add(node: Node, key: tuple[Any, ...], new: Node) -> Node:
    global _nodes
    _nodes += 1
    if _nodes > NODE_LIMIT:
        forget()
    return node.next.setdefault(key, new)


def prune(node: Node) -> None:
    """Drop a structure that has no program any more, as far back as nothing else begins with it."""
    global _nodes
    while node.parent is not None and not node.next and not node.programs:
        siblings = node.parent.next
        key = next((k for k, other in list(siblings.items()) if other is node), None)
        if key is None:
            return
        del siblings[key]
        _nodes -= 1
        node = node.parent


def forget() -> None:
    """Drop every structure (recordings under way keep theirs); bounds the trie's memory."""
    global _nodes
    ROOT.next.clear()
    _nodes = 0


def _aval_at(node: Node, position: int) -> Aval:
    """The abstract value at a position of a structure."""
    parent = node.parent
    while parent is not None and position < parent.count:
        node, parent = parent, parent.parent
    assert parent is not None
    k = position - parent.count - len(node.inputs)
    return node.avals[k] if k >= 0 else node.inputs[k]
