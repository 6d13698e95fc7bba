"""Element-wise operators by the names of their modes in MegEngine's graphs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .. import functional as F
from ..graph.record import apply
from ..ops import elemwise as ops
from ..tensor import Tensor

_Function = Callable[..., Tensor]


def _as_number(compare: _Function) -> _Function:
    """The comparison with 1 and 0 in the first operand's dtype: a mode's answer is no bool."""
    return lambda x, y: compare(x, y).astype(x.dtype)


def _after_add(function: _Function) -> _Function:
    return lambda x, y: function(x + y)


# fmt: off
MODES: dict[str, tuple[int, _Function]] = {
    "ABS": (1, F.abs), "NEGATE": (1, F.neg), "SIGN": (1, F.sign), "SQUARE": (1, F.square), "SQRT": (1, F.sqrt),
    "CEIL": (1, F.ceil), "FLOOR": (1, F.floor), "ROUND": (1, F.round), "NOT": (1, F.logical_not),
    "EXP": (1, F.exp), "EXPM1": (1, F.expm1), "LOG": (1, F.log), "LOG1P": (1, F.log1p),
    "SIN": (1, F.sin), "COS": (1, F.cos), "TAN": (1, F.tan), "ASIN": (1, F.asin), "ACOS": (1, F.acos),
    "SINH": (1, F.sinh), "COSH": (1, F.cosh), "TANH": (1, F.tanh),
    "ASINH": (1, F.asinh), "ACOSH": (1, F.acosh), "ATANH": (1, F.atanh),
    "RELU": (1, F.relu), "RELU6": (1, F.relu6), "SIGMOID": (1, F.sigmoid), "HSIGMOID": (1, F.hsigmoid),
    "H_SWISH": (1, F.hswish), "SILU": (1, F.silu), "GELU": (1, F.gelu), "SOFTPLUS": (1, F.softplus),
    "LOGSIGMOID": (1, F.logsigmoid),
    "ADD": (2, F.add), "SUB": (2, F.sub), "MUL": (2, F.mul), "TRUE_DIV": (2, F.div), "FLOOR_DIV": (2, F.floor_div),
    "MOD": (2, F.mod), "POW": (2, F.pow), "MAX": (2, F.maximum), "MIN": (2, F.minimum), "ATAN2": (2, F.atan2),
    "LOG_SUM_EXP": (2, F.logaddexp), "PRELU": (2, F.prelu), "SHL": (2, F.left_shift), "SHR": (2, F.right_shift),
    "AND": (2, F.logical_and), "OR": (2, F.logical_or), "XOR": (2, F.logical_xor),
    "LT": (2, _as_number(F.less)), "LEQ": (2, _as_number(F.less_equal)), "EQ": (2, _as_number(F.equal)),
    "NEQ": (2, _as_number(F.not_equal)),
    "FUSE_ADD_RELU": (2, _after_add(F.relu)), "FUSE_ADD_SIGMOID": (2, _after_add(F.sigmoid)),
    "FUSE_ADD_TANH": (2, _after_add(F.tanh)), "FUSE_ADD_H_SWISH": (2, _after_add(F.hswish)),
    "FUSE_MUL_ADD3": (3, lambda x, y, z: x * y + z), "FUSE_MUL_ADD4": (4, lambda x, y, z, w: x * y + z * w),
    "ERF": (1, partial(apply, ops.erf, ())), "ERFC": (1, partial(apply, ops.erfc, ())),
    "ERFINV": (1, partial(apply, ops.erfinv, ())), "ERFCINV": (1, partial(apply, ops.erfcinv, ())),
    "CLIP": (3, F.clip),
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
    below = 0.5 * (1 + apply(ops.erf, (), x * 0.7071067811865476))
    return below + x * F.exp(-0.5 * x * x) * 0.3989422804014327


def _silu_grad(x: Tensor) -> Tensor:
    sigmoid = F.sigmoid(x)
    return sigmoid * (1 + x * (1 - sigmoid))


def _between(x: Tensor, low: float, high: float) -> Tensor:
    return F.logical_and(x > low, x < high).astype(x.dtype)


# fmt: off
MODES.update({
    "COND_LEQ_MOV": (3, lambda x, y, z: F.where(x <= y, z, F.zeros_like(z))),
    "COND_LT_MOV": (3, lambda x, y, z: F.where(x < y, z, F.zeros_like(z))),
    "SWITCH_GT0": (2, lambda x, y: F.where(x > 0, y, F.zeros_like(y))),
    "FAST_TANH": (1, _tanh_of_fractions), "FAST_TANH_GRAD": (2, _at(_tanh_of_fractions_grad)),
    "ABS_GRAD": (2, lambda x, dy: F.where(x > 0, dy, -dy)),
    "SIGMOID_GRAD": (2, _at(lambda y: y * (1 - y))), "TANH_GRAD": (2, _at(lambda y: 1 - y * y)),  # of the results
    "ACOSH_GRAD": (2, lambda x, dy: dy / F.sqrt(x * x - 1)), "ASINH_GRAD": (2, lambda x, dy: dy / F.sqrt(x * x + 1)),
    "ATANH_GRAD": (2, lambda x, dy: dy / (1 - x * x)),
    "RELU6_GRAD": (2, _at(lambda x: _between(x, 0, 6))), "HSIGMOID_GRAD": (2, _at(lambda x: _between(x, -3, 3) / 6)),
    "H_SWISH_GRAD": (2, _at(lambda x: _between(x, -3, 3) * (2 * x + 3) / 6 + (x >= 3).astype(x.dtype))),
    "SOFTPLUS_GRAD": (2, _at(F.sigmoid)), "GELU_GRAD": (2, _at(_gelu_grad)), "SILU_GRAD": (2, _at(_silu_grad)),
    "PRELU_GRAD": (3, lambda x, dy, weight: F.where(x >= 0, dy, dy * weight)),
    "ISNAN": (1, lambda x: F.isnan(x).astype(x.dtype)), "ISINF": (1, lambda x: F.isinf(x).astype(x.dtype)),
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
