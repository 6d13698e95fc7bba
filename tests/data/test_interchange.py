"""Data sets of other libraries, known by their methods."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from megengine.data import Collator, DataLoader, RandomSampler, SequentialSampler, StreamSampler

from .made import values


class Rows:
    """As the data sets of Hugging Face: rows are dicts, many of them are fetched at once."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> dict[str, Any]:
        raise AssertionError("rows are to be fetched together")

    def __getitems__(self, indices: list[int]) -> list[dict[str, Any]]:
        self.asked.append(indices)
        return [{"text": f"row {i}", "label": i, "pixels": np.full((2, 2), i)} for i in indices]

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("this has an index")


@pytest.mark.parametrize("workers", [0, 1])
def test_rows_that_are_fetched_together(workers: int) -> None:
    rows = Rows()
    batches = list(DataLoader(rows, SequentialSampler(rows, 2), num_workers=workers))
    assert [list(batch["text"]) for batch in batches] == [["row 0", "row 1"], ["row 2", "row 3"], ["row 4"]]
    assert [batch["label"].tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert batches[0]["pixels"].shape == (2, 2, 2)
    assert workers or rows.asked == [[0, 1], [2, 3], [4]]


def test_an_object_with_an_index_or_an_iterator_is_enough() -> None:
    class Index:
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> tuple[float, int]:
            return index / 2, index

    class Iterable:
        def __iter__(self) -> Iterator[int]:
            return iter(range(3))

    dataset = Index()
    assert values(DataLoader(dataset, SequentialSampler(dataset, 3))) == [[[0.0, 0.5, 1.0], [0, 1, 2]], [[1.5], [3]]]
    assert values(DataLoader(Iterable(), StreamSampler(2))) == [[0, 1], [2]]


def test_what_numpy_takes_for_an_array_is_stacked() -> None:
    class Foreign:
        def __init__(self, value: Any) -> None:
            self.value = np.asarray(value)

        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return self.value

    class Image:
        def __init__(self, value: np.ndarray) -> None:
            self.__array_interface__ = value.__array_interface__
            self.kept = value

    assert Collator().apply([Foreign([1, 2]), Foreign([3, 4])]).tolist() == [[1, 2], [3, 4]]
    assert Collator().apply([(Foreign(1),), (Foreign(2),)])[0].tolist() == [1, 2]
    assert Collator().apply([Image(np.eye(2)), Image(np.eye(2))]).shape == (2, 2, 2)


@pytest.mark.parametrize("workers", [0, 1])
def test_data_sets_of_pytorch(workers: int) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.data import Subset, TensorDataset

    whole = TensorDataset(torch.arange(12.0).reshape(6, 2), torch.arange(6))
    part = Subset(whole, [5, 3, 1])
    got = values(DataLoader(part, SequentialSampler(part, 2), num_workers=workers))
    assert got == [[[[10.0, 11.0], [6.0, 7.0]], [5, 3]], [[[2.0, 3.0]], [1]]]


def test_nothing_foreign_is_imported() -> None:
    program = "import sys, megengine.data; print(sorted({'torch', 'datasets', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_random_order_of_a_foreign_data_set() -> None:
    rows = Rows()
    list(DataLoader(rows, RandomSampler(rows, 5, seed=1)))
    assert sorted(rows.asked[0]) == list(range(5))
