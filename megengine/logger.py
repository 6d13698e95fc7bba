"""Logging in MegEngine's manner: one stream handler, levels by name or number."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

_ROOT = "megengine"
_LEVEL = logging.INFO


class MegEngineLogFormatter(logging.Formatter):
    """``date time [logger] LEVEL message``."""

    def __init__(self, fmt: str | None = None, datefmt: str | None = None) -> None:
        super().__init__(fmt or "%(asctime)s %(name)s %(levelname)s: %(message)s", datefmt or "%d %H:%M:%S")


def _root() -> logging.Logger:
    root = logging.getLogger(_ROOT)
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(MegEngineLogFormatter())
        root.addHandler(handler)
        root.setLevel(os.environ.get("MGE_LOGGING_LEVEL", "").upper() or _LEVEL)
        root.propagate = False
    return root


def get_logger(name: str | None = None, formatter: type[logging.Formatter] = MegEngineLogFormatter) -> logging.Logger:
    """A logger that writes to standard error at MegEngine's level.

    Args:
        name: dotted name; default the package's own logger.
        formatter: class of the formatter of a logger outside the package.

    Example:
        >>> megengine.get_logger("my.program").name
        'my.program'
    """
    root = _root()
    if name is None or name == _ROOT or name.startswith(_ROOT + "."):
        return logging.getLogger(name) if name else root
    logger = logging.getLogger(name)
    if not getattr(logger, "_mge_made", False):
        logger._mge_made = True  # type: ignore[attr-defined]
        logger.setLevel(root.level)
        logger.propagate = False
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(formatter())
        logger.addHandler(handler)
    return logger


def set_log_file(fout: Any, mode: str = "a") -> None:
    """Write the package's log to a file as well.

    Args:
        fout: a path or an open text file.
        mode: how a path is opened.

    Example:
        >>> import io
        >>> file = io.StringIO()
        >>> megengine.set_log_file(file)
        >>> megengine.get_logger().info("training starts")
        >>> file.getvalue().endswith("INFO: training starts\\n")
        True
    """
    handler = logging.StreamHandler(fout) if hasattr(fout, "write") else logging.FileHandler(fout, mode)
    handler.setFormatter(MegEngineLogFormatter())
    _root().addHandler(handler)


def set_log_level(level: Any, update_existing: bool = True) -> Any:
    """Set the level of the package's log.

    Args:
        level: a number or name of :mod:`logging`.
        update_existing: change loggers made before, too.

    Returns:
        The level before.

    Example:
        >>> before = megengine.set_log_level("WARNING")
        >>> megengine.set_log_level(before)
        30
    """
    root = _root()
    before = root.level
    root.setLevel(level)
    if update_existing:
        for logger in logging.Logger.manager.loggerDict.values():
            if getattr(logger, "_mge_made", False):
                logger.setLevel(level)  # type: ignore[union-attr]
    return before


def enable_debug_log() -> None:
    """Show debug messages.

    Example:
        >>> level = megengine.set_log_level("INFO")
        >>> megengine.enable_debug_log()
        >>> megengine.set_log_level(level)
        10
    """
    set_log_level(logging.DEBUG)


_root()
