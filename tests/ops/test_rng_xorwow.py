"""XORWOW against a literal scalar implementation of its description, the tutorial's numbers, and float64."""

from __future__ import annotations

import functools
import math
import subprocess
import sys

import jax
import numpy as np
import pytest

from megengine.ops.rng import xorwow
from tests.compiling import AS_USERS

MASK = 0xFFFFFFFF
SEEDS = [0, 1, 20200325, 2**32 + 12345, 2**64 - 1]
TUTORIAL = [0.01395061, 0.33661973, 0.8770228, 0.4072623, -0.00307158, 0.26380703, -0.18256213, 1.4192054, 0.27583534]
SECOND_CALL = [
    0.6474763,
    2.7644677,
    -0.5659806,
    1.1272511,
    -1.6839352,
    -0.32604632,
    -0.22293127,
    1.2643287,
    -0.01345551,
]

uniform = jax.jit(xorwow.uniform, static_argnums=1, compiler_options=AS_USERS)
normal = jax.jit(xorwow.normal, static_argnums=1, compiler_options=AS_USERS)


def scalar_step(v: list[int]) -> list[int]:
    t = v[0] ^ (v[0] >> 2)
    return [*v[1:], (v[4] ^ (v[4] << 4)) & MASK ^ (t ^ (t << 1)) & MASK]


def pack(v: list[int]) -> int:
    return sum(word << (32 * i) for i, word in enumerate(v))


def unpack(bits: int) -> list[int]:
    return [bits >> (32 * i) & MASK for i in range(5)]


def times(columns: list[int], vector: int) -> int:
    total = 0
    for i, column in enumerate(columns):
        if vector >> i & 1:
            total ^= column
    return total


@functools.cache
def spacing_matrix() -> list[int]:
    """The columns of the step's matrix, squared 67 times."""
    columns = [pack(scalar_step(unpack(1 << i))) for i in range(160)]
    for _ in range(67):
        columns = [times(columns, c) for c in columns]
    return columns


class Literal:
    """One stream, a word at a time."""

    def __init__(self, seed: int) -> None:
        a = (seed & MASK) ^ 0xAAD26B49
        b = (seed >> 32) ^ 0xF7DCEFDD
        t0, t1 = 1099087573 * a & MASK, 2591861531 * b & MASK
        d = (6615241 + t1 + t0) & MASK
        v = [
            (123456789 + t0) & MASK,
            362436069 ^ t0,
            (521288629 + t1) & MASK,
            88675123 ^ t1,
            (5783321 + t0) & MASK,
        ]
        self.lanes = []
        state = pack(v)
        for _ in range(4096):
            self.lanes.append((unpack(state), d))
            state = times(spacing_matrix(), state)
        self.turn = 0

    def words(self, count: int) -> list[int]:
        """`count` draws of the subsequence whose turn it is."""
        v, d = self.lanes[self.turn]
        drawn = []
        for _ in range(count):
            v, d = scalar_step(v), (d + 362437) & MASK
            drawn.append((v[4] + d) & MASK)
        self.lanes[self.turn] = (v, d)
        self.turn = (self.turn + 1) % 4096
        return drawn

    def uniform(self, n: int) -> np.ndarray:
        x = np.array([self.words(1)[0] for _ in range(n)], np.uint32).astype(np.float32)
        return x * np.float32(2**-32) + np.float32(2**-33)

    def pair(self) -> tuple[float, float]:
        x, y = (np.float32(w) for w in self.words(2))
        angle = np.float32(2 * math.pi * 2**-32)
        u = x * np.float32(2**-32) + np.float32(2**-33)
        w = y * angle + angle / np.float32(2)
        s = math.sqrt(-2 * math.log(float(u)))
        return s * math.sin(float(w)), s * math.cos(float(w))

    def normal(self, n: int) -> np.ndarray:
        last = [self.pair()[0]] if n % 2 else []
        return np.array([z for _ in range(n // 2) for z in self.pair()] + last)


@functools.cache
def fresh(seed: int) -> np.ndarray:
    return xorwow.seed_state(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_seed_state_is_the_literal_seeding(seed):
    state = fresh(seed)
    literal = Literal(seed)
    assert state.dtype == np.uint32 and state.shape == (6, 4096)
    assert state[:5].T.tolist() == [v for v, _ in literal.lanes]
    assert state[5].tolist() == [d for _, d in literal.lanes]


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=f"below 2\\*\\*64, got {seed}"):
        xorwow.seed_state(seed)


def test_the_tutorial_s_numbers():
    state, first = normal(fresh(20200325), 9)
    _, second = normal(state, 9)
    np.testing.assert_allclose(first, TUTORIAL, rtol=0, atol=1.5e-7)
    np.testing.assert_allclose(second, SECOND_CALL, rtol=0, atol=3e-7)
    printed = np.array2string(np.asarray(first).reshape(3, 3), precision=4, suppress_small=True)
    assert printed == "[[ 0.014   0.3366  0.877 ]\n [ 0.4073 -0.0031  0.2638]\n [-0.1826  1.4192  0.2758]]"


@pytest.mark.parametrize("seed", SEEDS)
def test_uniform_is_the_literal_stream_bit_for_bit(seed):
    literal, state = Literal(seed), fresh(seed)
    for n in (300, 1, 4095, 4096, 4097, 300):
        state, drawn = uniform(state, n)
        assert drawn.dtype == np.float32
        np.testing.assert_array_equal(drawn, literal.uniform(n))


@pytest.mark.parametrize("seed", SEEDS)
def test_normal_is_the_literal_stream(seed):
    literal, state = Literal(seed), fresh(seed)
    for n in (300, 1, 9, 4097, 8190, 8192, 300):
        state, drawn = normal(state, n)
        assert drawn.dtype == np.float32
        np.testing.assert_allclose(drawn, literal.normal(n), rtol=0, atol=1e-6)


def test_uniform_in_parts_is_uniform_at_once():
    whole_state, whole = uniform(fresh(7), 20481)
    state, parts = fresh(7), []
    for n in (4095, 1, 4097, 0, 8192, 4096):
        state, part = uniform(state, n)
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(state, whole_state)


def test_normal_in_even_parts_is_normal_at_once():
    whole_state, whole = normal(fresh(7), 24580)
    state, parts = fresh(7), []
    for n in (8190, 2, 0, 8196, 8192):
        state, part = normal(state, n)
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(state, whole_state)


def test_an_odd_normal_uses_its_first_pair_for_the_last_element():
    _, even = normal(fresh(3), 10)
    _, odd = normal(fresh(3), 9)
    np.testing.assert_array_equal(odd, np.concatenate([even[2:], even[:1]]))


def test_nothing_drawn_leaves_the_stream_where_it_is():
    for draw in (uniform, normal):
        state, drawn = draw(fresh(1), 0)
        assert drawn.shape == (0,)
        np.testing.assert_array_equal(state, fresh(1))


def test_one_program_serves_every_position():
    traced = 0

    @jax.jit
    def draw(state):
        nonlocal traced
        traced += 1
        return xorwow.normal(state, 1001)

    state = fresh(0)
    for _ in range(20):
        state, _ = draw(state)
    assert traced == 1


def test_accuracy_against_float64_at_the_ends_and_quarters():
    rng = np.random.default_rng(0)
    ends = np.concatenate([np.arange(5000), 2**32 - 1 - np.arange(5000)])
    quarters = np.concatenate([k * 2**30 + np.arange(-2500, 2500) for k in (1, 2, 3)])
    x = np.concatenate([ends, rng.integers(0, 2**32, 400_000)]).astype(np.uint32)
    y = rng.permutation(np.concatenate([quarters, rng.integers(0, 2**32, len(x) - len(quarters))])).astype(np.uint32)
    drawn = np.asarray(jax.jit(xorwow._box_muller, compiler_options=AS_USERS)(x.repeat(2), y.repeat(2))).reshape(-1, 2)

    angle = np.float32(2 * np.pi * 2.0**-32)
    u = (x.astype(np.float32) * np.float32(2.0**-32) + np.float32(2.0**-33)).astype(np.float64)
    w = (y.astype(np.float32) * angle + angle / 2).astype(np.float64)
    s = np.sqrt(-2 * np.log(u))
    exact = np.stack([s * np.sin(w), s * np.cos(w)], axis=1)
    assert np.abs(drawn - exact).max() < 1e-6
    assert (drawn[u == 1] == 0).all()


def kolmogorov_smirnov(values: np.ndarray, distribution: np.ndarray) -> float:
    n = len(values)
    steps = np.arange(n + 1) / n
    return math.sqrt(n) * max(np.abs(distribution - steps[1:]).max(), np.abs(distribution - steps[:-1]).max())


def test_statistics_of_uniform():
    drawn = np.asarray(uniform(fresh(20200325), 1_000_000)[1], np.float64)
    assert drawn.min() > 0 and drawn.max() <= 1
    assert abs(drawn.mean() - 1 / 2) < 4 * math.sqrt(1 / 12 / len(drawn))
    assert abs(drawn.var() - 1 / 12) < 4 * math.sqrt(1 / 180 / len(drawn))
    assert kolmogorov_smirnov(np.sort(drawn), np.sort(drawn)) < 1.95
    for lag in (1, 2, 4096):
        assert abs(np.corrcoef(drawn[:-lag], drawn[lag:])[0, 1]) < 4 / math.sqrt(len(drawn))


def test_statistics_of_normal():
    drawn = np.asarray(normal(fresh(20200325), 1_000_001)[1], np.float64)
    assert abs(drawn.mean()) < 4 / math.sqrt(len(drawn))
    assert abs(drawn.var() - 1) < 4 * math.sqrt(2 / len(drawn))
    sample = np.sort(drawn[:100_000])
    distribution = np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in sample])
    assert kolmogorov_smirnov(sample, distribution) < 1.95
    for lag in (1, 2, 8192):
        assert abs(np.corrcoef(drawn[:-lag], drawn[lag:])[0, 1]) < 4 / math.sqrt(len(drawn))


def test_streams_of_neighbouring_seeds_differ():
    first = [tuple(np.asarray(uniform(fresh(seed), 300)[1]).tolist()) for seed in SEEDS]
    assert len(set(first)) == len(SEEDS)


def test_importing_starts_no_backend():
    program = (
        "import megengine.ops.rng as rng, jax._src.xla_bridge as bridge\n"
        "rng.xorwow.seed_state(1)\n"
        "assert not bridge._backends, list(bridge._backends)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
