"""Activation functions and the softmax family."""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.apply import apply
from ..ops import activation as ops
from ..ops import reduce
from ..tensor import Tensor
from ..tensor import axes as _axes
from ._args import setting, tensor_of

__all__ = [
    "sigmoid", "hsigmoid", "relu", "relu6", "hswish", "prelu", "leaky_relu", "silu", "gelu", "softplus",
    "softmax", "logsoftmax", "logsigmoid", "logsumexp",
]  # fmt: skip


def sigmoid(x: Tensor | float) -> Tensor:
    """Sigmoid (logistic function) ``1 / (1 + exp(-x))``.

    Args:
        x: floating-point input.

    Raises:
        RuntimeError: integers or bools.

    Example:
        >>> F.nn.sigmoid(Tensor([-1.0, 0.0, 1.0]))
        Tensor([0.2689 0.5    0.7311], device=xpux:0)
    """
    return apply(ops.sigmoid, x)


def hsigmoid(x: Tensor | float) -> Tensor:
    """Hard sigmoid ``relu6(x + 3) / 6``.

    Args:
        x: input; integers give float32.

    Example:
        >>> F.nn.hsigmoid(Tensor([-3.0, 0.0, 1.5]))
        Tensor([0.   0.5  0.75], device=xpux:0)
    """
    return apply(ops.hsigmoid, x)


def relu(x: Tensor | float) -> Tensor:
    """Rectified linear unit ``max(x, 0)``. NaN gives 0, and the derivative at 0 is 0.

    Args:
        x: numbers, not bools.

    Example:
        >>> F.nn.relu(Tensor([-1.0, 0.0, 2.0]))
        Tensor([0. 0. 2.], device=xpux:0)
    """
    return apply(ops.relu, x)


def relu6(x: Tensor | float) -> Tensor:
    """Rectified linear unit capped at 6, ``min(max(x, 0), 6)``. NaN gives 6.

    Args:
        x: numbers, not bools.

    Example:
        >>> F.nn.relu6(Tensor([-1.0, 2.0, 8.0]))
        Tensor([0. 2. 6.], device=xpux:0)
    """
    return apply(ops.relu6, x)


def hswish(x: Tensor | float) -> Tensor:
    """Hard swish ``x * relu6(x + 3) / 6`` (Howard et al., Searching for MobileNetV3, 2019).

    Args:
        x: floating-point input.

    Raises:
        RuntimeError: integers or bools.

    Example:
        >>> F.nn.hswish(Tensor([-4.0, 1.5, 4.0]))
        Tensor([0.    1.125 4.   ], device=xpux:0)
    """
    return apply(ops.hswish, x)


def prelu(x: Tensor | float, y: Tensor | float) -> Tensor:
    """Parametric ReLU: ``x`` above 0 and ``y * x`` below (He et al., Delving Deep into Rectifiers, 2015).

    Args:
        x: input.
        y: slopes, broadcasting with ``x``; learnt, usually.

    Example:
        >>> F.nn.prelu(Tensor([-2.0, 2.0]), Tensor([0.25]))
        Tensor([-0.5  2. ], device=xpux:0)
    """
    return apply(ops.prelu, x, y)


def leaky_relu(inp: Tensor | float, negative_slope: float = 0.01) -> Tensor:
    """Leaky ReLU: ``x`` above 0 and ``negative_slope * x`` below.

    Args:
        inp: input.
        negative_slope: slope below 0.

    Example:
        >>> F.nn.leaky_relu(Tensor([-2.0, 2.0]), 0.1)
        Tensor([-0.2  2. ], device=xpux:0)
    """
    return apply(ops.prelu, inp, setting(negative_slope))


def silu(x: Tensor | float) -> Tensor:
    """Sigmoid linear unit (swish) ``x * sigmoid(x)``.

    Args:
        x: floating-point input.

    Raises:
        RuntimeError: integers or bools.

    Example:
        >>> F.nn.silu(Tensor([-1.0, 0.0, 1.0]))
        Tensor([-0.2689  0.      0.7311], device=xpux:0)
    """
    return apply(ops.silu, x)


def gelu(x: Tensor | float) -> Tensor:
    """Gaussian error linear unit ``x * P(X <= x)`` for a standard normal ``X``, by erf (Hendrycks and Gimpel, 2016).

    Args:
        x: floating-point input.

    Raises:
        RuntimeError: integers or bools.

    Example:
        >>> F.nn.gelu(Tensor([-1.0, 0.0, 1.0]))
        Tensor([-0.1587  0.      0.8413], device=xpux:0)
    """
    return apply(ops.gelu, x)


def softplus(inp: Tensor | float) -> Tensor:
    """Softplus ``log(1 + exp(x))``, without overflow.

    Args:
        inp: input; integers give float32.

    Example:
        >>> F.nn.softplus(Tensor([0.0, 100.0]))
        Tensor([  0.6931 100.    ], device=xpux:0)
    """
    return apply(ops.softplus, inp)


def logsigmoid(inp: Tensor | float) -> Tensor:
    """Log-sigmoid ``log(sigmoid(x))``, without overflow.

    Args:
        inp: input; integers give float32.

    Example:
        >>> F.nn.logsigmoid(Tensor([0.0, -100.0]))
        Tensor([  -0.6931 -100.    ], device=xpux:0)
    """
    return apply(ops.logsigmoid, inp)


def softmax(inp: Tensor, axis: int | Sequence[int] | None = None) -> Tensor:
    """Softmax ``exp(x) / sum(exp(x))`` along a dimension, without overflow.

    Args:
        inp: floating-point input.
        axis: the dimension, or a list of several; default 1, and 0 for inputs of 0, 1 or 3 dimensions.

    Raises:
        RuntimeError: no such dimension, or integers.

    Example:
        >>> F.nn.softmax(Tensor([[0.0, 0.0], [0.0, 1000.0]]))
        Tensor([[0.5 0.5]
         [0.  1. ]], device=xpux:0)
    """
    inp = tensor_of(inp)
    if axis is None:
        axis = 0 if inp.ndim in (0, 1, 3) else 1
    return apply(ops.softmax, inp, axis=_axes.reduction_axes(axis, inp.ndim, "softmax"))


def logsoftmax(inp: Tensor, axis: int | Sequence[int]) -> Tensor:
    """Log-softmax ``x - log(sum(exp(x)))`` along a dimension, without overflow.

    Args:
        inp: input; integers give float32.
        axis: the dimension or dimensions.

    Raises:
        RuntimeError: no such dimension.

    Example:
        >>> F.nn.logsoftmax(Tensor([[0.0, 0.0]]), 1)
        Tensor([[-0.6931 -0.6931]], device=xpux:0)
    """
    inp = tensor_of(inp)
    return apply(ops.logsoftmax, inp, axis=_axes.reduction_axes(axis, inp.ndim, "logsoftmax"))


def logsumexp(inp: Tensor, axis: int | Sequence[int], keepdims: bool = False) -> Tensor:
    """Log-sum-exp ``log(sum(exp(x)))`` along a dimension, without overflow.

    Args:
        inp: input; integers give float32.
        axis: the dimension or dimensions.
        keepdims: keep them with size 1.

    Raises:
        RuntimeError: no such dimension.

    Example:
        >>> F.nn.logsumexp(Tensor([[0.0, 0.0], [100.0, 0.0]]), 1)
        Tensor([  0.6931 100.    ], device=xpux:0)
    """
    inp = tensor_of(inp)
    return apply(reduce.logsumexp, inp, axis=_axes.reduction_axes(axis, inp.ndim, "logsumexp"), keepdims=bool(keepdims))
