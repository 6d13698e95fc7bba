"""Decompositions and solutions of linear systems by LAPACK, one matrix at a time, with NaN where they fail."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .rules import Equation, Run, rule


@functools.cache
def routine(name: str, dtype: Any) -> Callable[..., Any]:
    """A routine of LAPACK or BLAS for a dtype, such as ``getrf``; ``or`` and ``sy`` stand for ``un`` and ``he`` too."""
    # Few programs need any of them.
    from scipy.linalg import get_blas_funcs, get_lapack_funcs

    if np.dtype(dtype).kind == "c":
        name = {"orgqr": "ungqr", "ormqr": "unmqr", "syevd": "heevd"}.get(name, name)
    find = get_blas_funcs if name == "trsm" else get_lapack_funcs
    (found,) = find((name,), dtype=np.dtype(dtype))
    return found  # type: ignore[no-any-return]


def each(eqn: Equation, one: Callable[..., Any], ranks: tuple[int, ...]) -> Run:
    """Apply ``one``, which gives a tuple, to matrices and vectors of these ranks, whatever stands before in the shapes."""
    outs = [v.aval for v in eqn.outvars]
    aval = eqn.invars[0].aval
    batch = aval.shape[: aval.ndim - ranks[0]]

    def run(*operands: Any) -> Any:
        found = [np.empty(a.shape, a.dtype) for a in outs]
        for at in np.ndindex(*batch):
            for whole, part in zip(found, one(*(x[at] for x in operands)), strict=True):
                whole[at] = part
        return found if eqn.primitive.multiple_results else found[0]

    return run


def _sound(info: int, *arrays: Any) -> tuple[Any, ...]:
    return tuple(arrays if info == 0 else (np.full_like(a, np.nan) for a in arrays))


@rule("cholesky")
def cholesky(eqn: Equation) -> Run:
    def one(a: Any) -> Any:
        c, info = routine("potrf", a.dtype)(a, lower=1, clean=0)
        return _sound(info, c)

    return each(eqn, one, (2,))


def _permutation(pivots: Any, size: int) -> np.ndarray:
    order = np.arange(size, dtype=np.int32)
    for k, pivot in enumerate(pivots.tolist()):
        order[k], order[pivot] = order[pivot], order[k]
    return order


@rule("lu")
def lu(eqn: Equation) -> Run:
    def one(a: Any) -> Any:
        if not a.size:
            return a, np.zeros(0, np.int32), np.arange(len(a), dtype=np.int32)
        made, pivots, info = routine("getrf", a.dtype)(a)
        return (*_sound(min(info, 0), made), pivots, _permutation(pivots, len(a)))

    return each(eqn, one, (2,))


@rule("lu_pivots_to_permutation")
def lu_pivots_to_permutation(eqn: Equation) -> Run:
    size = eqn.params["permutation_size"]
    return each(eqn, lambda pivots: (_permutation(pivots, size),), (1,))


def _product(a: Any, taus: Any) -> Any:
    if not len(taus):
        return np.eye(*a.shape, dtype=a.dtype)
    q, _, _ = routine("orgqr", a.dtype)(a, taus)
    return q


@rule("geqrf")
def geqrf(eqn: Equation) -> Run:
    def one(a: Any) -> Any:
        made, taus, _, _ = routine("geqrf", a.dtype)(a)
        return made, taus

    return each(eqn, one, (2,))


@rule("householder_product")
def householder_product(eqn: Equation) -> Run:
    return each(eqn, lambda a, taus: (_product(a, taus),), (2, 1))


@rule("qr")
def qr(eqn: Equation) -> Run:
    pivoting, full = eqn.params["pivoting"], eqn.params["full_matrices"]

    def one(a: Any) -> Any:
        m, n = a.shape
        columns = m if full or m < n else n
        if not a.size:
            return (
                np.eye(m, columns, dtype=a.dtype),
                np.zeros((columns, n), a.dtype),
                *[np.zeros(n, np.int32)] * pivoting,
            )
        if pivoting:
            made, order, taus, _, _ = routine("geqp3", a.dtype)(a)
        else:
            made, taus, _, _ = routine("geqrf", a.dtype)(a)
        reflectors = np.zeros((m, columns), a.dtype)
        reflectors[:, : min(m, n)] = made[:, : min(m, n)]
        return _product(reflectors, taus), np.triu(made[:columns]), *([order - 1] if pivoting else [])

    return each(eqn, one, (2,))


@rule("eigh")
def eigh(eqn: Equation) -> Run:
    lower = int(eqn.params["lower"])

    def one(a: Any) -> Any:
        if not a.size:
            return a, np.zeros(0, a.real.dtype)
        values, vectors, info = routine("syevd", a.dtype)(a, lower=lower)
        return _sound(info, vectors, values)

    return each(eqn, one, (2,))


@rule("svd")
def svd(eqn: Equation) -> Run:
    both, full = eqn.params["compute_uv"], eqn.params["full_matrices"]

    def one(a: Any) -> Any:
        if a.size:
            u, s, vt, info = routine("gesdd", a.dtype)(a, compute_uv=int(both), full_matrices=int(full))
        else:
            (m, n), info = a.shape, 0
            s = np.zeros(0, a.real.dtype)
            u, vt = np.eye(m, m if full else 0, dtype=a.dtype), np.eye(n if full else 0, n, dtype=a.dtype)
        return _sound(info, s, u, vt) if both else _sound(info, s)

    return each(eqn, one, (2,))


@rule("eig")
def eig(eqn: Equation) -> Run:
    left, right = eqn.params["compute_left_eigenvectors"], eqn.params["compute_right_eigenvectors"]

    shapes = [v.aval.shape[eqn.invars[0].aval.ndim - 2 :] for v in eqn.outvars]

    def one(a: Any) -> Any:
        from scipy.linalg import eig as decompose

        if not a.size or not np.isfinite(a).all():
            return [np.full(shape, np.nan) for shape in shapes]
        found = decompose(a, left=left, right=right, check_finite=False)
        return found if left or right else (found,)

    return each(eqn, one, (2,))


@rule("triangular_solve")
def triangular_solve(eqn: Equation) -> Run:
    p = eqn.params
    transposed = (2 if p["conjugate_a"] else 1) if p["transpose_a"] else 0
    settings = {
        "side": int(not p["left_side"]),
        "lower": int(p["lower"]),
        "trans_a": transposed,
        "diag": int(p["unit_diagonal"]),
    }

    def one(a: Any, b: Any) -> Any:
        if not b.size:
            return (b,)
        a = a.conj() if p["conjugate_a"] and not transposed else a
        return (routine("trsm", a.dtype)(1, a, b, **settings),)

    return each(eqn, one, (2, 2))


@rule("tridiagonal_solve")
def tridiagonal_solve(eqn: Equation) -> Run:
    def one(below: Any, diagonal: Any, above: Any, b: Any) -> Any:
        if not b.size:
            return (b,)
        *_, x, info = routine("gtsv", b.dtype)(below[1:], diagonal, above[:-1], b)
        return _sound(info, x)

    return each(eqn, one, (1, 1, 1, 2))
