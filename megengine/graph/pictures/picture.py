"""A picture of one function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ir import AnyEquation, Function
from .groups import arrange
from .nodes import Data, is_equation, nodes
from .shown import Shown
from .tables import count, duration, quantity, table


class Picture(Shown):
    """A function as something to see: ``show()``, ``save("graph.html")``, ``print(picture.table())``.

    Attributes:
        nodes: its inputs and equations as data for JSON; ``path`` are the names of the groups around each.

    Example:
        >>> net = M.Sequential(M.Linear(3, 4), M.ReLU(), M.Linear(4, 2))
        >>> picture = net.picture(Tensor([[1.0, 2.0, 3.0]]))
        >>> picture
        <picture of Sequential: 3 operations, 5 inputs, 54 FLOP>
        >>> picture.save("net.html").name
        'net.html'
    """

    def __init__(
        self,
        function: Function,
        title: str = "graph",
        seconds: Mapping[AnyEquation, float] | None = None,
        marks: Mapping[AnyEquation, str] | None = None,
        held: bool = False,
    ) -> None:
        """
        Args:
            function: the function.
            title: what it is of.
            seconds: how long each equation took, if that was measured.
            marks: for some equations, how they differ from another graph's: ``"new"`` or ``"changed"``.
            held: inputs that have names are held by modules and optimizers.
        """
        self.function = function
        self.title = title
        found = nodes(function, held)
        self.measured = seconds is not None
        for node, equation in zip(filter(is_equation, found), function.equations, strict=True):
            if seconds is not None:
                node["seconds"] = seconds.get(equation, 0.0)
            if marks is not None and equation in marks:
                node["mark"] = marks[equation]
        self.nodes: list[Data] = arrange(found)

    def total(self, what: str) -> float:
        """The sum of ``"flops"``, ``"bytes"`` or ``"seconds"``."""
        return sum(node.get(what, 0) for node in self.nodes)

    def table(self, by: str = "op", top: int = 20) -> str:
        """Where the time goes, or, if it was not measured, the operations: a row for each kind, dearest first.

        Args:
            by: ``"op"``, ``"module"``, ``"line"`` of the program, or ``"node"``.
            top: how many rows.

        Raises:
            ValueError: rows by something else.

        Example:
            >>> net = M.Sequential(M.Linear(3, 4), M.ReLU(), M.Linear(4, 2))
            >>> print(net.picture(Tensor([[1.0, 2.0, 3.0]])).table())
            op      nodes  FLOP  share  bytes
            linear      2    46    85%    156
            relu        1     8    15%     32
            total       3    54   100%    188
        """
        return table(self.nodes, by, top)

    def summary(self) -> str:
        """How much there is of it, in one line."""
        equations = [node for node in self.nodes if is_equation(node)]
        words = [
            count(len(equations), "operation"),
            count(len(self.nodes) - len(equations), "input"),
            f"{quantity(self.total('flops'))}FLOP",
        ]
        if self.measured:
            words.append(duration(self.total("seconds")))
        return ", ".join(words)

    def data(self) -> dict[str, Any]:
        """What a page draws."""
        return {"title": self.title, "summary": self.summary(), "measured": self.measured, "nodes": self.nodes}

    def _pictures(self) -> Sequence[Picture]:
        return [self]

    def __str__(self) -> str:
        return str(self.function)

    def __repr__(self) -> str:
        return f"<picture of {self.title}: {self.summary()}>"
