"""Normalize followed by ToMode, in one pass: 8-bit pixels in, normalised float32 planes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...vectorise import batch_function
from .colour import Normalize
from .geometry import ToMode

__all__ = ["is_normalize_to_mode", "normalize_to_mode", "normalize_to_mode_whole", "normalized_planes"]

# Those whose difference to a float32 is a float32.
_FLOAT32_DTYPES = frozenset("?bBhHf")
_BLOCK = 1 << 16


def is_normalize_to_mode(transforms: Sequence[Any]) -> bool:
    """Whether the transforms are a Normalize and a ToMode, nothing of which is overridden.

    Example:
        >>> from megengine.data.transform import Normalize, ToMode
        >>> is_normalize_to_mode([Normalize(), ToMode()]), is_normalize_to_mode([ToMode(), Normalize()])
        (True, False)
    """
    if len(transforms) != 2 or type(transforms[0]) is not Normalize or type(transforms[1]) is not ToMode:
        return False
    return transforms[0].order == transforms[1].order and all(
        "_get_apply" not in vars(transform)
        and batch_function(transform.apply) is not None
        and batch_function(transform._apply_image) is not None
        for transform in transforms
    )


def normalized_planes(normalize: Normalize, images: Any) -> Any:
    """Normalised images with the channels first.

    Args:
        normalize: the numbers.
        images: of shape (..., H, W, C).

    Returns:
        A float32 array of shape (..., C, H, W), or NotImplemented for images or numbers of another kind.

    Example:
        >>> from megengine.data.transform import Normalize
        >>> normalized_planes(Normalize(1.0, 2.0), np.array([[[1, 3, 5]]], np.uint8)).ravel()
        array([0., 1., 2.], dtype=float32)
    """
    if type(images) is not np.ndarray or images.ndim < 3 or images.dtype.char not in _FLOAT32_DTYPES:
        return NotImplemented
    channels = images.shape[-1]
    if not {normalize.mean.shape, normalize.std.shape} <= {(), (1,), (channels,)}:
        return NotImplemented
    mean, std = normalize.mean.reshape(-1, 1, 1), normalize.std.reshape(-1, 1, 1)
    turned = np.moveaxis(images, -1, -3)
    planes = np.empty(turned.shape, np.float32)
    # Blocks that stay in the processor's cache between the three steps.
    block = max(1, _BLOCK // max(1, planes[:1].size)) if planes.ndim > 3 else len(planes)
    for start in range(0, len(planes), block):
        part = planes[start : start + block]
        part[...] = turned[start : start + block]
        part -= mean
        part /= std
    return planes


def normalize_to_mode(pair: Sequence[Any], sample: Any) -> Any:
    """What the two do to one sample.

    Example:
        >>> from megengine.data.transform import Normalize, ToMode
        >>> image, label = normalize_to_mode([Normalize(128.0), ToMode()], (np.zeros((4, 5, 3), np.uint8), 7))
        >>> image.shape, label
        ((3, 4, 5), 7)
    """
    normalize, to_mode = pair
    fields = list(sample) if isinstance(sample, tuple) else [sample]
    for place, kind in zip(range(len(fields)), normalize.order, strict=False):
        if kind == "image":
            planes: Any = NotImplemented
            if getattr(fields[place], "ndim", 0) == 3:
                planes = normalized_planes(normalize, fields[place])
            if planes is NotImplemented:
                planes = to_mode._apply_image(normalize._apply_image(fields[place]))
            fields[place] = planes
        else:
            for transform in (normalize, to_mode):
                function = transform._get_apply(kind)
                fields[place] = fields[place] if function is None else function(fields[place])
    return tuple(fields) if len(fields) != 1 else fields[0]


def normalize_to_mode_whole(pair: Sequence[Any], sample: Any) -> Any:
    """What the two do to a batch of images, or NotImplemented for batches of anything else."""
    normalize, _ = pair
    fields = sample if isinstance(sample, tuple) else (sample,)
    kinds = tuple(normalize.order)
    if kinds.count("image") != 1 or kinds[0] != "image" or any(normalize._get_apply(k) for k in kinds[1 : len(fields)]):
        return NotImplemented
    if not isinstance(fields[0], np.ndarray) or fields[0].ndim != 4:
        return NotImplemented
    planes = normalized_planes(normalize, fields[0])
    if planes is NotImplemented:
        return NotImplemented
    return (planes, *fields[1:]) if len(fields) != 1 else planes
