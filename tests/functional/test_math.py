"""Reductions, sorting, products, decompositions and norms against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import megengine.functional as F
from megengine import Tensor
from megengine.autodiff import GradManager

from . import gradients

RNG = np.random.default_rng(5)
X = np.float32(RNG.uniform(-2, 2, (2, 3)))
REDUCTIONS = {
    "sum": np.sum,
    "prod": np.prod,
    "mean": np.mean,
    "min": np.min,
    "max": np.max,
    "var": np.var,
    "std": np.std,
}


@given(data=st.data(), shape=array_shapes(min_dims=1, max_dims=3, max_side=3))
@settings(max_examples=15)
def test_reductions_as_numpy(data: Any, shape: tuple[int, ...]) -> None:
    axes = data.draw(st.sampled_from([None, *range(-len(shape), len(shape))]))
    keepdims = axes is not None and data.draw(st.booleans())
    x = np.float32(np.random.default_rng(len(shape)).uniform(-2, 2, shape))
    found = {name: getattr(F, name)(Tensor(x), axes, keepdims) for name in REDUCTIONS}
    for name, fn in REDUCTIONS.items():
        np.testing.assert_allclose(
            found[name].numpy(), fn(x, axis=axes, keepdims=keepdims), rtol=1e-5, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
def test_reduction_gradients(name: str, axis: Any) -> None:
    gradients.check(lambda x: getattr(F, name)(x, axis), X, tolerance=1e-2)


@pytest.mark.parametrize(
    "row",
    [[2.0, -3.0, 0.5], [2.0, 0.0, 0.5], [0.0, 3.0, 0.0], [1e-30, 1e-30, 2.0], [1e15, 1e15, 1e15], [-0.0, 4.0, 1.0]],
)
def test_gradients_of_prod_are_the_products_of_the_others(row: list[float]) -> None:
    x = Tensor([row, [1.0, 2.0, 3.0]])
    gm, outer = GradManager().attach(x), GradManager().attach(x)
    with outer:
        with gm:
            gm.backward(F.prod(x, 1).sum())
        first, x.grad = x.grad, None
        outer.backward(first[0, 0])
    a, b, c = (float(np.float32(v)) for v in row)
    np.testing.assert_allclose(first.numpy(), np.float32([[b * c, a * c, a * b], [6, 3, 2]]), rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), np.float32([[0, c, b], [0, 0, 0]]), rtol=1e-5, atol=1e-6)


def test_reductions_over_several_axes() -> None:
    x = np.float32(RNG.uniform(-2, 2, (2, 3, 4)))
    np.testing.assert_allclose(F.sum(Tensor(x), (0, -1)).numpy(), x.sum((0, 2)), rtol=1e-5)
    np.testing.assert_allclose(F.max(Tensor(x), [1, 2], keepdims=True).numpy(), x.max((1, 2), keepdims=True))


def test_dtypes_of_reductions() -> None:
    assert F.sum(Tensor(np.int8([100, 100]))).item() == -56
    assert F.sum(Tensor([True, True])).dtype == np.int32
    assert F.mean(Tensor([1, 2])).dtype == np.float32
    half = Tensor(np.float16([1, 2]))
    assert F.sum(half).dtype == np.float16 and F.var(half).dtype == np.float32 and F.max(half).dtype == np.float16


def test_every_tied_element_gets_the_full_gradient_of_max() -> None:
    (found,) = gradients.gradients(F.max, np.float32([1, 3, 3]))
    np.testing.assert_array_equal(found, [0, 1, 1])


def test_arg_reductions() -> None:
    x = np.array([[1, 5, 5], [7, 0, 2]], np.float32)
    for name, fn in (("argmax", np.argmax), ("argmin", np.argmin)):
        for axis in (None, 0, 1, -1):
            found = getattr(F, name)(Tensor(x), axis)
            assert found.dtype == np.int32
            np.testing.assert_array_equal(found.numpy(), fn(x, axis))
    assert F.argmax(Tensor(x), 1, keepdims=True).shape == (2, 1)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: F.sum(x, 2), RuntimeError),
        (lambda x: F.sum(x, (0, 0)), AssertionError),
        (lambda x: F.max(x, keepdims=True), AssertionError),
        (lambda x: F.argmax(x, 2), AssertionError),
        (lambda x: F.sum(x, 1.5), RuntimeError),
        (lambda x: F.norm(x), TypeError),
        (lambda x: F.dot(x, x), AssertionError),
        (lambda x: F.topk(x, 0), RuntimeError),
        (lambda x: F.matmul(x, x), RuntimeError),
        (lambda x: F.matinv(x), RuntimeError),
        (lambda x: F.sort(x[0, 0]), RuntimeError),
        (lambda x: F.cumsum(x, 2), RuntimeError),
    ],
)
def test_errors(call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call(Tensor(X))


@given(
    rows=st.lists(
        st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0, 7.0]), min_size=4, max_size=4), min_size=2, max_size=2
    ),
    descending=st.booleans(),
)
@settings(max_examples=10)
def test_sort_keeps_the_order_of_equals(rows: list[list[float]], descending: bool) -> None:
    x = np.float32(rows)
    values, order = F.sort(Tensor(x), descending)
    wanted = np.argsort(x, -1, kind="stable")
    wanted = wanted[:, ::-1] if descending else wanted
    np.testing.assert_array_equal(order.numpy(), wanted)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(x, wanted, -1))
    np.testing.assert_array_equal(F.argsort(Tensor(x), descending).numpy(), wanted)


def test_topk() -> None:
    x = Tensor([[3.0, 1.0, 2.0], [-1.0, 5.0, 0.5]])
    values, order = F.topk(x, 2)
    np.testing.assert_array_equal(values.numpy(), [[3, 2], [5, 0.5]])
    np.testing.assert_array_equal(order.numpy(), [[0, 2], [1, 2]])
    np.testing.assert_array_equal(F.topk(x, 2, descending=False, kth_only=True)[0].numpy(), [2, 0.5])
    assert F.topk(x, 9)[0].shape == (2, 3)
    for found, wanted in zip(F.topk(x, -2), F.topk(x, 2, descending=False), strict=True):
        np.testing.assert_array_equal(found.numpy(), wanted.numpy())
    gradients.check(lambda t: F.topk(t, 2)[0], [[3.0, 1.0, 2.0], [-1.0, 5.0, 0.5]])


MATMULS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((2, 2, 3), (3, 2)),
    ((2, 3), (2, 3, 2)),
    ((1, 2, 3), (4, 3, 2)),
]


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("bhwc,hkc->bhwk", [(2, 3, 4, 5), (3, 6, 5)]),
        ("...i,...i->...", [(2, 3, 4), (4,)]),
        ("ba,cb", [(2, 3), (4, 2)]),
        ("ii->i", [(3, 3)]),
        ("i,j,ij->", [(2,), (3,), (2, 3)]),
    ],
)
def test_einsum_as_numpy(equation: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [np.random.default_rng(0).normal(size=s).astype(np.float32) for s in shapes]
    y = F.einsum(equation, *map(Tensor, arrays))
    np.testing.assert_allclose(y.numpy(), np.einsum(equation, *arrays), rtol=1e-5, atol=1e-6)
    gradients.check(lambda *xs: F.einsum(equation, *xs), *arrays)


def test_einsum_refuses_what_does_not_fit() -> None:
    with pytest.raises(RuntimeError, match="einsum.*float32\\[2,3\\]"):
        F.einsum("ij,jk->ik", Tensor(np.ones((2, 3))), Tensor(np.ones((2, 3))))
    with pytest.raises(TypeError, match="takes an equation first"):
        F.einsum(Tensor([1.0]), "i")  # type: ignore[arg-type]


def test_matmul_as_numpy() -> None:
    pairs = [tuple(np.float32(RNG.uniform(-1, 1, s)) for s in shapes) for shapes in MATMULS]
    found = [F.matmul(Tensor(a), Tensor(b)) for a, b in pairs]
    for y, (a, b) in zip(found, pairs, strict=True):
        np.testing.assert_allclose(y.numpy(), a @ b, rtol=1e-5, atol=1e-6)
    a, b = np.float32(RNG.uniform(-1, 1, (2, 3, 4))), np.float32(RNG.uniform(-1, 1, (2, 5, 3)))
    y = F.matmul(Tensor(a), Tensor(b), transpose_a=True, transpose_b=True)
    np.testing.assert_allclose(y.numpy(), a.swapaxes(1, 2) @ b.swapaxes(1, 2), rtol=1e-5, atol=1e-6)


def test_products_have_gradients() -> None:
    gradients.check(F.matmul, X, X.T.copy())
    gradients.check(F.dot, X[0], X[1])
    gradients.check(F.matinv, [[2.0, 0.5], [-0.3, 1.5]])
    gradients.check(lambda x: F.svd(x)[1], X, tolerance=1e-2)


def test_small_integers_multiply_into_int32() -> None:
    a = Tensor(np.int8([[100, 100]]))
    assert F.matmul(a, a, transpose_b=True).dtype == np.int32
    assert F.matmul(a, a, transpose_b=True).item() == 20000


def test_svd_multiplies_back() -> None:
    u, s, v = F.svd(Tensor(X))
    assert (u.shape, s.shape, v.shape) == ((2, 2), (2,), (2, 3))
    np.testing.assert_allclose((u.numpy() * s.numpy()) @ v.numpy(), X, atol=1e-5)
    np.testing.assert_allclose(F.svd(Tensor(X), compute_uv=False).numpy(), np.linalg.svd(X)[1], rtol=1e-5)
    assert F.svd(Tensor(X), full_matrices=True)[2].shape == (3, 3)


@pytest.mark.parametrize("order", [None, 0, 1, 2, 3, np.inf, -np.inf])
def test_norms(order: Any) -> None:
    np.testing.assert_allclose(F.norm(Tensor(X), order, 1).numpy(), np.linalg.norm(X, order, 1), rtol=1e-5)
    if order != 0:
        gradients.check(lambda x: F.norm(x, order, 1), X)
    if order not in (0, -np.inf):
        gradients.check(lambda x: F.normalize(x, order, 0), X)


def test_normalize_leaves_zero_alone() -> None:
    np.testing.assert_array_equal(F.normalize(Tensor([0.0, 0.0])).numpy(), [0, 0])


def test_not_finite() -> None:
    x = Tensor([1.0, np.nan, np.inf])
    assert F.isnan(x).tolist() == [False, True, False] and F.isinf(x).tolist() == [False, False, True]
    assert F.isnan(Tensor([1, 2])).tolist() == [False, False]
