"""Where gathers read and scatters write: windows of an array whose corners are data."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np


class Places:
    """Windows of one size in an array, one for each vector of a batch of start indices.

    The other array, which a gather makes or a scatter takes, has the dimensions of the batch and those of the windows.

    Args:
        shape: the array's.
        sizes: the windows'.
        batch: that of the start indices, without their last dimension.
        mapped: the dimension of the array that each element of a vector is an index of.
        batching: dimensions of the array that go together with some of the batch.
        batch_dims: these dimensions of the batch.
        dropped: dimensions in which windows have one element and the other array has none.
        window_dims: of the other array's dimensions, those of the windows.
    """

    def __init__(
        self,
        shape: Sequence[int],
        sizes: Sequence[int],
        batch: Sequence[int],
        *,
        mapped: Sequence[int],
        batching: Sequence[int],
        batch_dims: Sequence[int],
        dropped: Sequence[int],
        window_dims: Sequence[int],
    ) -> None:
        self.shape, self.sizes, self.batch, self.mapped = tuple(shape), tuple(sizes), tuple(batch), tuple(mapped)
        self.batching, self.batch_dims = tuple(batching), tuple(batch_dims)
        self.count = prod(batch)
        self.limits = [shape[d] - sizes[d] for d in mapped]
        kept = [d for d in range(len(shape)) if d not in (*dropped, *batching)]
        self.window = tuple(sizes[d] for d in kept)
        self.inner = [d for d in kept if sizes[d] != 1]
        rank = len(batch) + len(window_dims)
        # The batch's dimensions of the other array, then those of the windows; and back.
        self.batch_first = (*(d for d in range(rank) if d not in window_dims), *window_dims)
        self.back = tuple(np.argsort(self.batch_first)) if rank else ()

    def starts(self, indices: np.ndarray, clip: bool) -> tuple[list[np.ndarray], np.ndarray | None]:
        """The start index in each mapped dimension, moved inside, and which windows lay inside; None if all did."""
        found: list[np.ndarray] = []
        inside = None
        for k, limit in enumerate(self.limits):
            wanted = indices[..., k]
            start = np.minimum(np.maximum(wanted, 0), min(limit, np.iinfo(wanted.dtype).max)).astype(np.intp)
            if not clip:
                right = start == wanted
                if not right.all():
                    inside = right if inside is None else inside & right
            found.append(start)
        return found, inside

    def windows(self, x: np.ndarray) -> np.ndarray:
        """A view of an array: its elements by the start indices, then those of the batching dimensions, then the windows'."""
        starts = [max(self.shape[d] - self.sizes[d], -1) + 1 for d in self.mapped]
        shape = (*starts, *(self.shape[d] for d in self.batching), *(self.sizes[d] for d in self.inner))
        strides = [x.strides[d] for d in (*self.mapped, *self.batching, *self.inner)]
        return np.lib.stride_tricks.as_strided(x, shape, strides)

    def index(self, starts: Sequence[np.ndarray]) -> tuple[Any, ...]:
        """The index of that view which gives the windows."""
        if self.count == 1 and not self.batching:
            return tuple(int(s.reshape(())) for s in starts)
        lines = []
        for d, at in zip(self.batching, self.batch_dims, strict=True):
            line = [1] * len(self.batch)
            line[at] = -1
            lines.append(np.arange(self.shape[d]).reshape(line))
        return (*starts, *lines)

    def inside(self, index: Sequence[Any], kept: np.ndarray) -> tuple[np.ndarray, ...]:
        """The part of an index for some of the batch."""
        return tuple(np.broadcast_to(i, self.batch)[kept] for i in index)

    def elements(self, index: Sequence[Any], lead: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """For an array in C order, the number of each window's first element, and how far the others are from it.

        Args:
            index: of the windows.
            lead: the shape that its parts have together.
        """
        steps = [prod(self.shape[d + 1 :]) for d in range(len(self.shape))]
        first = np.zeros(lead, np.intp)
        for d, at in zip((*self.mapped, *self.batching), index, strict=True):
            first += np.multiply(at, steps[d], dtype=np.intp)
        offsets = np.zeros((), np.intp)
        for d in self.inner:
            offsets = offsets[..., None] + np.arange(self.sizes[d]) * steps[d]
        return first.reshape(-1), offsets.reshape(-1)
