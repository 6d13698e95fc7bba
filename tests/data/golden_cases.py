"""Cases that real MegEngine 1.13.0 and this package are both asked, and a plain form of what they answer.

It runs on Python 3.10 with NumPy 1 as well, which is what real MegEngine needs.
"""

from __future__ import annotations

import collections
import itertools

import numpy as np

from megengine.data import (
    Collator,
    DataLoader,
    Infinite,
    MapSampler,
    RandomSampler,
    ReplacementSampler,
    Sampler,
    SequentialSampler,
    StreamSampler,
)
from megengine.data import transform as T
from megengine.data.dataset import ArrayDataset, ConcatDataset, Dataset, StreamDataset, VisionDataset

Point = collections.namedtuple("Point", "x y")


def plain(value):
    """A value as JSON has it: arrays and scalars with dtype and shape, containers with their type."""
    if isinstance(value, (np.ndarray, np.generic)):
        values = np.asarray(value)
        if values.dtype.kind in "SM":
            values = values.astype(str)
        return {"array": str(np.asarray(value).dtype), "shape": list(values.shape), "values": values.tolist()}
    if isinstance(value, dict):
        return {"dict": {str(k): plain(v) for k, v in value.items()}}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [plain(v) for v in value]}
    return {type(value).__name__: repr(value)}


def answer(case):
    """The plain form of a case's result, or the class of its exception."""
    np.random.seed(7)
    try:
        return plain(case())
    except Exception as error:
        known = [kind for kind in type(error).__mro__ if kind.__module__ in ("builtins", "numpy.exceptions")]
        return {"error": known[0].__name__}


def image(dtype="uint8", shape=(4, 5, 3)):
    return (np.arange(int(np.prod(shape))) * 37 % 251).reshape(shape).astype(dtype)


def pairs(count=10):
    """A data set of small images and labels."""
    return ArrayDataset(image(shape=(count, 3, 4, 2)), (np.arange(count) * 3 % 7).astype("uint8"))


class Upto(StreamDataset):
    """A stream of pairs."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        for i in range(1, self.count + 1):
            yield np.full((2,), i, "float32"), i


class Items(Dataset):
    """A data set of any samples."""

    def __init__(self, samples):
        self.samples = samples

    def __getitem__(self, index):
        return self.samples[index]

    def __len__(self):
        return len(self.samples)


def annotated():
    """A sample with every kind of field."""
    return (
        image(),
        np.array([[1.0, 2.0], [3.0, 0.5]]),
        np.array([[0.0, 1.0, 3.0, 4.0], [1.0, 1.0, 2.0, 2.0]]),
        image(shape=(4, 5, 1)),
        np.array([[[1.0, 2.0, 1.0], [0.0, 1.0, 0.0]]]),
        [[np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]])]],
        "cat",
        {"id": 3},
    )


ORDER = ("image", "coords", "boxes", "mask", "keypoints", "polygons", "image_category", "info")

COLLATED = {
    "ints": [1, 2],
    "bools": [True, False],
    "int_then_float": [1, 2.5],
    "float_then_int": [2.5, 1],
    "strings": ["a", "b"],
    "tuple_of_strings": ("a", "b"),
    "bytes": [b"a", b"b"],
    "numpy_strings": [np.str_("a"), np.str_("b")],
    "numpy_bytes": [np.bytes_(b"a"), np.bytes_(b"bc")],
    "float16_scalars": [np.float16(1), np.float16(2)],
    "mixed_scalars": [np.uint8(1), np.int8(-1)],
    "float64_scalars": [np.float64(1), np.float64(2)],
    "zero_dim_arrays": [np.array(1.0), np.array(2.0)],
    "arrays_of_strings": [np.array(["a"]), np.array(["bc"])],
    "object_arrays": [np.array([None])] * 2,
    "none": [None, None],
    "tuples": [(1, "x"), (2, "y")],
    "lists": [[1, 2], [3, 4]],
    "named_tuples": [Point(1, 2.0), Point(3, 4.0)],
    "dicts": [{"a": 1, "b": (1, 2)}, {"a": 2, "b": (3, 4)}],
    "missing_key": [{"a": 1}, {"b": 1}],
    "ranges": [range(2), range(2)],
    "numpy_bools": [np.bool_(True), np.bool_(False)],
    "dates": [np.datetime64("2020-01-01")] * 2,
    "complex": [1j, 2j],
    "sets": [{1}],
    "nothing": [],
    "different_shapes": [np.zeros(2), np.zeros(3)],
    "different_dtypes": [np.arange(2, dtype="float32"), np.arange(2)],
    "big_endian": [np.arange(2, dtype=">i4")] * 2,
    "empty_lists": [[], []],
    "arrays": [image(), image()],
    "nested": [((1, [2.0, {"k": np.float32(3)}]),), ((4, [5.0, {"k": np.float32(6)}]),)],
}

DTYPES = ("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "bool")

TRANSFORMS = {
    "normalize_default": lambda: T.Normalize(),
    "normalize_scalar": lambda: T.Normalize(3.0, 4.0),
    "normalize_float64_scalar": lambda: T.Normalize(np.float64(72.940352), np.float64(90.021182)),
    "normalize_channels": lambda: T.Normalize(mean=(103.5, 116.0, 123.25), std=(57.0, 57.5, 58.0)),
    "normalize_large": lambda: T.Normalize(1e6, 2.0),
    "to_mode": lambda: T.ToMode("CHW"),
    "center_crop": lambda: T.CenterCrop((2, 3)),
    "center_crop_int": lambda: T.CenterCrop(3),
    "horizontal_flip": lambda: T.RandomHorizontalFlip(1.0),
    "vertical_flip": lambda: T.RandomVerticalFlip(1.0),
    "maybe_flip": lambda: T.RandomHorizontalFlip(0.5),
    "noise": lambda: T.GaussianNoise(0.0, 0.2),
    "noise_channels": lambda: T.GaussianNoise((0.0, 0.1, 0.2), (0.1, 0.1, 0.5)),
    "brightness": lambda: T.BrightnessTransform(0.4),
    "brightness_zero": lambda: T.BrightnessTransform(0),
    "lighting": lambda: T.Lighting(0.1),
    "lighting_zero": lambda: T.Lighting(0),
    "compose": lambda: T.Compose([T.RandomHorizontalFlip(1.0), T.Normalize(1.0, 2.0), T.ToMode()]),
    "compose_shuffled": lambda: T.Compose(
        [T.Normalize(1.0, 2.0), T.RandomVerticalFlip(1.0), T.Normalize(5.0, 3.0)], shuffle_indices=[(1, 3)]
    ),
    "compose_batch": lambda: T.Compose([T.Normalize(1.0, 2.0), T.ToMode()], batch_compose=True),
    "compose_empty": lambda: T.Compose([]),
    "pseudo": lambda: T.PseudoTransform(),
}

GEOMETRIC = ("center_crop", "horizontal_flip", "vertical_flip")


def transform_with_order(name, order):
    transform = TRANSFORMS[name]()
    transform.order = order
    return transform


def loaded(dataset, sampler, transform=None, **settings):
    return list(DataLoader(dataset, sampler, transform, **settings))


def first(iterable, count):
    return list(itertools.islice(iterable, count))


CASES = {}
for _name, _samples in COLLATED.items():
    CASES["collate_" + _name] = lambda samples=_samples: Collator().apply(samples)

for _name, _make in TRANSFORMS.items():
    CASES["apply_" + _name] = lambda make=_make: make().apply((image(), 3))
    CASES["apply_single_" + _name] = lambda make=_make: make().apply(image())
    CASES["apply_batch_" + _name] = lambda make=_make: make().apply_batch([(image(), 3), (image("int16"), 4)])
for _dtype in DTYPES:
    for _name in ("normalize_scalar", "normalize_channels", "normalize_large", "noise", "brightness", "lighting"):
        CASES[f"{_name}_{_dtype}"] = lambda name=_name, dtype=_dtype: TRANSFORMS[name]().apply(image(dtype))
    CASES[f"normalize_scalar_of_scalar_{_dtype}"] = lambda dtype=_dtype: T.Normalize(3.0, 4.0).apply(
        (image(dtype)[1, 1, 1],)
    )
for _name in GEOMETRIC:
    CASES["annotated_" + _name] = lambda name=_name: transform_with_order(name, ORDER).apply(annotated())
for _kind in ("coords", "boxes", "mask", "keypoints", "polygons", "info"):
    for _name in ("normalize_scalar", "to_mode"):
        CASES[f"{_name}_{_kind}"] = lambda name=_name, kind=_kind: transform_with_order(name, (kind,)).apply(
            (annotated()[ORDER.index(kind)],)
        )

CASES.update(
    {
        # what is refused, and how
        "order_not_sequence": lambda: T.Normalize(order=3),
        "order_batch": lambda: T.Normalize(order=("batch",)),
        "order_unknown": lambda: T.Normalize(order=("smell",)),
        "order_category": lambda: T.Normalize(order=("image", "image_category")).order,
        "vision_transform_image": lambda: T.VisionTransform().apply(image()),
        "vision_transform_coords": lambda: T.VisionTransform(order=("coords",)).apply(image()),
        "to_mode_unknown": lambda: T.ToMode("HWC"),
        "to_mode_flat": lambda: T.ToMode().apply(np.zeros(4)),
        "crop_too_large": lambda: T.CenterCrop(9).apply(image()),
        "brightness_negative": lambda: T.BrightnessTransform(-1),
        "lighting_negative": lambda: T.Lighting(-1),
        "flip_flat": lambda: T.RandomHorizontalFlip(1.0).apply(np.zeros((3, 4))),
        "compose_both": lambda: T.Compose([T.ToMode()], True, [(1,)]),
        "compose_order": lambda: [t.order for t in T.Compose([T.ToMode(), T.Normalize()], order=("mask",)).transforms],
        "transform_repr": lambda: repr(T.ToMode()),
        "dataset_abstract": lambda: Dataset(),
        "stream_abstract": lambda: StreamDataset(),
        "sampler_abstract": lambda: Sampler(),
        "transform_abstract": lambda: T.Transform(),
        "stream_getitem": lambda: Upto(3)[0],
        "stream_len": lambda: len(Upto(3)),
        "array_lengths": lambda: ArrayDataset(np.zeros(3), np.zeros(4)),
        "array_index": lambda: pairs()[10],
        "array_item": lambda: pairs()[-1],
        "array_of_lists": lambda: ArrayDataset([1, 2], ["a", "b"])[1],
        "concat_empty": lambda: ConcatDataset([]),
        "concat_stream": lambda: ConcatDataset([Upto(2)]),
        "concat_items": lambda: [ConcatDataset([ArrayDataset([1, 2]), ArrayDataset([3])])[i] for i in (0, 2, -1, -3)],
        "concat_above": lambda: ConcatDataset([ArrayDataset([1, 2])])[2],
        "concat_below": lambda: ConcatDataset([ArrayDataset([1, 2])])[-3],
        "vision_order": lambda: VisionDataset("r", order=3),
        "vision_unsupported": lambda: VisionDataset("r", order=("mask",), supported_order=("image",)),
        "vision_item": lambda: VisionDataset("r")[0],
        "vision_len": lambda: len(VisionDataset("r")),
        "batch_size_zero": lambda: SequentialSampler(range(5), 0),
        "batch_size_bool": lambda: SequentialSampler(range(5), True),
        "batch_size_float": lambda: SequentialSampler(range(5), 2.0),
        "batch_size_large": lambda: SequentialSampler(range(5), 6),
        "batch_size_share": lambda: SequentialSampler(range(5), 4, world_size=2, rank=0),
        "drop_last_int": lambda: SequentialSampler(range(5), 2, 1),
        "num_samples_zero": lambda: ReplacementSampler(range(5), num_samples=0),
        "indices_number": lambda: RandomSampler(range(5), indices=3),
        "weights_number": lambda: ReplacementSampler(range(5), weights=3),
        "weights_length": lambda: ReplacementSampler(range(5), weights=[1, 2]),
        "map_sample": lambda: list(MapSampler(range(5))),
        "infinite_sample": lambda: Infinite(SequentialSampler(range(5))).sample(),
        "workers_negative": lambda: DataLoader(pairs(), num_workers=-1),
        "timeout_negative": lambda: DataLoader(pairs(), timeout=-1),
        "loader_of_list": lambda: DataLoader([1, 2]),
        "loader_map_with_stream_sampler": lambda: DataLoader(pairs(), StreamSampler(2)),
        "loader_stream_with_map_sampler": lambda: DataLoader(Upto(3), SequentialSampler(pairs())),
        "loader_stream_len": lambda: len(DataLoader(Upto(3), StreamSampler(2))),
        "loader_defaults": lambda: [
            type(getattr(DataLoader(pairs()), part)).__name__ for part in ("sampler", "transform", "collator")
        ],
        # which samples
        "sequential": lambda: list(SequentialSampler(range(10), 4)),
        "sequential_drop": lambda: list(SequentialSampler(range(10), 4, True)),
        "sequential_indices": lambda: list(SequentialSampler(range(10), 2, indices=[7, 1, 3])),
        "sequential_len": lambda: [len(SequentialSampler(range(10), 4, drop)) for drop in (False, True)],
        "random": lambda: [list(s) for s in [RandomSampler(range(20), 6, seed=3)] * 3],
        "random_drop": lambda: list(RandomSampler(range(20), 6, True, seed=3)),
        "random_indices": lambda: list(RandomSampler(range(20), 2, indices=[5, 6, 7, 9, 11], seed=11)),
        "replacement": lambda: [list(s) for s in [ReplacementSampler(range(9), 4, seed=5)] * 2],
        "replacement_more": lambda: list(ReplacementSampler(range(4), 3, num_samples=11, seed=1)),
        "replacement_weights": lambda: list(
            ReplacementSampler(range(5), 5, num_samples=20, weights=[1, 0, 2, 5, 0.5], seed=2)
        ),
        "shards_sequential": lambda: [list(SequentialSampler(range(11), 2, world_size=3, rank=r)) for r in range(3)],
        "shards_sequential_drop": lambda: [
            list(SequentialSampler(range(11), 3, True, world_size=3, rank=r)) for r in range(3)
        ],
        "shards_random": lambda: [
            [list(s) for s in [RandomSampler(range(11), 2, world_size=4, rank=r)] * 2] for r in range(4)
        ],
        "shards_random_seed": lambda: [
            list(RandomSampler(range(10), 2, world_size=3, rank=r, seed=8)) for r in range(3)
        ],
        "shards_replacement": lambda: [
            list(ReplacementSampler(range(5), 2, num_samples=9, weights=[1, 2, 3, 4, 5], world_size=2, rank=r))
            for r in range(2)
        ],
        "shards_len": lambda: [len(RandomSampler(range(11), 2, world_size=3, rank=r)) for r in range(3)],
        "stream_positions": lambda: first(StreamSampler(3), 3),
        "infinite": lambda: first(Infinite(RandomSampler(range(5), 2, seed=0)), 8),
        "infinite_len": lambda: len(Infinite(SequentialSampler(range(5)))),
        "infinite_attribute": lambda: Infinite(SequentialSampler(range(5), 2)).batch_size,
        # whole batches
        "load_plain": lambda: loaded(pairs(), SequentialSampler(pairs(), 4)),
        "load_default": lambda: loaded(pairs(3), None),
        "load_single_field": lambda: loaded(ArrayDataset(image()), SequentialSampler(image(), 3)),
        "load_single_field_normalized": lambda: loaded(
            ArrayDataset(image()), SequentialSampler(image(), 3), T.Normalize(1, 2)
        ),
        "load_normalized": lambda: loaded(pairs(), RandomSampler(pairs(), 4, seed=2), T.Normalize(72.94, 90.02)),
        "load_channels": lambda: loaded(pairs(), SequentialSampler(pairs(), 5), T.Normalize((1.0, 2.0), (3.0, 4.0))),
        "load_to_mode": lambda: loaded(pairs(), SequentialSampler(pairs(), 5), T.ToMode()),
        "load_compose": lambda: loaded(
            pairs(), SequentialSampler(pairs(), 5), T.Compose([T.Normalize(1, 2), T.ToMode()])
        ),
        "load_compose_batch": lambda: loaded(
            pairs(), SequentialSampler(pairs(), 5), T.Compose([T.Normalize(1, 2), T.ToMode()], batch_compose=True)
        ),
        "load_flipped": lambda: loaded(pairs(), SequentialSampler(pairs(), 4), T.RandomHorizontalFlip(0.5)),
        "load_mask": lambda: loaded(
            ArrayDataset(image("float32", (6, 3, 4, 2)), image("int32", (6, 3, 4, 1)), np.arange(6)),
            SequentialSampler(range(6), 4),
            T.Compose([T.Normalize(1, 2), T.ToMode()], order=("image", "mask", "image_category")),
        ),
        "load_float16": lambda: loaded(
            ArrayDataset(image("float16", (6, 3))), SequentialSampler(range(6), 4), T.Normalize(2.0, 3.0)
        ),
        "load_flat_float16": lambda: loaded(
            ArrayDataset(image("float16", (6,))), SequentialSampler(range(6), 4), T.Normalize(2.0, 3.0)
        ),
        "load_flat_int64": lambda: loaded(
            ArrayDataset(image("int64", (6,))), SequentialSampler(range(6), 4), T.Normalize(2.0, 3.0)
        ),
        "load_strings": lambda: loaded(
            ArrayDataset(np.array(["a", "bc"]), np.array([1, 2])), SequentialSampler(range(2), 2)
        ),
        "load_negative": lambda: loaded(pairs(), SequentialSampler(pairs(), 2, indices=[-1, 3, -10])),
        "load_beyond": lambda: loaded(pairs(), SequentialSampler(pairs(), 2, indices=[3, 10])),
        "load_items": lambda: loaded(
            Items([{"x": np.full(2, i), "name": str(i), "n": (i, i / 2)} for i in range(5)]),
            SequentialSampler(range(5), 3),
        ),
        "load_concat": lambda: loaded(
            ConcatDataset([pairs(3), pairs(4)]), SequentialSampler(range(7), 5), T.Normalize(1, 2)
        ),
        "load_stream": lambda: first(DataLoader(Upto(100), StreamSampler(3)), 3),
        "load_stream_normalized": lambda: first(DataLoader(Upto(100), StreamSampler(3), T.Normalize(1.0, 2.0)), 2),
    }
)
