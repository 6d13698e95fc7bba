"""The data loader: dataset, sampler, transform and collator joined into an iterable of batches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from .._help.describe import described
from .._help.ranges import within
from ..logger import get_logger
from .batching import ENDING, note
from .collator import Collator
from .dataset.meta_dataset import Dataset, StreamDataset
from .iterators import MapBatches, Preloading, StreamBatches, Timed, raise_timeout, raw_batches, stream_batches
from .position import Position
from .sampler import MapSampler, Sampler, SequentialSampler, StreamSampler
from .transform import PseudoTransform, Transform
from .worker_info import WorkerInfo, get_worker_info
from .workers.seeding import draw_pass_seed

__all__ = ["DataLoader", "WorkerInfo", "get_worker_info"]

logger = get_logger(__name__)


class DataLoader:
    """Iterates over a dataset in batches.

    For each list of indices that the sampler gives, the samples are fetched, transformed and collated. Where the dataset
    holds arrays, the transform works on arrays of any number of dimensions (as ``Normalize`` does) and the collator is the
    default one, whole batches are gathered and transformed at once, with the same results;
    ``megengine.data.vectorise`` says how a class of your own takes part. Each ``iter()`` starts a new pass.

    With workers, batches come in the same order and of the same samples. Random draws of NumPy's global generator and of
    ``random`` are seeded anew for each batch, from ``megengine.random.seed``, and do not depend on how many workers there are.
    Large arrays of a batch lie in memory shared with the worker. The guide's page on data says what workers get to
    know of the program, and what happens when one fails.

    Args:
        dataset: where samples come from: a :class:`~.Dataset`, or anything with ``__getitem__`` and ``__len__``, is indexed; a
            :class:`~.StreamDataset`, or anything with ``__iter__``, is iterated over.
        sampler: which samples make a batch: a :class:`~.MapSampler`, for a stream a :class:`~.StreamSampler`; by default
            each sample is a batch, in order.
        transform: what is done to the samples; default nothing.
        collator: what merges samples into a batch; default :class:`~.Collator`.
        num_workers: number of worker processes that make batches ahead; 0 makes each batch here when it is asked for.
        timeout: seconds that a batch may take, 0 for no limit; only for streams and with workers.
        preload: give Tensors in place of arrays, one batch ahead on its way to the device.
        parallel_stream: let each of ``num_workers`` iterate over the stream for itself, their batches taking turns;
            ``get_worker_info`` tells the dataset which worker it serves. Otherwise this process iterates, and the workers
            transform and collate.
        timeout_event: called without arguments when a batch takes longer than ``timeout``; default raises RuntimeError. If it
            returns, the wait goes on.

    Raises:
        ValueError: if ``num_workers`` or ``timeout`` is negative.
        TypeError: if ``num_workers`` is not an integer, or transform or collator lack the methods of their base classes.
        AssertionError: if ``dataset`` can be neither indexed nor iterated over, or the sampler is of the wrong kind for it.

    Example:
        >>> from megengine.data import DataLoader, SequentialSampler
        >>> from megengine.data.dataset import ArrayDataset
        >>> from megengine.data.transform import Normalize
        >>> dataset = ArrayDataset(np.arange(12.0).reshape(3, 4), np.array([0, 1, 2]))
        >>> loader = DataLoader(dataset, SequentialSampler(dataset, batch_size=2), Normalize(mean=4.0, std=2.0))
        >>> for image, label in loader:
        ...     print(image.shape, image.mean(), label)
        (2, 4) -0.25 [0 1]
        (1, 4) 2.75 [2]
    """

    def __init__(
        self,
        dataset: Dataset | Any,
        sampler: Sampler | None = None,
        transform: Transform | None = None,
        collator: Collator | None = None,
        num_workers: int = 0,
        timeout: float = 0,
        preload: bool = False,
        parallel_stream: bool = False,
        *,
        timeout_event: Callable[[], Any] | None = None,
    ) -> None:
        if not isinstance(num_workers, int):
            raise TypeError(f"num_workers must be an integer, not {num_workers!r}")
        if num_workers < 0:
            raise ValueError(f"num_workers must not be negative, but is {num_workers}")
        within("timeout", timeout, 0)
        self.dataset = dataset
        self.num_workers = num_workers
        self.timeout = timeout
        self.timeout_event = partial(raise_timeout, timeout) if timeout_event is None else timeout_event
        self.preload = preload
        self.parallel_stream = parallel_stream
        self.datakind = _kind_of(dataset)
        self.sampler: Any = self._check_sampler(sampler)
        self.transform = PseudoTransform() if transform is None else transform
        self.collator = Collator() if collator is None else collator
        method = "apply" if self.datakind == "stream" else "apply_batch"
        for role, part, name in (("transform", self.transform, method), ("collator", self.collator, "apply")):
            if not callable(getattr(part, name, None)):
                raise TypeError(f"{role} must have a method {name}(), but is {part!r}")
        self._position: Position | None = None
        self._resume_from: Mapping[str, Any] | None = None
        self._without_workers = num_workers == 0

    def _check_sampler(self, sampler: Sampler | None) -> Sampler:
        kind = StreamSampler if self.datakind == "stream" else MapSampler
        if sampler is None:
            return StreamSampler() if self.datakind == "stream" else SequentialSampler(self.dataset)
        if not isinstance(sampler, kind):
            raise AssertionError(
                f"{type(self.dataset).__name__} needs a {kind.__name__}, but the sampler is a {type(sampler).__name__}"
            )
        return sampler

    def __iter__(self) -> Iterator[Any]:
        position = self._begin()
        batches = None if self._without_workers else self._by_workers(position)
        if batches is None:
            batches = self._here(position)
        if self.preload:
            batches = Preloading(batches)
        return Batches(batches, position, self.sampler)

    def _begin(self) -> Position:
        """A new pass, or the one to go on with."""
        state, self._resume_from = self._resume_from, None
        if state is None:
            seed = draw_pass_seed() if self.num_workers else 0
            self._position = Position(0, seed, _state_of(self.sampler))
        else:
            if state["sampler"] is not None:
                self.sampler.load_state_dict(state["sampler"])
            self._position = Position(state["batches"], state["seed"], state["sampler"])
        return self._position

    def _here(self, position: Position) -> Iterator[Any]:
        """The batches of a pass, made in this process."""
        batches: Iterator[Any]
        if self.datakind == "stream":
            batches = StreamBatches(stream_batches(self, position))
        else:
            batches = MapBatches(self, self._indices(position), position.number)
        if self.timeout > 0 and (self.datakind == "stream" or self.num_workers):
            return Timed(batches, self.timeout, self.timeout_event)
        return batches

    def _by_workers(self, position: Position) -> Iterator[Any] | None:
        """The batches of a pass, made by workers, or None if there can be none."""
        from .workers.starting import batches_of_workers

        work: Iterator[Any] | None = None
        if self.datakind == "map":
            work = self._indices(position)
        elif not self.parallel_stream:
            work = raw_batches(iter(self.dataset), self.sampler.batch_size)
            if self.timeout > 0:
                work = Timed(work, self.timeout, self.timeout_event)
            work = islice(work, position.number, None)
        batches = batches_of_workers(self, work, position)
        self._without_workers = batches is None
        return batches

    def _indices(self, position: Position) -> Iterator[Any]:
        try:
            indices = iter(self.sampler)
        except ENDING as error:
            note(error, f"by __iter__ of {type(self.sampler).__name__}")
        return islice(indices, position.number, None) if position.number else indices

    def __len__(self) -> int:
        return len(self.sampler)

    def __repr__(self) -> str:
        known = vars(self)
        parts = [described(known["dataset"])] if "dataset" in known else []
        parts += [f"{name}={described(known[name])}" for name in ("sampler", "transform", "collator") if name in known]
        parts += [f"{name}={known[name]!r}" for name in ("num_workers", "timeout", "preload") if known.get(name)]
        return f"{type(self).__name__}({', '.join(parts)})"

    def state_dict(self) -> dict[str, Any]:
        """Where the latest pass is, for a later run of the program to go on from.

        Batches that were made ahead but not given yet do not count. The sampler's random order is part of the state; the draws of
        transforms are as well if there are workers, with any number of them.

        Returns:
            A dict to be pickled, with the number of batches given, the pass's seed and the sampler's state at its beginning.

        Example:
            >>> from megengine.data import DataLoader, RandomSampler
            >>> from megengine.data.dataset import ArrayDataset
            >>> dataset = ArrayDataset(np.arange(5))
            >>> loader = DataLoader(dataset, RandomSampler(dataset, batch_size=2, seed=1))
            >>> batches = iter(loader)
            >>> first, state = next(batches), loader.state_dict()
            >>> other = DataLoader(dataset, RandomSampler(dataset, batch_size=2))
            >>> other.load_state_dict(state)
            >>> [batch[0].tolist() for batch in other] == [batch[0].tolist() for batch in batches]
            True
        """
        if self._resume_from is not None:
            return dict(self._resume_from)
        position = self._position
        if position is None or position.ended:
            return {
                "batches": 0,
                "seed": draw_pass_seed() if self.num_workers else 0,
                "sampler": _state_of(self.sampler),
            }
        return {"batches": position.number, "seed": position.seed, "sampler": position.sampler}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Has the next ``iter()`` go on where the state was taken.

        A sampler draws its order again and leaves out what was given; a stream is read again and its first samples are dropped.

        Args:
            state: what :meth:`state_dict` returned.

        Raises:
            KeyError: if it is not such a state.
        """
        missing = {"batches", "seed", "sampler"} - state.keys()
        if missing:
            raise KeyError(f"not a loader's state: {', '.join(sorted(missing))} is missing")
        self._resume_from = dict(state)

    def check_memory_rationality(self) -> None:
        """Warns through ``logging`` if ``num_workers`` copies of this process would not fit into the memory.

        Example:
            >>> from megengine.data import DataLoader
            >>> from megengine.data.dataset import ArrayDataset
            >>> DataLoader(ArrayDataset([1, 2])).check_memory_rationality()
        """
        used, limit = _resident_bytes(), _memory_limit()
        if used is None or limit is None:
            return
        needed = (self.num_workers + 1) * used
        if needed > limit:
            logger.warning(
                "%d workers may come to need %.1f GiB of memory, %.1f GiB each, but there are %.1f GiB: use fewer workers, or "
                "keep the data set's lists in arrays, which workers share",
                self.num_workers,
                needed / 2**30,
                used / 2**30,
                limit / 2**30,
            )


class Batches:
    """What ``iter(loader)`` returns: gives the batches and counts them."""

    def __init__(self, batches: Iterator[Any], position: Position, sampler: Any) -> None:
        self._batches = batches
        self._position = position
        self._sampler = sampler

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> Any:
        try:
            batch = next(self._batches)
        except StopIteration:
            self._position.ended = True
            raise
        except Exception:
            self._position.failed()
            raise
        self._position.got()
        return batch

    def __len__(self) -> int:
        return len(self._sampler)


def _kind_of(dataset: Any) -> str:
    """``"map"`` or ``"stream"``; foreign datasets are known by their methods."""
    if isinstance(dataset, StreamDataset):
        return "stream"
    if isinstance(dataset, Dataset):
        return "map"
    if type(dataset).__module__ == "builtins":
        raise AssertionError(
            f"dataset must be a Dataset, not {type(dataset).__name__}: ArrayDataset makes one of sequences"
        )
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):
        return "map"
    if hasattr(dataset, "__iter__"):
        return "stream"
    raise AssertionError(
        f"dataset must be a Dataset or have __getitem__ and __len__ or __iter__, which {type(dataset).__name__} has not"
    )


def _state_of(sampler: Any) -> Any:
    state_dict = getattr(sampler, "state_dict", None)
    return None if state_dict is None else state_dict()


def _resident_bytes() -> int | None:
    """The memory that this process has in use, None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _memory_limit() -> int | None:
    """The memory that this process may use: the least of the machine's and of the control group's."""
    limits = []
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(path).read_text()))
        except (OSError, ValueError):
            continue  # another version of control groups, or no limit ("max")
    try:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError):
        return min(limits, default=None)
    return min(limits)
