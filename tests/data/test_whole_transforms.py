"""Transforms on whole batches: what going one by one gives, with the same draws, or the fast path steps aside undone."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from megengine.data import Collator, DataLoader, SequentialSampler
from megengine.data import transform as T
from megengine.data.dataset import ArrayDataset
from megengine.data.vectorise import batch_pipeline, vectorised
from tests.data.test_vectorise import assert_same

pytest.importorskip("cv2")

MASKED = ("image", "mask", "image_category")
CIFAR = [T.RandomCrop(8, 2, [1.5, 2.5, 3.5]), T.RandomHorizontalFlip(), T.Normalize([1.0, 2.0, 3.0], 4.0), T.ToMode()]

SERVED = {
    "pad": lambda: T.Pad((1, 2, 3, 4), (9, 8, 7), 2),
    "center_crop": lambda: T.CenterCrop((5, 4)),
    "random_crop": lambda: T.RandomCrop((5, 6), 2, [9, 8, 7], 3),
    "random_crop_large": lambda: T.RandomCrop((20, 6), (0, 3), 1),
    "horizontal_flip": lambda: T.RandomHorizontalFlip(),
    "vertical_flip": lambda: T.RandomVerticalFlip(0.7),
    "resize": lambda: T.Resize((6, 13)),
    "resize_short": lambda: T.Resize(5, 3),
    "resize_same": lambda: T.Resize((8, 10)),
    "resized_crop": lambda: T.RandomResizedCrop((5, 6)),
    "resized_crop_one_channel": lambda: T.RandomResizedCrop(7, interpolation=2, order=("image_category", "image")),
    "resized_crop_mask": lambda: T.Compose([T.RandomResizedCrop(9), T.RandomHorizontalFlip()], order=MASKED),
    "fused": lambda: T.Compose([T.Normalize([1.0, 2.0, 3.0], 4.0), T.ToMode()]),
    "fused_twice": lambda: T.Compose([T.Normalize(3.0, 4.0), T.ToMode(), T.PseudoTransform()]),
    "two_that_draw": lambda: T.Compose([T.RandomVerticalFlip(), T.RandomHorizontalFlip()]),
    "cifar": lambda: T.Compose(CIFAR),
    "cifar_batch": lambda: T.Compose(CIFAR, batch_compose=True),
    "nested": lambda: T.Compose([T.Compose(CIFAR[:1]), T.Pad(1), T.Compose([T.Resize((6, 6)), T.RandomCrop(4)])]),
    "with_mask": lambda: T.Compose(CIFAR[:2], order=MASKED),
    "with_mask_fused": lambda: T.Compose([*CIFAR[1:3], T.ToMode()], order=MASKED),
}

# What the fast path cannot serve although it may have begun to draw.
UNSERVED = {
    "sizes_vary": lambda: T.Compose([T.RandomHorizontalFlip(), T.RandomResize((0.5, 0.5))]),
    "late": lambda: T.Compose([T.RandomHorizontalFlip(), Late()]),
    "two_and_late": lambda: T.Compose([T.RandomHorizontalFlip(), T.RandomCrop(4), Late()]),
    "shape_unknown": lambda: T.Compose([T.RandomHorizontalFlip(), Late(served=True), T.RandomCrop(4)]),
    "interpolation_drawn": lambda: T.Compose([T.RandomVerticalFlip(), T.Resize((4, 4), (0, 1, 2))]),
    "boxes": lambda: T.RandomHorizontalFlip(order=("image", "coords")),
    "nested_shuffled": lambda: T.Compose([T.RandomCrop(8), T.Compose(CIFAR[1:3], shuffle_indices=[(1, 2)])]),
    "overridden": lambda: T.Compose([Darker(), T.RandomVerticalFlip()]),
}


class Late(T.Transform):
    """Has a batch function that decides only when it is called."""

    def __init__(self, served: bool = False) -> None:
        self.served = served

    @vectorised(lambda self, sample: sample if self.served else NotImplemented)
    def apply(self, input: Any) -> Any:
        return input


class Darker(T.RandomCrop):
    """A crop whose image method is one's own."""

    def __init__(self) -> None:
        super().__init__(4)

    def _apply_image(self, image: np.ndarray) -> np.ndarray:
        return super()._apply_image(image) // 2


def dataset(dtype: str = "uint8", count: int = 7) -> ArrayDataset:
    images = (np.arange(count * 8 * 10 * 3) * 37 % 251).astype(dtype).reshape(count, 8, 10, 3)
    masks = (images[..., :1] % 3).astype(np.uint8)
    return ArrayDataset(images, masks, np.arange(count))


def seed() -> None:
    random.seed(3)
    np.random.seed(3)


def one_by_one(data: ArrayDataset, transform: Any, indices: list[int]) -> Any:
    return Collator().apply(transform.apply_batch([data[i] for i in indices]))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int16"])
@pytest.mark.parametrize("name", SERVED)
def test_whole_batches_equal_one_by_one(name: str, dtype: str) -> None:
    data, indices, transform = dataset(dtype), [3, 0, 6, 6, 1], SERVED[name]()
    load = batch_pipeline(data, transform, Collator())
    assert load is not None
    seed()
    expected, expected_next = one_by_one(data, transform, indices), np.random.random()
    seed()
    found, found_next = load(indices), np.random.random()
    assert found is not NotImplemented
    assert_same(found, expected)
    assert found_next == expected_next


@pytest.mark.parametrize("name", UNSERVED)
def test_what_cannot_be_served_leaves_the_generator_as_it_was(name: str) -> None:
    data, transform = dataset(), UNSERVED[name]()
    load = batch_pipeline(data, transform, Collator())
    seed()
    untouched = np.random.random()
    seed()
    assert load is None or load([0, 1, 2]) is NotImplemented
    assert np.random.random() == untouched


@pytest.mark.parametrize("name", [name for name in UNSERVED if name != "boxes"])
def test_the_loader_gives_what_going_one_by_one_gives(name: str) -> None:
    data = dataset()
    seed()
    batches = list(DataLoader(data, SequentialSampler(data, 4), UNSERVED[name]()))
    seed()
    transform = UNSERVED[name]()
    assert_same(batches, [one_by_one(data, transform, [0, 1, 2, 3]), one_by_one(data, transform, [4, 5, 6])])


def test_whole_batches_leave_the_dataset_as_it_was() -> None:
    data = dataset()
    before = [array.copy() for array in data.arrays]
    for make in SERVED.values():
        load = batch_pipeline(data, make(), Collator())
        assert load is not None
        batch = load([0, 1])
        for field, array, copy in zip(batch, data.arrays, before, strict=True):
            assert not np.shares_memory(field, array)
            assert (array == copy).all()


class Halved(T.Normalize):
    def _apply_image(self, image: Any) -> Any:
        return super()._apply_image(image) / np.float32(2)


def replaced_on_the_object() -> T.ToMode:
    to_mode = T.ToMode()
    to_mode._apply_image = lambda image: image  # type: ignore[method-assign]
    return to_mode


@pytest.mark.parametrize(
    "transforms",
    [
        [T.Normalize([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]), T.ToMode()],
        [T.Normalize(1.0, [2.0, 3.0, 4.0]), T.ToMode()],
        [T.Normalize([1.0], 2.0), T.ToMode()],
        [T.Normalize(np.ones((10, 3)), 2.0), T.ToMode()],
        [Halved(1.0, 2.0), T.ToMode()],
        [T.Normalize(1.0, 2.0), replaced_on_the_object()],
        [T.Normalize(1.0, 2.0), T.ToMode(), T.Normalize(np.ones((3, 1, 1)))],
    ],
    ids=["channels", "mixed", "one", "columns", "subclass", "replaced", "three"],
)
@pytest.mark.parametrize("dtype", ["uint8", "bool", "int16", "int32", "float16", "float32", "float64"])
def test_fused_normalisation_equals_its_parts(transforms: list[Any], dtype: str) -> None:
    image = dataset(dtype).arrays[0][0]
    expected = image
    for transform in transforms:
        expected = transform.apply(expected)
    found = T.Compose(transforms).apply(image)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.flags.c_contiguous == expected.flags.c_contiguous
    assert found.tobytes() == expected.tobytes()
