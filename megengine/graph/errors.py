"""The engine's own exception types."""

from __future__ import annotations


class UsageError(ValueError):
    """A setting that the engine does not understand."""


class RecompileError(RuntimeError):
    """A place in the program compiled again although ``on_recompile`` is ``"error"``."""


class TraceError(RuntimeError):
    """A traced function did what a trace cannot hold."""
