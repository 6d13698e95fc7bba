"""What loading a checkpoint raises."""

from __future__ import annotations

import pickle


class CheckpointError(pickle.UnpicklingError, EOFError):
    """A file is truncated, damaged, or no checkpoint.

    Example:
        >>> open("x.mge", "wb").close()
        >>> try:
        ...     megengine.load("x.mge")
        ... except megengine.serialization.CheckpointError as error:
        ...     print(error)
        cannot load x.mge: the file is empty
    """


class RefusedError(pickle.UnpicklingError):
    """A file names classes or functions that :func:`megengine.load` was not allowed to use.

    Attributes:
        names: what was refused, as ``"module.name"``.

    Example:
        >>> import decimal
        >>> megengine.save(decimal.Decimal(1), "x.mge")
        >>> try:
        ...     megengine.load("x.mge")
        ... except megengine.serialization.RefusedError as error:
        ...     print(error.names)
        ['decimal.Decimal']
        >>> megengine.load("x.mge", allow=[decimal.Decimal])
        Decimal('1')
    """

    def __init__(self, message: str, names: list[str]) -> None:
        super().__init__(message)
        self.names = names
