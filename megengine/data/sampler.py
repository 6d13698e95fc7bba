"""Samplers: which samples make up each batch, in which order, and on which rank."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any

import numpy as np

from .._help.describe import plural, settings

__all__ = [
    "Infinite",
    "MapSampler",
    "RandomSampler",
    "ReplacementSampler",
    "Sampler",
    "SequentialSampler",
    "StreamSampler",
]


def process_group() -> tuple[int, int]:
    """(world size, rank) of this process; where the distributed package was never imported there can be no group."""
    distributed = sys.modules.get("megengine.distributed")
    if distributed is None or not distributed.is_distributed():
        return 1, 0
    return distributed.get_world_size(), distributed.get_rank()


def _check_positive(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} must be a positive integer, not {value!r}")


def _as_sequence(name: str, value: Any) -> Sequence[Any] | None:
    """A list of a 1-D array, and a sequence or None as it is."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return value.tolist()
    if value is not None and not isinstance(value, Sequence):
        raise ValueError(f"{name} must be None or a sequence, not {value!r}")
    return value


class Sampler(ABC):
    """Base of all samplers.

    Example:
        >>> from megengine.data import Sampler, SequentialSampler, StreamSampler
        >>> issubclass(SequentialSampler, Sampler), issubclass(StreamSampler, Sampler)
        (True, True)
    """

    @abstractmethod
    def __init__(self) -> None: ...


class MapSampler(Sampler):
    """Base of the samplers of datasets with an index: iterating gives lists of indices, one list a batch.

    A subclass defines :meth:`sample`, the indices of one pass. Over several ranks, :meth:`scatter` gives each rank its share,
    ``ceil(samples / world_size)`` indices.

    With ``pad=False`` the ranks' shares are the plain ones instead, every index once, and differ in size by up to one.

    Args:
        dataset: what to sample from; only its length is used.
        batch_size: indices in a batch.
        drop_last: leave out a last batch that is smaller than ``batch_size``.
        num_samples: indices of one pass over all ranks; default ``len(dataset)``.
        world_size: number of ranks; default that of the process group, 1 without one.
        rank: which of them this is, 0 to ``world_size - 1``; default that of the process group.
        seed: seed of the draws, which follow NumPy's legacy ``RandomState`` as MegEngine's do. By default each sampler
            draws its own, but over several ranks 0, because all must draw alike.
        pad: let all ranks have equally many indices, by giving the first ones twice where their number does not divide, as
            MegEngine does; False gives each index to one rank only.

    Raises:
        ValueError: if an argument is not of the stated kind, or a rank's share is smaller than one batch.

    Example:
        >>> from megengine.data import MapSampler
        >>> class EvenFirst(MapSampler):
        ...     def sample(self):
        ...         return sorted(range(len(self.dataset)), key=lambda i: i % 2)
        >>> list(EvenFirst(range(5), batch_size=2))
        [[0, 2], [4, 1], [3]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        drop_last: bool = False,
        num_samples: int | None = None,
        world_size: int | None = None,
        rank: int | None = None,
        seed: int | None = None,
        *,
        pad: bool = True,
    ) -> None:
        _check_positive("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last must be True or False, not {drop_last!r}")
        if num_samples is not None:
            _check_positive("num_samples", num_samples)
        group_size, group_rank = process_group()
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.world_size = group_size if world_size is None else world_size
        self.rank = group_rank if rank is None else rank
        _check_positive("world_size", self.world_size)
        if not 0 <= self.rank < self.world_size:
            raise ValueError(f"rank must be from 0 to {self.world_size - 1}, not {self.rank!r}")
        self.pad = pad
        self.num_samples = self._share(len(dataset) if num_samples is None else num_samples)
        if self.num_samples < batch_size:
            raise ValueError(f"batch_size={batch_size} is more than the {self.num_samples} samples of a rank")
        if seed is None and self.world_size > 1:
            seed = 0
        self.rng = np.random.RandomState(seed)

    def __repr__(self) -> str:
        known = vars(self)
        shown: dict[str, Any] = {name: known[name] for name in ("batch_size", "drop_last") if name in known}
        if known.get("world_size", 1) > 1:
            shown["rank"], shown["world_size"] = known.get("rank"), known["world_size"]
        parts = [plural(known["num_samples"], "sample")] if "num_samples" in known else []
        return f"{type(self).__name__}({', '.join([*parts, *([settings(shown)] if shown else [])])})"

    def _share(self, total: int) -> int:
        return math.ceil(total / self.world_size) if self.pad else len(range(self.rank, total, self.world_size))

    def __iter__(self) -> Iterator[list[Any]]:
        return self.batch()

    def __len__(self) -> int:
        return self.num_samples // self.batch_size if self.drop_last else math.ceil(self.num_samples / self.batch_size)

    def state_dict(self) -> dict[str, Any]:
        """The state of the random draws; taken before a pass, it has the pass drawn again.

        A sampler with draws from elsewhere overrides this and :meth:`load_state_dict`.

        Example:
            >>> from megengine.data import RandomSampler
            >>> sampler = RandomSampler(range(5), batch_size=5)
            >>> state = sampler.state_dict()
            >>> order = list(sampler)
            >>> sampler.load_state_dict(state)
            >>> list(sampler) == order
            True
        """
        return {"rng": self.rng.get_state(legacy=False)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes back to a state that :meth:`state_dict` returned."""
        self.rng.set_state(state["rng"])

    def sample(self) -> Iterable[Any]:
        """Returns the indices of one pass, over all ranks."""
        raise NotImplementedError(f"{type(self).__name__} does not define sample()")

    def scatter(self, indices: list[Any]) -> list[Any]:
        """Picks this rank's share: every ``world_size``-th index, so that all ranks get equally many.

        Args:
            indices: the indices of all ranks; the first ones are appended once more to fill up the last ranks' share.

        Returns:
            The ``num_samples`` indices of this rank.

        Example:
            >>> from megengine.data import SequentialSampler
            >>> sampler = SequentialSampler(range(5), world_size=2, rank=1)
            >>> sampler.scatter([10, 11, 12, 13, 14])
            [11, 13, 10]
        """
        if not self.pad:
            return indices[self.rank :: self.world_size]
        total = self.num_samples * self.world_size
        while indices and len(indices) < total:
            indices += indices[: total - len(indices)]
        if len(indices) != total:
            raise AssertionError(
                f"{len(indices)} indices cannot be shared by {self.world_size} ranks of {self.num_samples}"
            )
        return indices[self.rank : total : self.world_size]

    def batch(self) -> Iterator[list[Any]]:
        """Yields the lists of indices that make up this rank's batches."""
        indices = list(self.sample())
        if self.world_size > 1:
            indices = self.scatter(indices)
        for start in range(0, len(indices), self.batch_size):
            batch = indices[start : start + self.batch_size]
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch


class StreamSampler(Sampler):
    """The sampler of streams: it only says how many samples make a batch.

    Over several ranks each iterates over the whole stream, unless the dataset itself asks for its rank.

    Args:
        batch_size: samples in a batch.

    Raises:
        ValueError: if ``batch_size`` is not a positive integer.

    Example:
        >>> from megengine.data import StreamSampler
        >>> next(iter(StreamSampler(batch_size=3)))
        [0, 1, 2]
    """

    def __init__(self, batch_size: int = 1) -> None:
        _check_positive("batch_size", batch_size)
        self.batch_size = batch_size

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_size={vars(self).get('batch_size')})"

    def __iter__(self) -> Iterator[list[Any]]:
        return self.batch()

    def batch(self) -> Iterator[list[Any]]:
        """Yields lists of ``batch_size`` consecutive positions, without end unless :meth:`sample` ends."""
        positions = iter(self.sample())
        while len(batch := list(islice(positions, self.batch_size))) == self.batch_size:
            yield batch

    def sample(self) -> Iterable[Any]:
        """Returns the positions 0, 1, 2 and so on."""
        return count()


class SequentialSampler(MapSampler):
    """Takes the samples in their order.

    Args:
        dataset: what to sample from.
        batch_size: indices in a batch.
        drop_last: leave out a last batch that is smaller than ``batch_size``.
        indices: the indices to take, in this order; default all of the dataset.
        world_size: number of ranks; default that of the process group, 1 without one.
        rank: which of them this is; default that of the process group.
        pad: let all ranks have equally many indices, by giving the first ones twice where their number does not divide, as
            MegEngine does; False gives each index to one rank only.

    Raises:
        ValueError: if an argument is not of the stated kind, or a rank's share is smaller than one batch.

    Example:
        >>> from megengine.data import SequentialSampler
        >>> list(SequentialSampler(range(5), batch_size=2))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        drop_last: bool = False,
        indices: Sequence[Any] | np.ndarray | None = None,
        world_size: int | None = None,
        rank: int | None = None,
        *,
        pad: bool = True,
    ) -> None:
        super().__init__(dataset, batch_size, drop_last, None, world_size, rank, pad=pad)
        self.indices = _as_sequence("indices", indices)
        if self.indices is not None:
            self.num_samples = self._share(len(self.indices))

    def sample(self) -> Iterable[Any]:
        """Returns the indices in order."""
        return range(len(self.dataset)) if self.indices is None else self.indices


class RandomSampler(MapSampler):
    """Takes each sample once, in an order drawn anew for each pass.

    Args:
        dataset: what to sample from.
        batch_size: indices in a batch.
        drop_last: leave out a last batch that is smaller than ``batch_size``.
        indices: the indices to shuffle; default all of the dataset.
        world_size: number of ranks; default that of the process group, 1 without one.
        rank: which of them this is; default that of the process group.
        seed: seed of the order; the passes of one sampler differ.
        pad: let all ranks have equally many indices, by giving the first ones twice where their number does not divide, as
            MegEngine does; False gives each index to one rank only.

    Raises:
        ValueError: if an argument is not of the stated kind, or a rank's share is smaller than one batch.

    Example:
        >>> from megengine.data import RandomSampler
        >>> list(RandomSampler(range(5), batch_size=2, seed=0))
        [[2, 0], [1, 3], [4]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        drop_last: bool = False,
        indices: Sequence[Any] | np.ndarray | None = None,
        world_size: int | None = None,
        rank: int | None = None,
        seed: int | None = None,
        *,
        pad: bool = True,
    ) -> None:
        super().__init__(dataset, batch_size, drop_last, None, world_size, rank, seed, pad=pad)
        self.indices = _as_sequence("indices", indices)
        if self.indices is not None:
            self.num_samples = self._share(len(self.indices))

    def sample(self) -> Iterable[Any]:
        """Returns the indices in a new random order."""
        drawn_from: Any = len(self.dataset) if self.indices is None else self.indices
        return self.rng.permutation(drawn_from).tolist()


class ReplacementSampler(MapSampler):
    """Draws each index independently, so that samples may repeat.

    Args:
        dataset: what to sample from.
        batch_size: indices in a batch.
        drop_last: leave out a last batch that is smaller than ``batch_size``.
        num_samples: indices of one pass over all ranks; default ``len(dataset)``.
        weights: how often each sample is drawn in proportion to the others, one number a sample; default equally often.
        world_size: number of ranks; default that of the process group, 1 without one.
        rank: which of them this is; default that of the process group.
        seed: seed of the draws; the passes of one sampler differ.

    Raises:
        ValueError: if an argument is not of the stated kind, there is not one weight a sample, or a rank's share is
            smaller than one batch.

    Example:
        >>> from megengine.data import ReplacementSampler
        >>> list(ReplacementSampler(range(3), batch_size=2, num_samples=6, weights=[0, 1, 3], seed=0))
        [[2, 2], [2, 2], [2, 2]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        drop_last: bool = False,
        num_samples: int | None = None,
        weights: Sequence[float] | np.ndarray | None = None,
        world_size: int | None = None,
        rank: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(dataset, batch_size, drop_last, num_samples, world_size, rank, seed)
        weights = _as_sequence("weights", weights)
        if weights is not None and len(weights) != len(dataset):
            raise ValueError(f"there must be one weight a sample: {len(weights)} weights, {len(dataset)} samples")
        self.weights = None if weights is None else np.array(weights) / sum(weights)

    def sample(self) -> Iterable[Any]:
        """Returns newly drawn indices."""
        size = self.num_samples * self.world_size
        return self.rng.choice(len(self.dataset), size=size, replace=True, p=self.weights).tolist()


class Infinite(MapSampler):
    """Starts another sampler over whenever it ends; what it lacks itself it takes from that sampler.

    Args:
        sampler: the sampler to repeat.

    Example:
        >>> from megengine.data import Infinite, SequentialSampler
        >>> batches = Infinite(SequentialSampler(range(3), batch_size=2))
        >>> [next(batches) for _ in range(3)]
        [[0, 1], [2], [0, 1]]
    """

    def __init__(self, sampler: MapSampler) -> None:
        self.sampler = sampler
        self._begin()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({vars(self).get('sampler')!r})"

    def _begin(self) -> None:
        """Starts the sampler over."""
        self._state = self.sampler.state_dict()
        self._taken = 0
        self.sampler_iter = iter(self.sampler)

    def sample(self) -> Iterable[Any]:
        """Is not defined: the indices of a pass without end cannot be listed."""
        raise NotImplementedError("Infinite has no sample(): its indices have no end")

    def __iter__(self) -> Iterator[list[Any]]:
        return self

    def __next__(self) -> list[Any]:
        batch = next(self.sampler_iter, None)
        if batch is None:
            self._begin()
            batch = next(self.sampler_iter, None)
            if batch is None:
                raise RuntimeError(f"{self.sampler!r} gives no batch, so it cannot be repeated without end")
        self._taken += 1
        return batch

    def state_dict(self) -> dict[str, Any]:
        """The sampler's state when it last started, and how many batches were taken since."""
        return {"sampler": self._state, "taken": self._taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes back to a state that :meth:`state_dict` returned."""
        self.sampler.load_state_dict(state["sampler"])
        self._begin()
        for _ in range(state["taken"]):
            next(self)

    def __len__(self) -> int:
        return int(np.iinfo(np.int64).max)

    def __getattr__(self, name: str) -> Any:
        if name == "sampler":  # not set yet, as while unpickling
            raise AttributeError(name)
        return getattr(self.sampler, name)
