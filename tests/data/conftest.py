"""What several tests of megengine.data share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


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
