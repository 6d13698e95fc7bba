"""Cases of image transforms that real MegEngine 1.13.0 and this package are both asked.

It runs on Python 3.10 with NumPy 1 as well, which is what real MegEngine needs.
"""

from __future__ import annotations

import json
import random

import numpy as np

from megengine.data import transform as T
from megengine.data.transform.vision import functional as F

HEIGHT, WIDTH = 5, 8
ORDER = ("image", "boxes", "mask", "keypoints", "coords", "polygons", "boxes_category", "info")


def image(dtype="uint8", channels=3, height=HEIGHT, width=WIDTH):
    """A picture without symmetry, smooth in part, so that resampling does something."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    return ((37 * x + 11 * y * y + 71 * c + 5 * x * y) % 256).astype(dtype)


def mask(height=HEIGHT, width=WIDTH):
    return (image("uint8", 1, height, width) // 64).astype("uint8")


def annotated(dtype="float32", height=HEIGHT, width=WIDTH):
    """A sample with every kind of field."""
    return (
        image(height=height, width=width),
        np.array([[0.0, 1.0, 3.0, 4.0], [2.0, 2.0, 7.0, 4.0]], dtype),
        mask(height, width),
        np.array([[[1.0, 2.0, 1.0], [0.0, 1.0, 0.0]], [[7.0, 4.0, 2.0], [4.0, 3.0, 1.0]]], dtype),
        np.array([[1.0, 2.0], [3.0, 0.5]], dtype),
        [[np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]], dtype)]],
        np.array([3, 1], "int32"),
        (5, 8, "cat.jpg"),
    )


GEOMETRIC = {
    "pad": lambda: T.Pad(2, 3),
    "pad_sides": lambda: T.Pad((1, 2, 3, 4), (9, 8, 7), 2),
    "pad_two": lambda: T.Pad([1, 3], [1, 2, 3, 4], 5),
    "pad_float": lambda: T.Pad(1, [103.5, 116.25, 123.75]),
    "pad_none": lambda: T.Pad(),
    "pad_beyond": lambda: T.Pad(1, (300, -5, 7)),
    "resize": lambda: T.Resize((4, 12)),
    "resize_same": lambda: T.Resize((HEIGHT, WIDTH)),
    "resize_short": lambda: T.Resize(4),
    "resize_short_same": lambda: T.Resize(HEIGHT),
    "resize_nearest": lambda: T.Resize((10, 6), 0),
    "resize_cubic": lambda: T.Resize((10, 6), 2),
    "resize_area": lambda: T.Resize((3, 4), 3),
    "resize_lanczos": lambda: T.Resize((10, 6), 4),
    "resize_any": lambda: T.Resize((10, 6), [0, 1, 2, 3]),
    "shortest_edge": lambda: T.ShortestEdgeResize((4, 9), 14),
    "shortest_edge_one": lambda: T.ShortestEdgeResize(4, 6),
    "shortest_edge_choice": lambda: T.ShortestEdgeResize((4, 6, 10), 12, "choice"),
    "random_resize": lambda: T.RandomResize((0.5, 1.6)),
    "random_resize_nearest": lambda: T.RandomResize([0.9, 1.1], 0),
    "random_crop": lambda: T.RandomCrop((4, 5)),
    "random_crop_int": lambda: T.RandomCrop(4),
    "random_crop_large": lambda: T.RandomCrop((9, 12), padding_value=[4, 5, 6], padding_maskvalue=3),
    "random_crop_high": lambda: T.RandomCrop((10, 3), padding_maskvalue=255),
    "resized_crop": lambda: T.RandomResizedCrop((5, 6)),
    "resized_crop_int": lambda: T.RandomResizedCrop(4, (0.3, 0.6), (0.9, 1.2), 2),
    "resized_crop_wide": lambda: T.RandomResizedCrop((4, 4), (1.0, 1.0), (0.2, 0.3)),
    "resized_crop_tall": lambda: T.RandomResizedCrop((4, 4), (1.0, 1.0), (3.0, 4.0)),
    "resized_crop_whole": lambda: T.RandomResizedCrop((4, 4), (3.0, 4.0), (1.0, 2.0)),
    "center_crop": lambda: T.CenterCrop((4, 5)),
    "horizontal_flip": lambda: T.RandomHorizontalFlip(0.6),
    "vertical_flip": lambda: T.RandomVerticalFlip(0.6),
    "composed": lambda: T.Compose(
        [T.RandomResizedCrop(6), T.RandomHorizontalFlip(), T.Normalize([103.5, 116.0, 123.7], 58.0), T.ToMode()]
    ),
    "shuffled": lambda: T.Compose(
        [T.RandomResize((0.7, 1.5)), T.RandomHorizontalFlip(), T.Pad(1, 5)], shuffle_indices=[(1, 2, 3)]
    ),
    "nested": lambda: T.Compose([T.Compose([T.Pad(1, 0)]), T.Resize((6, 6)), T.RandomVerticalFlip()]),
}

# Of the border that padding_size puts around it, MegEngine moves points only if the transform is in no Compose.
PADDED_CROPS = {
    "random_crop_padded": lambda: T.RandomCrop((4, 5), 2, [1, 2, 3]),
    "random_crop_float": lambda: T.RandomCrop((4, 5), (1, 2), [1.5, 2.5, 3.5]),
    "random_crop_four": lambda: T.RandomCrop((6, 14), (0, 1, 2, 3), 9),
}

COLOURS = {
    "brightness": lambda: T.BrightnessTransform(0.4),
    "contrast": lambda: T.ContrastTransform(0.4),
    "contrast_large": lambda: T.ContrastTransform(3),
    "saturation": lambda: T.SaturationTransform(0.4),
    "saturation_large": lambda: T.SaturationTransform(3.0),
    "hue": lambda: T.HueTransform(0.3),
    "hue_half": lambda: T.HueTransform(0.5),
    "jitter": lambda: T.ColorJitter(0.4, 0.4, 0.4, 0.1),
    "jitter_two": lambda: T.ColorJitter(brightness=0.3, saturation=0.5),
    "jitter_none": lambda: T.ColorJitter(),
    "lighting": lambda: T.Lighting(0.2),
    "noise": lambda: T.GaussianNoise(0.01, 0.1),
    "contrast_zero": lambda: T.ContrastTransform(0),
    "saturation_zero": lambda: T.SaturationTransform(0),
    "hue_zero": lambda: T.HueTransform(0),
    "normalize_to_mode": lambda: T.Compose([T.Normalize((103.5, 116.0, 123.25), (57.0, 57.5, 58.0)), T.ToMode()]),
    "normalize_scalar_to_mode": lambda: T.Compose([T.Normalize(127.5, 50.0), T.ToMode()]),
}


def seeded(seed, make, sample):
    """Two results in a row, so that the draws after the first are compared as well."""
    random.seed(seed)
    np.random.seed(seed)
    transform = make()
    return [transform.apply(sample()) for _ in range(2)]


def with_order(make, order):
    def made():
        transform = make()
        transform.order = order
        if isinstance(transform, T.Compose):
            transform._set_order()
        return transform

    return made


def short(answer):
    """The answer with its floats written in nine digits, which are enough for float32."""
    if isinstance(answer, dict):
        return {key: short(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [short(value) for value in answer]
    return float(f"{answer:.9g}") if isinstance(answer, float) else answer


def compact(answer):
    return json.dumps(short(answer), separators=(",", ":"))


def batch(make, count=2, dtype="uint8"):
    random.seed(5)
    np.random.seed(5)
    return make().apply_batch([((image(dtype).astype("int32") + 9 * i).astype(dtype), i) for i in range(count)])


CASES = {}
for _name, _make in GEOMETRIC.items():
    for _seed in (0, 1):
        CASES[f"{_name}_{_seed}"] = lambda make=_make, seed=_seed: seeded(seed, make, image)
    CASES[_name + "_float"] = lambda make=_make: seeded(2, make, lambda: image("float32"))
    CASES[_name + "_batch"] = lambda make=_make: batch(make)
    CASES[_name + "_annotated"] = lambda make=_make: seeded(4, with_order(make, ORDER), annotated)
    CASES[_name + "_annotated_int"] = lambda make=_make: seeded(
        6, with_order(make, ("image", "boxes", "coords")), lambda: (image(channels=1), *annotated("int32")[1:5:3])
    )
for _name, _make in PADDED_CROPS.items():
    for _seed in (0, 1, 2):
        CASES[f"{_name}_{_seed}"] = lambda make=_make, seed=_seed: seeded(seed, make, image)
    CASES[_name + "_batch"] = lambda make=_make: batch(make)
CASES["random_crop_padded_boxes"] = lambda: seeded(
    3, lambda: T.RandomCrop((4, 5), 2, [1, 2, 3], order=ORDER[:2]), lambda: annotated()[:2]
)
for _name, _make in COLOURS.items():
    for _seed in (0, 1, 2):
        CASES[f"{_name}_{_seed}"] = lambda make=_make, seed=_seed: seeded(seed, make, image)
    CASES[_name + "_batch"] = lambda make=_make: batch(make)
    CASES[_name + "_float"] = lambda make=_make: seeded(3, make, lambda: image("float32"))
    if _name not in ("jitter", "jitter_two"):
        CASES[_name + "_annotated"] = lambda make=_make: seeded(4, with_order(make, ORDER), annotated)

CASES.update(
    {
        "to_gray": lambda: F.to_gray(image()),
        "to_gray_float": lambda: F.to_gray(image("float32")),
        "to_bgr": lambda: F.to_bgr(image(channels=1)),
        "pad_function": lambda: F.pad(image(), 2, (1, 2, 3)),
        "pad_function_number": lambda: F.pad(image(), [1, 0], 200),
        "pad_function_float": lambda: F.pad(image(), (1, 0, 2, 0), 0.5),
        "pad_function_int16": lambda: F.pad(image("int16"), 1, (-40000, 70000, 3)),
        "pad_function_five": lambda: F.pad(image(channels=5), 1, 0),
        "flip_horizontal": lambda: F.flip(image(), 1),
        "flip_vertical": lambda: F.flip(image(), flipCode=0),
        "flip_both": lambda: F.flip(image(), -1),
        "flip_gray": lambda: F.flip(image(channels=1), 1),
        "resize_function": lambda: F.resize(image(), (4, 11)),
        "resize_function_float64": lambda: F.resize(image("float64"), [4, 11], 2),
        "resize_function_gray": lambda: F.resize(image(channels=1), (4, 11), 0),
        "wrapped": lambda: F.wrap_keepdims(lambda image, plane: image[:, :, plane])(image(), 1),
        # what is refused, and how
        "pad_size_three": lambda: T.Pad((1, 2, 3)),
        "pad_size_text": lambda: T.Pad("a"),
        "pad_mask_value": lambda: T.Pad(1, mask_value=1.5),
        "random_crop_size": lambda: T.RandomCrop(3, padding_size=(1, 2, 3)),
        "sample_style": lambda: T.ShortestEdgeResize(3, 4, "some"),
        "scale_range": lambda: T.RandomResizedCrop(3, (2.0, 1.0)),
        "ratio_range": lambda: T.RandomResizedCrop(3, ratio_range=(2.0, 1.0)),
        "contrast_negative": lambda: T.ContrastTransform(-1),
        "saturation_negative": lambda: T.SaturationTransform(-0.1),
        "hue_negative": lambda: T.HueTransform(-0.1),
        "hue_large": lambda: T.HueTransform(0.6),
        "jitter_negative": lambda: T.ColorJitter(-1),
        "resize_flat": lambda: T.Resize((3, 4)).apply(np.zeros((4, 4), "uint8")),
        "resize_size": lambda: F.resize(image(), (1, 2, 3)),
        "flip_function_flat": lambda: F.flip(np.zeros((4, 4), "uint8"), 1),
        "to_gray_flat": lambda: F.to_gray(np.zeros((4, 4), "uint8")),
        "no_image": lambda: T.RandomCrop(3, order=("mask",)).apply((mask(),)),
        "class_order": lambda: T.Resize(3, order=("smell",)),
    }
)
