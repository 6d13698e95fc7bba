"""Transforms beyond their golden results: the caller's arrays stay, and NumPy's own generator drives the draws."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from megengine.data import transform as T
from megengine.data.opencv import find_opencv, opencv
from megengine.data.transform.vision import functional
from megengine.data.worker_info import WorkerInfo, acting_as

pytest.importorskip("cv2")

ROOT = Path(__file__).resolve().parent.parent.parent

MOVING = [
    T.CenterCrop(2),
    T.Pad(1),
    T.RandomCrop(9, (1, 0, 3, 0)),
    T.RandomHorizontalFlip(1.0),
    T.RandomResizedCrop(9, (1.0, 1.0), (1.25, 1.25)),
    T.RandomVerticalFlip(1.0),
    T.Resize(12),
]


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
    image=hnp.arrays(
        st.sampled_from([np.uint8, np.int64, np.float32]), hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)
    ),
    kind=st.sampled_from([T.RandomHorizontalFlip, T.RandomVerticalFlip]),
)
def test_flipping_twice_gives_the_image_back(image: np.ndarray, kind: type[T.VisionTransform]) -> None:
    flip = kind(prob=1.0)
    np.testing.assert_array_equal(flip.apply(flip.apply(image)), image)
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


def test_every_transform_is_importable() -> None:
    assert set(T.__all__) <= set(dir(T))
    assert T.vision.transform.Resize is T.Resize


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    find_opencv.cache_clear()
    monkeypatch.setattr("megengine.data.opencv.importlib.import_module", missing)
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    try:
        with pytest.raises(ModuleNotFoundError, match=r"resize needs OpenCV: pip install 'megengine-xla\[vision\]'"):
            T.Resize((4, 4)).apply(image)
        with pytest.raises(ModuleNotFoundError, match="HueTransform needs OpenCV"):
            T.HueTransform(0.5).apply(image)
        assert (T.RandomHorizontalFlip(1.0).apply(image) == image[:, ::-1]).all()
        assert T.RandomCrop((2, 2), 1).apply(image).shape == (2, 2, 3)
    finally:
        find_opencv.cache_clear()


def test_importing_the_transforms_does_not_import_opencv() -> None:
    program = "import sys, megengine.data.transform; sys.exit('cv2' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_opencv_shares_the_processors_with_the_other_workers() -> None:
    cv2 = opencv("this test")
    before = cv2.getNumThreads()
    find_opencv.cache_clear()
    try:
        with acting_as(WorkerInfo(idx=0, worker=1000, seed=0)):
            assert opencv("this test").getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


def test_padding_of_random_crop_and_the_order_reach_masks_and_boxes() -> None:
    """MegEngine leaves the mask and the boxes out of padding_size if the transform is in a Compose."""
    crop = T.Compose([T.RandomCrop((8, 8), 2, [9, 9, 9], 7)], order=("image", "mask", "boxes"))
    image, mask, boxes = crop.apply(
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 1), np.uint8), np.array([[0.0, 0.0, 4.0, 4.0]]))
    )
    assert (image[..., 0] == 9).sum() == (mask == 7).sum() == 64 - 16
    assert not image[2:6, 2:6].any()
    assert not mask[2:6, 2:6].any()
    assert boxes.tolist() == [[2.0, 2.0, 6.0, 6.0]]


@pytest.mark.parametrize("crop", [T.RandomCrop(3), T.RandomCrop((9, 2), 2, 7, 7), T.RandomCrop(9)])
def test_random_crop_of_masks_without_channels(crop: T.RandomCrop) -> None:
    image = np.random.default_rng(0).integers(0, 9, (6, 5, 1), dtype=np.uint8)
    for _ in range(5):
        cut, mask = T.Compose([crop], order=("image", "mask")).apply((image, image[..., 0]))
        assert mask.shape == crop.output_size
        np.testing.assert_array_equal(cut[..., 0], mask)


def test_jitter_in_a_compose_changes_the_field_that_is_the_image() -> None:
    mask, image = np.full((2, 2, 1), 3, np.uint8), np.full((2, 2, 3), 100, np.uint8)
    jitter = T.Compose([T.ColorJitter(brightness=0.5)], order=("mask", "image"))
    changed_mask, changed = jitter.apply((mask, image))
    assert (changed_mask == 3).all()
    assert not (changed == 100).any()


def test_torchvision_transforms_see_rgb_pictures() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    seen = []

    def keep(picture: Any) -> Any:
        seen.append(np.asarray(picture))
        return picture.transpose(0)  # PIL's FLIP_LEFT_RIGHT

    flipped = T.TorchTransformCompose([keep]).apply(image)
    assert (seen[0] == image[:, :, ::-1]).all()
    assert (flipped == image[:, ::-1]).all()
    as_planes = T.TorchTransformCompose([lambda picture: np.moveaxis(np.asarray(picture), 2, 0)]).apply(image)
    assert (as_planes == np.moveaxis(image, 2, 0)).all()


@given(
    image=hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 6)] * 2, st.integers(1, 4))),
    place=st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
    size=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_a_window_is_that_of_a_padded_image(image: np.ndarray, place: tuple[int, int], size: tuple[int, int]) -> None:
    (x, y), (width, height) = place, size
    padded = np.pad(image, ((20, 20), (20, 20), (0, 0)), constant_values=200)
    window = functional.crop(image, x, y, width, height, [200] * 4)
    assert (window == padded[20 + y : 20 + y + height, 20 + x : 20 + x + width]).all()


def test_errors_of_opencv_name_the_image() -> None:
    with pytest.raises(Exception) as caught:
        T.Resize((4, 4)).apply(np.zeros((3, 3, 3), np.complex64))
    assert "resize of an image of shape (3, 3, 3) and dtype complex64" in caught.value.__notes__


@pytest.mark.parametrize(
    "transform",
    [
        T.Resize(8),
        T.CenterCrop(4),
        T.RandomCrop(4),
        T.RandomResizedCrop(4),
        T.ToMode(),
        T.Lighting(0.1),
        T.ColorJitter(0.2, 0.2),
    ],
    ids=lambda transform: type(transform).__name__,
)
@pytest.mark.parametrize(
    ("image", "said"),
    [
        (
            np.zeros((28, 28), np.uint8),
            r"takes images of shape \(H, W, C\), not \(28, 28\): .*image\[..., np.newaxis\]",
        ),
        (
            None,
            "takes images as NumPy arrays of shape .*, not None: cv2.imread gives it for a file that it cannot read",
        ),
        ("cat.jpg", "not the text 'cat.jpg': read the file first"),
        (Image.new("RGB", (9, 9)), "not a Image: write np.asarray"),
    ],
    ids=["gray", "None", "path", "PIL"],
)
def test_what_is_no_image_is_said(transform: Any, image: Any, said: str) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError, IndexError)) as caught:
        transform.apply(image)
    notes = getattr(caught.value, "__notes__", [])
    words = "\n".join([str(caught.value), *notes])
    assert re.search(said, words) or "an image must have 3 dimensions (H, W, C), not 2" in words


def test_numbers_of_a_normalization_that_do_not_fit_are_told() -> None:
    with pytest.raises(ValueError, match=r"Normalize: mean \[1, 2\] and std \[1, 2, 3\]"):
        T.Normalize(mean=[1, 2], std=[1, 2, 3])
