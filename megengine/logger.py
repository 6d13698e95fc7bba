"""Logging in MegEngine's manner: loggers that write to standard error and, if asked, all to one file; levels by name or number.

The environment variable ``MEGENGINE_LOGGING_LEVEL`` (or ``MGE_LOGGING_LEVEL``) sets the level at the start.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

__all__ = [
    "MegBrainLogFormatter", "MegEngineLogFormatter", "enable_debug_log", "get_logger", "replace_mgb_log_level",
    "set_log_file", "set_log_level", "set_mgb_log_level",
]  # fmt: skip

_PACKAGE = "megengine"
_ENGINE = "megengine.graph"
_DATE = "%d %H:%M:%S"


def _initial_level() -> Any:
    for variable in ("MEGENGINE_LOGGING_LEVEL", "MGE_LOGGING_LEVEL"):
        if text := os.environ.get(variable):
            level = logging.getLevelName(text.upper())
            if not isinstance(level, int):
                raise ValueError(f"environment variable {variable}={text!r}: write DEBUG, INFO, WARNING or ERROR")
            return level
    return logging.INFO


_level: Any = _initial_level()
_made: dict[str, logging.Logger] = {}  # the package's own logger, and those that programs asked for
_all_loggers: list[logging.Logger] = []  # the same, where programs give them handlers of their own
_file: logging.Handler | None = None


class MegEngineLogFormatter(logging.Formatter):
    """``date time logger LEVEL: message``."""

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        validate: bool = True,
        *,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        rank = os.environ.get("MEGENGINE_RANK")  # of a process that megengine.distributed.launcher started
        standard = f"%(asctime)s {'' if rank is None else f'[rank {rank}] '}%(name)s %(levelname)s: %(message)s"
        super().__init__(fmt or standard, datefmt or _DATE, style if fmt else "%", validate, defaults=defaults)


class MegBrainLogFormatter(MegEngineLogFormatter):
    """The formatter of the engine's log: the same."""


def _make(name: str, formatter: type[logging.Formatter]) -> logging.Logger:
    """A logger with a handler of its own."""
    logger = logging.getLogger(name)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(datefmt=_DATE))
    logger.handlers = [handler] if _file is None else [handler, _file]
    logger.setLevel(_level)
    logger.propagate = False
    _made[name] = logger
    _all_loggers.append(logger)
    return logger


def get_logger(name: str | None = None, formatter: type[logging.Formatter] = MegEngineLogFormatter) -> logging.Logger:
    """A logger that writes to standard error, and to the file of :func:`set_log_file`, at the level of :func:`set_log_level`.

    Args:
        name: dotted name; default the package's own logger.
        formatter: class of the formatter of a logger outside the package.

    Example:
        >>> megengine.get_logger("my.program").name
        'my.program'
    """
    if name is None or name == _PACKAGE:
        return _made[_PACKAGE]
    if name.startswith(_PACKAGE + "."):
        return logging.getLogger(name)
    return _made.get(name) or _make(name, formatter)


def set_log_file(fout: Any, mode: str = "a") -> None:
    """Write to a file as well: what the package logs, and what loggers of :func:`get_logger` do. It takes the place of the last.

    Args:
        fout: a path or an open text file; None writes to no file any more.
        mode: how a path is opened.

    Example:
        >>> import io
        >>> file = io.StringIO()
        >>> megengine.set_log_file(file)
        >>> megengine.get_logger("my.program").info("training starts")
        >>> file.getvalue().endswith("my.program INFO: training starts\\n")
        True
        >>> megengine.set_log_file(None)
    """
    global _file
    before, _file = _file, None
    if before is not None:
        for logger in _made.values():
            logger.removeHandler(before)
        before.close()
    if fout is None:
        return
    _file = logging.StreamHandler(fout) if hasattr(fout, "write") else logging.FileHandler(fout, mode)
    _file.setFormatter(MegEngineLogFormatter())
    for logger in _made.values():
        logger.addHandler(_file)


def set_log_level(level: Any, update_existing: bool = True) -> Any:
    """Set the level of the package's log, and of loggers of :func:`get_logger`.

    Args:
        level: a number or name of :mod:`logging`.
        update_existing: change loggers made before, too, and not only those to come.

    Returns:
        The level before.

    Raises:
        ValueError: no such name.

    Example:
        >>> before = megengine.set_log_level("WARNING")
        >>> megengine.set_log_level(before)
        'WARNING'
    """
    global _level
    before = _level
    logging.Handler().setLevel(level)  # refuses what is no level
    _level = level
    if update_existing:
        for logger in _made.values():
            logger.setLevel(level)
    return before


def set_mgb_log_level(level: Any) -> Any:
    """Set the level of the engine's own log: compilations, falling back to single ops.

    Args:
        level: a number or name of :mod:`logging`.

    Returns:
        The level before, for setting it back.

    Example:
        >>> from megengine.logger import set_mgb_log_level
        >>> before = set_mgb_log_level("ERROR")
        >>> set_mgb_log_level(before)
        40
    """
    logger = logging.getLogger(_ENGINE)
    before = logger.level
    logger.setLevel(level)
    return before


@contextmanager
def replace_mgb_log_level(level: Any) -> Iterator[None]:
    """Use another level of the engine's own log inside the ``with`` block.

    Args:
        level: a number or name of :mod:`logging`.

    Example:
        >>> from megengine.logger import replace_mgb_log_level
        >>> import logging
        >>> engine = logging.getLogger("megengine.graph")
        >>> before = engine.level
        >>> with replace_mgb_log_level("ERROR"):
        ...     print(logging.getLevelName(engine.level))
        ERROR
        >>> engine.level == before
        True
    """
    before = set_mgb_log_level(level)
    try:
        yield
    finally:
        set_mgb_log_level(before)


def enable_debug_log() -> None:
    """Show debug messages.

    Example:
        >>> level = megengine.set_log_level("INFO")
        >>> megengine.enable_debug_log()
        >>> megengine.set_log_level(level)
        10
    """
    set_log_level(logging.DEBUG)


_make(_PACKAGE, MegEngineLogFormatter)
