"""The worker's side of a loader: makes the batches that it is asked for, and puts them into shared memory."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..._help.tracebacks import formatted
from ..batching import BatchMaker, take
from ..worker_info import WorkerInfo, acting_as
from .by_value import dump_by_value
from .channel import Channel
from .seeding import seed_batch, seed_generators
from .shared_memory import Slot, anonymous_file, layout
from .shipping import unpack
from .stand_ins import set_process_group

__all__ = ["Assignment", "serve"]

# Messages to a worker, by their first element.
PASS, TASK, END = "pass", "task", "end"
# Messages from a worker.
READY, UNABLE, BATCH, ERROR, FINISHED, IDLE = "ready", "unable", "batch", "error", "finished", "idle"

_IN_MESSAGE = 1 << 13  # batches up to this size travel in the message itself
_IN_PICKLE = 1 << 10  # arrays below this size stay inside of the pickle


class Assignment(NamedTuple):
    """What a worker has to know for one pass of a loader.

    Attributes:
        info: what :func:`get_worker_info` returns.
        kind: ``"map"``, ``"samples"`` (of a stream that the loader's process reads) or ``"stream"`` (that the worker reads).
        seed: the pass's seed.
        batch_size: samples of a batch, for streams.
        skip: batches of this worker's stream that an earlier run gave already.
    """

    info: WorkerInfo
    kind: str
    seed: int
    batch_size: int
    skip: int


class Surroundings(NamedTuple):
    """What a worker takes over from the loader's process before each pass."""

    path: list[str]
    argv: list[str]
    folder: str
    environment: dict[str, str]
    process_group: tuple[int, int]

    def take_over(self) -> None:
        """Makes this process's the same."""
        sys.path[:] = self.path
        sys.argv[:] = self.argv
        with contextlib.suppress(OSError):
            os.chdir(self.folder)
        if self.environment != dict(os.environ):
            os.environ.clear()
            os.environ.update(self.environment)
        set_process_group(*self.process_group)


@dataclass
class _Pass:
    """One pass of a loader, in a worker."""

    assignment: Assignment
    maker: BatchMaker
    stream: Iterator[Any] | None

    @classmethod
    def begin(cls, assignment: Assignment, shipment: int, spans: list[tuple[int, int]]) -> _Pass:
        """Rebuilds what the loader sent."""
        dataset, transform, collator = unpack(shipment, spans)
        _share_processors(assignment.info.worker)
        seed_generators(assignment.info.seed)
        if assignment.kind != "stream":
            return cls(assignment, BatchMaker(dataset, transform, collator), None)
        with acting_as(assignment.info):
            stream = iter(dataset)
            for _ in range(assignment.skip):
                take(stream, assignment.batch_size)
        return cls(assignment, BatchMaker(None, transform, collator), stream)

    def make(self, number: int, work: Any) -> Any:
        """The batch, or None at the stream's end."""
        if self.stream is None:
            seed_batch(self.assignment.seed, number)
            return (
                self.maker.of_indices(work, number)
                if self.assignment.kind == "map"
                else self.maker.of_samples(work, number)
            )
        what = f"batch {number} of the stream"
        samples = take(self.stream, self.assignment.batch_size, self.maker.transform.apply, what)
        return self.maker.of_transformed(samples, number) if samples else None


class _Slots:
    """The worker's ends of the memory that batches are written to."""

    def __init__(self) -> None:
        self._mapped: dict[int, Slot] = {}

    def write(self, name: int, batch: Any) -> tuple[tuple[Any, ...], list[int]]:
        """Puts a batch into a slot, or a small one into the message.

        Returns:
            What the message says of it (the pickle, then where its arrays are, or these themselves), and the slot's descriptor if
            the slot is new or had to grow.
        """
        pickled, buffers = _pickle(batch)
        spans, size = layout([len(buffer) for buffer in buffers])
        if size <= _IN_MESSAGE:
            return (pickled, [bytes(buffer) for buffer in buffers], None), []
        slot, descriptors = self._mapped.get(name), []
        if slot is None or len(slot.bytes) < size:
            descriptor = anonymous_file(size + size // 4)  # what is not written to takes no memory
            descriptors.append(descriptor)
            slot = self._mapped[name] = Slot(name, descriptor)
        for (start, end), buffer in zip(spans, buffers, strict=True):
            slot.bytes[start:end] = np.frombuffer(buffer, np.uint8)
        return (pickled, None, spans), descriptors


def _pickle(batch: Any) -> tuple[bytes, list[memoryview]]:
    """A batch's pickle, and the contents of its arrays beside it."""

    def keep_inside(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if len(view) < _IN_PICKLE:
            return True
        views.append(view)
        return False

    views: list[memoryview] = []
    try:
        return pickle.dumps(batch, 5, buffer_callback=keep_inside), views
    except Exception:
        views.clear()
        return dump_by_value(batch, keep_inside), views  # classes of the main program have no module here


def _share_processors(workers: int) -> None:
    """OpenCV takes all processors in each worker otherwise."""
    if (cv2 := sys.modules.get("cv2")) is not None:
        cv2.setNumThreads(max(1, len(os.sched_getaffinity(0)) // workers))


def serve(channel: Channel) -> None:
    """The loop of a worker process, until the loader's process closes the connection.

    Args:
        channel: the connection.
    """
    while (message := _receive(channel)) is not None:
        (kind, *content), descriptors = message
        if kind == PASS:
            assignment, surroundings, spans = content
            try:
                surroundings.take_over()
                current = _Pass.begin(assignment, descriptors[0], spans)
            except BaseException as error:  # Ctrl-C goes to the loader's process only
                channel.send((UNABLE, f"{type(error).__name__}: {error}", formatted(error)))
            else:
                channel.send((READY,))
                _serve_pass(channel, current)
                del current
                gc.collect()
            finally:
                os.close(descriptors[0])
        elif kind == END:
            channel.send((IDLE, *content))


def _receive(channel: Channel) -> Any:
    try:
        return channel.receive()
    except EOFError:
        return None


def _serve_pass(channel: Channel, current: _Pass) -> None:
    """Makes batches until the pass ends, which is looked for before each one, since the last ones may not be wanted any more."""
    slots, tasks = _Slots(), deque[Any]()
    with acting_as(current.assignment.info):
        while True:
            while not tasks or channel.waiting():
                message = _receive(channel)
                if message is None:
                    return
                (kind, *content), descriptors = message
                if kind == END:
                    for _, _, _, _, *unused in tasks:
                        for descriptor in unused:
                            os.close(descriptor)
                    channel.send((IDLE, *content))
                    return
                tasks.append((*content, *descriptors))
            _answer(channel, current, slots, *tasks.popleft())


def _answer(
    channel: Channel, current: _Pass, slots: _Slots, number: int, slot: int, work: Any, spans: Any, memory: int = -1
) -> None:
    try:
        if spans is not None:
            try:
                work = unpack(memory, spans)
            finally:
                os.close(memory)
        batch = current.make(number, work)
        if batch is None:
            channel.send((FINISHED, number))
            return
        content, descriptors = slots.write(slot, batch)
    except BaseException as error:  # also what would end this process, such as sys.exit()
        channel.send((ERROR, number, type(error).__name__, formatted(error), _pickled_or_none(error)))
        return
    try:
        channel.send((BATCH, number, *content), descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _pickled_or_none(error: BaseException) -> bytes | None:
    """The exception itself, if it survives being sent."""
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)
    except Exception:
        return None
    return pickled
