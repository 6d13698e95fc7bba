"""Functions of neural networks: layers, activations, normalisations and losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._help.ranges import number
from ..graph.apply import apply
from ..graph.errors import BadIndexError
from ..graph.host_data import checked_for
from ..ops import index as index_ops
from ..ops import linalg
from ..ops import nn as ops
from ..ops import shape as shape_ops
from ..random.rng import stream
from ..tensor import Tensor
from ..tensor import axes as _axes
from ..tensor.bounds import outside
from . import _settings
from ._args import index_of, plain, require_tensor, setting, tensor_of, vector_of
from ._attention import multi_head_attention as multi_head_attention
from ._convolution import conv1d, conv2d, conv3d, conv_transpose2d, conv_transpose3d
from ._ctc import ctc_loss as ctc_loss
from ._normalization import batch_norm, general_norm, group_norm, instance_norm, layer_norm, local_response_norm
from ._pooling import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool2d,
    deformable_psroi_pooling,
    max_pool2d,
    sliding_window,
    sliding_window_transpose,
)
from ._sync_norm import sync_batch_norm
from ._varying_convolution import deformable_conv2d, local_conv2d, region_restricted_conv
from .activation import (
    gelu,
    hsigmoid,
    hswish,
    leaky_relu,
    logsigmoid,
    logsoftmax,
    logsumexp,
    prelu,
    relu,
    relu6,
    sigmoid,
    silu,
    softmax,
    softplus,
)
from .loss import binary_cross_entropy as binary_cross_entropy
from .loss import cross_entropy as cross_entropy
from .loss import hinge_loss as hinge_loss
from .loss import l1_loss as l1_loss
from .loss import square_loss as square_loss
from .math import normalize
from .metric import topk_accuracy as topk_accuracy
from .quantized import conv_bias_activation as conv_bias_activation
from .vision import correlation as correlation
from .vision import cvt_color as cvt_color
from .vision import interpolate as interpolate
from .vision import nms as nms
from .vision import nvof as nvof
from .vision import remap as remap
from .vision import roi_align as roi_align
from .vision import roi_pooling as roi_pooling
from .vision import warp_affine as warp_affine
from .vision import warp_perspective as warp_perspective

# What `megengine.functional` takes over; the losses are found here only, as in MegEngine.
__all__ = [
    "linear", "dropout", "embedding", "one_hot", "indexing_one_hot", "pad", "pixel_shuffle",
    "remap", "warp_affine", "warp_perspective",
    "batch_norm", "sync_batch_norm", "layer_norm", "group_norm", "instance_norm", "general_norm", "local_response_norm",
    "normalize", "multi_head_attention",
    "sigmoid", "hsigmoid", "relu", "relu6", "hswish", "prelu", "leaky_relu", "silu", "gelu", "softplus",
    "softmax", "logsoftmax", "logsigmoid", "logsumexp",
    "conv1d", "conv2d", "conv3d", "local_conv2d", "conv_transpose2d", "conv_transpose3d", "deformable_conv2d",
    "region_restricted_conv",
    "max_pool2d", "avg_pool2d", "adaptive_max_pool2d", "adaptive_avg_pool2d",
    "sliding_window", "sliding_window_transpose", "deformable_psroi_pooling",
]  # fmt: skip


def linear(inp: Tensor, weight: Tensor, bias: Tensor | None = None, compute_mode: str = "default") -> Tensor:
    """Linear (fully connected) layer ``inp @ weight.T + bias``.

    Args:
        inp: ``(..., in_features)``.
        weight: ``(out_features, in_features)``.
        bias: ``(out_features,)``, or None.
        compute_mode: accepted for compatibility; float16 products accumulate in float32 either way.

    Returns:
        ``(..., out_features)``.

    Raises:
        RuntimeError: shapes do not fit.

    Example:
        >>> F.linear(Tensor([[1.0, 2.0]]), Tensor([[1.0, 1.0], [0.0, 3.0]]), Tensor([0.5, 0.0]))
        Tensor([[3.5 6. ]], device=xpux:0)
    """
    if bias is None:
        return apply(linalg.linear, inp, weight)
    return apply(linalg.linear, inp, weight, bias)


def one_hot(inp: Tensor, num_classes: int) -> Tensor:
    """One-hot encoding: class numbers as vectors that are 1 at the class and 0 elsewhere.

    Args:
        inp: integer class numbers from 0 to ``num_classes - 1``, of any shape.
        num_classes: length of the vectors.

    Returns:
        ``(*inp.shape, num_classes)`` of the input's dtype.

    Raises:
        RuntimeError: the class numbers are not integers.
        IndexError: a class number out of range; for one that is still to be computed, when something is read.

    Example:
        >>> F.one_hot(Tensor([0, 2]), 3)
        Tensor([[1 0 0]
         [0 0 1]], dtype=int32, device=xpux:0)
    """
    inp = index_of(inp)
    if np.dtype(inp.dtype).kind not in "iu":
        raise RuntimeError(f"one_hot takes integers, not {np.dtype(inp.dtype).name}; convert with astype('int32')")
    classes = _axes.as_int(num_classes, "num_classes")
    wrong = outside(inp, 0, classes)
    if wrong is not None and classes:
        raise BadIndexError(f"one_hot: class {wrong} is out of range for {classes} classes")
    return apply(shape_ops.one_hot, inp, classes=classes)


def indexing_one_hot(src: Tensor, index: Tensor, axis: int = 1, keepdims: bool = False) -> Tensor:
    """Selection of one element for each index along a dimension: ``src[n, index[n]]`` for a matrix.

    Args:
        src: input.
        index: integers of the input's shape without ``axis``.
        axis: the dimension.
        keepdims: keep that dimension with size 1.

    Raises:
        AssertionError: ``src`` is not a tensor.
        RuntimeError: shapes do not fit, or no such dimension.
        IndexError: an index out of range; for one that is still to be computed, when something is read.

    Example:
        >>> F.indexing_one_hot(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([1, 0]))
        Tensor([2. 3.], device=xpux:0)
    """
    if not isinstance(src, Tensor):
        raise AssertionError(f"indexing_one_hot: src must be a Tensor, not {type(src).__name__}")
    index = index_of(index)
    axis = _axes.one_axis(axis, src.ndim, "indexing_one_hot")
    wrong = outside(index, 0, src.shape[axis])
    if wrong is not None:
        raise BadIndexError(
            f"indexing_one_hot: index {wrong} is out of range for dimension {axis} of size {src.shape[axis]}"
        )
    return apply(index_ops.take_along, src, index, axis=axis, keepdims=bool(keepdims))


def embedding(
    inp: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float | None = None,
) -> Tensor:
    """Embedding lookup: rows of a table, one for each index.

    Args:
        inp: integer indices of any shape.
        weight: the table ``(num_embeddings, embedding_dim)``.
        padding_idx: not supported by MegEngine either; leave None.
        max_norm: not supported by MegEngine either; leave None.
        norm_type: not supported by MegEngine either; leave None.

    Returns:
        ``(*inp.shape, embedding_dim)``.

    Raises:
        ValueError: one of the last three is given.

    Example:
        >>> F.embedding(Tensor([2, 0]), Tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
        Tensor([[4. 5.]
         [0. 1.]], device=xpux:0)
    """
    for name, value in (("padding_idx", padding_idx), ("max_norm", max_norm), ("norm_type", norm_type)):
        if value is not None:
            raise ValueError(f"embedding: {name}={value} is not supported")
    return weight[index_of(inp)]  # as an index by itself, a tuple would be one of several dimensions and None a new one


def dropout(inp: Tensor, drop_prob: float, training: bool = True) -> Tensor:
    """Dropout: elements set to zero at random, the others divided by ``1 - drop_prob`` (Srivastava et al., 2014).

    Args:
        inp: input.
        drop_prob: probability of zero, in [0, 1).
        training: without it, and for probability 0, the input itself is returned.

    Raises:
        AssertionError: a probability outside [0, 1).

    Example:
        >>> megengine.random.seed(0)
        >>> dropped = F.nn.dropout(F.ones((1000,)), 0.5)
        >>> np.unique(dropped.numpy())
        array([0., 2.], dtype=float32)
    """
    if type(drop_prob) is not float:
        drop_prob = number("dropout: drop_prob", drop_prob)
    if not 0 <= drop_prob < 1:
        raise AssertionError(f"dropout: drop_prob must be in [0, 1), it is {drop_prob}")
    if not training or drop_prob == 0:
        return inp
    require_tensor(inp, "inp")
    if not inp._value.aval.is_float:
        raise RuntimeError(f"dropout takes floating-point tensors, not {np.dtype(inp.dtype).name}")
    return stream()._dropout(inp, setting(drop_prob))


def pad(
    src: Tensor, pad_width: Sequence[tuple[int, int]], mode: str = "constant", constant_value: float = 0.0
) -> Tensor:
    """Padding of any dimension, with a constant or by repeating or mirroring the edge. A scalar is one element.

    Args:
        src: input.
        pad_width: for each dimension from the first on, how many elements before and after.
        mode: ``"constant"``; ``"replicate"`` (or ``"edge"``) repeats the outermost element; ``"reflect"`` mirrors at it.
        constant_value: the number added in mode constant.

    Raises:
        AssertionError: another mode.
        RuntimeError: negative widths, more pairs than dimensions, a reflection longer than the dimension, or nothing to repeat.
        OverflowError: NaN, infinity or a number beyond 32 bits for integers.

    Example:
        >>> F.nn.pad(Tensor([1.0, 2.0, 3.0]), ((1, 2),))
        Tensor([0. 1. 2. 3. 0. 0.], device=xpux:0)
    """
    kind, widths = _settings.padding(pad_width, mode)
    src = vector_of(src)
    if any(any(pair) for pair in widths[src.ndim :]):
        raise RuntimeError(f"pad: {len(widths)} pairs for an input of shape {src.shape}")
    widths = [*widths[: src.ndim], *[(0, 0)] * (src.ndim - len(widths))]
    if kind == "reflect" and any(max(pair) >= n for pair, n in zip(widths, src.shape, strict=True) if max(pair)):
        raise RuntimeError(
            f"pad: a reflection must be shorter than the dimension: widths {widths} for shape {src.shape}"
        )
    if kind == "replicate" and any(max(pair) and n == 0 for pair, n in zip(widths, src.shape, strict=True)):
        raise RuntimeError(f"pad: no element to repeat: widths {widths} for shape {src.shape}")
    return apply(ops.pad, src, checked_for(plain(constant_value), src.dtype), widths=tuple(widths), mode=kind)


def pixel_shuffle(inp: Tensor, upscale_factor: int) -> Tensor:
    """Pixel shuffle: channels laid out as blocks of pixels (Shi et al., Real-Time Single Image Super-Resolution, 2016).

    Args:
        inp: ``(..., C * r * r, H, W)``.
        upscale_factor: r.

    Returns:
        ``(..., C, H * r, W * r)``.

    Raises:
        RuntimeError: the number of channels is no multiple of r * r, or fewer than three dimensions.

    Example:
        >>> F.nn.pixel_shuffle(F.arange(4).reshape(1, 4, 1, 1), 2)
        Tensor([[[[0. 1.]
           [2. 3.]]]], device=xpux:0)
    """
    inp = tensor_of(inp)
    factor = _axes.as_int(upscale_factor, "upscale_factor")
    if inp.ndim < 3 or factor < 1 or inp.shape[-3] % factor**2:
        raise RuntimeError(f"pixel_shuffle: the channels of shape {inp.shape} are no multiple of {factor} * {factor}")
    return apply(ops.pixel_shuffle, inp, factor=factor)
