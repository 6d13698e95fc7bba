"""The kinds of datasets: by index, as a stream, of arrays in memory, and several in a row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from ..vectorise import vectorised

__all__ = ["ArrayDataset", "ConcatDataset", "Dataset", "StreamDataset", "gather_arrays"]


class Dataset(ABC):
    """Base of all datasets whose samples are fetched by index.

    A subclass defines ``__init__``, ``__getitem__(index)``, which returns one sample, usually a tuple of NumPy arrays and
    numbers, and ``__len__``.

    Example:
        >>> from megengine.data.dataset import Dataset
        >>> class Squares(Dataset):
        ...     def __init__(self, count):
        ...         self.count = count
        ...     def __getitem__(self, index):
        ...         return index, index * index
        ...     def __len__(self):
        ...         return self.count
        >>> Squares(10)[3]
        (3, 9)
    """

    def __init__(self) -> None:
        return

    @abstractmethod
    def __getitem__(self, index: Any) -> Any: ...

    @abstractmethod
    def __len__(self) -> int: ...


class StreamDataset(Dataset):
    """Base of all datasets whose samples come one after another, without a length or an index.

    A subclass defines ``__init__`` and ``__iter__``. A generator may end by returning, or, as MegEngine's own examples do, by a
    StopIteration that it does not catch. With ``parallel_stream=True`` each worker of the loader iterates for itself, and
    ``megengine.data.dataloader.get_worker_info`` tells which one it is.

    Example:
        >>> from megengine.data import DataLoader, StreamSampler
        >>> from megengine.data.dataset import StreamDataset
        >>> class Countdown(StreamDataset):
        ...     def __init__(self, start):
        ...         self.start = start
        ...     def __iter__(self):
        ...         yield from range(self.start, 0, -1)
        >>> list(DataLoader(Countdown(4), StreamSampler(batch_size=2)))
        [array([4, 3]), array([2, 1])]
    """

    @abstractmethod
    def __iter__(self) -> Iterator[Any]: ...

    def __getitem__(self, idx: Any) -> Any:
        raise AssertionError(f"{type(self).__name__} is a stream: it has no sample {idx!r}, iterate over it")

    def __len__(self) -> int:
        raise AssertionError(f"{type(self).__name__} is a stream: it has no length")


def _is_stackable(array: Any) -> bool:
    """Whether stacking single entries of the array gives what indexing it with a list gives."""
    return type(array) in (np.ndarray, np.memmap) and array.dtype.kind in "biufc" and array.dtype.isnative


def _is_index(kind: type) -> bool:
    return kind is int or issubclass(kind, np.integer)


def gather_arrays(dataset: Any, indices: Sequence[int]) -> Any:
    """The batch function of a dataset whose sample ``i`` is the ``i``-th entry of each of its ``arrays``.

    Args:
        dataset: object with the attribute ``arrays``.
        indices: a list or tuple of integers; negative ones count from the end.

    Returns:
        A tuple of the gathered arrays, or ``NotImplemented`` for other kinds of indices or of arrays.

    Raises:
        IndexError: if an index is out of range.

    Example:
        >>> from megengine.data.dataset import ArrayDataset
        >>> gather_arrays(ArrayDataset(np.arange(10) * 2), [1, -1])
        (array([ 2, 18]),)
    """
    if not isinstance(indices, list | tuple) or not all(_is_index(kind) for kind in set(map(type, indices))):
        return NotImplemented
    where = np.array(indices)
    if where.dtype.kind != "i" or not all(map(_is_stackable, dataset.arrays)):
        return NotImplemented
    # take() is the faster of the two, but copies an array that is not contiguous as a whole.
    return tuple(
        np.asarray(array).take(where, axis=0) if array.flags.c_contiguous else np.asarray(array)[where]
        for array in dataset.arrays
    )


class ArrayDataset(Dataset):
    """Arrays of equal length as a dataset: sample ``i`` is the tuple of their ``i``-th entries.

    Args:
        *arrays: arrays, or other sequences, all of the same length. NumPy arrays of numbers are batched as a whole.

    Raises:
        ValueError: if there is no array, or if lengths differ.

    Example:
        >>> from megengine.data.dataset import ArrayDataset
        >>> dataset = ArrayDataset(np.zeros((5, 28, 28), np.uint8), np.arange(5))
        >>> image, label = dataset[2]
        >>> image.shape, int(label), len(dataset)
        ((28, 28), 2, 5)
    """

    def __init__(self, *arrays: Any) -> None:
        if not arrays:
            raise ValueError("ArrayDataset needs at least one array")
        if len({len(array) for array in arrays}) > 1:
            raise ValueError(f"all arrays must have one length, not {[len(array) for array in arrays]}")
        self.arrays = arrays

    @vectorised(gather_arrays)
    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(array[index] for array in self.arrays)

    def __len__(self) -> int:
        return len(self.arrays[0])


class ConcatDataset(Dataset):
    """Several datasets in a row, seen as one.

    Args:
        datasets: the datasets, at least one, none of them a stream.

    Raises:
        AssertionError: if there is no dataset, or one is a stream.

    Example:
        >>> from megengine.data.dataset import ArrayDataset, ConcatDataset
        >>> dataset = ConcatDataset([ArrayDataset([0, 1]), ArrayDataset([20, 21, 22])])
        >>> len(dataset), dataset[3], dataset[-1]
        (5, (21,), (22,))
    """

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("ConcatDataset needs at least one dataset")
        for dataset in self.datasets:
            if isinstance(dataset, StreamDataset):
                raise AssertionError(f"ConcatDataset cannot hold {type(dataset).__name__}: a stream has no length")
        self.cumulative_sizes = list(accumulate(len(dataset) for dataset in self.datasets))

    def __getitem__(self, idx: int) -> Any:
        if idx < 0:
            if -idx > len(self):
                raise ValueError(f"index {idx} is out of range: the datasets hold {len(self)} samples")
            idx += len(self)
        elif idx >= len(self):
            raise IndexError(f"index {idx} is out of range: the datasets hold {len(self)} samples")
        position = bisect_right(self.cumulative_sizes, idx)
        return self.datasets[position][idx - (self.cumulative_sizes[position - 1] if position else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]
