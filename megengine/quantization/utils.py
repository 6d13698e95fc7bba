"""Parameters of a quantization, and the functions that round to them."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autodiff import Function
from ..core.tensor.dtype import QuantDtypeMeta, create_quantized_dtype
from ..functional import round as _round
from ..functional._fake_quant import create_qparams, fake_quant_bias, fake_quant_tensor, lsq_forward, tqt_forward
from ..tensor import Tensor
from ..tensor.qparams import QParams, QuantMode

__all__ = [
    "LSQParams", "QParams", "QParamsModuleMixin", "QuantMode", "Round", "create_qparams", "fake_quant_bias", "fake_quant_tensor",
    "lsq_forward", "register_method_to_class", "tqt_forward",
]  # fmt: skip


class Round(Function):
    """Rounding whose gradient passes, the straight-through estimator.

    Example:
        >>> megengine.quantization.utils.Round()(Tensor([1.4, 2.5]))
        Tensor([1. 3.], device=xpux:0)
    """

    def forward(self, x: Tensor) -> Tensor:
        return _round(x)

    def backward(self, output_grads: Tensor) -> Tensor:
        return output_grads


class LSQParams(QParams):
    """Parameters of a quantization whose step is learned: :class:`QParams` with the factor of the step's gradient.

    Args:
        mode: a :class:`QuantMode`.
        dtype_meta: kind of the dtype.
        scale: the step.
        zero_point: the integer that stands for 0.
        grad_scale: factor of the step's gradient.
    """

    __slots__ = ("mode", "dtype_meta", "scale", "zero_point", "grad_scale")

    def __init__(
        self, mode: QuantMode | None, dtype_meta: QuantDtypeMeta | None, scale: Any, zero_point: Any, grad_scale: Any
    ) -> None:
        super().__init__(mode, dtype_meta, scale, zero_point)
        self.grad_scale = grad_scale


def _number(value: Any) -> Any:
    return None if value is None else (value.item() if isinstance(value, Tensor) else np.asarray(value).item())


class QParamsModuleMixin(ABC):
    """What has ``get_qparams`` also has the quantised dtype that they make."""

    def get_quantized_dtype(self) -> np.dtype:
        """The quantised dtype of the parameters."""
        qparams = self.get_qparams()
        zero_point = _number(qparams.zero_point)
        scale = float(_number(qparams.scale))
        return create_quantized_dtype(qparams.dtype_meta, scale, None if zero_point is None else int(zero_point))

    @abstractmethod
    def get_qparams(self) -> QParams:
        """The parameters of the quantization."""


def register_method_to_class(cls: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the decorated function a method of a class, by the function's name.

    Example:
        >>> class Net: ...
        >>> @megengine.quantization.utils.register_method_to_class(Net)
        ... def double(self, x):
        ...     return 2 * x
        >>> Net().double(2)
        4
    """

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        named = func.func if isinstance(func, functools.partial) else func

        @functools.wraps(named)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return func(self, *args, **kwargs)

        setattr(cls, named.__name__, method)
        return func

    return decorate
