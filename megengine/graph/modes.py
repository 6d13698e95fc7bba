"""Context managers that change the engine's settings for a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from .flushing import flush
from .options import TIERS, TIERS_TEXT, options
from .recorder import thread


class _Block:
    """A ``with`` block that sets an option; the first of a list stands for the setting outside of blocks."""

    def __init__(self, value: object) -> None:
        self.value = value


_blocks: dict[str, list[_Block]] = {}
_changing = threading.Lock()


@contextmanager
def _setting(name: str, value: object) -> Iterator[None]:
    flush("option")
    own = _Block(value)
    try:
        _begin(name, own)
        yield
        flush("option")
    finally:
        try:
            _end(name, own)
        finally:
            _end(name, own)  # an interrupt may have come amid the first


def _begin(name: str, own: _Block) -> None:
    with _changing:
        blocks = _blocks.setdefault(name, [_Block(getattr(options, name))])
        blocks.append(own)
        setattr(options, name, own.value)
    thread.recorder.reset_limit()


def _end(name: str, own: _Block) -> None:
    """Once or more often; blocks of several threads end in any order."""
    with _changing:
        blocks = _blocks.get(name)
        if blocks is not None:
            blocks[:] = [block for block in blocks if block is not own]
            setattr(options, name, blocks[-1].value)
            if len(blocks) == 1:
                del _blocks[name]
    thread.recorder.reset_limit()


def eager(enabled: bool = True) -> AbstractContextManager[None]:
    """Run op by op inside the ``with`` block, for debugging; the numbers stay the same.

    The whole process can be started so with ``MEGENGINE_EAGER=1``.

    Example:
        >>> with megengine.graph.eager():
        ...     y = megengine.Tensor([1.0, 2.0]) + 1
        >>> y
        Tensor([2. 3.], device=xpux:0)
    """
    return _setting("eager", enabled)


def check_nan(enabled: bool = True) -> AbstractContextManager[None]:
    """Raise FloatingPointError naming op and line where NaN first appears, inside the ``with`` block.

    The whole process can be started so with ``MEGENGINE_CHECK_NAN=1``.

    Example:
        >>> with megengine.graph.check_nan():
        ...     y = F.sqrt(megengine.Tensor([-1.0, 1.0])).numpy()  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        FloatingPointError: sqrt at ... gave NaN (float32[2])
    """
    return _setting("check_nan", enabled)


def on_recompile(policy: str) -> AbstractContextManager[None]:
    """Choose what a place that compiles again does inside the block: ``"log"``, ``"error"`` or ``"silent"``.

    Raises:
        ValueError: another word.

    Example:
        >>> with megengine.graph.on_recompile("error"):
        ...     try:
        ...         for n in (29, 31):
        ...             y = (megengine.Tensor([1.0] * n) - 7).numpy()
        ...     except megengine.graph.RecompileError as error:
        ...         print(str(error).partition("since ")[2])
        op 0 (sub) meets shape (31,), was (29,)
    """
    if policy not in ("log", "error", "silent"):
        raise ValueError(f"on_recompile({policy!r}): write log, error or silent")
    return _setting("on_recompile", policy)


def tier(name: str) -> AbstractContextManager[None]:
    """Choose what runs programs inside the ``with`` block.

    The whole process can be started so with ``MEGENGINE_TIER``.

    Args:
        name: ``"host"``, by NumPy, on a GPU or TPU op by op, never compiled; ``"compiled"``, by XLA, compiled when first met;
            ``"auto"``, the default: as ``"host"`` at first, compiled in the background when that pays.

    Raises:
        ValueError: another word.

    Example:
        >>> with megengine.graph.tier("host"):
        ...     before = megengine.graph.counters.interpreted
        ...     y = (megengine.Tensor([1.0, 2.0]) * 3).numpy()
        ...     print(megengine.graph.counters.interpreted - before)
        1
    """
    if name not in TIERS:
        raise ValueError(f"tier({name!r}): write {TIERS_TEXT}")
    return _setting("tier", name)
