"""What a stream dataset can ask about the worker that iterates over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["WorkerInfo", "get_worker_info"]


@dataclass(frozen=True)
class WorkerInfo:
    """One worker of a loader.

    Attributes:
        idx: which worker this is, from 0.
        worker: how many there are.
        seed: the worker's own seed.

    Example:
        >>> from megengine.data.worker_info import WorkerInfo
        >>> WorkerInfo(idx=0, worker=2, seed=7)
        WorkerInfo(idx=0, worker=2, seed=7)
    """

    idx: int
    worker: int
    seed: int


_current: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """The worker that is iterating over a stream dataset right now.

    Returns:
        Its :class:`WorkerInfo`, or None outside of the workers of a ``parallel_stream``.

    Example:
        >>> from megengine.data.dataloader import get_worker_info
        >>> get_worker_info() is None
        True
    """
    return _current


@contextmanager
def acting_as(info: WorkerInfo | None) -> Iterator[None]:
    """Makes :func:`get_worker_info` return ``info`` within the block."""
    global _current
    before, _current = _current, info
    try:
        yield
    finally:
        _current = before
