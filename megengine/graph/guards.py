"""What the layers above tell a call that is being recorded, and nothing outside one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .recorder import thread
from .value import Handle


def note_hyperparameters(groups: Iterable[dict[str, Any]]) -> None:
    """The call depends on the numbers in these parameter groups: a replay is valid while they stay."""
    capture = thread.recorder.capture
    if capture is not None:
        kept = list(groups)
        capture.guard(lambda: [[(k, v) for k, v in g.items() if k != "params"] for g in kept], groups)


def note_dependence(snapshot: Callable[[], Any], owner: Any) -> None:
    """The call depends on Python state of ``owner``: a replay is valid while ``snapshot()`` returns the same."""
    capture = thread.recorder.capture
    if capture is not None:
        capture.guard(snapshot, owner)


def note_held(handle: Handle) -> None:
    """The handle's value is about to be shared with another handle."""
    capture = thread.recorder.capture
    if capture is not None:
        capture.note(handle)


def note_view(handle: Handle, view: Handle) -> None:
    """``view`` is a new handle on the handle's value."""
    capture = thread.recorder.capture
    if capture is not None:
        capture.note(handle)
        capture.born(view)


def not_replayable(reason: str) -> None:
    """The call must run its Python body each time."""
    capture = thread.recorder.capture
    if capture is not None:
        capture.refuse(reason)
