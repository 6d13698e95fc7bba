"""Jumping ahead in a generator whose state transition is linear over GF(2).

If ``P`` is the characteristic polynomial of the one-step matrix ``A``, then ``A**n v`` is the sum of the states
``A**i v`` that the coefficients of ``x**n mod P`` select (Haramoto, Matsumoto, Nishimura, Panneton and L'Ecuyer, 2008,
"Efficient Jump Ahead for F2-Linear Random Number Generators"). The coefficients do not depend on the seed, so they are
computed once, and a jump for any seed costs a few look-ups.
"""

from __future__ import annotations

import numpy as np


def combine(bits: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Multiply a packed bit matrix by a matrix of packed rows, over GF(2).

    Args:
        bits: uint8 of shape (n, k / 8), little-endian: bit i of a line says whether row i takes part.
        rows: unsigned integers of shape (k, words).

    Returns:
        For each line of ``bits`` the exclusive or of its rows, of shape (n, words).

    Example:
        >>> combine(np.array([[0b101]], np.uint8), np.array([[1], [2], [4], [8], [0], [0], [0], [0]], np.uint32))
        array([[5]], dtype=uint32)
    """
    groups, words = bits.shape[1], rows.shape[1]
    octets = rows.reshape(groups, 8, words)
    # sums[g, b] is the sum of the rows of group g that byte b selects.
    sums = np.zeros((groups, 256, words), rows.dtype)
    for bit in range(8):
        np.bitwise_xor(sums[:, : 1 << bit], octets[:, bit, None], out=sums[:, 1 << bit : 2 << bit])
    out = sums[0].take(bits[:, 0], axis=0)
    for group in range(1, groups):
        out ^= sums[group].take(bits[:, group], axis=0)
    return out


def jump_coefficients(characteristic: int, stride_log2: int, count: int, jump: int = 0) -> np.ndarray:
    """Coefficients of ``x**(k * 2**stride_log2) mod characteristic`` for k = 0, 1, ..., count - 1.

    Args:
        characteristic: the polynomial, bit i being the coefficient of ``x**i``; its degree is a multiple of 32.
        stride_log2: base-two logarithm of the steps between two consecutive lines.
        count: the number of lines.
        jump: ``x**(2**stride_log2) mod characteristic``, where it is known: most of the time goes into it.

    Returns:
        uint8 of shape (count, degree / 8), packed as :func:`combine` takes them.

    Example:
        >>> jump_coefficients((1 << 32) | 0b11, 5, 2)[:, 0].tolist()  # x**32 = x + 1
        [1, 3]
    """
    degree = characteristic.bit_length() - 1

    def times_powers_of_x(polynomial: int, up_to: int) -> list[int]:
        products = []
        for _ in range(up_to):
            products.append(polynomial)
            polynomial <<= 1
            if polynomial >> degree:
                polynomial ^= characteristic
        return products

    squares = times_powers_of_x(1, 2 * degree)[::2]

    def square(polynomial: int) -> int:
        total = 0
        while polynomial:
            low = polynomial & -polynomial
            total ^= squares[low.bit_length() - 1]
            polynomial ^= low
        return total

    if not jump:
        jump = 2
        for _ in range(stride_log2):
            jump = square(jump)
    lines = np.zeros((count, degree // 8), np.uint8)
    lines[0, 0] = 1
    done = 1
    while done < count:
        packed = b"".join(p.to_bytes(degree // 8, "little") for p in times_powers_of_x(jump, degree))
        rows = np.frombuffer(packed, "<u4").reshape(degree, degree // 32)
        new = min(done, count - done)
        lines[done : done + new] = combine(lines[:new], rows).view(np.uint8)
        jump = square(jump)
        done += new
    return lines
