"""A forked child of a process that computes: XLA's threads are not in it, so an op would wait for them for ever."""

from __future__ import annotations

import os
from typing import Any, NoReturn

from . import record
from .trie import Node

_WHAT_TO_DO = (
    "this process was forked from one that computes with tensors, and the threads that compute are not in it; start it as a new "
    'interpreter, with multiprocessing.get_context("spawn"). Numbers read before the fork can be used here as NumPy arrays'
)


class _Refusing(dict[Any, Any]):
    """No instruction follows here."""

    def get(self, *_: Any) -> NoReturn:
        refuse()


def refuse() -> NoReturn:
    """Say what to do instead.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(_WHAT_TO_DO)


def _enter_child() -> None:
    local = record.thread
    graph = local.graph = record.Graph(local.graph.device)
    graph.node = Node(None, None, (), (), 0, 0)
    graph.node.next = _Refusing()
    local.ended = None
    record.forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_enter_child)
