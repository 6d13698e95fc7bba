"""Counted operations against counts by hand, and against XLA's own of whole programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import megengine.module as M
from megengine.graph.pictures.operations import operations

X = np.ones((4, 6), np.float32)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x @ x.T, 2 * 4 * 4 * 6),
        (lambda x: jnp.exp(x) + 1, 2 * 24),
        (lambda x: x.reshape(3, 8).T[1:], 0),
        (lambda x: jnp.sum(x, axis=0), 24),
        (lambda x: jax.lax.scan(lambda c, row: (c + row, None), x[0], x)[0], 4 * 6),
        (lambda x: jax.lax.cond(True, lambda y: y * y + y, lambda y: y, x), 2 * 24),
    ],
    ids=["product", "elementwise", "moves", "sum", "scan", "cond"],
)
def test_operations_by_hand(function: Callable[..., Any], expected: int) -> None:
    assert operations(jax.make_jaxpr(function)(X).jaxpr) == expected


def test_convolutions_count_each_pair_of_a_result_and_a_kernel_value() -> None:
    net = M.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)
    picture = net.picture(np.ones((2, 4, 9, 9), np.float32))
    results = 2 * 6 * 5 * 5
    assert picture.total("flops") == 2 * results * 2 * 3 * 3 + results


def test_a_product_takes_what_xla_counts() -> None:
    x, w = np.ones((32, 48), np.float32), np.ones((48, 16), np.float32)
    counted = M.Linear(48, 16, bias=False).picture(x).total("flops")
    compiled = jax.jit(lambda a, b: a @ b).lower(x, w).compile()
    assert counted == compiled.cost_analysis()["flops"]
