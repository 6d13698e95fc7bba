"""Functions, arguments and results between the launching process and the ranks: pickled by value, tensors as their numbers."""

from __future__ import annotations

import io
import os
import pickle
import tempfile
from typing import Any

from ..data.workers.by_value import value_pickler
from ..data.workers.shipping import foreign_modules

__all__ = ["dump", "load", "room"]


def room() -> int:
    """A descriptor of a file without a name, for what :func:`dump` writes."""
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def dump(value: Any, descriptor: int) -> None:
    """Pickle a value into a file from its start on.

    Raises:
        Exception: as pickling raises, if the value holds what belongs to this process; nothing is written then.
    """
    file = io.BytesIO()
    with foreign_modules() as by_value:

        class Pickler(value_pickler()):  # type: ignore[misc]
            def reducer_override(self, obj: Any) -> Any:
                by_value(obj)
                return super().reducer_override(obj)

        Pickler(file, 5).dump(value)
    with open(descriptor, "wb", closefd=False) as target:
        target.write(file.getbuffer())


def load(descriptor: int) -> Any:
    """The value that was written, or None if none was."""
    size = os.fstat(descriptor).st_size
    return pickle.loads(os.pread(descriptor, size, 0)) if size else None
