"""The ranks of this machine as processes: started as new interpreters, watched, and ended together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..logger import get_logger
from .machines import DONE, INTERRUPTED, SAVED, Launchers
from .rank import Orders
from .shipping import dump, load, room
from .waiting import NOTE, CollectiveError

__all__ = ["ProcessError", "launch"]

logger = get_logger(__name__)
_START = "import sys; sys.path[:] = sys.argv[7:]; from megengine.distributed.rank import main; main(*map(int, sys.argv[1:7]))"
_LOOK = 0.02  # seconds between looks at the processes
_ASK = 1.0  # seconds between questions after those of other machines
GRACE = 1.0  # seconds that the others may go on when one has failed, for what they still have to say
ENDING = 10.0  # seconds that they may take to end after Ctrl-C, to save what they have


class ProcessError(AssertionError):
    """A rank ended before it had a result.

    Attributes:
        rank: which.
        code: its exit status; negative for a signal.
    """

    def __init__(self, rank: int, code: int, why: str = "") -> None:
        super().__init__(f"process {rank} {_ended(code)}{why and f': {why}'}")
        self.rank = rank
        self.code = code

    def __reduce__(self) -> Any:
        return _rebuilt, (type(self), self.rank, self.code, self.args)


def _rebuilt(cls: type[ProcessError], rank: int, code: int, args: tuple[Any, ...]) -> ProcessError:
    error = cls(rank, code)
    error.args = args
    return error


def _ended(code: int) -> str:
    return f"was ended by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exited with code {code}"


class _Rank:
    """A process."""

    def __init__(self, rank: int, work: int, group: tuple[Any, ...], environment: dict[str, str]) -> None:
        self.rank = rank
        self.result = room()
        self._note = room()
        os.ftruncate(self._note, NOTE)
        self._told: int | None = None
        orders = room()
        dump(Orders(group, sys.argv), orders)
        theirs, self._alive = os.pipe()
        self._failed, failed = os.pipe()
        os.set_blocking(self._failed, False)
        passed = (orders, work, self.result, self._note, failed, theirs)
        command = [sys.executable, *subprocess._args_from_interpreter_flags(), "-c", _START]  # type: ignore[attr-defined]
        try:
            self.process = subprocess.Popen(
                [*command, *map(str, passed), *map(os.path.abspath, sys.path)],
                pass_fds=passed,
                env={**environment, "MEGENGINE_RANK": str(rank)},
                start_new_session=True,  # Ctrl-C comes from the launcher, once
            )
        except BaseException:
            self.forget()
            raise
        finally:
            os.close(theirs)
            os.close(failed)
            os.close(orders)

    def code(self) -> int | None:
        """The exit status, negative for a signal; None while it runs. One that has failed tells it, and waits to be ended."""
        code = self.process.poll()
        if self._told is None:
            with contextlib.suppress(BlockingIOError):
                self._told = next(iter(os.read(self._failed, 1)), None)
        return code if self._told is None else self._told

    def last_call(self) -> str:
        """The last that it did, or was about to do, together with others; empty if nothing."""
        return os.pread(self._note, NOTE, 0).partition(b"\0")[0].decode(errors="replace")

    def forget(self) -> None:
        """Close what connects this process to it."""
        for descriptor in (self.result, self._note, self._alive, self._failed):
            os.close(descriptor)


def launch(
    function: Callable[..., Any],
    args: Any,
    kwargs: Any,
    groups: Sequence[tuple[Any, ...]],
    others: Launchers | None = None,
) -> list[Any]:
    """What a function returns in each of several new processes.

    Args:
        function: it, pickled by value where the processes could not import it.
        args, kwargs: its arguments.
        groups: of each rank the arguments of ``init_process_group``.
        others: the launchers of other machines, where there are any.

    Raises:
        ProcessError: one ended without a result; its error is the cause. The others are ended.
        AssertionError: one of another machine did.
    """
    work = room()
    ranks: list[_Rank] = []
    try:
        dump((function, args, kwargs), work)
        for group in groups:
            ranks.append(_Rank(group[3], work, group, _environment(len(groups))))
        _watch(ranks, others)
        _tell(others, DONE)
        return [_result(rank) for rank in ranks]
    except KeyboardInterrupt:
        _tell(others, INTERRUPTED)
        _interrupt(ranks)
        if others is not None:
            _settle(others, ranks)
        raise
    except AssertionError as error:
        _tell(others, str(error))
        raise
    finally:
        _end(ranks)
        os.close(work)


def _environment(count: int) -> dict[str, str]:
    """A rank's: its share of the processors for products and convolutions."""
    share = str(max(1, (os.cpu_count() or 1) // count))
    return {"OMP_NUM_THREADS": share, "OPENBLAS_NUM_THREADS": share, **os.environ}


def _watch(ranks: Sequence[_Rank], others: Launchers | None) -> None:
    """Wait until all have ended, or one has failed, here or on another machine."""
    asked = time.monotonic()
    while True:
        codes = [rank.code() for rank in ranks]
        failed = [rank for rank, code in zip(ranks, codes, strict=True) if code]
        if failed:
            raise _settled(failed, ranks, others)
        if None not in codes:
            return
        if others is not None and time.monotonic() > asked + _ASK:
            elsewhere = others.failure()
            if elsewhere:
                _wait(ranks, GRACE)
                raise AssertionError(f"on another machine, {elsewhere}")
            asked = time.monotonic()
        time.sleep(_LOOK)


def _settled(failed: Sequence[_Rank], ranks: Sequence[_Rank], others: Launchers | None) -> AssertionError:
    """The error to raise, once all have said what they still have to say, here and on other machines."""
    error = _failure(failed, ranks)
    if others is None:
        _wait(ranks, GRACE)
    elif not isinstance(error.__cause__, CollectiveError):
        others.tell(str(error))
        time.sleep(
            GRACE + 2 * _ASK
        )  # they end their ranks while this one is still there, and so need not tell that it was lost
        return error
    else:
        deadline = time.monotonic() + GRACE + 2 * _ASK
        while time.monotonic() < deadline:
            elsewhere = others.failure()
            if elsewhere:
                return AssertionError(f"on another machine, {elsewhere}")
            time.sleep(_LOOK)
    return _failure([rank for rank in ranks if rank.code()], ranks)


def _tell(others: Launchers | None, word: str) -> None:
    """Tell the other machines how the ranks of this one have ended; where rank 0 has gone, they know."""
    if others is not None:
        with contextlib.suppress(ConnectionError):
            others.tell(word)


def _failure(failed: Sequence[_Rank], ranks: Sequence[_Rank]) -> ProcessError:
    """The error of those that have failed first: a rank's own, before that of one that was ended or that lost others."""
    told = [(rank, load(rank.result)) for rank in failed]
    rank, known = min(told, key=lambda pair: 1 if pair[1] is None else 2 * isinstance(pair[1][1], CollectiveError))
    code = rank.code()
    assert code is not None
    if known is None:
        calls = [f"rank {r.rank} in {call}" for r in ranks if (call := r.last_call())] if code < 0 else []
        return ProcessError(rank.rank, code, (calls and f"last calls: {'; '.join(calls)}") or "")
    error = ProcessError(rank.rank, code, f"{type(known[1]).__name__}: {known[1]}")
    error.__cause__ = known[1]
    return error


def _result(rank: _Rank) -> Any:
    told = load(rank.result)
    if told is None:
        logger.warning("process %d exited with code 0 but did not return a value", rank.rank)
        return None
    return told[1]


def _wait(ranks: Sequence[_Rank], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(rank.code() is None for rank in ranks):
        time.sleep(_LOOK)


def _interrupt(ranks: Sequence[_Rank]) -> None:
    """Pass Ctrl-C on, and leave the processes time to save what they have."""
    for rank in ranks:
        with contextlib.suppress(ProcessLookupError):
            rank.process.send_signal(signal.SIGINT)
    _wait(ranks, ENDING)


def _settle(others: Launchers, ranks: Sequence[_Rank]) -> None:
    """End those of this machine, but rank 0, which has JAX's coordinator and ends all with it, when all machines are ready."""
    if ranks[0].rank:
        _kill(ranks)
    _tell(others, SAVED)
    with contextlib.suppress(ConnectionError):
        others.settle(ENDING)


def _kill(ranks: Sequence[_Rank]) -> None:
    for rank in ranks:
        if rank.process.poll() is None:
            rank.process.kill()
    for rank in ranks:
        rank.process.wait()


def _end(ranks: Sequence[_Rank]) -> None:
    """End those that still run, and let go of all."""
    _kill(ranks)
    for rank in ranks:
        rank.forget()
