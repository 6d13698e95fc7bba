"""How a loader makes its batches in its own process: by index, from a stream, ahead of time, and within a time limit."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np

from .batching import ENDING, BatchMaker, as_error, note, take
from .position import Position
from .worker_info import WorkerInfo, acting_as

if TYPE_CHECKING:
    from .dataloader import DataLoader

__all__ = [
    "MapBatches", "Preloading", "StreamBatches", "Timed", "drawn", "raise_timeout", "raw_batches", "stream_batches",
]  # fmt: skip

Result = TypeVar("Result")


class MapBatches:
    """The batches of one pass over a dataset with an index.

    Args:
        loader: whose dataset, transform and collator to use.
        indices: the indices of each batch.
        start: number of the first batch.
    """

    def __init__(self, loader: DataLoader, indices: Iterator[Any], start: int) -> None:
        self._make = BatchMaker(loader.dataset, loader.transform, loader.collator).of_indices
        self._indices = indices
        self._number = start - 1

    def __iter__(self) -> MapBatches:
        return self

    def __next__(self) -> Any:
        indices = drawn(self._indices, self._number + 1)
        self._number += 1
        return self._make(indices, self._number)


def drawn(indices: Iterator[Any], number: int) -> Any:
    """What a sampler gives for a batch; its end is let through."""
    try:
        return next(indices)
    except StopIteration:
        raise
    except (Exception, GeneratorExit) as error:
        note(error, f"while drawing what batch {number} is made of")
        raise


class StreamBatches:
    """The batches of one pass over a stream; what is left at its end makes a smaller batch.

    An error takes the place of a batch, and the next one can be asked for.

    Args:
        outcomes: functions that return a batch, or raise what came in its place.
    """

    def __init__(self, outcomes: Iterator[Callable[[], Any]]) -> None:
        self._outcomes = outcomes

    def __iter__(self) -> StreamBatches:
        return self

    def __next__(self) -> Any:
        return next(self._outcomes)()


def stream_batches(loader: DataLoader, position: Position) -> Iterator[Callable[[], Any]]:
    """What each batch of one pass over a stream comes to, as a function that returns or raises it.

    With ``parallel_stream`` each worker has an iterator of its own, and the batches come from them in turn.

    Args:
        loader: whose dataset, transform and collator to use.
        position: where to begin, and the seed that the workers' seeds follow from.
    """
    workers: list[WorkerInfo | None] = [None]
    if loader.parallel_stream and loader.num_workers:
        workers = [WorkerInfo(idx, loader.num_workers, position.seed + idx) for idx in range(loader.num_workers)]
    streams: list[Iterator[Any] | None] = []
    for worker in workers:
        with acting_as(worker):
            streams.append(iter(loader.dataset))
    maker = BatchMaker(None, loader.transform, loader.collator)
    size, start = loader.sampler.batch_size, position.number
    for number in count():
        turn = number % len(streams)
        stream = streams[turn]
        if stream is None:
            if not any(streams):
                return
            if number >= start:
                position.passed()
            continue
        try:
            with acting_as(workers[turn]):
                apply = loader.transform.apply if number >= start else None
                samples = take(stream, size, apply, f"batch {number} of the stream")
            if len(samples) < size:
                streams[turn] = None
            if not samples or number < start:
                continue
            batch = maker.of_transformed(samples, number)
        except Exception as error:
            yield _raiser(error)
        else:
            yield partial(_itself, batch)


def _itself(batch: Any) -> Any:
    return batch


def raw_batches(stream: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """The samples of a stream in lists of ``size``, not yet transformed; at its end a shorter one."""
    while samples := take(stream, size):
        yield samples


class Timed:
    """Iterates over batches, giving up on one that takes too long.

    Args:
        batches: what makes the batches; each is made in a thread of its own, so that waiting for it can end.
        timeout: seconds allowed for a batch.
        on_timeout: called when a batch takes longer; if it returns, the wait goes on, and if it raises, the thread that makes the
            batch is left behind.
    """

    def __init__(self, batches: Iterator[Any], timeout: float, on_timeout: Callable[[], Any]) -> None:
        self._batches: Iterator[Any] | None = batches
        self._timeout = timeout
        self._on_timeout = on_timeout

    def __iter__(self) -> Timed:
        return self

    def __next__(self) -> Any:
        if self._batches is None:
            raise StopIteration
        outcome: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()
        threading.Thread(target=_into, args=(outcome, self._batches), name="megengine-data", daemon=True).start()
        while True:
            try:
                finished = outcome.get(timeout=self._timeout)
            except queue.Empty:
                try:
                    self._on_timeout()
                except BaseException as error:
                    self._batches = None
                    if isinstance(error, ENDING):
                        note(error, "by timeout_event")
                    raise
            else:
                return finished()


def raise_timeout(seconds: float) -> NoReturn:
    """What a loader does when a batch takes too long, unless it was given something else."""
    raise RuntimeError(f"dataloader timeout: a batch took longer than {seconds} s")


def _into(outcome: queue.SimpleQueue[Callable[[], Any]], batches: Iterator[Any]) -> None:
    """Puts what the next batch comes to into the queue, as a function that returns or raises it."""
    try:
        batch = next(batches)
    except BaseException as error:
        outcome.put(_raiser(error))
    else:
        outcome.put(lambda: batch)


def _raiser(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


class Preloading:
    """Iterates over batches as Tensors, each on its way to the device while the one before it is in use.

    The batch ahead is taken as soon as taking it does not wait, that is, in this process always, from workers when it is there.

    Args:
        batches: what makes the batches; if it has a method ``ready``, that says whether the next one is there.
    """

    def __init__(self, batches: Iterator[Any]) -> None:
        self._batches = batches
        self._ready: Callable[[], bool] = getattr(batches, "ready", lambda: True)
        self._ahead: deque[Callable[[], Any]] = deque()

    def __iter__(self) -> Preloading:
        return self

    def __next__(self) -> Any:
        batch = self._ahead.popleft() if self._ahead else self._following()
        if not self._ahead and self._ready():
            self._ahead.append(self._following())
        return batch()

    def _following(self) -> Callable[[], Any]:
        """The next batch, or the error or the end in its place."""
        try:
            arrays = next(self._batches)
        except Exception as error:  # or the end
            return _raiser(error)
        try:
            batch = _as_tensors(arrays)
        except (Exception, GeneratorExit) as error:
            return _raiser(as_error(error, "while making tensors of a batch"))
        return lambda: batch


def _as_tensors(batch: Any) -> Any:
    """The batch with its arrays as Tensors, within dicts, named tuples and lists."""
    if isinstance(batch, np.ndarray):
        return _as_tensor(batch)
    if isinstance(batch, Mapping):
        return {key: _as_tensors(value) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*map(_as_tensors, batch))
    if isinstance(batch, Sequence) and not isinstance(batch, str | bytes):
        return [_as_tensors(value) for value in batch]
    return batch


def _as_tensor(array: np.ndarray) -> Any:
    from ..graph.transfer import transfer  # the rest of this package is plain NumPy
    from ..tensor import Tensor

    tensor = Tensor(array)
    device = tensor._value.device
    # A program on the CPU takes an array from the host faster than it could be moved before.
    return tensor if device.platform == "cpu" else transfer(tensor, device)
