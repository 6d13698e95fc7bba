"""The engine's own exception types."""

from __future__ import annotations

import sys


class UsageError(ValueError):
    """A setting that the engine does not understand."""


class RecompileError(RuntimeError):
    """A place in the program compiled again although ``on_recompile`` is ``"error"``."""


class VerificationError(RuntimeError):
    """A function of the graph is not well formed: a fault of the pass that made it."""


class TraceError(RuntimeError):
    """A traced function did what a trace cannot hold."""


class UnreadableError(TraceError, ValueError):
    """A traced function read a value that it is still computing; MegEngine raises ValueError there."""


def as_heard(error: BaseException) -> BaseException:
    """The interrupt of which something on its way has made this error, if that is what has happened; else the error.

    JAX makes a ``ValueError`` of one that comes while keys of its caches are compared, and a lock of ``threading`` that one
    comes amid fails at being released.
    """
    if type(error) is ValueError and str(error).startswith("Cache keys should be") and "KeyboardInterrupt" in str(error):
        return KeyboardInterrupt()
    before = error.__context__ if isinstance(error, Exception) else None
    while before is not None:
        if isinstance(before, KeyboardInterrupt | SystemExit) and not _is_handled(before):
            return before
        before = before.__context__
    return error


def _is_handled(interrupt: BaseException) -> bool:
    """Whether a function that runs now has caught it: what it raises meanwhile are errors of its own."""
    caught = interrupt.__traceback__
    frame = None if caught is None else sys._getframe(2)
    while frame is not None and caught is not None and frame is not caught.tb_frame:
        frame = frame.f_back
    return caught is None or frame is not None


def raise_interrupt(error: BaseException) -> None:
    """Raise the interrupt of which something has made this error, if it is one."""
    heard = as_heard(error)
    if heard is not error:
        raise heard from None


# MegEngine raises different built-in classes for one mistake in different places, and programs catch them: each of these is
# all the classes that it may be there.


class ArgumentError(TypeError, ValueError, AttributeError, RuntimeError):
    """An argument that is of the wrong kind."""


class RangeError(ArgumentError, OverflowError):
    """A number that the dtype it is to have does not hold."""


class BadIndexError(IndexError, TypeError, ValueError, RuntimeError):
    """An index that a tensor does not have, or no index at all."""


class SizeError(AssertionError, ValueError, TypeError):
    """A tensor of several elements where one is needed."""
