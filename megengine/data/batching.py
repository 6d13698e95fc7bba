"""From what a sampler gives to a batch: fetching, transforming, collating, and which sample an error is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .vectorise import batch_pipeline

__all__ = ["ENDING", "BatchMaker", "as_error", "note", "take"]

# What ends an iterator if it is let through, and a pass over the data with it.
ENDING = (StopIteration, GeneratorExit)
_ERRORS = (Exception, GeneratorExit)


def as_error(error: BaseException, where: str) -> Exception:
    """What a program gets to see of an error in its data set, sampler, transform or collator.

    Args:
        error: what was raised there.
        where: what was being done, for the message: ``"while fetching sample 3"``.

    Returns:
        The error with a note; in place of one that would end the pass silently, a RuntimeError that it is the cause of.

    Example:
        >>> from megengine.data.batching import as_error
        >>> as_error(StopIteration(), "while fetching sample 3")
        RuntimeError('StopIteration was raised while fetching sample 3; only what a stream iterates over may end a pass')
    """
    if isinstance(error, ENDING):
        kind = type(error).__name__
        instead = RuntimeError(f"{kind} was raised {where}; only what a stream iterates over may end a pass")
        instead.__cause__ = error
        return instead
    error.add_note(where)
    return error  # type: ignore[return-value]


def note(error: BaseException, where: str) -> None:
    """Adds to an error that is being handled where it happened; raises another in place of one that would end the pass."""
    instead = as_error(error, where)
    if instead is not error:
        raise instead


class BatchMaker:
    """Makes batches of one dataset, in the loader's process or in a worker.

    Whole batches go through the batch functions of ``megengine.data.vectorise`` as long as these can serve them. A dataset
    with a method ``__getitems__`` gets all indices of a batch in one call.

    Args:
        dataset: what is indexed; None for streams.
        transform: object with ``apply_batch``, for streams ``apply``.
        collator: object with ``apply``.

    Example:
        >>> from megengine.data import Collator
        >>> from megengine.data.dataset import ArrayDataset
        >>> from megengine.data.transform import PseudoTransform
        >>> BatchMaker(ArrayDataset([5, 6, 7]), PseudoTransform(), Collator()).of_indices([2, 0], 0)
        [array([7, 5])]
    """

    def __init__(self, dataset: Any, transform: Any, collator: Any) -> None:
        self.dataset = dataset
        self.transform = transform
        self.collator = collator
        self._load_whole = None if dataset is None else batch_pipeline(dataset, transform, collator)
        fetch_many = getattr(dataset, "__getitems__", None)
        self._fetch_many = fetch_many if callable(fetch_many) else None

    def of_indices(self, indices: Any, number: int) -> Any:
        """The batch of these indices; ``number`` says in messages which batch of the pass it is."""
        if self._load_whole is not None:
            try:
                batch = self._load_whole(indices)
            except ENDING as error:
                note(error, f"while making batch {number} of the samples {_listed(indices)}")
            if batch is not NotImplemented:
                return batch
            self._load_whole = None
        samples = _Watched(self._fetch(indices, number))
        try:
            done = self.transform.apply_batch(samples)
        except _ERRORS as error:
            which = f"samples {_listed(indices)}" if samples.at < 0 else f"sample {list(indices)[samples.at]!r}"
            note(error, f"while transforming {which} for batch {number}")
            raise
        try:
            return self.collator.apply(done)
        except _ERRORS as error:
            note(error, f"while collating batch {number} of the samples {_listed(indices)}")
            raise

    def of_samples(self, samples: Sequence[Any], number: int) -> Any:
        """The batch of samples that a stream gave, not yet transformed."""
        done: list[Any] = []
        try:
            for sample in samples:
                done.append(self.transform.apply(sample))
        except _ERRORS as error:
            note(error, f"while transforming sample {len(done)} of batch {number} of the stream")
            raise
        return self.of_transformed(done, number)

    def of_transformed(self, samples: Sequence[Any], number: int) -> Any:
        """The batch of samples that are transformed already."""
        try:
            return self.collator.apply(samples)
        except _ERRORS as error:
            note(error, f"while collating batch {number} of the stream")
            raise

    def _fetch(self, indices: Any, number: int) -> list[Any]:
        samples: list[Any] = []
        index: Any = None
        try:
            if self._fetch_many is not None:
                index = _listed(indices)
                return list(self._fetch_many(indices))
            for index in indices:
                samples.append(self.dataset[index])
        except _ERRORS as error:
            note(error, f"while fetching sample {index} for batch {number}")
            raise
        return samples


class _Watched(list[Any]):
    """A list that knows which of its entries a loop over it is at; -1 where that does not say what an error is about."""

    at = -1

    def __iter__(self) -> Iterator[Any]:
        for self.at, sample in enumerate(super().__iter__()):
            yield sample
        self.at = -1


def _listed(indices: Any, most: int = 16) -> str:
    """The indices for a message, the first ones of many."""
    indices = list(indices)
    more = f", and {len(indices) - most} more" if len(indices) > most else ""
    return ", ".join(map(repr, indices[:most])) + more


def take(
    stream: Iterator[Any], count: int, function: Callable[[Any], Any] | None = None, what: str = "the stream"
) -> list[Any]:
    """The next samples of a stream, or a function's results for them; fewer than ``count`` at its end.

    Args:
        stream: what gives samples.
        count: how many to take.
        function: a transform, applied to each; default none.
        what: what they are for, in messages.

    Returns:
        A list of at most ``count`` entries.

    Example:
        >>> take(iter("abc"), 2, str.upper)
        ['A', 'B']
    """
    taken: list[Any] = []
    while len(taken) < count:
        try:
            sample = next(stream)
        except StopIteration:
            break
        except RuntimeError as error:
            # MegEngine's examples end a generator by a StopIteration inside of it, which Python turns into this.
            if not isinstance(error.__cause__, StopIteration) or error.args != ("generator raised StopIteration",):
                raise
            break
        if function is None:
            taken.append(sample)
            continue
        try:
            taken.append(function(sample))
        except _ERRORS as error:
            note(error, f"while transforming sample {len(taken)} of {what}")
            raise
    return taken
