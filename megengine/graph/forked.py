"""A forked child of a process that computes: XLA's threads are not in it, so an op would wait for them for ever."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any, NoReturn

from .recorder import Recorder, thread
from .trie import Node

_WHAT_TO_DO = (
    "this process was forked from one that computes with tensors, and the threads that compute are not in it; start it as a new "
    'interpreter, with multiprocessing.get_context("spawn"). Numbers read before the fork can be used here as NumPy arrays'
)


in_child = False  # whether this process is a child without the threads that compute


class _Refusing(dict[Any, Any]):
    """No call follows here."""

    def get(self, *_: Any) -> NoReturn:
        refuse()


def refuse() -> NoReturn:
    """Say what to do instead.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(_WHAT_TO_DO)


def _enter_child() -> None:
    global in_child
    recorder = thread.recorder = Recorder(thread.recorder.device)
    recorder.node = Node(None, None, (), (), 0, 0)
    recorder.node.next = _Refusing()
    thread.ended = None
    in_child = True
    _keep_clients()


def _keep_clients() -> None:
    """Have XLA's clients stay when the interpreter ends: what ends them waits for their threads, which are not here."""
    bridge = sys.modules.get("jax._src.xla_bridge")
    for client in getattr(bridge, "_backends", {}).values():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_enter_child)
