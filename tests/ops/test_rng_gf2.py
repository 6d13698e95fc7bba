"""Jumps over GF(2): the polynomials are those of the generators, and a jump is that many steps."""

from __future__ import annotations

import numpy as np
import pytest

from megengine.ops.rng import xoroshiro, xorwow
from megengine.ops.rng.gf2 import combine, jump_coefficients


def test_combine_is_the_product_over_gf2():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (37, 48))
    rows = rng.integers(0, 2**32, (48, 3), dtype=np.uint32)
    expected = np.zeros((37, 3), np.uint32)
    for i in range(37):
        for j in np.flatnonzero(bits[i]):
            expected[i] ^= rows[j]
    packed = np.packbits(bits.astype(np.uint8), axis=1, bitorder="little")
    np.testing.assert_array_equal(combine(packed, rows), expected)


@pytest.mark.parametrize("polynomial", [xorwow._CHARACTERISTIC, xoroshiro._CHARACTERISTIC])
@pytest.mark.parametrize("stride_log2", [0, 3, 10])
def test_coefficients_are_those_of_one_multiplication_by_x_at_a_time(polynomial, stride_log2):
    degree = polynomial.bit_length() - 1
    lines = jump_coefficients(polynomial, stride_log2, 5)
    power = 1
    for line in lines:
        assert int.from_bytes(line.tobytes(), "little") == power
        for _ in range(1 << stride_log2):
            power <<= 1
            if power >> degree:
                power ^= polynomial


def test_the_jump_that_xorwow_knows_is_the_one_that_would_be_computed():
    known = xorwow._spacing()
    np.testing.assert_array_equal(known[:5], jump_coefficients(xorwow._CHARACTERISTIC, xorwow._SPACING_LOG2, 5))
    assert int.from_bytes(known[1].tobytes(), "little") == xorwow._SPACING


def test_the_polynomial_of_xorwow_is_its_step_s():
    # By Cayley and Hamilton, the states that its coefficients select add up to zero.
    words = [1, 22, 333, 4444, 55555]
    for n in range(160):
        t = words[n] ^ words[n] >> 2
        words.append((words[n + 4] ^ words[n + 4] << 4 ^ t ^ t << 1) & 0xFFFFFFFF)
    total = [0] * 5
    for i in range(161):
        if xorwow._CHARACTERISTIC >> i & 1:
            total = [a ^ b for a, b in zip(total, words[i : i + 5], strict=True)]
    assert total == [0] * 5


def test_the_polynomial_of_xoroshiro_is_its_step_s():
    state, total = (1, 22), (0, 0)
    for i in range(129):
        if xoroshiro._CHARACTERISTIC >> i & 1:
            total = (total[0] ^ state[0], total[1] ^ state[1])
        state = xoroshiro._step(*state)
    assert total == (0, 0)
