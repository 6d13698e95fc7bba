"""The data loader: dataset, sampler, transform and collator joined into an iterable of batches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..logger import get_logger
from .collator import Collator
from .dataset.meta_dataset import Dataset, StreamDataset
from .iterators import MapIterator, Preloading, Timed, stream_batches
from .sampler import MapSampler, Sampler, SequentialSampler, StreamSampler
from .transform import PseudoTransform, Transform
from .worker_info import WorkerInfo, get_worker_info

__all__ = ["DataLoader", "WorkerInfo", "get_worker_info"]

logger = get_logger(__name__)

_told: set[str] = set()


def _say_once(message: str) -> None:
    if message not in _told:
        _told.add(message)
        logger.warning(message)


class DataLoader:
    """Iterates over a dataset in batches.

    For each list of indices that the sampler gives, the samples are fetched, transformed and collated. Where the dataset
    holds arrays, the transform works on arrays of any number of dimensions (as ``Normalize`` does) and the collator is the
    default one, whole batches are gathered and transformed at once, with the same results;
    :mod:`megengine.data.vectorise` says how a class of your own takes part. Each ``iter()`` starts a new pass.

    Args:
        dataset: where samples come from; a :class:`~.StreamDataset` is iterated over, any other is indexed.
        sampler: which samples make a batch: a :class:`~.MapSampler`, for a stream a :class:`~.StreamSampler`; by default
            each sample is a batch, in order.
        transform: what is done to the samples; default nothing.
        collator: what merges samples into a batch; default :class:`~.Collator`.
        num_workers: number of worker processes. Batches are made in this process so far, the same ones in the same order.
        timeout: seconds that a batch may take, 0 for no limit; only for streams and with workers.
        preload: give Tensors in place of arrays, one batch ahead on its way to the device.
        parallel_stream: let each of ``num_workers`` iterate over the stream for itself, their batches taking turns;
            :func:`get_worker_info` tells the dataset which worker it serves.

    Raises:
        ValueError: if ``num_workers`` or ``timeout`` is negative.
        TypeError: if ``num_workers`` is not an integer, or transform or collator lack the methods of their base classes.
        AssertionError: if ``dataset`` is not a Dataset, or the sampler is of the wrong kind for it.

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
        dataset: Dataset,
        sampler: Sampler | None = None,
        transform: Transform | None = None,
        collator: Collator | None = None,
        num_workers: int = 0,
        timeout: int = 0,
        preload: bool = False,
        parallel_stream: bool = False,
    ) -> None:
        if not isinstance(num_workers, int):
            raise TypeError(f"num_workers must be an integer, not {num_workers!r}")
        if num_workers < 0:
            raise ValueError(f"num_workers must not be negative, but is {num_workers}")
        if timeout < 0:
            raise ValueError(f"timeout must not be negative, but is {timeout}")
        if not isinstance(dataset, Dataset):
            raise AssertionError(f"dataset must be a Dataset, not {type(dataset).__name__}")
        self.dataset = dataset
        self.num_workers = num_workers
        self.timeout = timeout
        self.preload = preload
        self.parallel_stream = parallel_stream
        self.datakind = "stream" if isinstance(dataset, StreamDataset) else "map"
        self.sampler: Any = self._check_sampler(sampler)
        self.transform = PseudoTransform() if transform is None else transform
        self.collator = Collator() if collator is None else collator
        method = "apply" if self.datakind == "stream" else "apply_batch"
        for role, part, name in (("transform", self.transform, method), ("collator", self.collator, "apply")):
            if not callable(getattr(part, name, None)):
                raise TypeError(f"{role} must have a method {name}(), but is {part!r}")
        if num_workers:
            _say_once("num_workers: batches are made in this process, with the same samples in the same order")

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
        batches: Iterator[Any]
        if self.datakind == "stream":
            batches = stream_batches(self)
        else:
            batches = MapIterator(self)
        if self.timeout > 0 and (self.datakind == "stream" or self.num_workers):
            batches = Timed(batches, self.timeout)
        return Preloading(batches) if self.preload else batches

    def __len__(self) -> int:
        return len(self.sampler)

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
