"""Settings out of their range are errors where they are given, and settings that MegEngine takes with reason are taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import megengine.data.transform as T
import megengine.functional as F
import megengine.module as M
import megengine.optimizer as O  # as short as the others
from megengine import Parameter, Tensor, amp, data, random
from megengine._help.ranges import RangeError, within
from megengine.data.dataset import ArrayDataset

NAN, INF = float("nan"), float("inf")
_CONV = {"in_channels": 4, "out_channels": 4, "kernel_size": 3}
_DATASET = ArrayDataset(np.arange(6))


def _optimizer(kind: Any) -> Any:
    return lambda **settings: kind([Parameter(np.ones(2))], **{"lr": 0.1, **settings})


def _of(function: Any, *arguments: Any, **given: Any) -> Any:
    return lambda **settings: function(*arguments, **{**given, **settings})


def _image() -> Tensor:
    return Tensor(np.ones((2, 4, 8, 8)))


def _scheduled(**settings: Any) -> Any:
    return O.MultiStepLR(O.SGD([Parameter([1.0])], lr=0.1), **{"milestones": [1, 2], **settings})


# What makes the thing, and values that each setting must not have.
REFUSED: dict[str, tuple[Any, dict[str, list[Any]]]] = {
    "SGD": (_optimizer(O.SGD), {"lr": [-1, NAN, INF], "momentum": [-0.1, NAN], "weight_decay": [-0.1, NAN]}),
    "Adam": (_optimizer(O.Adam), {"betas": [(1.0, 0.9), (0.9, -0.1), (NAN, 0.9)], "eps": [-1, NAN], "lr": [-1]}),
    "AdamW": (_optimizer(O.AdamW), {"betas": [(0.9, 1.0)], "eps": [-1e-8], "weight_decay": [-1]}),
    "Adadelta": (_optimizer(O.Adadelta), {"rho": [-0.1, 1.1, NAN], "eps": [-1]}),
    "Adagrad": (_optimizer(O.Adagrad), {"lr_decay": [-1, NAN], "eps": [-1]}),
    "LAMB": (_optimizer(O.LAMB), {"betas": [(1.0, 0.9)], "eps": [-1]}),
    "MultiStepLR": (_scheduled, {"gamma": [-1, NAN], "milestones": [[2, 1]]}),
    "clip_grad_norm": (_of(O.clip_grad_norm, [], max_norm=1.0), {"max_norm": [-1, NAN], "ord": [NAN]}),
    "clip_grad_value": (_of(O.clip_grad_value, [], lower=-1, upper=1), {"lower": [2, NAN], "upper": [-2, NAN]}),
    "GradScaler": (
        amp.GradScaler,
        {
            "init_scale": [0, -1, NAN, INF],
            "growth_factor": [-1, 0.5, NAN],
            "backoff_factor": [-1, 0, 2, NAN],
            "growth_interval": [-1, NAN],
        },
    ),
    "Dropout": (M.Dropout, {"drop_prob": [-0.1, 1.1, 2.0, NAN, "a", None]}),
    "F.dropout": (_of(F.dropout, Tensor([1.0]), training=False), {"drop_prob": [-0.1, 2.0, NAN]}),
    "Linear": (_of(M.Linear, in_features=4, out_features=3), {"in_features": [0, -1, 2.5], "out_features": [-1, 2.5]}),
    "Conv1d": (_of(M.Conv1d, **_CONV), {"stride": [0], "groups": [3, 0], "padding": [-1], "dilation": [0]}),
    "Conv2d": (
        _of(M.Conv2d, **_CONV),
        {
            "in_channels": [0, -1],
            "out_channels": [0, -1],
            "kernel_size": [0, -1, (3, 0), 2.5],
            "stride": [0, -1, (1, 0)],
            "padding": [-1],
            "dilation": [0, -1],
            "groups": [0, -1, 3],
        },
    ),
    "Conv3d": (_of(M.Conv3d, **_CONV), {"kernel_size": [0], "groups": [3]}),
    "ConvTranspose2d": (_of(M.ConvTranspose2d, **_CONV), {"stride": [0], "groups": [3], "kernel_size": [0]}),
    "LocalConv2d": (_of(M.LocalConv2d, **_CONV, input_height=8, input_width=8), {"stride": [0], "groups": [3]}),
    "MaxPool2d": (_of(M.MaxPool2d, kernel_size=2), {"kernel_size": [0, -1, (2, 0)], "stride": [-1], "padding": [-1]}),
    "AvgPool2d": (_of(M.AvgPool2d, kernel_size=2), {"kernel_size": [0], "stride": [(0, 1)], "padding": [-1]}),
    "AdaptiveAvgPool2d": (M.AdaptiveAvgPool2d, {"oshp": [0, -1, (2, 0)]}),
    "AdaptiveMaxPool2d": (M.AdaptiveMaxPool2d, {"oshp": [0, -1]}),
    "SlidingWindow": (_of(M.SlidingWindow, kernel_size=2), {"kernel_size": [0], "stride": [0], "dilation": [0]}),
    "SlidingWindowTranspose": (
        _of(M.SlidingWindowTranspose, output_size=8, kernel_size=2),
        {"output_size": [0, -1], "kernel_size": [0], "stride": [0], "padding": [-1], "dilation": [0]},
    ),
    "BatchNorm1d": (_of(M.BatchNorm1d, num_features=4), {"num_features": [0, -1], "eps": [-1], "momentum": [-1]}),
    "BatchNorm2d": (
        _of(M.BatchNorm2d, num_features=4),
        {"num_features": [0, -1, 2.5], "eps": [-1e-6, NAN], "momentum": [-0.1, 1.1, NAN, None]},
    ),
    "SyncBatchNorm": (_of(M.SyncBatchNorm, num_features=4), {"num_features": [0], "momentum": [2]}),
    "F.batch_norm": (_of(F.batch_norm, _image(), training=True), {"eps": [-1, NAN], "momentum": [-0.1, 1.1, NAN]}),
    "GroupNorm": (
        _of(M.GroupNorm, num_groups=2, num_channels=4),
        {"num_groups": [0, -1, 3], "num_channels": [0, -2], "eps": [-1, NAN]},
    ),
    "InstanceNorm": (_of(M.InstanceNorm, num_channels=4), {"num_channels": [0, -1], "eps": [-1]}),
    "LayerNorm": (_of(M.LayerNorm, normalized_shape=4), {"normalized_shape": [-1, (2, -1)], "eps": [-1, NAN]}),
    "GeneralNorm": (_of(M.GeneralNorm, normalized_shape=4), {"normalized_shape": [-1], "eps": [-1]}),
    "F.layer_norm": (_of(F.layer_norm, _image(), (8,), False), {"eps": [-1, NAN]}),
    "F.group_norm": (_of(F.group_norm, _image(), num_groups=2, affine=False), {"eps": [-1], "num_groups": [0, 3]}),
    "LocalResponseNorm": (M.LocalResponseNorm, {"kernel_size": [0, -1], "alpha": [NAN], "k": [NAN], "beta": [NAN]}),
    "Embedding": (_of(M.Embedding, num_embeddings=5, embedding_dim=3), {"num_embeddings": [-1], "embedding_dim": [-1]}),
    "PReLU": (M.PReLU, {"num_parameters": [0, -1], "init": [NAN]}),
    "LeakyReLU": (M.LeakyReLU, {"negative_slope": [NAN, "a"]}),
    "PixelShuffle": (M.PixelShuffle, {"upscale_factor": [0, -1]}),
    "MultiHeadAttention": (
        _of(M.MultiHeadAttention, embed_dim=8, num_heads=2),
        {"embed_dim": [0, 7], "num_heads": [0, 3], "attn_dropout": [-0.1, 2.0, NAN], "out_dropout": [-0.1, 2.0]},
    ),
    "LSTM": (
        _of(M.LSTM, input_size=4, hidden_size=3),
        {"dropout": [-0.1, 2.0, NAN], "num_layers": [0], "hidden_size": [0]},
    ),
    "cross_entropy": (
        _of(F.loss.cross_entropy, Tensor(np.ones((2, 3))), Tensor([0, 1])),
        {"label_smooth": [-0.1, 1.1, NAN]},
    ),
    "topk_accuracy": (_of(F.topk_accuracy, Tensor(np.ones((2, 3))), Tensor([0, 1])), {"topk": [0, -1, 4]}),
    "normalize": (_of(F.normalize, Tensor([1.0])), {"eps": [-1, NAN], "ord": [NAN]}),
    "nms": (_of(F.vision.nms, Tensor([[0.0, 0.0, 1.0, 1.0]]), Tensor([1.0])), {"iou_thresh": [-0.1, 1.1, 50, NAN]}),
    "roi_align": (_of(F.vision.roi_align, _image(), Tensor(np.ones((1, 5))), 2), {"spatial_scale": [0, -1, NAN]}),
    "interpolate": (_of(F.vision.interpolate, _image()), {"scale_factor": [0, -1, NAN, (1, 0)], "size": [0, -1]}),
    "conv2d": (_of(F.conv2d, _image(), Tensor(np.ones((4, 4, 3, 3)))), {"stride": [0], "groups": [3], "dilation": [0]}),
    "one_hot": (_of(F.one_hot, Tensor([0])), {"num_classes": [-1]}),
    "normal": (_of(random.normal, size=3), {"std": [-1, NAN], "mean": [NAN]}),
    "uniform": (_of(random.uniform, size=3), {"low": [2, NAN], "high": [-1, NAN]}),
    "gamma": (_of(random.gamma, shape=1.0), {"shape": [0, -1], "scale": [0]}),
    "poisson": (_of(random.poisson, lam=1.0), {"lam": [-1]}),
    "init.normal_": (_of(M.init.normal_, Parameter(np.ones((2, 2)))), {"std": [-1, NAN]}),
    "init.xavier_normal_": (_of(M.init.xavier_normal_, Parameter(np.ones((2, 2)))), {"gain": [-1, NAN]}),
    "RandomSampler": (
        _of(data.RandomSampler, _DATASET),
        {"batch_size": [0, -1, 1.5, True], "drop_last": ["a", 1], "world_size": [0], "rank": [-1, 5]},
    ),
    "StreamSampler": (data.StreamSampler, {"batch_size": [0, -1, 1.5]}),
    "ReplacementSampler": (_of(data.ReplacementSampler, _DATASET), {"num_samples": [0, -1], "weights": [[1, 2]]}),
    "DataLoader": (_of(data.DataLoader, _DATASET), {"num_workers": [-1, 1.5, "a"], "timeout": [-1, NAN, "a"]}),
    "RandomHorizontalFlip": (T.RandomHorizontalFlip, {"prob": [-0.1, 3, NAN, "a"]}),
    "RandomVerticalFlip": (T.RandomVerticalFlip, {"prob": [-0.1, 1.1]}),
    "Resize": (T.Resize, {"output_size": [0, -1, (0, 2)]}),
    "ShortestEdgeResize": (_of(T.ShortestEdgeResize, min_size=4), {"min_size": [0, -1], "max_size": [0]}),
    "RandomResize": (T.RandomResize, {"scale_range": [(-1, 1), (NAN, 1), (0, 0)]}),
    "M.Pad": (_of(M.Pad, pad_width=((0, 1),)), {"pad_width": [((-1, 0),), ((1,),)], "mode": ["wrap"]}),
    "RandomCrop": (_of(T.RandomCrop, output_size=4), {"output_size": [0, -1], "padding_size": [-1]}),
    "CenterCrop": (T.CenterCrop, {"output_size": [0, -1, (0, 2)]}),
    "RandomResizedCrop": (
        _of(T.RandomResizedCrop, output_size=4),
        {"output_size": [0], "scale_range": [(-1, 1), (2, 1), (NAN, 1)], "ratio_range": [(2, 1)]},
    ),
    "Normalize": (T.Normalize, {"mean": [NAN], "std": [0, -1, NAN, (1, 0, 1)]}),
    "GaussianNoise": (T.GaussianNoise, {"std": [-1, NAN], "mean": [NAN]}),
    "BrightnessTransform": (T.BrightnessTransform, {"value": [-1, NAN, "a"]}),
    "ColorJitter": (T.ColorJitter, {"brightness": [-1], "hue": [0.6, -1]}),
    "Lighting": (T.Lighting, {"scale": [-1, NAN]}),
    "Pad": (T.Pad, {"size": [-1, (1, -1)]}),
}
ERRORS = (ValueError, AssertionError, RuntimeError, TypeError)


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [(n, s, v) for n, (_, table) in REFUSED.items() for s, vs in table.items() for v in vs],
)
def test_a_setting_out_of_its_range_is_refused(name: str, setting: str, value: Any) -> None:
    with pytest.raises(ERRORS):
        REFUSED[name][0](**{setting: value})


# MegEngine 1.13.0 takes these, and they mean something.
TAKEN: list[tuple[Any, dict[str, Any]]] = [
    (_optimizer(O.SGD), {"lr": 0}),
    (_optimizer(O.SGD), {"momentum": 1.0}),
    (_optimizer(O.Adam), {"betas": (0, 0), "eps": 0}),
    (_optimizer(O.Adadelta), {"rho": 1}),
    (_scheduled, {"gamma": 0}),
    (_scheduled, {"gamma": 2, "milestones": []}),
    (_of(O.clip_grad_norm, []), {"max_norm": 0, "ord": INF}),
    (_of(O.clip_grad_norm, []), {"max_norm": INF, "ord": "inf"}),
    (amp.GradScaler, {"growth_factor": 0}),
    (amp.GradScaler, {"growth_factor": 1, "backoff_factor": 1}),
    (amp.GradScaler, {"growth_interval": 0}),
    (M.Dropout, {"drop_prob": 1.0}),
    (M.Dropout, {"drop_prob": np.float32(0.5)}),
    (_of(M.BatchNorm2d, 4), {"momentum": 0, "eps": 0}),
    (_of(M.BatchNorm2d, 4), {"momentum": 1}),
    (_of(M.MaxPool2d, 2), {"stride": 0}),
    (M.LeakyReLU, {"negative_slope": -1}),
    (M.LocalResponseNorm, {"kernel_size": 4, "alpha": -1.0}),
    (_of(F.loss.cross_entropy, Tensor(np.ones((2, 3))), Tensor([0, 1])), {"label_smooth": None}),
    (_of(F.loss.cross_entropy, Tensor(np.ones((2, 3))), Tensor([0, 1])), {"label_smooth": 1}),
    (_of(F.topk, Tensor([1.0, 2.0])), {"k": -1}),
    (_of(F.vision.roi_align, _image(), Tensor(np.ones((1, 5))), 2), {"sample_points": 0}),
    (_of(F.clip, Tensor([1.0])), {"lower": 2, "upper": 1}),
    (_of(random.normal, size=2), {"std": 0}),
    (_of(random.permutation), {"n": 0}),
    (_of(M.init.fill_, Parameter(np.ones(2))), {"val": NAN}),
    (T.RandomHorizontalFlip, {"prob": 0}),
    (T.RandomHorizontalFlip, {"prob": 1}),
    (T.RandomResize, {"scale_range": (2, 1)}),
    (_of(T.RandomResizedCrop, 4), {"scale_range": (0.5, 2)}),
    (T.BrightnessTransform, {"value": 2}),
    (T.GaussianNoise, {"std": 0}),
    (_of(data.DataLoader, _DATASET), {"timeout": 0.5}),
]


@pytest.mark.parametrize(("make", "settings"), TAKEN)
def test_a_setting_that_means_something_is_taken(make: Any, settings: dict[str, Any]) -> None:
    make(**settings)


def test_a_dropout_of_one_serves_in_evaluation_only() -> None:
    drop = M.Dropout(1.0)
    with pytest.raises(AssertionError, match=r"drop_prob must be in \[0, 1\), it is 1.0"):
        drop(Tensor([1.0]))
    drop.eval()
    assert drop(Tensor([1.0])).item() == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((3, 0, 1), "from 0 to 1, not 3"),
        ((0, 0, 1, True), "above 0 and at most 1, not 0"),
        ((1, 0, 1, False, True), "at least 0 and below 1, not 1"),
        ((-1, 0), "at least 0, not -1"),
        ((0, 0, INF, True), "above 0, not 0"),
        ((2, -INF, 1), "at most 1, not 2"),
        ((NAN,), "a number, not nan"),
        (("a", 0), "at least 0, not 'a'"),
        ((np.ones(2), 0), "at least 0, not array"),
    ],
)
def test_the_error_says_range_and_value(given: tuple[Any, ...], words: str) -> None:
    value, *ends = given
    above, below = (*ends[2:], False, False)[:2]
    with pytest.raises(RangeError, match="^momentum must be ") as caught:
        within("momentum", value, *ends[:2], above=above, below=below)
    assert words in str(caught.value)
    for base in ERRORS:
        assert issubclass(RangeError, base)
