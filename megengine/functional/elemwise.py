"""Element-wise functions.

Operands broadcast against each other; Python numbers are arguments, so that changing them compiles nothing.
"""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from . import _modes
from ._arithmetic import (
    abs,
    add,
    ceil,
    clip,
    div,
    exp,
    expm1,
    floor,
    floor_div,
    log,
    log1p,
    logaddexp,
    maximum,
    minimum,
    mod,
    mul,
    neg,
    pow,
    round,
    sqrt,
    square,
    sub,
)
from ._comparison import (
    equal,
    greater,
    greater_equal,
    left_shift,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
    right_shift,
)
from ._trigonometric import acos, acosh, asin, asinh, atan, atan2, atanh, cos, cosh, sin, sinh, tan, tanh

# Programs written before MegEngine 1.3 take these from here.
from .activation import hsigmoid as hsigmoid
from .activation import hswish as hswish
from .activation import relu as relu
from .activation import relu6 as relu6
from .activation import sigmoid as sigmoid

__all__ = [
    "add", "sub", "mul", "div", "floor_div", "mod", "neg", "pow", "abs", "square", "sqrt",
    "exp", "expm1", "log", "log1p", "logaddexp",
    "round", "ceil", "floor", "maximum", "minimum", "clip",
    "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    "logical_and", "logical_or", "logical_xor", "logical_not", "left_shift", "right_shift",
]  # fmt: skip


def _elwise(*args: Tensor, mode: str) -> Tensor:
    """An operator by its mode, which programs call for the few that have no function (``"erf"``)."""
    return _modes.call(mode, *args)


def _elemwise_multi_type(*args: Tensor, mode: str, dtype: Any = None) -> Tensor:
    """An operator on quantised tensors by its mode, such as ``"qadd"``, which programs call."""
    return _modes.call_quantized(mode, dtype, *args)
