"""Loaders for files of earlier versions of MegEngine, whose functions and layers had other parameters."""

from __future__ import annotations

from typing import Any

from ..core.ops import builtin
from .arguments import convert_kwargs_to_args
from .expr import CallMethod
from .node import TensorNode
from .serialization import register_functional_loader, register_module_loader, register_opdef_loader

__all__: list[str] = []

_NN, _TENSOR = "megengine.functional.nn", "megengine.functional.tensor"


def _version(expr: Any) -> tuple[int, ...]:
    """The version that wrote an expression; 1.6 wrote none."""
    text = getattr(expr, "version", "1.6")
    return tuple(int(part) for part in text.split("+")[0].split(".") if part.isdigit())


def _is_first(expr: Any) -> bool:
    return not hasattr(expr, "version")


def _as(expr: Any, signature: Any) -> None:
    """Put the arguments in the order of an earlier signature."""
    args, kwargs = convert_kwargs_to_args(signature, expr.args, expr.kwargs)
    expr.set_args_kwargs(*args, **kwargs)


@register_module_loader(
    ("megengine.module.batchnorm", "BatchNorm1d"),
    ("megengine.module.batchnorm", "BatchNorm2d"),
    ("megengine.module.batchnorm", "SyncBatchNorm"),
)
def _batch_norm(expr: Any) -> None:
    _without_param_dim(expr.inputs[0].owner)


def _without_param_dim(norm: Any) -> None:
    if vars(norm).pop("param_dim", "dim_1c11") != "dim_1c11":
        raise ValueError("a batch normalization whose parameters are not of shape (1, C, 1, 1)")


@register_module_loader(
    ("megengine.module.conv_bn", "ConvBn2d"),
    ("megengine.module.conv_bn", "ConvBnRelu2d"),
    ("megengine.module.qat.conv_bn", "ConvBn2d"),
    ("megengine.module.qat.conv_bn", "ConvBnRelu2d"),
)
def _conv_bn(expr: Any) -> None:
    module = expr.inputs[0].owner
    _without_param_dim(module.bn)
    vars(module.conv).setdefault("padding_mode", "zeros")


@register_module_loader(
    ("megengine.module.conv", "Conv1d"),
    ("megengine.module.conv", "Conv2d"),
    ("megengine.module.conv", "ConvRelu2d"),
    ("megengine.module.qat.conv", "Conv2d"),
    ("megengine.module.qat.conv", "ConvRelu2d"),
    ("megengine.module.quantized.conv", "Conv2d"),
    ("megengine.module.quantized.conv", "ConvRelu2d"),
    ("megengine.module.quantized.conv_bn", "ConvBn2d"),
    ("megengine.module.quantized.conv_bn", "ConvBnRelu2d"),
)
def _conv(expr: Any) -> None:
    vars(expr.inputs[0].owner).setdefault("padding_mode", "zeros")


@register_opdef_loader(vars(builtin)["BatchNorm"])
def _batch_norm_operator(expr: Any) -> None:
    if _is_first(expr) and len(expr.outputs) == 5:
        expr.outputs.insert(4, TensorNode(expr, shape=(0,), qparams=expr.outputs[-1]._qparams))


@register_functional_loader((_TENSOR, "ones"), (_TENSOR, "zeros"))
def _filled(expr: Any) -> None:
    if _version(expr) > (1, 7, 0):
        return
    values = {**dict(zip(("shape", "dtype", "device"), expr.args, strict=False)), **expr.kwargs}
    shape = values.pop("shape")
    expr.set_args_kwargs(shape, **{"dtype": "float32", "device": None, **values})


@register_functional_loader((_NN, "pad"))
def _pad(expr: Any) -> None:
    if "pad_witdth" in expr.kwargs:
        kwargs = expr.kwargs
        kwargs["pad_width"] = kwargs.pop("pad_witdth")
        expr.set_args_kwargs(*expr.args, **kwargs)


@register_functional_loader((_NN, "batch_norm"))
def _batch_norm_function(expr: Any) -> None:
    kwargs = expr.kwargs
    for later in ("compute_mode", "param_dim"):
        kwargs.pop(later, None)
    if len(kwargs) != len(expr.kwargs):
        expr.set_args_kwargs(*expr.args, **kwargs)


@register_functional_loader(("megengine.functional.math", "matmul"))
def _matmul(expr: Any) -> None:
    if len(expr.args) == 6:  # a format, before 1.9
        expr.set_args_kwargs(*expr.args[:5], **expr.kwargs)


@register_functional_loader(("megengine.functional.elemwise", "square"))
def _square(expr: Any) -> None:
    """Up to 1.11.1 it was ``pow(x, 2)``, which gives floats for integers."""
    if _version(expr) > (1, 11, 1) or str(expr.inputs[0].dtype) == "float32":
        return
    wanted = expr.outputs[0]
    own = TensorNode(expr, shape=wanted.shape, dtype=expr.inputs[0].dtype)
    expr.return_val = own
    cast = CallMethod(own, "astype")
    cast.set_args_kwargs(own, "float32")
    wanted.expr = cast
    cast.return_val = wanted


@register_functional_loader(("megengine.functional.math", "topk"))
def _topk(expr: Any) -> None:
    if _version(expr) <= (1, 12, 0):

        def topk(inp: Any, k: Any, descending: Any = False, kth_only: Any = False, no_sort: Any = False) -> None: ...

        _as(expr, topk)


def _last_two_by_name(expr: Any, count: int) -> None:
    """``dtype`` and ``device`` had positions."""
    if len(expr.args) == count:
        *args, dtype, device = expr.args
        expr.set_args_kwargs(*args, **{**expr.kwargs, "dtype": dtype, "device": device})


@register_functional_loader((_TENSOR, "arange"))
def _arange(expr: Any) -> None:
    if _is_first(expr):

        def arange(
            start: Any = 0, stop: Any = None, step: Any = 1, dtype: Any = "float32", device: Any = None
        ) -> None: ...

        _as_positions(expr, arange)
    _last_two_by_name(expr, 5)


@register_functional_loader((_TENSOR, "linspace"))
def _linspace(expr: Any) -> None:
    if _is_first(expr):

        def linspace(start: Any, stop: Any, num: Any, dtype: Any = "float32", device: Any = None) -> None: ...

        _as_positions(expr, linspace)
    _last_two_by_name(expr, 5)


@register_functional_loader((_TENSOR, "full"))
def _full(expr: Any) -> None:
    if _is_first(expr):

        def full(shape: Any, value: Any, dtype: Any = None, device: Any = None) -> None: ...

        _as_positions(expr, full)
    _last_two_by_name(expr, 4)


def _as_positions(expr: Any, signature: Any) -> None:
    """The arguments of an earlier signature, whose last two are by name today."""
    given, kwargs = convert_kwargs_to_args(signature, expr.args, expr.kwargs)
    *args, dtype, device = given
    expr.set_args_kwargs(*args, **kwargs, dtype=dtype, device=device)


def _with_output_padding(expr: Any, signature: Any, position: int) -> None:
    """Transposed convolutions have had output_padding since 1.8."""
    if not _is_first(expr):
        return
    args, kwargs = convert_kwargs_to_args(signature, expr.args, expr.kwargs)
    expr.set_args_kwargs(*args[:position], 0, *args[position:], **kwargs)


@register_functional_loader((_NN, "conv_transpose2d"))
def _conv_transpose2d(expr: Any) -> None:
    def before(
        inp: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: Any = 1,
        conv_mode: Any = "cross_correlation", compute_mode: Any = "default",
    ) -> None: ...  # fmt: skip

    _with_output_padding(expr, before, 5)


@register_functional_loader(("megengine.functional.quantized", "conv_transpose2d"))
def _quantized_conv_transpose2d(expr: Any) -> None:
    def before(
        inp: Any, weight: Any, bias: Any = None, dtype: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
        groups: Any = 1, conv_mode: Any = "cross_correlation", compute_mode: Any = "default",
    ) -> None: ...  # fmt: skip

    _with_output_padding(expr, before, 6)


@register_functional_loader((_NN, "conv_transpose3d"))
def _conv_transpose3d(expr: Any) -> None:
    def before(
        inp: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: Any = 1
    ) -> None: ...

    _with_output_padding(expr, before, 5)
