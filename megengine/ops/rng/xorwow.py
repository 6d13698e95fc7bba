"""The XORWOW stream of cuRAND's host generator, as pure functions that run inside compiled graphs.

4096 XORWOW generators (Marsaglia, 2003, "Xorshift RNGs") start ``2**67`` steps apart and take turns. A stream's state is
one uint32 array of shape (6, 4096), a queue of those generators: column 0 is the one whose turn is next, and a column
goes to the end once it was used. Rows 0 to 4 hold a generator's five words, oldest first, and row 5 its Weyl counter.
So a draw of n values touches fixed columns, and one compiled program serves every position of the stream.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

from ..loops import fori_loop
from .gf2 import combine, jump_coefficients

LANES = 4096
_WORDS = 5
WEYL = 362437
_SPACING_LOG2 = 67
# Characteristic polynomial of one step of the five words, as a linear map over GF(2).
_CHARACTERISTIC = 0x1_00000F0E_0F3C0035_00062121_08610030_00060001
_SPACING = 0x947E6DD2_930052D4_1A87DAD0_77BBC248_26294934  # x**(2**67) by that polynomial
_MASK = 0xFFFFFFFF


@functools.cache
def _spacing() -> np.ndarray:
    return jump_coefficients(_CHARACTERISTIC, _SPACING_LOG2, LANES, _SPACING)


def seed_state(seed: int) -> np.ndarray:
    """Return the state in which the stream of a seed starts.

    Args:
        seed: the seed, 0 <= seed < 2**64.

    Returns:
        uint32 of shape (6, 4096).

    Raises:
        ValueError: the seed is not in that range.

    Example:
        >>> seed_state(20200325).shape
        (6, 4096)
    """
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"seed must be at least 0 and below 2**64, got {seed}")
    return _seeded(seed).copy()


@functools.lru_cache(16)  # 98 KB each: some milliseconds, and programs begin again from the same seed
def _seeded(seed: int) -> np.ndarray:
    low = 1099087573 * ((seed & _MASK) ^ 0xAAD26B49) & _MASK
    high = 2591861531 * ((seed >> 32) ^ 0xF7DCEFDD) & _MASK
    words = [
        123456789 + low & _MASK,
        362436069 ^ low,
        521288629 + high & _MASK,
        88675123 ^ high,
        5783321 + low & _MASK,
    ]
    for n in range(32 * _WORDS - 1):
        t = words[n] ^ words[n] >> 2
        last = words[n + _WORDS - 1]
        words.append((last ^ last << 4) & _MASK ^ (t ^ t << 1) & _MASK)
    successive = np.lib.stride_tricks.sliding_window_view(np.array(words, np.uint32), _WORDS)
    state = np.empty((_WORDS + 1, LANES), np.uint32)
    state[:_WORDS] = combine(_spacing(), successive).T
    state[_WORDS] = 6615241 + low + high & _MASK
    return state


def uniform(state: jax.Array, n: int, low: Any = 0.0, high: Any = 1.0) -> tuple[jax.Array, jax.Array]:
    """Draw n numbers, evenly distributed over (low, high]: ``x * 2**-32 + 2**-33`` for each word x of the stream, scaled.

    The scaling is done as the numbers are made: a second pass over many of them would cost more than the draw.

    Args:
        state: the stream's state, uint32 of shape (6, 4096).
        n: how many to draw; static.
        low, high: the ends, scalars.

    Returns:
        The state after the draw, and float32 of shape (n,).

    Example:
        >>> uniform(jnp.asarray(seed_state(0)), 3)[1].shape
        (3,)
    """
    drawn: tuple[jax.Array, jax.Array] = tuple(
        _uniform.bind(state, *(jnp.asarray(x, jnp.float32) for x in (low, high)), n=n)
    )
    return drawn


def _draw_uniform(state: jax.Array, low: jax.Array, high: jax.Array, *, n: int) -> tuple[jax.Array, jax.Array]:
    return _draw(state, n, 1, lambda x: low + (high - low) * _to_unit(x), lax.empty((n,), jnp.float32))


def normal(state: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
    """Draw n numbers of mean 0 and standard deviation 1, by the transform of Box and Muller (1958).

    A generator's turn gives two words, x and y, and two values, ``s sin w`` and ``s cos w``, where
    ``s = sqrt(-2 ln(x * 2**-32 + 2**-33))`` and ``w = 2 pi (y * 2**-32 + 2**-33)``. If n is odd, the first value drawn is
    the last of the result and the second is dropped.

    Args:
        state: the stream's state, uint32 of shape (6, 4096).
        n: how many to draw; static.

    Returns:
        The state after the draw, and float32 of shape (n,).

    Example:
        >>> print(normal(jnp.asarray(seed_state(20200325)), 9)[1][:3])
        [0.01395061 0.33661973 0.8770227 ]
    """
    drawn: tuple[jax.Array, jax.Array] = tuple(_normal.bind(state, n=n))
    return drawn


def _draw_normal(state: jax.Array, *, n: int) -> tuple[jax.Array, jax.Array]:
    out = lax.empty((n,), jnp.float32)
    if n % 2:
        state, first = _draw(state, 1, 2, _box_muller, lax.empty((2,), jnp.float32))
        out = lax.dynamic_update_slice(out, first[:1], (n - 1,))
    return _draw(state, n // 2, 2, _box_muller, out)


def _draw(
    state: jax.Array, turns: int, width: int, convert: Callable[..., jax.Array], out: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Give `turns` turns of `width` words; their values go to the front of `out`."""
    rounds, rest = divmod(turns, LANES)
    if rounds:
        state, out = _rounds(state, rounds, width, convert, out)
    if rest:
        used, values = _turn(state[:, :rest], width, convert)
        # The barrier keeps XLA from simplifying the slices and concatenations of many draws together, one draw in each pass.
        state = lax.optimization_barrier(jnp.concatenate([state[:, rest:], used], axis=1))
        out = lax.dynamic_update_slice(out, values, (rounds * LANES * width,))
    return state, out


def _turn(state: jax.Array, width: int, convert: Callable[..., jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Give every column of `state` one turn."""
    wide = _side_by_side(state, width)
    words = list(wide[:_WORDS])
    counter = wide[_WORDS]
    drawn = []
    for _ in range(width):
        words.append(_next_word(words[-_WORDS], words[-1]))
        counter = counter + np.uint32(WEYL)
        drawn.append(words[-1] + counter)
    return jnp.stack([*words[-_WORDS:], counter])[:, ::width], convert(*drawn)


def _rounds(
    state: jax.Array, rounds: int, width: int, convert: Callable[..., jax.Array], out: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Give every column of `state` `rounds` turns; their values go to the front of `out`, which is filled in place."""
    wide = _side_by_side(state, width)
    counter = wide[_WORDS]

    def turn(i: jax.Array, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        ring, out = carry
        drawn = []
        for n in range(width):
            step = i * width + n
            oldest = step % _WORDS
            made = _next_word(_row(ring, oldest), _row(ring, (step + _WORDS - 1) % _WORDS))
            ring = lax.dynamic_update_slice(ring, made[None], (oldest, 0))
            # Read back, not used directly: XLA would compute the word once more for the second use.
            drawn.append(_row(ring, oldest) + (counter + (step + 1).astype(jnp.uint32) * np.uint32(WEYL)))
        return ring, lax.dynamic_update_slice(out, convert(*drawn), (i * (width * LANES),))

    ring, out = fori_loop(0, rounds, turn, (wide[:_WORDS], out))
    steps = rounds * width
    oldest = steps % _WORDS
    counter = counter + np.uint32(steps * WEYL & _MASK)
    return jnp.concatenate([ring[oldest:], ring[:oldest], counter[None]])[:, ::width], out


def _side_by_side(state: jax.Array, width: int) -> jax.Array:
    """Each column `width` times: a copy makes one value, so that no pass has to interleave them."""
    rows, columns = state.shape
    return lax.broadcast_in_dim(state, (rows, columns, width), (0, 1)).reshape(rows, columns * width)


def _row(words: jax.Array, index: jax.Array) -> jax.Array:
    return lax.dynamic_index_in_dim(words, index, keepdims=False)


def _next_word(oldest: jax.Array, newest: jax.Array) -> jax.Array:
    t = oldest ^ (oldest >> 2)
    return (newest ^ (newest << 4)) ^ (t ^ (t << 1))


def _to_unit(x: jax.Array) -> jax.Array:
    return x.astype(jnp.float32) * np.float32(2.0**-32) + np.float32(2.0**-33)


ANGLE = np.float32(2 * np.pi * 2.0**-32)
# pi / 2 in two parts: the high one has so few digits that its small multiples are exact.
_HALF_PI_HIGH = np.float32(1.5707855224609375)
_HALF_PI_LOW = np.float32(np.pi / 2 - 1.5707855224609375)
# Least-maximum fits: sin r = r + r**3 p(r**2), cos r = 1 - r**2 / 2 + r**4 p(r**2), ln(1 + f) = f - f**2 / 2 + f**3 p(f).
_SIN = (-0.16666655, 0.0083321724, -0.0001951648)
_COS = (0.041666646, -0.001388736, 2.4437533e-05)
_LOG = (0.33333316, -0.2500081, 0.20002286, -0.16624554, 0.14181192, -0.13128755, 0.12881649, -0.07859615)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)


def _box_muller(x: jax.Array, y: jax.Array) -> jax.Array:
    """`s sin w` in the even places and `s cos w` in the odd ones, of equal x and y in each pair of places."""
    # The maximum changes nothing, but keeps compilers from fusing the product and the sum, which would round once less.
    turn = jnp.maximum(y.astype(jnp.float32) * ANGLE, np.float32(1e-30))
    shift = lax.iota(jnp.int32, x.shape[0]) & 1
    return jnp.sqrt(-2 * _log(_to_unit(x))) * _sin_quarters(turn + ANGLE / 2, shift)


def _sin_quarters(angle: jax.Array, quarters: jax.Array) -> jax.Array:
    """Sine of `angle + quarters * pi / 2`, for angles from 0 to 2 pi."""
    nearest = (angle * np.float32(2 / np.pi) + np.float32(0.5)).astype(jnp.int32)
    multiple = nearest.astype(jnp.float32)
    r = (angle - multiple * _HALF_PI_HIGH) - multiple * _HALF_PI_LOW
    z = r * r
    sine = r + r * z * _polynomial(z, _SIN)
    cosine = (1 - np.float32(0.5) * z) + z * z * _polynomial(z, _COS)
    quadrant = nearest + quarters
    value = jnp.where((quadrant & 1) == 0, sine, cosine)
    return jnp.where((quadrant & 2) == 0, value, -value)


def _log(x: jax.Array) -> jax.Array:
    """Natural logarithm of positive normal numbers: `x = 2**e (1 + f)`, with 1 + f from sqrt(1/2) to sqrt(2)."""
    bits = lax.bitcast_convert_type(x, jnp.int32)
    exponent = (bits - 0x3F3504F3) >> 23
    f = lax.bitcast_convert_type(bits - (exponent << 23), jnp.float32) - 1
    e = exponent.astype(jnp.float32)
    z = f * f
    return (f + (f * z * _polynomial(f, _LOG) + e * _LN2_LOW - np.float32(0.5) * z)) + e * _LN2_HIGH


def _polynomial(x: jax.Array, coefficients: tuple[float, ...]) -> jax.Array:
    value = jnp.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        value = value * x + np.float32(c)
    return value


def _primitive(name: str, draw: Callable[..., Any]) -> Primitive:
    """A draw as a primitive: what it consists of is long, and is traced only where XLA is to compile it."""
    primitive = Primitive(name)
    primitive.multiple_results = True
    staged = jax.jit(draw, static_argnames="n")
    primitive.def_impl(lambda *operands, n: staged(*operands, n=n))
    primitive.def_abstract_eval(lambda state, *_, n: (state, state.update(shape=(n,), dtype=np.dtype(np.float32))))
    mlir.register_lowering(
        primitive, mlir.lower_fun(lambda *operands, n: staged(*operands, n=n), multiple_results=True)
    )
    batching.primitive_batchers[primitive] = lambda operands, dims, n: (
        jax.vmap(partial(staged, n=n), in_axes=dims)(*operands),
        (0, 0),
    )
    return primitive


_uniform = _primitive("xorwow_uniform", _draw_uniform)
_normal = _primitive("xorwow_normal", _draw_normal)
