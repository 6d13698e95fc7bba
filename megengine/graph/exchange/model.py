"""What a graph file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ir import AnyEquation, Function

FORMAT = "megengine-xla graph"
VERSION = 1


class GraphFileError(RuntimeError):
    """A file is no graph, is damaged, or was written by a newer version; or a graph cannot be written as a file."""


@dataclass
class Model:
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
