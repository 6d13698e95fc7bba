"""The engine's log, which programs quiet at their start."""

from __future__ import annotations

import enum
import logging

from ...logger import set_mgb_log_level

__all__ = ["Logger"]


class Logger:
    """The engine's log.

    Example:
        >>> from megengine.core._imperative_rt.utils import Logger
        >>> before = Logger.set_log_level(Logger.LogLevel.Error)
        >>> Logger.set_log_level(before)
        <LogLevel.Error: 40>
    """

    class LogLevel(enum.IntEnum):
        """Levels, numbered as those of :mod:`logging`."""

        Debug = logging.DEBUG
        Info = logging.INFO
        Warn = logging.WARNING
        Error = logging.ERROR

    @classmethod
    def set_log_level(cls, level: int) -> Logger.LogLevel:
        """Set the level; returns what it was."""
        before = set_mgb_log_level(int(level))
        return max((known for known in cls.LogLevel if known <= before), default=cls.LogLevel.Debug)
