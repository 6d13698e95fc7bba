"""Fills tensors in place with start values."""

from __future__ import annotations

import math

import numpy as np

from .._help.ranges import within
from ..random import normal, uniform
from ..tensor import Tensor

__all__ = [
    "fill_",
    "zeros_",
    "ones_",
    "uniform_",
    "normal_",
    "calculate_gain",
    "calculate_fan_in_and_fan_out",
    "calculate_correct_fan",
    "xavier_uniform_",
    "xavier_normal_",
    "msra_uniform_",
    "msra_normal_",
]

_GAINS: dict[str, float] = {
    "linear": 1,
    "identity": 1,
    "conv1d": 1,
    "conv2d": 1,
    "conv3d": 1,
    "conv_transpose1d": 1,
    "conv_transpose2d": 1,
    "conv_transpose3d": 1,
    "sigmoid": 1,
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
}


def _put(tensor: Tensor, values: Tensor) -> None:
    tensor._reset(values if values.dtype == tensor.dtype else values.astype(tensor.dtype))


def fill_(tensor: Tensor, val: float) -> None:
    """Fill a tensor with one value.

    Args:
        tensor: of any shape; changed in place.
        val: the value, converted to the tensor's dtype.

    Raises:
        OverflowError: NaN, infinity or a number beyond 32 bits for integers.

    Example:
        >>> x = Tensor([1.0, 2.0])
        >>> M.init.fill_(x, 5)
        >>> x.numpy()
        array([5., 5.], dtype=float32)
    """
    number = Tensor(np.asarray(val), dtype=tensor.dtype).numpy()
    tensor._reset(Tensor(np.full(tensor.shape, number, tensor.dtype), device=tensor.device))


def zeros_(tensor: Tensor) -> None:
    """Fill a tensor with zeros.

    Args:
        tensor: of any shape; changed in place.

    Example:
        >>> x = Tensor([1.0, 2.0])
        >>> M.init.zeros_(x)
        >>> x.numpy()
        array([0., 0.], dtype=float32)
    """
    fill_(tensor, 0)


def ones_(tensor: Tensor) -> None:
    """Fill a tensor with ones.

    Args:
        tensor: of any shape; changed in place.

    Example:
        >>> x = Tensor([0.0, 2.0])
        >>> M.init.ones_(x)
        >>> x.numpy()
        array([1., 1.], dtype=float32)
    """
    fill_(tensor, 1)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> None:
    """Fill a tensor with draws from the uniform distribution on [a, b).

    Args:
        tensor: of any shape; changed in place.
        a: lower bound. Default: 0
        b: upper bound, above ``a``. Default: 1

    Example:
        >>> x = Tensor(np.zeros(100, "float32"))
        >>> M.init.uniform_(x, -2, -1)
        >>> bool(-2 <= x.numpy().min() and x.numpy().max() <= -1)
        True
    """
    _put(tensor, uniform(low=a, high=b, size=tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> None:
    """Fill a tensor with draws from a normal distribution.

    Args:
        tensor: of any shape; changed in place.
        mean: its mean. Default: 0
        std: its standard deviation. Default: 1

    Example:
        >>> x = Tensor(np.zeros(1000, "float32"))
        >>> M.init.normal_(x, 10.0, 0.1)
        >>> round(float(x.numpy().mean()), 1)
        10.0
    """
    _put(tensor, normal(mean=mean, std=std, size=tensor.shape))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a non-linearity wants its input's standard deviation enlarged.

    1 for linear, identity, convolutions and sigmoid; 5/3 for tanh; sqrt(2) for relu; sqrt(2 / (1 + slope^2)) for leaky_relu.

    Args:
        nonlinearity: ``"linear"``, ``"conv2d"``, ``"sigmoid"``, ``"tanh"``, ``"relu"``, ``"leaky_relu"``, ...
        param: slope of leaky_relu. Default: 0.01

    Raises:
        ValueError: an unknown name, or a slope that is no number.

    Example:
        >>> M.init.calculate_gain("tanh")
        1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"negative_slope {slope} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"unsupported nonlinearity {nonlinearity!r}: choose one of {', '.join(_GAINS)}, leaky_relu")
    return _GAINS[nonlinearity]


def calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[float, float]:
    """How many inputs and outputs each unit of a weight connects.

    A weight of five or more dimensions is taken as that of a grouped convolution, ``(groups, out, in, ...)``; the fans are those
    of one group.

    Args:
        tensor: weight of a linear layer ``(out, in)``, or of a convolution ``(out, in, kernel...)``.

    Returns:
        fan_in and fan_out.

    Raises:
        ValueError: fewer than two dimensions.

    Example:
        >>> M.init.calculate_fan_in_and_fan_out(Tensor(np.zeros((8, 4, 3, 3))))
        (36, 72)
    """
    shape = tuple(tensor.shape)
    if len(shape) < 2:
        raise ValueError(f"fan_in and fan_out need a tensor of at least 2 dimensions, this one has shape {shape}")
    if len(shape) >= 5:
        shape = shape[1:]
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def calculate_correct_fan(tensor: Tensor, mode: str) -> float:
    """One of the two results of :func:`calculate_fan_in_and_fan_out`.

    Args:
        tensor: a weight.
        mode: ``"fan_in"`` or ``"fan_out"``.

    Raises:
        ValueError: another mode.

    Example:
        >>> M.init.calculate_correct_fan(Tensor(np.zeros((8, 4))), "fan_out")
        8
    """
    modes = ("fan_in", "fan_out")
    if mode.lower() not in modes:
        raise ValueError(f"mode {mode!r} not supported: choose one of {', '.join(modes)}")
    return calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> None:
    """Fill a weight with draws from U(-a, a), a = gain * sqrt(6 / (fan_in + fan_out)).

    From Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.

    Args:
        tensor: a weight of at least two dimensions; changed in place.
        gain: see :func:`calculate_gain`. Default: 1

    Example:
        >>> x = Tensor(np.zeros((2, 4), "float32"))
        >>> M.init.xavier_uniform_(x)
        >>> bool(0 < abs(x.numpy()).max() <= 1)
        True
    """
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / sum(calculate_fan_in_and_fan_out(tensor))))
    uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> None:
    """Fill a weight with draws from a normal distribution of mean 0 and std = gain * sqrt(2 / (fan_in + fan_out)).

    From Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.

    Args:
        tensor: a weight of at least two dimensions; changed in place.
        gain: see :func:`calculate_gain`. Default: 1

    Example:
        >>> x = Tensor(np.zeros((100, 100), "float32"))
        >>> M.init.xavier_normal_(x)
        >>> round(float(x.numpy().std()), 2)
        0.1
    """
    within("gain", gain, 0)
    normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(calculate_fan_in_and_fan_out(tensor))))


def msra_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> None:
    """Fill a weight with draws from U(-b, b), b = gain * sqrt(3 / fan).

    With the defaults this is sqrt(6 / fan_in). From He et al., Delving deep into rectifiers, 2015.

    Args:
        tensor: a weight of at least two dimensions; changed in place.
        a: slope of leaky_relu, for the gain. Default: 0
        mode: ``"fan_in"`` or ``"fan_out"``. Default: ``"fan_in"``
        nonlinearity: see :func:`calculate_gain`. Default: ``"leaky_relu"``

    Example:
        >>> x = Tensor(np.zeros((2, 6), "float32"))
        >>> M.init.msra_uniform_(x)
        >>> bool(0 < abs(x.numpy()).max() <= 1)
        True
    """
    bound = math.sqrt(3.0) * (calculate_gain(nonlinearity, a) / math.sqrt(calculate_correct_fan(tensor, mode)))
    uniform_(tensor, -bound, bound)


def msra_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> None:
    """Fill a weight with draws from a normal distribution of mean 0 and std = gain / sqrt(fan).

    With the defaults this is sqrt(2 / fan_in). From He et al., Delving deep into rectifiers, 2015.

    Args:
        tensor: a weight of at least two dimensions; changed in place.
        a: slope of leaky_relu, for the gain. Default: 0
        mode: ``"fan_in"`` or ``"fan_out"``. Default: ``"fan_in"``
        nonlinearity: see :func:`calculate_gain`. Default: ``"leaky_relu"``

    Example:
        >>> x = Tensor(np.zeros((50, 200), "float32"))
        >>> M.init.msra_normal_(x)
        >>> round(float(x.numpy().std()), 1)
        0.1
    """
    normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(calculate_correct_fan(tensor, mode)))
