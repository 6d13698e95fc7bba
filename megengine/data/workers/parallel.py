"""One pass over a dataset by worker processes: who makes which batch, and their batches in order."""

from __future__ import annotations

import os
import pickle
import select
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from subprocess import TimeoutExpired
from typing import Any, NoReturn

import numpy as np

from ..batching import ENDING, as_error, note
from ..iterators import drawn
from ..position import Position
from ..sampler import process_group
from ..worker_info import WorkerInfo
from .pool import DEATH, Crew, Worker, environment
from .shared_memory import Lease, Shelf, Slot
from .shipping import pack
from .worker import BATCH, ERROR, FINISHED, PASS, READY, TASK, UNABLE, Assignment, Surroundings

__all__ = ["ParallelBatches", "WorkersUnable", "surroundings"]

_AHEAD = 2  # batches that each worker has to do
_MOST_LEASED = 8  # batches in use at a time whose arrays look into shared memory; beyond, arrays are copied out of it
_SMALL = 1 << 16  # bytes of an array that is copied in any case, lest it keep a large batch's memory
_LOOK = 0.5  # seconds between looks whether workers live; normally their sockets tell at once
# What a batch has come to, beside what a worker says.
SKIPPED, RAISED, LOST = "skipped", "raised", "lost"


Outcome = tuple[str, int, "_Member | None", Sequence[Any]]


class WorkersUnable(Exception):
    """A worker could not rebuild the dataset, the transform or the collator."""


def surroundings() -> Surroundings:
    """What the workers take over from this process."""
    return Surroundings(list(sys.path), list(sys.argv), os.getcwd(), environment(), process_group())


class _Member:
    """One worker's part of a pass.

    Attributes:
        pending: numbers of the batches that it has to make.
        finished: whether its stream has ended.
        lost: whether it is dead.
        ready: whether it has what it needs.
        free: memory that can be written to.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.pending: set[int] = set()
        self.finished = False
        self.lost = False
        self.ready = False
        self._slots = 0
        self.free = Shelf()
        self._lent: dict[int, Slot | int] = {}

    def leased(self) -> int:
        """Batches whose memory arrays of the program look into."""
        return self._slots - len(self.free) - len(self._lent)

    def assign(self, number: int, work: Any) -> None:
        """Has it make a batch, in memory that is free."""
        if not self.free:
            self.free.put(self._slots)
            self._slots += 1
        slot = self._lent[number] = self.free.take()
        self.pending.add(number)
        task = (TASK, number, slot if isinstance(slot, int) else slot.name)
        if _is_plain(work):
            self.worker.channel.send((*task, work, None))
            return
        memory, spans = pack(work)
        try:
            self.worker.channel.send((*task, None, spans), [memory])
        finally:
            os.close(memory)

    def take_back(self, number: int) -> Slot | int:
        """The memory of a batch, which is not the worker's any more."""
        return self._lent.pop(number)

    def arrived(self, number: int, descriptors: list[int]) -> None:
        """Notes that the worker is done with a batch, and the new memory that it is in, if any."""
        self.pending.discard(number)
        for descriptor in descriptors:
            slot = self._lent[number]
            self._lent[number] = Slot(slot if isinstance(slot, int) else slot.name, descriptor)
            os.close(descriptor)

    def decode(self, number: int, copy: bool, pickled: bytes, arrays: list[bytes] | None, spans: Any) -> Any:
        """The batch, its large arrays in the memory that the worker wrote them to."""
        slot = self.take_back(number)
        if arrays is not None or isinstance(slot, int):
            self.free.put(slot)
            return pickle.loads(pickled, buffers=map(bytearray, arrays or ()))
        memory = slot.bytes if copy else np.asarray(Lease(slot, self.free))
        parts = [memory[start:end] for start, end in spans]
        batch = pickle.loads(pickled, buffers=[np.array(p) if copy or len(p) < _SMALL else p for p in parts])
        if copy:
            self.free.put(slot)
        return batch

    def give_up(self, number: int) -> None:
        """Frees the memory of a batch that there is not."""
        self.free.put(self.take_back(number))


def _is_plain(work: Any) -> bool:
    """Whether work is what any process understands: a list of integers, or nothing."""
    return work is None or (type(work) is list and all(type(index) is int for index in work))


class ParallelBatches:
    """The batches of one pass, made by workers and given in order.

    Args:
        count: how many workers.
        assign: makes a worker's assignment from what it is told about itself.
        shipment: descriptor of the memory with the pickled dataset, transform and collator, and where in it they are; it is
            closed here.
        position: where to begin, and the seed.
        work: what each batch is made of; None where the workers read a stream themselves.
        timeout: seconds that a batch may take, 0 for no limit.
        on_timeout: called when a batch takes longer; if it returns, the wait goes on.
    """

    def __init__(
        self,
        count: int,
        assign: Callable[[WorkerInfo], Assignment],
        shipment: tuple[int, Any],
        position: Position,
        work: Iterator[Any] | None,
        timeout: float,
        on_timeout: Callable[[], Any],
    ) -> None:
        self._work = work
        self._position = position
        self._sent = self._next = position.number
        self._timeout = timeout
        self._on_timeout = on_timeout
        self._outcomes: dict[int, Outcome] = {}
        self._ended = False  # no more work is given
        self._by_descriptor: dict[int, _Member] = {}
        memory, spans = shipment
        try:
            self._crew = Crew(count)
            self.close = weakref.finalize(self, self._crew.leave)
            self._members = [_Member(worker) for worker in self._crew.members]
            self._crew.shelves = [member.free for member in self._members]
            self._poll = select.poll()
            around = surroundings()
            for idx, member in enumerate(self._members):
                self._poll.register(member.worker.channel, select.POLLIN)
                self._by_descriptor[member.worker.channel.fileno()] = member
                assignment = assign(WorkerInfo(idx, count, position.seed + idx))
                try:
                    member.worker.channel.send((PASS, assignment, around, spans), [memory])
                except OSError:
                    self._lose(member)
        finally:
            os.close(memory)

    def __iter__(self) -> ParallelBatches:
        return self

    def wait_until_ready(self) -> None:
        """Waits until all workers have what they need.

        Raises:
            WorkersUnable: one could not rebuild it.
            RuntimeError: one died.
        """
        with self._ending_on_errors():
            while not all(member.ready for member in self._members):
                self._wait(_LOOK)
                for _, _, _, content in self._outcomes.values():
                    raise RuntimeError(*content)
            self._fill()

    def ready(self) -> bool:
        """Whether the next batch is there, so that taking it does not wait."""
        if not self._crew.members:
            return True
        with self._ending_on_errors():
            self._wait(0)
            self._fill()
        return self._next in self._outcomes

    def __next__(self) -> Any:
        if not self._crew.members:
            raise StopIteration
        with self._ending_on_errors():
            outcome = self._take()
        if outcome is None:
            self.close()
            raise StopIteration
        try:
            return self._batch(*outcome)
        except ENDING as error:
            note(error, f"while receiving batch {outcome[1]}")

    def _batch(self, kind: str, number: int, member: _Member | None, content: Sequence[Any]) -> Any:
        """The batch that has arrived, or the error in its place."""
        if kind == RAISED:
            raise content[0]
        if kind == LOST:
            self._end()
            raise RuntimeError(*content)
        assert member is not None
        if kind == ERROR:
            _raise_as_worker(self._members.index(member), *content)
        leased = sum(member.leased() for member in self._members)
        return member.decode(number, leased > _MOST_LEASED, *content)

    def _take(self) -> Outcome | None:
        """What has become of the next batch, once that is known; None at the end."""
        if not self._crew.is_here():
            raise RuntimeError(
                "this pass belongs to the process that this one is a fork of: call iter() on the loader here"
            )
        started = time.monotonic()
        self._fill()
        while True:
            outcome = self._outcomes.pop(self._next, None)
            if outcome is not None:
                self._next += 1
                self._fill()
                if outcome[0] != SKIPPED:
                    return outcome
                self._position.passed()
            elif self._next == self._sent:
                return None
            elif self._timeout and time.monotonic() - started > self._timeout:
                try:
                    self._on_timeout()
                except ENDING as error:
                    note(error, "by timeout_event")
                started = time.monotonic()
            else:
                left = self._timeout - (time.monotonic() - started) if self._timeout else _LOOK
                self._wait(min(max(left, 0), _LOOK))

    def _fill(self) -> None:
        """Gives the workers work, up to two batches each."""
        most = _AHEAD * len(self._members)
        while not self._ended and self._sent - self._next < most:
            if self._work is None:
                self._ended = all(member.finished for member in self._members)
                if not self._ended:
                    self._assign(self._members[self._sent % len(self._members)], None)
                continue
            try:
                work = drawn(self._work, self._sent)
            except StopIteration:
                self._ended = True
            except Exception as error:
                self._outcomes[self._sent] = (RAISED, self._sent, None, (error,))
                self._sent += 1
                self._ended = True
            else:
                self._assign(min(self._members, key=lambda member: len(member.pending)), work)

    def _assign(self, member: _Member, work: Any) -> None:
        """Has a worker make the next batch."""
        number = self._sent
        self._sent += 1
        if member.finished:
            self._outcomes[number] = (SKIPPED, number, None, ())
            return
        try:
            member.assign(number, work)
        except OSError:
            self._lose(member)
        except (Exception, GeneratorExit) as error:
            told = as_error(error, f"while sending what batch {number} is made of to a worker")
            member.pending.discard(number)
            member.give_up(number)
            self._outcomes[number] = (RAISED, number, None, (told,))

    def _wait(self, seconds: float) -> None:
        """Receives what has come, waiting for the first of it."""
        events = self._poll.poll(seconds * 1000)
        for descriptor, _ in events:
            self._receive(self._by_descriptor[descriptor])
        if not events and seconds:
            for member in self._members:
                if member.worker.process.poll() is not None:
                    self._lose(member)

    def _receive(self, member: _Member) -> None:
        try:
            (kind, *content), descriptors = member.worker.channel.receive()
        except EOFError:
            self._lose(member)
            return
        if kind == READY:
            member.ready = True
            return
        if kind == UNABLE:
            raise WorkersUnable(*content)
        number, *content = content
        member.arrived(number, descriptors)
        if kind != BATCH:
            member.give_up(number)
        if kind == FINISHED:
            member.finished = True
            kind = SKIPPED
        self._outcomes[number] = (kind, number, member, content)

    def _lose(self, member: _Member) -> None:
        """Notes that a worker is dead: its batches are lost, those of the others before them are still to come."""
        if member.lost:
            return
        member.lost = True
        process = member.worker.process
        try:
            status: Any = process.wait(DEATH)
        except TimeoutExpired:
            status = "unknown, it closed its connection"
        hint = ", which is what the system does when memory runs out" if status == -9 else ""
        message = (
            f"DataLoader worker (worker(s): {self._members.index(member)}, pid(s): {process.pid}) exited unexpectedly, "
            f"exitcode(s): {status}{hint}"
        )
        if not member.pending:
            member.pending.add(self._sent)
            self._sent += 1
        for number in member.pending:
            self._outcomes[number] = (LOST, number, member, (message,))
        self._poll.unregister(member.worker.channel)
        self._ended = True

    def _end(self) -> None:
        """Ends the pass and its workers."""
        self._crew.kill()
        self.close.detach()

    @contextmanager
    def _ending_on_errors(self) -> Iterator[None]:
        """Ends the workers if the block is left by an error: what they do then is not known."""
        try:
            yield
        except BaseException:
            self._end()
            raise


def _raise_as_worker(worker: int, name: str, trace: str, pickled: bytes | None) -> NoReturn:
    """Raises the error of a worker in words that MegEngine uses, with the original as its cause where that could be sent."""
    cause = None if pickled is None else pickle.loads(pickled)
    raise RuntimeError(f"Caught {name} in DataLoader worker process {worker}.\nOriginal {trace}") from cause
