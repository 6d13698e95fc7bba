"""How a loader makes its batches: from a dataset with an index, from a stream, ahead of time, and within a time limit."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .vectorise import batch_pipeline
from .worker_info import WorkerInfo, acting_as

if TYPE_CHECKING:
    from .dataloader import DataLoader

__all__ = ["MapIterator", "Preloading", "Timed", "stream_batches"]

Result = TypeVar("Result")


class MapIterator:
    """The batches of one pass over a dataset with an index.

    Whole batches go through the batch functions of :mod:`megengine.data.vectorise` as long as these can serve them.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.dataset = loader.dataset
        self.sampler = loader.sampler
        self.transform = loader.transform
        self.collator = loader.collator
        self._indices = iter(loader.sampler)
        self._load_whole = batch_pipeline(self.dataset, self.transform, self.collator)

    def __iter__(self) -> MapIterator:
        return self

    def __len__(self) -> int:
        return len(self.sampler)

    def __next__(self) -> Any:
        indices = next(self._indices)
        if self._load_whole is not None:
            batch = self._load_whole(indices)
            if batch is not NotImplemented:
                return batch
            self._load_whole = None
        samples = [self.dataset[index] for index in indices]
        return self.collator.apply(self.transform.apply_batch(samples))


def stream_batches(loader: DataLoader) -> Iterator[Any]:
    """The batches of one pass over a stream; what is left at its end makes a smaller batch.

    With ``parallel_stream`` each worker has an iterator of its own, and the batches come from them in turn.
    """
    workers: list[WorkerInfo | None] = [None]
    if loader.parallel_stream and loader.num_workers:
        seed = int(np.random.SeedSequence().generate_state(1)[0])
        workers = [WorkerInfo(idx, loader.num_workers, seed + idx) for idx in range(loader.num_workers)]
    turns: deque[tuple[WorkerInfo | None, Iterator[Any]]] = deque()
    for worker in workers:
        with acting_as(worker):
            turns.append((worker, iter(loader.dataset)))
    size = loader.sampler.batch_size
    while turns:
        worker, stream = turns.popleft()
        with acting_as(worker):
            samples = _take(stream, size, loader.transform.apply)
        if len(samples) == size:
            turns.append((worker, stream))
        if samples:
            yield loader.collator.apply(samples)


def _take(stream: Iterator[Any], count: int, function: Callable[[Any], Any]) -> list[Any]:
    """The results of the function for the next samples of a stream, fewer than ``count`` at its end."""
    taken: list[Any] = []
    while len(taken) < count:
        try:
            sample = next(stream)
        except StopIteration:
            break
        except RuntimeError as error:
            # MegEngine's examples end a generator by a StopIteration inside of it, which Python turns into this.
            if not isinstance(error.__cause__, StopIteration):
                raise
            break
        taken.append(function(sample))
    return taken


class Timed:
    """Iterates over batches, giving up on one that takes too long.

    Args:
        batches: what makes the batches; each is made in a thread of its own, so that waiting for it can end.
        timeout: seconds allowed for a batch.

    Raises:
        RuntimeError: once a batch has taken longer; the thread that makes it is left behind.
    """

    def __init__(self, batches: Iterator[Any], timeout: float) -> None:
        self._batches: Iterator[Any] | None = batches
        self._timeout = timeout

    def __iter__(self) -> Timed:
        return self

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]

    def __next__(self) -> Any:
        if self._batches is None:
            raise StopIteration
        try:
            return _within(self._timeout, self._batches.__next__)
        except TimeoutError:
            self._batches = None
            raise RuntimeError(f"dataloader timeout: a batch took longer than {self._timeout} s") from None


def _within(seconds: float, function: Callable[[], Result]) -> Result:
    """The function's result or exception, or TimeoutError if it takes longer."""
    outcome: queue.SimpleQueue[Callable[[], Result]] = queue.SimpleQueue()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:
            outcome.put(_raiser(error))
        else:
            outcome.put(lambda: result)

    threading.Thread(target=run, name="megengine-data", daemon=True).start()
    try:
        finished = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    return finished()


def _raiser(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


class Preloading:
    """Iterates over batches as Tensors, each on its way to the device while the one before it is in use.

    Args:
        batches: what makes the batches.
    """

    def __init__(self, batches: Iterator[Any]) -> None:
        self._batches = batches
        self._ahead: deque[Any] = deque()

    def __iter__(self) -> Preloading:
        return self

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]

    def __next__(self) -> Any:
        while len(self._ahead) < 2:
            try:
                self._ahead.append(_as_tensors(next(self._batches)))
            except StopIteration:
                break
        if not self._ahead:
            raise StopIteration
        return self._ahead.popleft()


def _as_tensors(batch: Any) -> Any:
    """The batch with its arrays as Tensors, within dicts, named tuples and lists."""
    from ..tensor import Tensor  # the rest of this package is plain NumPy

    if isinstance(batch, np.ndarray):
        return Tensor(batch)
    if isinstance(batch, Mapping):
        return {key: _as_tensors(value) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*map(_as_tensors, batch))
    if isinstance(batch, Sequence) and not isinstance(batch, str | bytes):
        return [_as_tensors(value) for value in batch]
    return batch
