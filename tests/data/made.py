"""What the tests of worker processes share: data sets, and a count of what a process holds."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from megengine.data import Collator
from megengine.data.dataset import Dataset, StreamDataset


class Made(Dataset):
    """A data set whose samples a function makes of their index."""

    def __init__(self, length: int, make: Callable[[int], Any]) -> None:
        self.length = length
        self.make = make

    def __getitem__(self, index: int) -> Any:
        return self.make(index)

    def __len__(self) -> int:
        return self.length


class Stream(StreamDataset):
    """A stream that is made by a function."""

    def __init__(self, make: Callable[[], Iterator[Any]]) -> None:
        self.make = make

    def __iter__(self) -> Iterator[Any]:
        return self.make()


class AsList(Collator):
    """Leaves samples as they are."""

    def apply(self, inputs: Any) -> Any:
        return list(inputs)


def values(batches: Any) -> list[Any]:
    """The batches as lists."""
    return [b.tolist() if isinstance(b, np.ndarray) else [f.tolist() for f in b] for b in batches]


def open_files() -> list[str]:
    """What the descriptors of this process refer to."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that lists them
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return found


def connections() -> int:
    """Descriptors of this process that lead to others, of which each worker needs two."""
    return sum(target.startswith(("socket:", "pipe:")) for target in open_files())


def shared_memory() -> list[str]:
    """What has a name in this machine's shared memory, but for Python's semaphores, which any process gives one for a moment."""
    return sorted(name for name in os.listdir("/dev/shm") if not name.startswith("sem.mp-"))


def held() -> dict[str, int]:
    """What this process holds that batches could make it hold more of: descriptors, named shared memory, mapped slots."""
    gc.collect()
    return {
        "descriptors": len(open_files()) - connections(),
        "shared": len(shared_memory()),
        "slots": Path("/proc/self/maps").read_text().count("megengine-data"),
    }


def members(batches: Any) -> list[int]:
    """The processes that make the batches of an iterator."""
    return [worker.process.pid for worker in batches._batches._crew.members]
