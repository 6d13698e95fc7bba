"""Element-wise arithmetic, comparisons and mathematical functions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import autocast, formats, promote, quantized, ranges
from .conversion import convert
from .op import op


def sum_to(grad: Any, like: Any) -> Any:
    """Undo broadcasting: add a gradient up to the shape (and dtype) of the operand it belongs to."""
    extra = grad.ndim - like.ndim
    axes = tuple(range(extra)) + tuple(
        k + extra for k, n in enumerate(like.shape) if n == 1 and grad.shape[k + extra] != 1
    )
    return grad.sum(axes).reshape(like.shape).astype(like.dtype)


@op(promote=promote.arithmetic, ints=ranges.wraps, quantized=quantized.same_signed)
def add(x, y):
    return x + y


@op(promote=promote.arithmetic, ints=ranges.wraps, quantized=quantized.same_signed)
def sub(x, y):
    return x - y


@op(promote=promote.arithmetic, ints=ranges.wraps)
def mul(x, y):
    return x * y


@op(promote=promote.floating, autocast=autocast.high)
def div(x, y):
    return x / y


@op(promote=promote.arithmetic, differentiable=False, strict=True)
def floor_div(x, y):
    if jnp.issubdtype(x.dtype, jnp.inexact):
        return jnp.floor(x / y)
    by_zero = y == 0  # 0, as NumPy has it; XLA's quotient would be rounded down once more
    return jnp.where(by_zero, 0, x // jnp.where(by_zero, 1, y)).astype(x.dtype)


@op(promote=promote.arithmetic, differentiable=(True, False), strict=True)
def mod(x, y):
    # The reference: C's fmod for floats, Python's sign for integers.
    return jnp.fmod(x, y) if jnp.issubdtype(x.dtype, jnp.inexact) else x % y


@op(promote=promote.floating, autocast=autocast.high)
def pow(x, y):
    return jnp.power(x, y)


def _as_base(name, kinds):
    return promote.floating(name, [kinds[0], "i"])[:1]


@op(promote=_as_base, autocast=autocast.high)
def pow_fixed(x, *, exponent):
    if exponent == 0.5:
        return _half_power(x)
    return jax.lax.integer_pow(x, int(exponent))


@jax.custom_jvp
def _half_power(x):
    """``x ** 0.5``, which differs from the square root at -infinity and at -0."""
    return jnp.where(x == -jnp.inf, jnp.inf, jnp.abs(jnp.sqrt(x))).astype(x.dtype)


_half_power.defjvps(lambda t, out, x: t * 0.5 / out)


def _first_wins(operands, out, ct):
    x, y = operands
    mine = x == out
    return sum_to(jnp.where(mine, ct, 0), x), sum_to(jnp.where(mine, 0, ct), y)


@op(promote=promote.arithmetic, grad=_first_wins, ints=ranges.bounds_below, strict=True, quantized=quantized.same)
def maximum(x, y):
    return jnp.maximum(x, y)


@op(promote=promote.arithmetic, grad=_first_wins, ints=ranges.bounds_above, strict=True, quantized=quantized.same)
def minimum(x, y):
    return jnp.minimum(x, y)


@op(promote=promote.floating, autocast=autocast.high)
def logaddexp(x, y):
    return jnp.logaddexp(x, y)


@op(promote=promote.floating, autocast=autocast.high)
def atan2(y, x):
    return jnp.arctan2(y, x)


@op(promote=promote.integral, differentiable=False, strict=True)
def left_shift(x, y):
    return jnp.left_shift(x, y)


@op(promote=promote.integral, differentiable=False, strict=True)
def right_shift(x, y):
    return jnp.right_shift(x, y)


@op(promote=promote.compared, differentiable=False, ints=ranges.compares)
def equal(x, y):
    return x == y


@op(promote=promote.compared, differentiable=False, ints=ranges.compares)
def not_equal(x, y):
    return x != y


@op(promote=promote.compared, differentiable=False, ints=ranges.compares)
def less(x, y):
    return x < y


@op(promote=promote.compared, differentiable=False, ints=ranges.compares)
def less_equal(x, y):
    return x <= y


@op(promote=promote.compared, differentiable=False, ints=ranges.compares)
def greater(x, y):
    return x > y


@op(promote=promote.compared, differentiable=False, ints=ranges.compares)
def greater_equal(x, y):
    return x >= y


@op(promote=promote.logical, differentiable=False)
def logical_and(x, y):
    return x & y


@op(promote=promote.logical, differentiable=False)
def logical_or(x, y):
    return x | y


@op(promote=promote.logical, differentiable=False)
def logical_xor(x, y):
    return x ^ y


@op(promote=promote.logical, differentiable=False)
def logical_not(x):
    return ~x


@op(promote=promote.numeric, quantized=quantized.signed)
def neg(x):
    return -x


def _abs_grad(operands, out, ct):
    (x,) = operands
    # The reference's derivative at 0 is -1.
    return (jnp.where(x > 0, ct, -ct),)


@op(promote=promote.numeric, grad=_abs_grad)
def abs(x):
    return jnp.abs(x)


@op(promote=promote.numeric, differentiable=False)
def sign(x):
    return jnp.where(x > 0, 1, jnp.where(x < 0, -1, 0)).astype(x.dtype)


@op(promote=promote.numeric)
def square(x):
    return x * x


def nearest(x):
    """The nearest whole numbers, halves away from zero; adding 0.5 would misround the float just under 0.5."""
    whole = jnp.trunc(x)
    return whole + jnp.where(jnp.abs(x - whole) >= 0.5, jnp.copysign(1, x), 0).astype(x.dtype)


@op(promote=promote.numeric, differentiable=False)
def round(x):
    return nearest(x) if jnp.issubdtype(x.dtype, jnp.inexact) else x


@op(promote=promote.numeric, differentiable=False)
def floor(x):
    return jnp.floor(x) if jnp.issubdtype(x.dtype, jnp.inexact) else x


@op(promote=promote.numeric, differentiable=False)
def ceil(x):
    return jnp.ceil(x) if jnp.issubdtype(x.dtype, jnp.inexact) else x


def _unary(name, fn, rule=promote.floating, amp=autocast.high):
    return op(name, promote=rule, autocast=amp)(fn)


exp = _unary("exp", lambda x: jnp.exp(x))
expm1 = _unary("expm1", lambda x: jnp.expm1(x))
log = _unary("log", lambda x: jnp.log(x))
log1p = _unary("log1p", lambda x: jnp.log1p(x))
sqrt = _unary("sqrt", lambda x: jnp.sqrt(x))
sin = _unary("sin", lambda x: jnp.sin(x))
cos = _unary("cos", lambda x: jnp.cos(x))
tan = _unary("tan", lambda x: jnp.tan(x))
asin = _unary("asin", lambda x: jnp.arcsin(x))
acos = _unary("acos", lambda x: jnp.arccos(x))
atan = _unary("atan", lambda x: jnp.arctan(x), promote.all_float32, None)
sinh = _unary("sinh", lambda x: jnp.sinh(x))
cosh = _unary("cosh", lambda x: jnp.cosh(x))
tanh = _unary("tanh", lambda x: jnp.tanh(x), amp=None)
asinh = _unary("asinh", lambda x: jnp.arcsinh(x))
acosh = _unary("acosh", lambda x: jnp.arccosh(x))
atanh = _unary("atanh", lambda x: jnp.arctanh(x))
erf = _unary("erf", lambda x: jax.scipy.special.erf(x), amp=None)
erfc = _unary("erfc", lambda x: jax.scipy.special.erfc(x), amp=None)
erfinv = _unary("erfinv", lambda x: jax.scipy.special.erfinv(x), amp=None)
# By way of the normal quantile, which keeps its digits where 1 - x would lose them.
erfcinv = _unary("erfcinv", lambda x: -jax.scipy.special.ndtri(x / 2) / np.sqrt(2).astype(x.dtype), amp=None)


@op(promote=promote.comparison, differentiable=False)
def isnan(x):
    return jnp.isnan(x)


@op(promote=promote.comparison, differentiable=False)
def isinf(x):
    return jnp.isinf(x)


def _clip_grad(operands, out, ct):
    x, low, high = operands
    # The gradient passes at both bounds.
    inside = jnp.where((x >= low) & (x <= high), ct, 0)
    return sum_to(inside, x), sum_to(jnp.where(x < low, ct, 0), low), sum_to(jnp.where(x > high, ct, 0), high)


@op(promote=promote.arithmetic, grad=_clip_grad, ints=ranges.bounds, strict=True)
def clip(x, low, high):
    # The lower bound first: where the bounds cross, the reference prefers it.
    outside = x < low
    if jnp.issubdtype(x.dtype, jnp.floating):
        unknown = (low != low) | (high != high)  # comparing with NaN is False: such a bound would be none
        outside, low = outside | unknown, jnp.where(unknown, jnp.asarray(jnp.nan, x.dtype), low)
    return jnp.where(outside, low, jnp.where(x > high, high, x))


def _choice(name, kinds):
    return [promote.BOOL, *promote.chosen(name, kinds[1:])]


@op(promote=_choice, formats=formats.dropped)
def where(mask, x, y):
    return jnp.where(mask, x, y)


def _cast_on_host(array, dtype):
    return array.astype(dtype) if np.can_cast(array.dtype, dtype, "safe") else None


@op(on_host=_cast_on_host)
def cast(x, *, dtype):
    return convert(x, dtype)


@op(quantized=quantized.kept)
def copy(x):
    return x


@op(formats=formats.given)
def relabel(x, *, format):
    """The same with another label of its memory format."""
    return x


@op(promote=promote.all_float32)
def complex(real, imag):
    return jax.lax.complex(*jnp.broadcast_arrays(real, imag))


@op(promote=promote.all_float32)
def polar(radius, angle):
    return jax.lax.complex(radius * jnp.cos(angle), radius * jnp.sin(angle))


def _check_complex(x):
    if x.dtype != promote.COMPLEX64:
        raise RuntimeError(f"complex numbers are needed, not {x}")


real = op("real", check=_check_complex)(lambda x: jnp.real(x))
imag = op("imag", check=_check_complex)(lambda x: jnp.imag(x))
