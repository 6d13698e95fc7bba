"""Datasets beyond their golden cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megengine.data.dataset import ArrayDataset, ConcatDataset, VisionDataset
from megengine.data.dataset.meta_dataset import gather_arrays


@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_concatenated_datasets_are_their_samples_in_a_row(lengths: list[int]) -> None:
    values = iter(range(100))
    parts = [[next(values) for _ in range(length)] for length in lengths]
    dataset = ConcatDataset([ArrayDataset(part) for part in parts])
    flat = [value for part in parts for value in part]
    assert [dataset[i][0] for i in range(len(dataset))] == flat
    assert [dataset[i - len(flat)][0] for i in range(len(flat))] == flat


def test_lengths_are_named() -> None:
    with pytest.raises(ValueError, match=r"\[3, 4\]"):
        ArrayDataset(np.zeros(3), np.zeros(4))


def test_no_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ArrayDataset()


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "b", "c"]),
        np.array([None, 1, 2]),
        np.arange(3, dtype=">i4"),
        np.array(["2020-01-01"] * 3, "datetime64[D]"),
        [1, 2, 3],
        np.ma.array([1, 2, 3]),
    ],
    ids=["strings", "objects", "big-endian", "dates", "list", "masked"],
)
def test_arrays_that_are_not_plain_numbers_are_not_gathered(array: object) -> None:
    assert gather_arrays(ArrayDataset(array), [0, 1]) is NotImplemented


@pytest.mark.parametrize("indices", [[True, False], ["a"], [0.0], [slice(1)], iter([1]), [2**63], []])
def test_indices_that_are_not_integers_are_not_gathered(indices: list[object]) -> None:
    assert gather_arrays(ArrayDataset(np.arange(3)), indices) is NotImplemented  # type: ignore[arg-type]


def test_gathered_arrays_are_copies(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "a", np.uint8, "w+", shape=(4, 2))
    for array in (np.arange(8).reshape(4, 2), np.asfortranarray(np.arange(8).reshape(4, 2)), mapped):
        (batch,) = gather_arrays(ArrayDataset(array), [np.int32(3), 1])
        assert type(batch) is np.ndarray
        assert batch.tolist() == [array[3].tolist(), array[1].tolist()]
        assert not np.shares_memory(batch, array)


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert VisionDataset("~/x").root == "/home/someone/x"
    assert VisionDataset(None).root is None
