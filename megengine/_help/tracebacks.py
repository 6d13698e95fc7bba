"""Tracebacks that end at the user's line: frames of the engine, and of the libraries that it calls, are left out.

Nothing happens until an error is shown: by Python when nobody catches it, in any thread; by :mod:`traceback` and :mod:`logging`;
by IPython and pytest. The exception keeps all its frames, except where it ends the program. ``MEGENGINE_FULL_TRACEBACK=1`` shows
them.
"""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from types import TracebackType
from typing import Any

_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_TOOLS = _FOLDER + "tools" + os.sep
# What the engine calls, and what stands between the user and the engine, such as contextlib.
_LIBRARIES = ("jax", "jaxlib", "numpy", "ml_dtypes", "opt_einsum")
_USER, _ENGINE, _HELPER = range(3)


def install() -> bool:
    """Leave the engine's frames out of what is shown from now on, unless ``MEGENGINE_FULL_TRACEBACK`` asks for them.

    Returns:
        Whether they are left out.
    """
    if _full():
        return False
    sys.excepthook = _hook(sys.excepthook)
    threading.excepthook = _thread_hook(threading.excepthook)
    _filter_formatted()
    _tell_ipython()
    return True


def _full() -> bool:
    return os.environ.get("MEGENGINE_FULL_TRACEBACK", "0").strip().lower() not in ("", "0", "false", "off", "no")


def formatted(error: BaseException) -> str:
    """An exception and its traceback as text, in a process where nothing was installed."""
    trace = error.__traceback__ if _full() else shortened(error.__traceback__)
    return "".join(traceback.format_exception(type(error), error, trace))


@functools.lru_cache(maxsize=1)
def _helpers() -> tuple[str, ...]:
    specs = [find_spec(name) for name in _LIBRARIES]
    places = [place for spec in specs if spec is not None for place in spec.submodule_search_locations or ()]
    return tuple(os.path.abspath(place) + os.sep for place in places)


@functools.lru_cache(maxsize=4096)
def _kind(filename: str) -> int:
    """Whose a file is."""
    path = os.path.abspath(filename)
    if path.startswith(_FOLDER) and not path.startswith(_TOOLS):
        return _ENGINE
    if path.startswith(_helpers()):
        return _HELPER
    standard = sysconfig.get_path("stdlib") + os.sep
    foreign = standard + "site-packages" + os.sep
    return _HELPER if path.startswith(standard) and not path.startswith(foreign) else _USER


def shortened(trace: TracebackType | None, *, keep_something: bool = True) -> TracebackType | None:
    """A traceback without frames of the engine, and without those of helping libraries beside them.

    Args:
        trace: the traceback, which stays as it is.
        keep_something: give it whole if no frame would be left.
    """
    entries = []
    entry = trace
    while entry is not None:
        entries.append(entry)
        entry = entry.tb_next
    kinds = [_kind(entry.tb_frame.f_code.co_filename) for entry in entries]
    if _ENGINE not in kinds:
        return trace
    for order in (range(1, len(kinds)), range(len(kinds) - 2, -1, -1)):
        step = -1 if order.step > 0 else 1
        for position in order:
            if kinds[position] == _HELPER and kinds[position + step] == _ENGINE:
                kinds[position] = _ENGINE
    kept = [entry for entry, kind in zip(entries, kinds, strict=True) if kind != _ENGINE]
    if not kept and keep_something:
        return trace
    short: TracebackType | None = None
    for entry in reversed(kept):
        short = TracebackType(short, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return short


def _shorten(error: BaseException) -> None:
    """Shorten the tracebacks of an exception and of those that led to it, for good."""
    seen: set[int] = set()
    pending: list[tuple[BaseException, bool]] = [(error, True)]
    while pending:
        current, outermost = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        context = current.__context__
        if context is not None and current.__cause__ is None and _is_internal(context):
            current.__suppress_context__ = True
        current.__traceback__ = shortened(current.__traceback__, keep_something=outermost)
        pending += [(e, False) for e in (current.__cause__, context) if e is not None]
        pending += [(e, False) for e in getattr(current, "exceptions", ()) if isinstance(e, BaseException)]


def _is_internal(error: BaseException) -> bool:
    """Whether an exception was raised and caught inside the engine."""
    return error.__traceback__ is not None and shortened(error.__traceback__, keep_something=False) is None


def _hook(before: Callable[..., Any]) -> Callable[..., Any]:
    """``sys.excepthook`` with shorter tracebacks."""

    @functools.wraps(before)
    def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> Any:
        if isinstance(error, BaseException):
            _shorten(error)
        return before(kind, error, shortened(trace))

    return excepthook


def _thread_hook(before: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """``threading.excepthook`` with shorter tracebacks."""

    @functools.wraps(before)
    def excepthook(args: Any) -> Any:
        if isinstance(args.exc_value, BaseException):
            _shorten(args.exc_value)
        shorter = (args.exc_type, args.exc_value, shortened(args.exc_traceback), args.thread)
        return before(threading.ExceptHookArgs(shorter))

    return excepthook


def _filter_formatted() -> None:
    """Shorten what :mod:`traceback` prints or formats, and with it :mod:`logging`."""
    whole = traceback.TracebackException.__init__

    @functools.wraps(whole)
    def __init__(self: Any, kind: Any, error: Any, trace: Any, *args: Any, **kwargs: Any) -> None:
        nested = kwargs.get("_seen") is not None
        whole(self, kind, error, shortened(trace, keep_something=not nested), *args, **kwargs)
        context = getattr(error, "__context__", None)
        if context is not None and error.__cause__ is None and _is_internal(context):
            self.__context__ = None

    setattr(traceback.TracebackException, "__init__", __init__)  # noqa: B010  # mypy refuses the assignment


def _tell_ipython() -> None:
    """Shorten what IPython and notebooks show, if this is one and nobody else has asked to be shown its errors."""
    found: Any = sys.modules.get("IPython")
    shell: Any = found.get_ipython() if found is not None and hasattr(found, "get_ipython") else None
    if shell is None or getattr(shell, "custom_exceptions", None):
        return

    def show(
        shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: int | None = None
    ) -> None:
        _shorten(error)
        shell.showtraceback((kind, error, error.__traceback__), tb_offset=tb_offset)

    shell.set_custom_exc((Exception,), show)
