"""Element-wise operators by the names of their modes in MegEngine's graphs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..graph.apply import apply
from ..graph.dtypes import dtype_of
from ..ops import elemwise as ops
from ..ops import quantized
from ..tensor import Tensor
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
    sign,
    sqrt,
    square,
    sub,
)
from ._comparison import (
    equal,
    isinf,
    isnan,
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
from ._creation import zeros_like
from ._picking import where
from ._trigonometric import acos, acosh, asin, asinh, atan2, atanh, cos, cosh, sin, sinh, tan, tanh
from .activation import gelu, hsigmoid, hswish, logsigmoid, prelu, relu, relu6, sigmoid, silu, softplus

_Function = Callable[..., Tensor]


def _as_number(compare: _Function) -> _Function:
    """The comparison with 1 and 0 in the first operand's dtype: a mode's answer is no bool."""
    return lambda x, y: compare(x, y).astype(x.dtype)


def _after_add(function: _Function) -> _Function:
    return lambda x, y: function(x + y)


# fmt: off
MODES: dict[str, tuple[int, _Function]] = {
    "ABS": (1, abs), "NEGATE": (1, neg), "SIGN": (1, sign), "SQUARE": (1, square), "SQRT": (1, sqrt),
    "CEIL": (1, ceil), "FLOOR": (1, floor), "ROUND": (1, round), "NOT": (1, logical_not),
    "EXP": (1, exp), "EXPM1": (1, expm1), "LOG": (1, log), "LOG1P": (1, log1p),
    "SIN": (1, sin), "COS": (1, cos), "TAN": (1, tan), "ASIN": (1, asin), "ACOS": (1, acos),
    "SINH": (1, sinh), "COSH": (1, cosh), "TANH": (1, tanh),
    "ASINH": (1, asinh), "ACOSH": (1, acosh), "ATANH": (1, atanh),
    "RELU": (1, relu), "RELU6": (1, relu6), "SIGMOID": (1, sigmoid), "HSIGMOID": (1, hsigmoid),
    "H_SWISH": (1, hswish), "SILU": (1, silu), "GELU": (1, gelu), "SOFTPLUS": (1, softplus),
    "LOGSIGMOID": (1, logsigmoid),
    "ADD": (2, add), "SUB": (2, sub), "MUL": (2, mul), "TRUE_DIV": (2, div), "FLOOR_DIV": (2, floor_div),
    "MOD": (2, mod), "POW": (2, pow), "MAX": (2, maximum), "MIN": (2, minimum), "ATAN2": (2, atan2),
    "LOG_SUM_EXP": (2, logaddexp), "PRELU": (2, prelu), "SHL": (2, left_shift), "SHR": (2, right_shift),
    "AND": (2, logical_and), "OR": (2, logical_or), "XOR": (2, logical_xor),
    "LT": (2, _as_number(less)), "LEQ": (2, _as_number(less_equal)), "EQ": (2, _as_number(equal)),
    "NEQ": (2, _as_number(not_equal)),
    "FUSE_ADD_RELU": (2, _after_add(relu)), "FUSE_ADD_SIGMOID": (2, _after_add(sigmoid)),
    "FUSE_ADD_TANH": (2, _after_add(tanh)), "FUSE_ADD_H_SWISH": (2, _after_add(hswish)),
    "FUSE_MUL_ADD3": (3, lambda x, y, z: x * y + z), "FUSE_MUL_ADD4": (4, lambda x, y, z, w: x * y + z * w),
    "ERF": (1, partial(apply, ops.erf)), "ERFC": (1, partial(apply, ops.erfc)),
    "ERFINV": (1, partial(apply, ops.erfinv)), "ERFCINV": (1, partial(apply, ops.erfcinv)),
    "CLIP": (3, clip),
}
# fmt: on


def _at(function: _Function) -> _Function:
    """The cotangent that a function of one operand gives: modes whose names end in GRAD take ``(x, dy)``."""
    return lambda x, dy: function(x) * dy


def _tanh_of_fractions(x: Tensor) -> Tensor:
    return x * (27 + x * x) / (27 + 9 * x * x)


def _tanh_of_fractions_grad(x: Tensor) -> Tensor:
    square = x * x
    below = 3 + square
    return ((-48 * square) / below + 27 + square) / (below * 9)


def _gelu_grad(x: Tensor) -> Tensor:
    below = 0.5 * (1 + apply(ops.erf, x * 0.7071067811865476))
    return below + x * exp(-0.5 * x * x) * 0.3989422804014327


def _silu_grad(x: Tensor) -> Tensor:
    y = sigmoid(x)
    return y * (1 + x * (1 - y))


def _between(x: Tensor, low: float, high: float) -> Tensor:
    return logical_and(x > low, x < high).astype(x.dtype)


# fmt: off
MODES.update({
    "COND_LEQ_MOV": (3, lambda x, y, z: where(x <= y, z, zeros_like(z))),
    "COND_LT_MOV": (3, lambda x, y, z: where(x < y, z, zeros_like(z))),
    "SWITCH_GT0": (2, lambda x, y: where(x > 0, y, zeros_like(y))),
    "FAST_TANH": (1, _tanh_of_fractions), "FAST_TANH_GRAD": (2, _at(_tanh_of_fractions_grad)),
    "ABS_GRAD": (2, lambda x, dy: where(x > 0, dy, -dy)),
    "SIGMOID_GRAD": (2, _at(lambda y: y * (1 - y))), "TANH_GRAD": (2, _at(lambda y: 1 - y * y)),  # of the results
    "ACOSH_GRAD": (2, lambda x, dy: dy / sqrt(x * x - 1)), "ASINH_GRAD": (2, lambda x, dy: dy / sqrt(x * x + 1)),
    "ATANH_GRAD": (2, lambda x, dy: dy / (1 - x * x)),
    "RELU6_GRAD": (2, _at(lambda x: _between(x, 0, 6))), "HSIGMOID_GRAD": (2, _at(lambda x: _between(x, -3, 3) / 6)),
    "H_SWISH_GRAD": (2, _at(lambda x: _between(x, -3, 3) * (2 * x + 3) / 6 + (x >= 3).astype(x.dtype))),
    "SOFTPLUS_GRAD": (2, _at(sigmoid)), "GELU_GRAD": (2, _at(_gelu_grad)), "SILU_GRAD": (2, _at(_silu_grad)),
    "PRELU_GRAD": (3, lambda x, dy, weight: where(x >= 0, dy, dy * weight)),
    "ISNAN": (1, lambda x: isnan(x).astype(x.dtype)), "ISINF": (1, lambda x: isinf(x).astype(x.dtype)),
})
# fmt: on


def check(mode: str) -> None:
    """Refuse what is no mode, in upper or lower case."""
    if not isinstance(mode, str) or mode.upper() not in MODES:
        raise ValueError(f"Elemwise has no method {mode!r}; choose one of {', '.join(sorted(MODES))}")


def call(mode: str, *operands: Tensor) -> Tensor:
    """Apply an operator by its mode."""
    check(mode)
    count, function = MODES[mode.upper()]
    if len(operands) != count:
        raise RuntimeError(f"Elemwise({mode!r}) takes {count} tensors, got {len(operands)}")
    return function(*operands)


def call_quantized(mode: str, dtype: Any, *operands: Tensor) -> Tensor:
    """Apply an operator to quantised tensors by its mode with a q in front, ``"qadd"``.

    It is applied to the real numbers, in float32, and the result rounded to the quantised dtype.
    """
    if mode[:1].lower() != "q":
        raise ValueError(
            f"mode={mode!r}: the modes of quantised tensors are Elemwise's with a q in front, such as 'qadd'"
        )
    real = call(mode[1:], *(x.astype("float32") for x in operands))
    to = quantized.key_of(dtype_of(dtype))
    # Times the inverse, as in the reference: a division would round some halves otherwise.
    out: Tensor = apply(quantized.quantize, real * float(np.float32(1) / np.float32(to.scale)), to=to, divided=True)
    return out
