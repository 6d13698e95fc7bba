"""Normalisations and pooling. The second and third results of normalisations are there for gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .... import functional as F
from ..building import ABSENT, Builder, known, required, rule, tensor
from ..container import Operator

AVERAGES = {"AVERAGE": "average", "AVERAGE_COUNT_EXCLUDE_PADDING": "average_count_exclude_padding"}


@rule("BatchNorm")
def batch(builder: Builder, op: Operator, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    """With known statistics."""
    how = op.param("BN")
    required(op, "fwd_mode", how.fwd_mode, ["INFERENCE"])
    required(op, "param_dim", how.param_dim, ["DIM_1C11"])
    given = [tensor(v) for v in (mean, variance, scale, bias)]
    return ABSENT, ABSENT, ABSENT, F.batch_norm(tensor(x), *given, training=False, eps=how.epsilon)


def _both(parameters: Sequence[Any]) -> tuple[Any, Any]:
    """The scale and the shift, None where there are none."""
    scale, shift = map(tensor, parameters) if parameters else (None, None)
    return scale, shift


@rule("LayerNorm")
def layer(builder: Builder, op: Operator, x: Any, *parameters: Any) -> Any:
    """Over the last dimensions."""
    how, x = op.param("LayerNorm"), tensor(x)
    shape = tuple(x.shape[x.ndim - how.normalized_dim :])
    return F.layer_norm(x, shape, how.affine, *_both(parameters), how.eps), ABSENT, ABSENT


@rule("GeneralNorm")
def general(builder: Builder, op: Operator, x: Any, *parameters: Any) -> Any:
    """Over chosen dimensions."""
    how, x = op.param("GeneralNorm"), tensor(x)
    axes = tuple(range(how.axis_start, how.axis_end))
    return F.nn.general_norm(x, axes, how.affine, *_both(parameters), how.eps), ABSENT, ABSENT


@rule("GroupNorm")
def group(builder: Builder, op: Operator, x: Any, *parameters: Any) -> Any:
    """Over groups of channels."""
    how = op.param("GroupNorm")
    required(op, "the format", how.format, ["NCHW"])
    return F.nn.group_norm(tensor(x), how.group, how.affine, *_both(parameters), how.eps), ABSENT, ABSENT


@rule("InstanceNorm")
def instance(builder: Builder, op: Operator, x: Any, *parameters: Any) -> Any:
    """Of each channel of each example."""
    how = op.param("GroupNorm")
    required(op, "the format", how.format, ["NCHW"])
    return F.nn.instance_norm(tensor(x), how.affine, *_both(parameters), how.eps), ABSENT, ABSENT


@rule("LRN")
def local_response(builder: Builder, op: Operator, x: Any) -> Any:
    """Across channels."""
    how = op.param("LRN")
    return F.nn.local_response_norm(tensor(x), how.n, how.k, how.alpha, how.beta)


@rule("Pooling")
def pool(builder: Builder, op: Operator, x: Any) -> Any:
    """The maximum or average of each window."""
    how = op.param("Pooling")
    required(op, "the format", how.format, ["NCHW"])
    window = ((how.window_h, how.window_w), (how.stride_h, how.stride_w), (how.pad_h, how.pad_w))
    if how.mode == "MAX":
        return F.max_pool2d(tensor(x), *window)
    return F.avg_pool2d(tensor(x), *window, mode=AVERAGES[how.mode])


@rule("AdaptivePooling")
def pool_to(builder: Builder, op: Operator, x: Any, size: Any) -> Any:
    """The same, to a size."""
    how, sizes = op.param("AdaptivePooling"), known(op, size, "a size")
    required(op, "the format", how.format, ["NCHW"])
    wanted: Any = tuple(sizes * 2 if len(sizes) == 1 else sizes)
    if how.mode == "MAX":
        return F.adaptive_max_pool2d(tensor(x), wanted)
    required(op, "the mode", how.mode, ["AVERAGE"])
    return F.adaptive_avg_pool2d(tensor(x), wanted)
