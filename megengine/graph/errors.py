"""The engine's own exception types."""

from __future__ import annotations


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
    """The interrupt of which JAX has made a ``ValueError``, as it does where one comes while keys of its caches are compared."""
    said = str(error) if type(error) is ValueError else ""
    return KeyboardInterrupt() if said.startswith("Cache keys should be") and "KeyboardInterrupt" in said else error


def raise_interrupt(error: BaseException) -> None:
    """Raise the interrupt of which JAX has made this error, if it is one."""
    if as_heard(error) is not error:
        raise KeyboardInterrupt from None


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
