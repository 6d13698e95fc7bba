"""What the engine tells a call that is being recorded for :class:`megengine.jit.trace`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .value import Aval, Handle, Value

if TYPE_CHECKING:
    from .program import Program
    from .recorder import Recorder


class Listener:
    """Hears of what happens to tensors while ``graph.capture`` is it. Each method is called before what it names."""

    def bound(self, handle: Handle, value: Value) -> None:
        """The graph reads ``value``, which is from outside it, through ``handle``."""

    def note(self, handle: Handle) -> None:
        """The value of ``handle`` comes to be shared with another tensor."""

    def born(self, handle: Handle) -> None:
        """``handle`` was made, on a value that was there before."""

    def data(self, value: Value) -> None:
        """``value`` was made of data of the host."""

    def moved(self, value: Value, other: Value) -> None:
        """``other`` is ``value`` on another device; called after it was made."""

    def reads(self, value: Value) -> None:
        """The host looks at ``value``."""

    keeps_sizes = False  # whether results whose size depends on numbers are recorded as ops that say so

    def sizes(self, value: Value) -> None:
        """The host looks at ``value`` for the size of a result alone."""
        self.reads(value)

    def follows(self, value: Value) -> bool:
        """Whether a call that is kept computes ``value`` or is given it, so that another call may have another."""
        return False

    def wrote(self, handle: Handle) -> None:
        """``handle`` is rebound."""

    def wrote_grad(self, handle: Handle) -> None:
        """The gradient of ``handle`` is set."""

    def read_grad(self, handle: Handle) -> None:
        """The gradient of ``handle`` is looked at."""

    def stepped(self) -> None:
        """An optimizer's step ends, and would run the graph if nobody listened."""

    def interrupted(self, reason: str) -> None:
        """The graph has to run before the call has ended."""

    def inputs(self, values: list[Value], positions: list[tuple[int, Aval]]) -> set[int] | None:
        """The graph is about to run; returns which inputs may be overwritten, None: all that nothing else refers to."""
        return None

    def ran(self, recorder: Recorder, program: Program, values: list[Value]) -> None:
        """The graph is about to run as ``program``."""

    def guard(self, snapshot: Callable[[], Any], owner: Any = None) -> None:
        """The call depends on what ``snapshot()`` returns of ``owner``."""

    def refuse(self, reason: str) -> None:
        """The call needs its Python body each time."""
