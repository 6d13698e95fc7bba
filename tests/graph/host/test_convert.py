"""Conversions between dtypes against XLA's, bit for bit."""

from __future__ import annotations

import warnings

import jax
import numpy as np
import pytest
from jax import lax
from jax.extend.core import jaxpr_as_fun

from .ulps import FLOATS, INTS, many, same

DTYPES = ["bool", *INTS, *FLOATS]
FLOAT8 = ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"]


def to(dtypes):
    return lambda x: {d: lax.convert_element_type(x, d) for d in dtypes}


@pytest.mark.parametrize("dtype", DTYPES)
def test_conversions(dtype):
    """Saturating, NaN to 0; rounding once. Values too, that need no saturating."""
    same(to([*DTYPES, "complex64"]), many(dtype), ulps=0)
    same(to(DTYPES), np.arange(5).astype(dtype), ulps=0)


def test_conversions_of_few_elements():
    shapes = [(), (0, 2)]
    same(lambda *xs: [to(DTYPES)(x) for x in xs], *(np.ones(s, np.float32) for s in shapes), ulps=0)
    same(lambda *xs: [to(DTYPES)(x) for x in xs], *(np.ones(s, np.int32) for s in shapes), ulps=0)


@pytest.mark.parametrize("dtype", FLOAT8)
def test_floats_of_8_bits(dtype):
    everything = np.arange(256).astype(np.uint8).view(dtype)
    same(to(["float32", "float16", "bfloat16", "int32", "int8", "bool"]), everything, ulps=0)
    same(lambda x: lax.convert_element_type(x, dtype), np.linspace(-40, 40, 999).astype(np.float32), ulps=0)


def test_complex_numbers_to_real_ones():
    z = (many("float32", seed=1) + 1j * np.float32(2)).astype(np.complex64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)  # JAX's, while it traces
        closed = jax.make_jaxpr(to(["float32", "int32", "bfloat16", "uint8", "complex64"]))(z)
    same(jaxpr_as_fun(closed), z, ulps=0)


def test_conversions_of_64_bits():
    with jax.enable_x64(True):
        kinds = ["int64", "uint64", "float64", "complex128"]
        for dtype in ("float32", "float64", "int64", "uint64", "bfloat16"):
            same(to([*DTYPES, *kinds]), many(dtype), ulps=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits(dtype):
    """As other dtypes, as narrower and as wider ones."""
    x = np.resize(many(dtype), (5, 8, 4)) if dtype != "bool" else np.ones((5, 8, 4), bool)
    width = x.itemsize
    same_width = {
        1: ["int8", "uint8", "float8_e5m2"],
        2: ["int16", "float16", "bfloat16"],
        4: ["int32", "float32", "uint32"],
    }
    view = lax.bitcast_convert_type
    if dtype != "bool":
        same(
            lambda x: [view(x, d).astype("float32") if "float" in d else view(x, d) for d in same_width[width]],
            x,
            ulps=0,
        )
        same(lambda x: view(x, same_width[width][0]), x[0, 0, 0], ulps=0)
        same(lambda x: view(x.T, same_width[width][0]), x, ulps=0)
        if width > 1:
            same(lambda x: view(x, "uint8"), x)
            same(lambda x: view(x, "uint8"), x[:0])
        if width < 4:
            same(lambda x: view(x, "uint32"), x[..., : 4 // width])


@pytest.mark.parametrize("dtype", FLOATS)
def test_reduced_precision(dtype):
    formats = [(8, 7), (5, 10), (5, 2), (4, 3), (8, 23), (3, 20), (2, 1)]
    if dtype == "float32":
        same(lambda x: [lax.reduce_precision(x, *f) for f in formats], many(dtype, 3000), ulps=0)
    same(lambda x: [lax.reduce_precision(x, *f) for f in formats if f[1] < 7], many(dtype), ulps=0)
