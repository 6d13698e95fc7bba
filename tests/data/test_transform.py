"""Transforms beyond their golden results: the caller's arrays stay, and NumPy's own generator drives the draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from megengine.data import transform as T

MOVING = [T.CenterCrop(2), T.RandomHorizontalFlip(1.0), T.RandomVerticalFlip(1.0)]


@pytest.mark.parametrize("transform", MOVING, ids=repr)
def test_annotations_of_the_caller_stay(transform: T.VisionTransform) -> None:
    coords, image = np.array([[1, 2], [3, 0]]), np.zeros((4, 5, 3))
    transform.order = ("image", "coords")
    before = coords.copy()
    once = transform.apply((image, coords))[1]
    again = transform.apply((image, coords))[1]
    assert (coords == before).all()
    assert (once == again).all()
    assert not (once == before).all()


@given(
    image=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)),
    kind=st.sampled_from([T.RandomHorizontalFlip, T.RandomVerticalFlip]),
)
def test_flipping_twice_gives_the_image_back(image: np.ndarray, kind: type[T.VisionTransform]) -> None:
    flip = kind(prob=1.0)
    assert (flip.apply(flip.apply(image)) == image).all()
    assert flip.apply(image).flags.c_contiguous


@given(
    image=hnp.arrays(np.uint8, hnp.array_shapes(max_dims=4, max_side=5)),
    mean=st.floats(-300, 300),
    std=st.floats(0.1, 300),
)
def test_normalize_undone_gives_the_image_back(image: np.ndarray, mean: float, std: float) -> None:
    normalized = T.Normalize(mean, std).apply(image)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized * np.float32(std) + np.float32(mean), image, atol=1e-3, rtol=1e-4)


def test_draws_follow_the_global_seed() -> None:
    image = np.full((3, 3, 3), 100, np.uint8)
    transform = T.Compose(
        [T.BrightnessTransform(0.5), T.GaussianNoise(0, 0.1), T.Lighting(0.2)], shuffle_indices=[(1, 2, 3)]
    )

    def draw(seed: int) -> list[int]:
        np.random.seed(seed)
        return transform.apply(image).ravel().tolist()

    assert draw(1) == draw(1) != draw(2)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_flips_are_as_frequent_as_asked(probability: float) -> None:
    image, flip = np.arange(2).reshape(1, 2, 1), T.RandomHorizontalFlip(probability)
    flipped = sum(int(flip.apply(image)[0, 0, 0]) for _ in range(1000))
    assert abs(flipped / 1000 - probability) < 0.05


def test_compose_does_not_share_its_default() -> None:
    one, other = T.Compose(), T.Compose()
    one.transforms.append(T.ToMode())
    assert other.transforms == []


def test_transforms_that_need_opencv_are_not_there_yet() -> None:
    assert not hasattr(T, "Resize")
    assert set(T.__all__) <= set(dir(T))
