"""Collectives that are recorded: a flight is all of those that one run of a program comes to, in their order.

What carries them out is the distributed package's, which says so when this process joins others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from .source import Source

__all__ = [
    "Collective", "Flight", "flown", "has_new", "next_of_flight", "rest_of_flight", "set_carrier", "staged", "started",
]  # fmt: skip


class Collective(NamedTuple):
    """One that was recorded.

    Attributes:
        ranks: those that take part, the root first.
        what: such as ``"ALL_REDUCE_SUM of float32[3]"``.
        where: the user's line.
    """

    ranks: tuple[int, ...]
    what: str
    where: Source


class Flight(list[Collective]):
    """Those of one graph, in their order.

    Attributes:
        done: how many of them its present run has come to.
    """

    done = 0


class Carrier(Protocol):
    """What carries collectives out."""

    def is_new(self, recorded: Collective) -> bool:
        """Whether this rank has not yet been seen to agree with the others on one of its kind."""

    def alone(self, recorded: Collective, array: Any, params: dict[str, Any]) -> Any:
        """This rank's result of one, by an executable of its own."""

    def staged(self, function: Callable[..., Any], ranks: tuple[int, ...], options: dict[str, str] | None) -> Any:
        """What compiles a function that has collectives, as ``jax.jit`` does; a call is the rest of the flight."""


class _Thread(threading.local):
    flight: Flight | None = None


_thread = _Thread()
_carrier: Carrier | None = None


def set_carrier(carrier: Carrier | None) -> None:
    """Say what carries collectives out."""
    global _carrier
    _carrier = carrier


def _present() -> Carrier:
    if _carrier is None:
        raise RuntimeError("a collective that was recorded cannot run: the process group is gone")
    return _carrier


def has_new(recorded: Sequence[Collective]) -> bool:
    """Whether some are of a kind that the ranks have yet to agree on: they are carried out one by one then."""
    return any(map(_present().is_new, recorded))


def staged(function: Callable[..., Any], ranks: tuple[int, ...], options: dict[str, str] | None) -> Any:
    """What compiles a function that has collectives of these ranks."""
    return _present().staged(function, ranks, options)


def flown(flight: Flight, run: Callable[..., Any]) -> Callable[..., Any]:
    """What runs a program in which these are to be carried out."""
    if not flight:
        return run

    def fly(*args: Any) -> Any:
        before, _thread.flight = _thread.flight, flight
        flight.done = 0
        try:
            return run(*args)
        finally:
            _thread.flight = before

    return fly


def started() -> bool:
    """Whether the program that runs in this thread has come to a collective, which others may have seen."""
    return _thread.flight is not None and _thread.flight.done > 0


def next_of_flight(array: Any, params: dict[str, Any]) -> Any:
    """Carry out the next one; this rank's result."""
    (recorded,) = _taken(1)
    return _present().alone(recorded, array, params)


def rest_of_flight() -> Sequence[Collective]:
    """All that are left, which are carried out now."""
    return _taken(None)


def _taken(count: int | None) -> Sequence[Collective]:
    flight = _thread.flight
    found = [] if flight is None else flight[flight.done :][:count]
    if flight is None or not found:
        raise RuntimeError("a program with collectives runs only as part of what was recorded")
    flight.done += len(found)
    return found
