"""What several tests of megengine.data share."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest

from megengine.data.workers import pool as worker_pool


class MessageList(logging.Handler):
    """Keeps the messages that are logged."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def log() -> Iterator[list[str]]:
    """The messages that megengine.data logs."""
    handler = MessageList()
    logger = logging.getLogger("megengine.data")
    logger.addHandler(handler)
    yield handler.messages
    logger.removeHandler(handler)


@pytest.fixture
def old_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass waits for the workers of the one before it, also where a busy machine makes that take long."""
    monkeypatch.setattr(worker_pool, "_WAIT_FOR_OLD", 60.0)
    monkeypatch.setattr(worker_pool, "_GRACE", 60.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that are not wanted any more are looked after soon."""
    monkeypatch.setattr(worker_pool, "_GRACE", 0.1)
    monkeypatch.setattr(worker_pool, "_LINGER", 0.1)
    gc.collect()
    if (timer := worker_pool.pool._timer) is not None:
        timer.cancel()
        worker_pool.pool._timer = None
