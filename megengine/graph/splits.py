"""Call sites whose graphs are flushed early, so that what comes before or after changing shapes is not compiled with them."""

from __future__ import annotations

from types import CodeType

from .source import Line, Source, line

Spot = Line | tuple[str, int, CodeType]
_splits: dict[Spot, int] = {}


def spot(source: Source) -> Spot:
    """A line of a file, and its code if that was typed at a prompt or executed from a string: every statement is line 1 there."""
    filename, number = line(source)
    return (filename, number, source[0]) if filename.startswith("<") else (filename, number)


def any_split() -> bool:
    """Whether there is such a call site."""
    return bool(_splits)


def split_after(source: Source) -> int | None:
    """After how many ops graphs that begin here are flushed; None for most."""
    return _splits.get(spot(source))


def split(begin: Spot, depth: int) -> None:
    """From now on flush graphs that begin here after ``depth`` ops, or after more that were named before."""
    _splits[begin] = max(depth, _splits.get(begin, 0))


def split_sooner(begin: Spot, depth: int) -> None:
    """From now on flush graphs that begin here after ``depth`` ops, or after fewer that were named before."""
    _splits[begin] = min(depth, _splits.get(begin, depth))


def forget_splits() -> None:
    """Start anew."""
    _splits.clear()
