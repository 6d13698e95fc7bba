"""Carrying out collectives that were recorded, with the other ranks of their group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..graph.flights import Collective, rest_of_flight
from ..graph.source import text
from . import runtime
from .prompting import begun
from .waiting import Call, agree, carried_out

__all__ = ["Carrier", "agree_once"]


def agree_once(call: Call) -> None:
    """Make sure, the first time that this rank makes such a call, that the others make it too: they would wait in vain."""
    if call.kind not in runtime.agreed:
        agree(call)
        runtime.agreed.add(call.kind)


class Carrier:
    """See :class:`megengine.graph.flights.Carrier`.

    Args:
        call_of: what this rank is about to do together with others, from their ranks and what it is, and where.
    """

    def __init__(self, call_of: Callable[[Sequence[int], Sequence[tuple[str, str]]], Call]) -> None:
        self._call_of = call_of

    def call(self, recorded: Sequence[Collective]) -> Call:
        """These, which begin now."""
        begun()
        return self._call_of(recorded[0].ranks, [(c.what, text(c.where)) for c in recorded])

    def is_new(self, recorded: Collective) -> bool:
        """Whether this rank has not yet been seen to agree with the others on one of its kind."""
        return (",".join(map(str, recorded.ranks)), recorded.what) not in runtime.agreed

    def alone(self, recorded: Collective, array: Any, params: dict[str, Any]) -> Any:
        """This rank's result of one, by an executable of its own."""
        call = self.call([recorded])
        agree_once(call)
        return carried_out(call, lambda: runtime.run(params["name"], array, params["ranks"], params["axes"]))

    def staged(self, function: Callable[..., Any], ranks: tuple[int, ...], options: dict[str, str] | None) -> Any:
        """What compiles a function that has collectives."""
        return _Flying(function, ranks, options, self)


class _Flying(runtime.AcrossRanks):
    """A program with collectives; a call of it is the rest of a flight."""

    def __init__(self, function: Any, ranks: tuple[int, ...], options: dict[str, str] | None, carrier: Carrier) -> None:
        super().__init__(function, ranks, options)
        self._carrier = carrier

    def __call__(self, *args: Any) -> list[Any]:
        self.compiled_for(args)  # while nobody waits
        call = self._carrier.call(rest_of_flight())
        return carried_out(call, lambda: super(_Flying, self).__call__(*args))  # type: ignore[no-any-return]
