"""Convolutions, poolings and sliding windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...graph.exchange.batch import product
from ..package import OnnxError
from .graph import Graph
from .rules import Call, rule


def _dense(g: Graph, e: Call) -> str:
    """The kernel as ``(O, C, ...)``; one that is a constant is held so, under its name."""
    shape = e.shapes[1]
    if e["groups"] == 1:
        return e.inputs[1]
    return as_shape(g, e.inputs[1], (product(shape[:2]), *shape[2:]))


def as_shape(g: Graph, value: str, shape: Any) -> str:
    """A parameter in another shape; a constant is held so already, as integers too."""
    if value in g.pairs:
        integers, *of_all = g.pairs[value]
        return g.op("DequantizeLinear", as_shape(g, integers, shape), *of_all)
    if value not in g.known:
        return g.reshape(value, shape)
    array = g.known[value].reshape(shape)
    return value if array.shape == g.known[value].shape else g.instead(value, array)


def _biased(g: Graph, e: Call, kind: str, inputs: list[str], **attributes: Any) -> str:
    """A convolution with its bias, which is one number a channel, or an addition."""
    if len(e.inputs) < 3:
        return g.op(kind, *inputs, **attributes)
    shape, channels = e.shapes[2], e.out_shape[1]
    rank = len(e.out_shape)
    padded = (1,) * (rank - len(shape)) + tuple(shape)
    if padded == (1, channels, *[1] * (rank - 2)) and e.dtypes[2] == e.dtype:
        return g.op(kind, *inputs, as_shape(g, e.inputs[2], (channels,)), **attributes)
    y = g.op(kind, *inputs, **attributes)
    return g.op("Add", y if e.dtypes[2] == e.dtype else g.cast(y, e.dtypes[2]), e.inputs[2])


@rule("conv", "conv3d")
def _conv(g: Graph, e: Call) -> str:
    return _biased(
        g, e, "Conv", [e.x, _dense(g, e)],
        kernel_shape=list(e.shapes[1][-len(e["stride"]) :]), strides=list(e["stride"]), dilations=list(e["dilation"]),
        pads=[*e["padding"], *e["padding"]], group=e["groups"],
    )  # fmt: skip


@rule("conv_transpose", "conv_transpose3d")
def _conv_transpose(g: Graph, e: Call) -> str:
    if not e.is_float:
        raise OnnxError("a transposed convolution of integers has no form there")
    extra = list(e["extra"])
    return _biased(
        g, e, "ConvTranspose", [e.x, _dense(g, e)],
        kernel_shape=list(e.shapes[1][-len(e["stride"]) :]), strides=list(e["stride"]), dilations=list(e["dilation"]),
        pads=[*e["padding"], *e["padding"]], output_padding=extra if any(extra) else None, group=e["groups"],
    )  # fmt: skip


@rule("max_pool")
def _max_pool(g: Graph, e: Call) -> str:
    pads = [*e["padding"], *e["padding"]]
    return g.op("MaxPool", e.x, kernel_shape=list(e["window"]), strides=list(e["stride"]), pads=pads)


@rule("mean_pool")
def _mean_pool(g: Graph, e: Call) -> str:
    if not e.is_float:
        raise OnnxError("the mean of integers has no form there")
    pads = [*e["padding"], *e["padding"]]
    counted = int(e["count_padding"])
    return g.op(
        "AveragePool",
        e.x,
        kernel_shape=list(e["window"]),
        strides=list(e["stride"]),
        pads=pads,
        count_include_pad=counted,
    )


def sliding(g: Graph, x: str, dtype: np.dtype, out_shape: Any, e: Call) -> str:
    """Windows ``(N, C, OH, OW, h, w)``."""
    (h, w), (sh, sw), (dh, dw), (ph, pw) = e["window"], e["stride"], e["dilation"], e["padding"]
    high, wide = int(out_shape[2]), int(out_shape[3])
    if ph or pw:
        x = g.op("Pad", x, g.ints(0, 0, ph, pw, 0, 0, ph, pw), g.like(0, dtype))
    rows = []
    for i in range(h):
        taps = []
        for j in range(w):
            starts = [i * dh, j * dw]
            ends = [i * dh + (high - 1) * sh + 1, j * dw + (wide - 1) * sw + 1]
            taps.append(g.unsqueeze(g.slice(x, starts, ends, [2, 3], [sh, sw]), -1))
        rows.append(g.unsqueeze(g.op("Concat", *taps, axis=-1), -2))
    return g.op("Concat", *rows, axis=-2)


@rule("sliding_window")
def _sliding_window(g: Graph, e: Call) -> str:
    return sliding(g, e.x, e.dtype, e.out_shape, e)


@rule("sliding_window_transpose")
def _sliding_window_transpose(g: Graph, e: Call) -> str:
    """Each element is added where it was taken from."""
    if g.opset < 16:
        raise OnnxError("it needs opset 16")
    batch, channels, *counts = e.shape
    (high, wide), (sh, sw), (dh, dw), (ph, pw) = e["size"], e["stride"], e["dilation"], e["padding"]
    around = high + 2 * ph, wide + 2 * pw
    oy, ox, i, j = np.indices([int(n) for n in counts])
    places = ((oy * sh + i * dh) * around[1] + ox * sw + j * dw).reshape(1, -1)
    rows = product([batch, channels])
    flat = g.op("Reshape", e.x, g.sizes([rows, places.size]))
    zeros = g.op("Expand", g.like(0, e.dtype), g.sizes([rows, around[0] * around[1]]))
    index = g.op("Expand", g.const(places.astype(np.int64)), g.sizes([rows, places.size]))
    summed = g.op("ScatterElements", zeros, index, flat, axis=1, reduction="add")
    whole = g.reshape(summed, [batch, channels, *around])
    return g.slice(whole, [ph, pw], [ph + high, pw + wide], [2, 3])


@rule("local_conv2d")
def _local_conv(g: Graph, e: Call) -> str:
    groups, high, wide, channels, h, w, last = map(int, e.shapes[1])
    windowed = Call(e.name, e.inputs, {**e.attributes, "window": (h, w)}, [], [])
    windows = sliding(g, e.x, e.dtype, (0, 0, high, wide), windowed)
    windows = g.reshape(windows, [e.shape[0], groups, channels, high, wide, h, w])
    y = g.op("Einsum", windows, e.inputs[1], equation="ngcyxij,gyxcijo->ngoyx")
    y = g.reshape(y, [e.shape[0], groups * last, high, wide])
    return g.op("Add", y, e.inputs[2]) if len(e.inputs) > 2 else y
