"""Arithmetic, comparisons and functions by NumPy and SciPy against XLA's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests.compiling import EMITTERS_OF_USERS

from .ulps import FLOATS, INTS, many, pairs, same

UNARY = {
    **{
        n: getattr(lax, n)
        for n in ("neg", "sign", "floor", "ceil", "is_finite", "abs", "square", "sqrt", "rsqrt", "exp")
    },
    **{
        n: getattr(lax, n)
        for n in ("exp2", "log", "log1p", "expm1", "tanh", "sin", "cos", "tan", "asin", "acos", "atan")
    },
    **{n: getattr(lax, n) for n in ("sinh", "cosh", "asinh", "acosh", "atanh", "cbrt", "logistic", "erf", "erfc")},
    **{f"integer_pow {y}": (lambda x, y=y: lax.integer_pow(x, y)) for y in (-3, -2, -1, 0, 1, 2, 3, 5, 8)},
    "round away": lambda x: lax.round(x, lax.RoundingMethod.AWAY_FROM_ZERO),
    "round even": lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN),
}
SPECIAL = {n: getattr(lax, n) for n in ("erf_inv", "lgamma", "bessel_i0e", "bessel_i1e")}
SPECIAL["digamma"] = lambda x: lax.digamma(jnp.where(x == 0, 1, x))  # versions of XLA differ at its pole
BINARY = {
    **{
        n: getattr(lax, n)
        for n in ("add", "sub", "mul", "div", "rem", "max", "min", "eq", "ne", "lt", "le", "gt", "ge")
    },
}
FLOAT_BINARY = {n: getattr(lax, n) for n in ("atan2", "nextafter", "pow")}
INT_BINARY = {
    n: getattr(lax, n)
    for n in ("bitwise_and", "bitwise_or", "bitwise_xor", "shift_left", "shift_right_logical", "shift_right_arithmetic")
}
INT_UNARY = {n: getattr(lax, n) for n in ("bitwise_not", "population_count", "clz", "sign", "square")}


def each(functions):
    return lambda *xs: {n: f(*xs) for n, f in functions.items()}


@pytest.mark.parametrize("dtype", FLOATS)
def test_functions_of_floats(dtype):
    same(each(UNARY), many(dtype), ulps=16 if dtype == "float32" else 1, options=EMITTERS_OF_USERS)


@pytest.mark.parametrize("dtype", FLOATS)
def test_special_functions(dtype):
    same(each(SPECIAL), many(dtype), ulps=64 if dtype == "float32" else 1, atol=2e-6, options=EMITTERS_OF_USERS)


@pytest.mark.parametrize("dtype", FLOATS)
def test_functions_of_two_floats(dtype):
    same(each(BINARY | FLOAT_BINARY), *pairs(dtype), ulps=16 if dtype == "float32" else 1, options=EMITTERS_OF_USERS)


@pytest.mark.parametrize("dtype", INTS)
def test_functions_of_ints(dtype):
    same(each(BINARY | INT_BINARY), *pairs(dtype))
    same(each(INT_UNARY), many(dtype))


@pytest.mark.parametrize("shape", [(), (2, 0)])
def test_functions_of_every_shape(shape):
    """No dimensions, no elements, and views that repeat elements."""
    x = np.full(shape, 0.3, np.float32)
    same(each(UNARY | SPECIAL), x, ulps=16, atol=1e-6)
    same(each(BINARY | FLOAT_BINARY), x, np.broadcast_to(np.float32(2), shape), ulps=16)
    i = np.full(shape, 7, np.int32)
    same(each(BINARY | INT_BINARY), i, np.broadcast_to(np.int32(3), shape))
    same(each(INT_UNARY), i)


def test_powers_with_integers_as_exponents():
    x = np.array([0.0, -0.0, 1, -1, 2, -2, 0.5, np.inf, -np.inf, np.nan], np.float32)
    for y in (0, 1, 2, -1, -3, 4, 31):
        same(lax.pow, x, np.full(x.shape, y, np.int32), ulps=16)
    same(lax.pow, x.astype(np.float16), np.full(x.shape, 3, np.int8), ulps=1)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint32"])
def test_upper_half_of_a_product(dtype):
    same(lax.mulhi, *pairs(dtype))


@pytest.mark.parametrize("dtype", ["int64", "uint64", "float64"])
def test_dtypes_of_64_bits(dtype):
    with jax.enable_x64(True):
        x, y = pairs(dtype)
        functions = BINARY | (
            {"pow": lax.pow, "atan2": lax.atan2} if dtype == "float64" else INT_BINARY | {"mulhi": lax.mulhi}
        )
        same(each(functions), x, y, ulps=16)
        same(each({"sign": lax.sign, "square": lax.square} if dtype == "float64" else INT_UNARY), x)


@pytest.mark.parametrize("dtype", ["bool", "int8", "float16", "bfloat16", "float32", "complex64"])
@pytest.mark.parametrize("count", [3, 5000])
def test_selection(dtype, count):
    """Bit for bit, NaN and all, for few elements and for many."""
    rng = np.random.default_rng(0)
    x, y = (np.resize(many("float32" if dtype == "complex64" else dtype, 300, k), count).astype(dtype) for k in (1, 2))
    p = rng.integers(0, 2, count).astype(bool)
    same(lax.select_n, p, x, y, ulps=0)
    same(lambda p, x: lax.select_n(p, x, jnp.zeros_like(x)), p, x, ulps=0)
    same(lax.select_n, np.True_, x, y, ulps=0)
    which = rng.integers(-1, 4, count).astype(np.int32)
    same(lambda w, *xs: lax.select_n(jnp.clip(w, 0, 2), *xs), which, x, y, x[::-1].copy(), ulps=0)


@pytest.mark.parametrize("dtype", [*FLOATS, "int8", "uint32"])
def test_clamping(dtype):
    x, y = pairs(dtype)
    same(lax.clamp, y, x, y[::-1].copy(), ulps=0)
    same(lambda x: lax.clamp(x[3], x, x[10]), x, ulps=0)


def test_bools():
    x, y = pairs("bool")
    names = ("bitwise_and", "bitwise_or", "bitwise_xor", "eq", "ne", "lt", "ge", "max", "min")
    same(each({n: getattr(lax, n) for n in names}), x, y)
    same(lax.bitwise_not, x)


def test_complex_numbers():
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((2, 50)) * 3).astype(np.float32)
    z, w = x + 1j * y, y - 2j * x
    same(lax.complex, x, y)
    same(lax.complex, x[0], y[0])
    unary = (
        "real",
        "imag",
        "conj",
        "abs",
        "neg",
        "sign",
        "exp",
        "log",
        "log1p",
        "expm1",
        "sqrt",
        "rsqrt",
        "tanh",
        "sin",
        "cos",
    )
    more = ("tan", "sinh", "cosh", "logistic", "square", "asin", "acos", "atan", "asinh", "acosh", "atanh", "exp2")
    same(each({n: getattr(lax, n) for n in unary + more}), z, ulps=64, atol=1e-5)
    same(lambda z: [lax.integer_pow(z, n) for n in (-2, 0, 2, 3)], z, ulps=64, atol=1e-4)
    binary = ("add", "sub", "mul", "div", "eq", "ne", "pow", "atan2")
    same(each({n: getattr(lax, n) for n in binary}), z, w, ulps=64, atol=1e-4)


def test_special_functions_of_several_arguments():
    rng = np.random.default_rng(0)
    a, b, x = rng.uniform(0.1, 4, (3, 50)).astype(np.float32)
    same(lambda a, b, x: [lax.igamma(a, x), lax.igammac(a, x), lax.betainc(a, b, x / 5)], a, b, x, ulps=500)
    same(lambda a, x: lax.zeta(a + 1.1, x), a, x, ulps=64)
    same(lambda x: lax.polygamma(jnp.full_like(x, 2), x), x, ulps=200)
