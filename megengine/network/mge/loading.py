"""A file of MegEngine's as a model."""

from __future__ import annotations

from ...graph.exchange import GraphFileError, Model
from ..conversion import to_model
from . import rules
from .building import RULES, Builder
from .container import opened
from .flat import MALFORMED
from .typeids import CLASSES, plain

assert rules.__all__


def load(data: bytes) -> Model:
    """The graph in a file.

    Raises:
        GraphFileError: it is damaged, of a newer version, or has an operator that is not read; the message names it.
    """
    try:
        container = opened(data)
    except MALFORMED as error:
        raise GraphFileError(f"the file is damaged: {type(error).__name__}: {error}") from error
    if not container.outputs:
        raise GraphFileError("the file is damaged: its graph returns nothing")
    builder = Builder()
    for op in container.operators:
        builder.add(op)
    outputs = builder.outputs(container)
    model = to_model(outputs, builder.inputs)
    model.metadata = container.metadata
    return model


def operators_read() -> tuple[list[str], list[str]]:
    """The kinds of operators that are read, and all that MegEngine registers."""
    return sorted(RULES), sorted({plain(name) for name in CLASSES})
