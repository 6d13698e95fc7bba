"""Source a graph was recorded: the user's lines, module scopes and tensors behind what a structure holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .build import build
from .ir import Function
from .names import Holder, names_of
from .source import Source, text
from .trie import Node


class Recording(NamedTuple):
    """One recording of a structure.

    Attributes:
        where: the user's line of each call.
        inputs: what leads to the tensor of each input (see :mod:`megengine.graph.names`).
        scopes: the module scope of each call, if someone watched.
    """

    where: tuple[Source, ...]
    inputs: tuple[Holder, ...]
    scopes: tuple[tuple[str, ...], ...] = ()

    def function(
        self, node: Node, outputs: Sequence[int] = (), kept: Sequence[tuple[int, tuple[int, ...]]] = ()
    ) -> Function:
        """The structure's function, with names, source lines and scopes.

        Args:
            node: the structure.
            outputs: positions of what it returns.
            kept: calls, with the operands that they are linearised in, whose residuals it returns.
        """
        lines = [text(w) for w in self.where]
        return build(node, outputs, kept, names=names_of(self.inputs), sources=lines, scopes=self.scopes)
