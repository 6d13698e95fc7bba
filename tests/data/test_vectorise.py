"""The batch fast path gives what going one by one gives, and steps aside where it cannot promise that."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from megengine.data import Collator, DataLoader, SequentialSampler
from megengine.data import transform as T
from megengine.data.dataset import ArrayDataset
from megengine.data.vectorise import batch_function, batch_pipeline, vectorised

NUMBERS = [np.uint8, np.int16, np.int32, np.int64, np.float16, np.float32, np.float64, np.bool_]
TRANSFORMS = {
    "pseudo": lambda: T.PseudoTransform(),
    "normalize": lambda: T.Normalize(72.940352, 90.021182),
    "normalize_large": lambda: T.Normalize(1e6, 1e-3),
    "normalize_channels": lambda: T.Normalize([1.5, 2.5, 3.5], [0.5, 3.0, 7.0]),
    "normalize_planes": lambda: T.Normalize(np.arange(3.0).reshape(3, 1, 1), 2.0),
    "to_mode": lambda: T.ToMode(),
    "compose": lambda: T.Compose([T.Normalize(1.0, 2.0), T.ToMode()]),
    "compose_batch": lambda: T.Compose([T.Normalize(1.0, 2.0), T.ToMode()], batch_compose=True),
    "compose_nested": lambda: T.Compose([T.Compose([T.Normalize(1.0, 2.0)]), T.PseudoTransform()]),
    "compose_empty": lambda: T.Compose([]),
    "second_is_mask": lambda: T.Compose([T.Normalize(1.0, 2.0)], order=("image", "mask")),
    "category_first": lambda: T.Normalize(1.0, 2.0, order=("image_category", "image")),
}


def one_by_one(dataset: Any, transform: Any, collator: Any, indices: list[int]) -> Any:
    return collator.apply(transform.apply_batch([dataset[i] for i in indices]))


def outcome(function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        return type(error)


def assert_same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert found.tobytes() == expected.tobytes()
        assert found.flags.c_contiguous
    else:
        assert found == expected


@settings(max_examples=150)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflow in float16 is the same either way
@given(
    data=st.data(),
    name=st.sampled_from(sorted(TRANSFORMS)),
    count=st.integers(1, 6),
    shape=st.sampled_from([(), (3,), (2, 3), (2, 4, 3), (1, 1, 1), (3, 2, 2), (2, 2, 2, 3)]),
    fortran=st.booleans(),
)
def test_whole_batches_equal_one_by_one(
    data: st.DataObject, name: str, count: int, shape: tuple[int, ...], fortran: bool
) -> None:
    dtypes = data.draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3))
    arrays = [data.draw(hnp.arrays(dtype, (count, *shape))) for dtype in dtypes]
    dataset = ArrayDataset(*(np.asfortranarray(array) if fortran else array for array in arrays))
    indices = data.draw(st.lists(st.integers(-count, count - 1), min_size=1, max_size=8))
    transform, collator = TRANSFORMS[name](), Collator()
    load = batch_pipeline(dataset, transform, collator)
    assert load is not None
    expected = outcome(one_by_one, dataset, transform, collator, indices)
    found = outcome(load, indices)
    if found is not NotImplemented:
        assert_same(found, expected)


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_the_fast_path_serves(name: str) -> None:
    dataset = ArrayDataset(np.ones((4, 3, 3, 3), np.uint8), np.ones((4, 3, 3, 3), np.uint8))
    load = batch_pipeline(dataset, TRANSFORMS[name](), Collator())
    assert load is not None
    assert load([0, 2]) is not NotImplemented


class Doubled(T.Normalize):
    def _apply_image(self, image: Any) -> Any:
        return super()._apply_image(image) * 2


class Wrapped(T.Normalize):
    @functools.wraps(T.Normalize._apply_image)
    def _apply_image(self, image: Any) -> Any:
        return super()._apply_image(image) * 2


class ApplyDoubled(T.Normalize):
    def apply(self, input: Any) -> Any:
        return super().apply(input)[0] * 2, input[1]


class BatchDoubled(T.Normalize):
    def apply_batch(self, inputs: Any) -> Any:
        return [(image * 2, label) for image, label in super().apply_batch(inputs)]


class Redirected(T.Normalize):
    def _get_apply(self, key: str) -> Any:
        return (lambda image: image * 2.0) if key == "image" else None


class Backwards(T.Compose):
    def _shuffle(self) -> list[Any]:
        return self.transforms[::-1]


def replaced_on_the_object() -> T.Normalize:
    transform = T.Normalize(1.0, 2.0)
    transform._apply_image = lambda image: image * 2.0  # type: ignore[method-assign]
    return transform


OVERRIDDEN = {
    "apply_image": lambda: Doubled(1.0, 2.0),
    "wrapped": lambda: Wrapped(1.0, 2.0),
    "apply": lambda: ApplyDoubled(1.0, 2.0),
    "apply_batch": lambda: BatchDoubled(1.0, 2.0),
    "get_apply": lambda: Redirected(1.0, 2.0),
    "composed": lambda: T.Compose([T.Normalize(1.0, 2.0), Doubled(3.0, 4.0)]),
    "backwards": lambda: Backwards([T.Normalize(1.0, 2.0), T.Normalize(3.0, 4.0)]),
    "on_the_object": replaced_on_the_object,
    "no_batch_function": lambda: T.BrightnessTransform(0),
}


@pytest.mark.parametrize("name", sorted(OVERRIDDEN))
def test_overridden_transforms_go_one_by_one(name: str) -> None:
    dataset = ArrayDataset(np.arange(4 * 27, dtype=np.uint8).reshape(4, 3, 3, 3), np.arange(4))
    transform, collator = OVERRIDDEN[name](), Collator()
    load = batch_pipeline(dataset, transform, collator)
    assert load is None or load([0, 1]) is NotImplemented
    batches = list(DataLoader(dataset, SequentialSampler(dataset, 3), transform))
    assert_same(batches[0], one_by_one(dataset, transform, collator, [0, 1, 2]))
    assert_same(batches[1], one_by_one(dataset, transform, collator, [3]))


def test_overridden_datasets_and_collators_go_one_by_one() -> None:
    class Shifted(ArrayDataset):
        def __getitem__(self, index: Any) -> tuple[Any, ...]:
            return tuple(field + 1 for field in super().__getitem__(index))

    class AsList(Collator):
        def apply(self, inputs: Any) -> Any:
            return list(inputs)

    plain = ArrayDataset(np.arange(3))
    assert batch_pipeline(Shifted(np.arange(3)), T.PseudoTransform(), Collator()) is None
    assert batch_pipeline(plain, T.PseudoTransform(), AsList()) is None
    (batch,) = DataLoader(Shifted(np.arange(3)), SequentialSampler(plain, 3))
    assert batch[0].tolist() == [1, 2, 3]
    (batch,) = DataLoader(plain, SequentialSampler(plain, 3), collator=AsList())
    assert batch == [(0,), (1,), (2,)]


def test_a_subclass_that_overrides_nothing_stays_on_the_fast_path() -> None:
    class Named(ArrayDataset):
        def __init__(self, name: str, *arrays: Any) -> None:
            super().__init__(*arrays)
            self.name = name

    assert batch_pipeline(Named("x", np.arange(3)), T.Normalize(), Collator()) is not None


def test_a_class_of_ones_own_can_take_part() -> None:
    calls: list[str] = []

    class Negative(T.Transform):
        @vectorised(lambda self, fields: calls.append("whole") or tuple(-field for field in fields))
        def apply(self, input: Any) -> Any:
            calls.append("one")
            return tuple(-field for field in input)

    dataset = ArrayDataset(np.arange(4), np.arange(4.0))
    (batch,) = DataLoader(dataset, SequentialSampler(dataset, 4), Negative())
    assert [field.tolist() for field in batch] == [[0, -1, -2, -3], [0.0, -1.0, -2.0, -3.0]]
    assert calls == ["whole"]


def test_changed_attributes_count_from_the_next_batch() -> None:
    dataset, transform = ArrayDataset(np.arange(4.0)), T.Normalize(0.0, 1.0)
    batches = iter(DataLoader(dataset, SequentialSampler(dataset, 2), transform))
    assert next(batches).tolist() == [0.0, 1.0]
    transform.mean = np.float32(1.0) * np.ones(())
    assert next(batches).tolist() == [1.0, 2.0]


def test_unmarked_methods_have_no_batch_function() -> None:
    assert batch_function(T.BrightnessTransform(0)._apply_image) is None
    assert batch_function(len) is None
