"""What the collator accepts beyond MegEngine, and what its messages name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from megengine.data import Collator


def test_sequences_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"sample 0 has 2, sample 1 1"):
        Collator().apply([[1, 2], [3]])


def test_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"sample 0 has \(2,\), sample 1 \(3,\)"):
        Collator().apply([np.zeros(2), np.zeros(3)])


@pytest.mark.parametrize(("sample", "found"), [(None, "NoneType"), (np.array([None]), "dtype object"), ({1}, "set")])
def test_unsupported_samples_are_named(sample: object, found: str) -> None:
    with pytest.raises(TypeError, match=found):
        Collator().apply([sample, sample])


def test_memory_mapped_arrays_are_stacked(tmp_path: Path) -> None:
    array = np.memmap(tmp_path / "a", dtype=np.uint8, mode="w+", shape=(2, 3))
    array[:] = [[1, 2, 3], [4, 5, 6]]
    batch = Collator().apply([array[0], array[1]])
    assert type(batch) is np.ndarray
    assert batch.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_batch_is_contiguous() -> None:
    assert Collator().apply([np.zeros((3, 4)).T, np.zeros((3, 4)).T]).flags.c_contiguous


def test_strings_are_the_same_object() -> None:
    names = ("a", "b")
    assert Collator().apply(names) is names


def test_errors_name_the_field() -> None:
    samples = [{"image": (np.zeros(2), 1)}, {"image": (np.zeros(3), 1)}]
    with pytest.raises(ValueError, match=r"sample 1 \(3,\)") as info:
        Collator().apply(samples)
    assert info.value.__notes__ == ["in field 0 of the samples", "in field 'image' of the samples"]


def test_every_nesting() -> None:
    sample = {"a": [(1, 2.5), {"b": np.float16(3)}], "c": (np.array([True]), "x", b"y", np.int8(4))}
    batch = Collator().apply([sample, sample])
    (one, half), inner = batch["a"]
    flag, text, raw, small = batch["c"]
    found = [one, half, inner["b"], flag, small]
    assert [str(array.dtype) for array in found] == ["int64", "float64", "float16", "bool", "int8"]
    assert [array.tolist() for array in found] == [[1, 1], [2.5, 2.5], [3, 3], [[True], [True]], [4, 4]]
    assert (list(text), list(raw)) == (["x", "x"], [b"y", b"y"])


def test_a_sample_that_is_none_is_named() -> None:
    with pytest.raises(TypeError, match="sample 1 of the batch is None"):
        Collator().apply([(np.ones(2), 1), None, (np.ones(2), 2)])
