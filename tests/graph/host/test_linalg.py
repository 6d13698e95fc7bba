"""Linear algebra by LAPACK against XLA's calls of it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from .agreement import agree

SHAPES = [(4, 4), (2, 3, 5), (2, 5, 3), (1, 1), (0, 3), (3, 0), (2, 0, 0)]
SQUARE = [(4, 4), (2, 3, 3), (1, 1), (0, 0), (0, 3, 3)]


def arrays(shapes, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "c":
        return [(rng.standard_normal(s) + 1j * rng.standard_normal(s)).astype(dtype) for s in shapes]
    return [rng.standard_normal(s).astype(dtype) for s in shapes]


def positive(a):
    return a @ a.conj().swapaxes(-1, -2) + 2 * np.eye(a.shape[-1], dtype=a.dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_square_ones(dtype):
    def every(*matrices):
        found = []
        for a in matrices:
            found += [lax.linalg.cholesky(a, symmetrize_input=False), *lax.linalg.lu(a)]
            found += [*lax.linalg.eigh(a, symmetrize_input=False), *lax.linalg.eigh(a, lower=False)]
        return found

    agree(every, *map(positive, arrays(SQUARE, dtype)), rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_rectangular_ones(dtype):
    def every(*matrices):
        found = []
        for a in matrices:
            found += lax.linalg.lu(a) if a.size else []
            for full in (False, True):
                found += [*lax.linalg.svd(a, full_matrices=full), *lax.linalg.qr(a, full_matrices=full)]
            found += [lax.linalg.svd(a, compute_uv=False), *lax.linalg.qr(a, pivoting=True)]
        return found

    agree(every, *arrays(SHAPES, dtype, 1), rtol=1e-4)


def test_eigenvalues():
    def every(*matrices):
        found = []
        for a in matrices:
            found += lax.linalg.eig(a)
            found += lax.linalg.eig(a, compute_left_eigenvectors=False, compute_right_eigenvectors=False)
        return found

    agree(every, *arrays(SQUARE, seed=2), rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_triangles(dtype):
    a, b, c = arrays([(2, 4, 4), (2, 4, 3), (2, 3, 4)], dtype, 3)
    a += 3 * np.eye(4, dtype=dtype)

    def every(a, b, c):
        settings = [
            {"lower": lower, "transpose_a": transposed, "conjugate_a": conjugate, "unit_diagonal": unit}
            for lower in (False, True)
            for transposed, conjugate in ((False, False), (True, False), (True, True), (False, True))
            for unit in (False, True)
        ]
        left = [lax.linalg.triangular_solve(a, b, left_side=True, **s) for s in settings]
        return left, [lax.linalg.triangular_solve(a, c, **s) for s in settings]

    agree(every, a, b, c, rtol=2e-4)


def test_failures_are_not_numbers():
    a = np.stack([np.eye(3), -np.eye(3)]).astype(np.float32)
    agree(lambda a: [jnp.linalg.cholesky(a), jnp.linalg.inv(a * 0), jnp.linalg.eigvalsh(a)], a)


def test_solutions_and_their_gradients():
    a, b = arrays([(2, 4, 4), (2, 4, 3)], seed=4)
    a += 3 * np.eye(4, dtype=a.dtype)

    def every(a, b):
        found = []
        for f in (jnp.linalg.solve, lambda a, b: jnp.linalg.inv(a) @ b):
            y, pull = jax.vjp(f, a, b)
            found += [y, *pull(y)]
        line = a[:, 0]
        found.append(lax.linalg.tridiagonal_solve(line * 0.1, 2 + line**2, line * 0.2, b))
        found.append(jax.grad(lambda a: jnp.linalg.svd(a, full_matrices=False)[0].sum())(a[0]))
        found.append(jax.grad(lambda a: jnp.linalg.slogdet(a)[1].sum())(a))
        return found

    agree(every, a, b, rtol=1e-4)


def test_products_of_reflections():
    (a,) = arrays([(2, 5, 3)], seed=5)

    def every(a):
        reflectors, taus = jnp.linalg.qr(a, mode="raw")
        return reflectors, taus, lax.linalg.householder_product(reflectors.mT, taus)

    agree(every, a, rtol=1e-5)
