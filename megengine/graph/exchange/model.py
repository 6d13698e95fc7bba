"""What a graph file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ir import AnyEquation, Function
from ..pictures.shown import Shown, write_model

if TYPE_CHECKING:
    from ..pictures.picture import Picture

FORMAT = "megengine-xla graph"
VERSION = 2  # 2: results whose size depends on numbers


class GraphFileError(RuntimeError):
    """A file is no graph, is damaged, or was written by a newer version; or a graph cannot be written as a file."""


@dataclass(repr=False)
class Model(Shown):
    """A function with the Python numbers that it was recorded with, and what is known besides.

    Attributes:
        function: what it computes; what it reads besides its inputs are constants of it.
        floats, ints: the numbers that :class:`~megengine.graph.ir.Scalar` operands refer to.
        names: of equations.
        metadata: what else is kept, in JSON's types.
        tests: inputs with the results expected of them, by name.
    """

    function: Function
    floats: Sequence[float] = ()
    ints: Sequence[int] = ()
    names: Mapping[AnyEquation, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] | None = None
    tests: Sequence[Mapping[str, np.ndarray]] = ()

    def picture(self) -> Picture:
        """The graph as something to see."""
        from ..pictures.picture import Picture

        return Picture(self.function, f"model of {', '.join(v.name or '?' for v in self.function.inputs)}")

    def _write_model(self, path: Path) -> None:
        write_model(self, path)

    def _pictures(self) -> Sequence[Picture]:
        return [self.picture()]

    def __repr__(self) -> str:
        function = self.function
        ends = (
            ", ".join(f"{v.name or '?'}: {v.aval!r}" for v in several)
            for several in (function.inputs, function.outputs)
        )
        return f"<model of {len(function.equations)} operations: {' -> '.join(ends)}>"
