"""Calls that skip the Python body: when one may, and what is recorded so that it can."""

from __future__ import annotations

import gc
from collections.abc import Callable
from operator import is_
from typing import Any

from ..graph.capture import Capture, capture_call
from ..graph.replay import Replay
from ..logger import get_logger
from ..tensor import Tensor
from .executed import Executed
from .results import CannotReturn, Plan
from .watched import Watched

logger = get_logger(__name__)

REPLAYS = 4  # programs kept for one kind of arguments: gradients there or not, other learning rates, other modes
ATTEMPTS = 6  # recorded calls without a program to show for it, after which the body runs unrecorded for a while
UNUSED = 8  # programs in a row that served no other call
PAUSE = 16
_recording: dict[int, object] = {}  # the signatures of which a call is being recorded
ESCAPES = "it leaves a tensor that it computes somewhere else than in its results, parameters, states and gradients"
PAUSE_LIMIT = 4096


class _Recorded:
    """One call that can be replayed, and what has to be as it was."""

    __slots__ = ("replay", "plan", "watched")

    def __init__(self, replay: Replay, plan: Plan, watched: Watched | None) -> None:
        self.replay = replay
        self.plan = plan
        self.watched = watched

    def agrees_with(self, other: _Recorded) -> bool:
        return self.plan.signature == other.plan.signature and self.replay.agrees_with(other.replay)


class Signature:
    """What is known about calls with arguments of one structure: the programs found, the newest first."""

    def __init__(self) -> None:
        self._recorded: list[_Recorded] = []
        self._last: _Recorded | None = None
        self._executed: Executed | None = None
        self._failures = 0
        self._pause = PAUSE
        self._plain = 0
        self._reason: str | None = None
        self._said = False
        self._unused = 0

    def call(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tensors: list[Any],
        symbolic: bool,
    ) -> Any:
        """Replay a recorded call that holds, or run the function, recorded if that may help."""
        aliasing = None
        for known in self._recorded:
            replay = known.replay
            assert known.watched is not None
            if replay.holds(tensors) and known.watched.unchanged():
                if replay.has_as_its_own(tensors):
                    return function(*args, **kwargs)
                if not replay.arguments_may_alias(tensors):
                    self._unused, self._pause = 0, PAUSE
                    return known.plan.make(replay(tensors))
                aliasing = known
                break
        if self._plain > 0:
            self._plain -= 1
            return function(*args, **kwargs)
        own, key = object(), id(self)
        try:
            if _recording.setdefault(key, own) is own:
                return self._record(function, args, kwargs, tensors, symbolic, aliasing)
        finally:
            if key in _recording and _recording[key] is own:
                del _recording[key]
        return function(*args, **kwargs)  # another thread records such a call

    def _record(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tensors: list[Any],
        symbolic: bool,
        aliasing: _Recorded | None,
    ) -> Any:
        executed = Executed()
        watched = None
        if self._executed is not None:
            watched = Watched([function, *_objects((args, kwargs), [])], self._executed)

        def run() -> Any:
            with executed:
                result = function(*args, **kwargs)
            if self._reason == ESCAPES:
                gc.collect()  # it may have been left in a reference cycle only
            return result

        given: list[Any] = []
        still: list[Any] = []
        both = args, kwargs
        _objects(both, given)
        result, capture = capture_call(run, tensors, symbolic)
        _objects(both, still)
        if len(given) != len(still) or not all(map(is_, given, still)):
            capture.refuse("it changes the containers in its arguments")
        if not executed.complete:
            capture.refuse("it sets a profile function")
        executed.look(self._executed)
        known, self._executed = self._executed, executed
        made = _made(capture, result, watched, given)
        if isinstance(made, str):
            self._last = None
            self._fail(made, function)
            return result
        last, self._last = self._last, made
        if last is None or not made.agrees_with(last):
            if last is not None:
                self._fail("two calls of it did not record the same operations and numbers", function)
        elif known is not None and executed.codes.keys() <= known.codes.keys():
            self._add(made, aliasing)
            self._unused += 1
            self._failures = 0
            if self._unused > UNUSED:
                self._failures = ATTEMPTS
                self._fail("what it can see changes from call to call", function)
        return result

    def _add(self, made: _Recorded, aliasing: _Recorded | None) -> None:
        """Keep a call; ``aliasing`` would have served, but for arguments that may alias what its body knows."""
        if aliasing is not None:
            made.replay.replaces(aliasing.replay)
        others = [known for known in self._recorded if known is not aliasing]
        self._recorded = [made, *others][:REPLAYS]  # threads that look through it have the old one

    def _fail(self, reason: str, function: Callable[..., Any]) -> None:
        """A call could not be kept; after some of these the body runs unrecorded for a while, and one line says why."""
        self._failures += 1
        self._reason = reason
        if self._failures >= ATTEMPTS:
            self._failures = ATTEMPTS - 2
            self._plain, self._pause = self._pause, min(2 * self._pause, PAUSE_LIMIT)
            if not self._said:
                self._said = True
                name = getattr(function, "__qualname__", None) or repr(function)
                logger.warning("trace(without_host=True): the body of %s runs at every call, since %s", name, reason)


def _made(capture: Capture, result: Any, watched: Watched | None, given: list[Any]) -> _Recorded | str:
    """A call that can be replayed, or why it cannot."""
    if not capture.valid():
        return capture.failed or "it computes nothing"
    if watched is not None:
        refused = watched.refused or watched.change_by_call()
        if refused is not None:
            return refused
    try:
        plan = Plan(result, () if watched is None else watched.reached, {id(a) for a in given})
    except CannotReturn as error:
        return str(error)
    if any(t._grad is not None and not capture.was_there(t) for t in plan.tensors):
        return "it returns a tensor of its own that has a gradient"
    replay = Replay(capture, plan.tensors)
    if replay.escapes:
        return ESCAPES
    if capture.failed is not None:
        return capture.failed
    if watched is not None:
        replay.drop_guards(watched.reached)
        watched.reached.clear()  # it would keep tensors alive
    return _Recorded(replay, plan, watched)


def _objects(args: Any, everything: list[Any]) -> list[Any]:
    """What is in nested arguments and neither container nor tensor; collects all of it."""
    everything.append(args)
    if isinstance(args, (tuple, list)):
        return [o for a in args for o in _objects(a, everything)]
    if isinstance(args, dict):
        everything += args
        return [o for a in args.values() for o in _objects(a, everything)]
    return [] if isinstance(args, Tensor) else [args]
