"""Waiting for other ranks with an end: a rank that waits says for what, and learns when the others wait for something else."""

from __future__ import annotations

import mmap
import queue
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from .server import Client, patience

__all__ = ["NOTE", "Call", "CollectiveError", "agree", "carried_out", "gone", "hangs", "keep_notes"]

SHORT, LOOK = 1.0, 2.0  # seconds that a rank waits before it says so, and between looks at what the others say


class CollectiveError(RuntimeError):
    """A rank waited for others in vain, or lost them: the cause is with another rank."""


class _Notes:
    """Where this rank writes its last call, for the launcher to read if it is ended."""

    def __init__(self, room: mmap.mmap) -> None:
        self.room = room

    def write(self, text: str) -> None:
        line = text.encode()[: NOTE - 1]
        self.room[: len(line) + 1] = line + b"\0"


NOTE = 512  # bytes of such a note
_notes: _Notes | None = None


def keep_notes(descriptor: int) -> None:
    """Write each call into a file, which the launcher has."""
    global _notes
    _notes = _Notes(mmap.mmap(descriptor, NOTE))


class Call:
    """What a rank does together with others.

    Args:
        client: the connection to the server.
        rank: this one.
        world_size: how many ranks there are.
        ranks: those that take part, this one among them.
        counts: by group, how many calls this rank has come to, this one counted.
        what: such as ``"ALL_REDUCE_SUM of float32[3]"``.
        where: the line.
        steps: where it is several at once, what and where each of them is; ``what`` is the first, ``counts`` numbers the last.
    """

    def __init__(
        self,
        client: Client,
        rank: int,
        world_size: int,
        ranks: list[int],
        counts: dict[str, int],
        what: str,
        where: str,
        steps: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.client = client
        self.rank = rank
        self.world_size = world_size
        self.ranks = ranks
        self.what = what
        self.where = where
        self.counts = counts
        group = ",".join(map(str, ranks))
        self.group = group
        self.name = f"{group} {counts[group]}"
        self.kind = group, what
        self.steps = [[*step] for step in steps] or [[what, where]]
        self.first = counts[group] - len(self.steps) + 1
        after = len(self.steps) - 1
        self.about = f"{what} at {where}" + (f" or one of the {after} calls after it in the same program" if after else "")
        self.deadline = time.monotonic() + patience()
        self._seen: dict[str, list[Any]] = {}  # what each rank that waits said when it was first seen to wait for that
        self._looks = 0
        if _notes is not None:
            _notes.write(f"{what} at {where} (call {counts[group]} of rank {group})")

    def look(self, came: list[int]) -> None:
        """Say that this rank waits, and see what the others wait for.

        Args:
            came: those that are known to have come to this call.

        Raises:
            CollectiveError: others have come to something else, all wait for each other, or the time is over.
        """
        self._looks += 1
        board = self.client.waiting(self.rank, [self.name, self.what, self.where, self._looks, self.counts, self.steps])
        seen = {rank: self._seen.get(rank, word) for rank, word in board.items()}
        self._seen = {rank: before if before[:3] == board[rank][:3] else board[rank] for rank, before in seen.items()}
        here = [rank for rank in self.ranks if str(rank) in board and board[str(rank)][4].get(self.group, 0) >= self.first]
        for rank in here:
            name, *_, steps = board[str(rank)]
            self.compare_steps(rank, name, steps)
        if self._all_wait(board):
            others = "; ".join(f"rank {r} in {w[1]}{w[2] and f' at {w[2]}'}" for r, w in sorted(board.items()))
            raise CollectiveError(f"the ranks wait for each other: {others}")
        if time.monotonic() > self.deadline:
            absent = [str(rank) for rank in self.ranks if rank not in (*here, *came)]
            raise CollectiveError(
                f"{self.about}: rank {', '.join(absent)} did not come to it within {patience():g} s "
                "(MEGENGINE_DISTRIBUTED_TIMEOUT)"
            )

    def compare_steps(self, rank: int, name: str, steps: list[list[str]]) -> None:
        """Refuse that another rank does something else in one of the calls of a group that both do at once."""
        group, _, last = name.partition(" ")
        if group == self.group:
            theirs = dict(enumerate(steps, int(last) - len(steps) + 1))
            for number, (what, where) in enumerate(self.steps, self.first):
                if number in theirs and theirs[number][0] != what:
                    self._refuse(number, what, where, f"{theirs[number][0]} at {theirs[number][1]} in rank {rank}")

    def compare(self, rank: int, what: str, where: str) -> None:
        """Refuse that another rank does something else in this call."""
        if what != self.what:
            self._refuse(self.first, self.what, self.where, f"{what} at {where} in rank {rank}")

    def _refuse(self, number: int, what: str, where: str, other: str) -> NoReturn:
        said = [what, where, None]
        self.client.agree(f"{self.group} {number}", self.rank, len(self.ranks), said, 0.0)  # so that that one is told, too
        raise CollectiveError(f"the ranks do different things: {what} at {where} here, {other}")

    def _all_wait(self, board: dict[str, list[Any]]) -> bool:
        """Whether every rank waits, has said so again since this one began to, and lacks another one in its call."""
        if len(board) < self.world_size:
            return False
        for rank, word in board.items():
            if rank != str(self.rank) and ENDED != word[3] == self._seen[rank][3]:
                return False
        return not any(_has_all(word[0], board) for word in board.values())

    def over(self) -> None:
        """Take back that this rank waits, if it has said so."""
        if self._looks:
            self.client.waiting(self.rank, None)


ENDED = -1  # in place of the number of looks


def gone(counts: dict[str, int]) -> list[Any]:
    """What a rank says that has nothing more to do."""
    return ["", "no call any more", "", ENDED, counts, []]


def _has_all(call: str, board: dict[str, list[Any]]) -> bool:
    """Whether all ranks of a call have come to it, be it that some are beyond it: then it only takes its time."""
    group, _, number = call.partition(" ")
    return bool(group) and all(board[rank][4].get(group, 0) >= int(number) for rank in group.split(","))


def agree(call: Call, also: Any = None) -> dict[int, Any]:
    """Wait until all ranks of a call have come to it; what each has also said, by rank.

    Raises:
        CollectiveError: some did not come, or do something else.
    """
    said, seconds = [call.what, call.where, also], SHORT
    try:
        while True:
            found = call.client.agree(call.name, call.rank, len(call.ranks), said, min(seconds, patience()))
            for rank, (what, where, _) in found.items():
                call.compare(int(rank), what, where)
            if len(found) == len(call.ranks):
                return {int(rank): word[2] for rank, word in found.items()}
            call.look([int(rank) for rank in found])
            seconds = LOOK
    finally:
        call.over()


class _Courier:
    """A thread that carries out collectives, in which one waits where no signal is heard and no clock looked at."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], _Parcel]] = queue.SimpleQueue()
        self.last = _Parcel()
        threading.Thread(target=self._work, name="megengine-collectives", daemon=True).start()

    def _work(self) -> None:
        while True:
            job, parcel = self._jobs.get()
            try:
                parcel.result = job()
            except BaseException as error:
                parcel.error = error
            parcel.there.set()
            del job, parcel

    def take(self, job: Callable[[], Any]) -> _Parcel:
        parcel = self.last = _Parcel()
        self._jobs.put((job, parcel))
        return parcel


class _Parcel:
    """What a job gives."""

    def __init__(self) -> None:
        self.there = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None


_courier: _Courier | None = None


def hangs() -> bool:
    """Whether a collective that nobody waits for any more goes on: its thread must not be met by the interpreter's end."""
    return _courier is not None and not _courier.last.there.is_set()


def carried_out(call: Call, job: Callable[[], Any]) -> Any:
    """What a collective gives, which is carried out in another thread.

    Raises:
        CollectiveError: a rank was lost, did not come in time, or does something else.
    """
    global _courier
    if _courier is None:
        _courier = _Courier()
    parcel = _courier.take(job)
    if not parcel.there.wait(min(SHORT, patience())):
        try:
            call.look([])
            while not parcel.there.wait(LOOK):
                call.look([])
        finally:
            call.over()
    if parcel.error is not None:
        raise _explained(call, parcel.error)
    return parcel.result


def _explained(call: Call, error: BaseException) -> BaseException:
    """The error of a collective: with what the other ranks did, if they say so."""
    if not isinstance(error, (ValueError, RuntimeError)) or not re.search("gloo|nccl", str(error), re.IGNORECASE):
        return error
    told = [call.name, call.steps]
    said = call.client.agree(f"failed {call.group}", call.rank, len(call.ranks), told, SHORT)
    try:
        for rank, word in said.items():
            call.compare_steps(int(rank), *word)
    except CollectiveError as different:
        different.__cause__ = error
        return different
    absent = [str(rank) for rank in call.ranks if str(rank) not in said]
    lost = f"rank {', '.join(absent)} was lost" if absent else "it failed"
    found = CollectiveError(f"{call.about}: {lost} ({error})")
    found.__cause__ = error
    return found
