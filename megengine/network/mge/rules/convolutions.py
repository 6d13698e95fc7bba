"""Convolutions of all kinds, with what MegEngine fuses into them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .... import functional as F
from ....graph.exchange import GraphFileError
from ..building import Builder, required, rule, tensor
from ..container import Operator
from ..schema import Param

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "IDENTITY": lambda x: x, "RELU": F.relu, "SIGMOID": F.sigmoid, "H_SWISH": F.hswish,
}  # fmt: skip
PLANE, VOLUME = ("h", "w"), ("d", "h", "w")


def _window(how: Param, axes: tuple[str, ...] = PLANE) -> dict[str, Any]:
    names = {"stride": "stride", "padding": "pad", "dilation": "dilate"}
    return {own: tuple(how.values[f"{name}_{axis}"] for axis in axes) for own, name in names.items()}


def _kernel(op: Operator, how: Param, weight: Any, layout: str = "NCHW") -> tuple[Any, int]:
    """The kernel as a correlation takes it, and how many groups there are."""
    required(op, "the format", how.format, [layout])
    spatial = len(layout) - 2
    if how.mode == "CONVOLUTION":
        weight = weight[(..., *[slice(None, None, -1)] * spatial)]
    return weight, int(weight.shape[0]) if how.sparse == "GROUP" else 1


@rule("Convolution")
def convolution(builder: Builder, op: Operator, x: Any, weight: Any) -> Any:
    """Of images."""
    how = op.param("Convolution")
    weight, groups = _kernel(op, how, tensor(weight))
    return F.conv2d(tensor(x), weight, groups=groups, **_window(how))


@rule("ConvBiasForward")
def with_bias(builder: Builder, op: Operator, x: Any, weight: Any, *added: Any) -> Any:
    """Of images, with a bias, another image, and an activation."""
    how = op.param("ConvBias")
    weight, groups = _kernel(op, how, tensor(weight))
    if op.dtype.is_quantised:
        return _of_integers(op, how, tensor(x), weight, groups, *map(tensor, added))
    y = F.conv2d(tensor(x), weight, groups=groups, **_window(how))
    for term in added:
        y = y + tensor(term)
    return ACTIVATIONS[how.nonlineMode](y)


def _of_integers(op: Operator, how: Param, x: Any, weight: Any, groups: int, *added: Any) -> Any:
    """Of quantised images; products are summed as integers and brought to the steps of the result."""
    bias = added[0] if added else F.zeros((1, 1, 1, 1)).astype(F.quantized.bias_dtype(x, weight))
    settings = {**_window(how), "groups": groups}
    if len(added) < 2:
        return F.quantized.conv_bias_activation(
            x, weight, bias, op.dtype.dtype, nonlinear_mode=how.nonlineMode, **settings
        )
    wide = F.quantized.conv_bias_activation(x, weight, bias, **settings)
    return ACTIVATIONS[how.nonlineMode](_real(wide) + _real(added[1])).astype(op.dtype.dtype)


def _real(x: Any) -> Any:
    return x.astype("float32")


@rule("ConvolutionBackwardData")
def transposed(builder: Builder, op: Operator, weight: Any, x: Any, *like: Any) -> Any:
    """Transposed, of images; a third operand says how large the result is."""
    how = op.param("Convolution")
    weight, groups = _kernel(op, how, tensor(weight))
    window = _window(how)
    y = F.conv_transpose2d(tensor(x), weight, groups=groups, **window)
    if not like:
        return y
    wanted = like[0].shape[2:]
    extra: Any = tuple(int(n) - have for n, have in zip(wanted, y.shape[2:], strict=True))
    if any(e < 0 or e >= s for e, s in zip(extra, window["stride"], strict=True)):
        raise GraphFileError(
            f"{op} gives images of {tuple(wanted)}, which do not follow from images of {tuple(x.shape[2:])}"
        )
    return F.conv_transpose2d(tensor(x), weight, groups=groups, output_padding=extra, **window)


@rule("Convolution3D")
def of_volumes(builder: Builder, op: Operator, x: Any, weight: Any) -> Any:
    """Of volumes."""
    how = op.param("Convolution3D")
    required(op, "data_type", how.data_type, ["FLOAT"])
    weight, groups = _kernel(op, how, tensor(weight), "NCDHW")
    return F.conv3d(tensor(x), weight, groups=groups, **_window(how, VOLUME))


@rule("Convolution3DBackwardData")
def of_volumes_transposed(builder: Builder, op: Operator, weight: Any, x: Any) -> Any:
    """Transposed, of volumes."""
    how = op.param("Convolution3D")
    required(op, "data_type", how.data_type, ["FLOAT"])
    weight, groups = _kernel(op, how, tensor(weight), "NCDHW")
    return F.conv_transpose3d(tensor(x), weight, groups=groups, **_window(how, VOLUME))


@rule("GroupLocal")
def local(builder: Builder, op: Operator, x: Any, weight: Any) -> Any:
    """With a kernel for each place."""
    how = op.param("Convolution")
    required(op, "the format", how.format, ["NCHW"])
    required(op, "the mode", how.mode, ["CROSS_CORRELATION"])
    return F.local_conv2d(tensor(x), tensor(weight), **_window(how))


@rule("DeformableConvForward")
def deformable(builder: Builder, op: Operator, x: Any, weight: Any, offset: Any, mask: Any) -> Any:
    """With offsets for each place."""
    how = op.param("Convolution")
    required(op, "the mode", how.mode, ["CROSS_CORRELATION"])
    weight, groups = _kernel(op, how, tensor(weight))
    return F.deformable_conv2d(tensor(x), weight, tensor(offset), tensor(mask), groups=groups, **_window(how))


@rule("RegionRestrictedConvolution")
def of_regions(builder: Builder, op: Operator, x: Any, weight: Any, inside: Any, outside: Any) -> Any:
    """Between places of the same region alone."""
    how = op.param("Convolution")
    required(op, "the mode", how.mode, ["CROSS_CORRELATION"])
    weight, groups = _kernel(op, how, tensor(weight))
    return F.region_restricted_conv(tensor(x), weight, tensor(inside), tensor(outside), groups=groups, **_window(how))
