"""Making, reshaping, joining, cutting and picking, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import megengine.functional as F
from megengine import Tensor, graph
from megengine.autodiff import GradManager

from . import gradients

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def test_creation() -> None:
    made = {
        "zeros": (F.zeros((2, 3)), np.zeros((2, 3), np.float32)),
        "ones": (F.ones(3, dtype="int32"), np.ones(3, np.int32)),
        "scalar": (F.zeros(()), np.float32(0)),
        "full": (F.full((2,), 2.5), np.float32([2.5, 2.5])),
        "full of ints": (F.full((2,), 7), np.int32([7, 7])),
        "full of bools": (F.full((2,), True), np.array([True, True])),
        "arange": (F.arange(2, 8, 2.5), np.float32([2, 4.5, 7])),
        "downwards": (F.arange(5, 0, -2, dtype="int32"), np.int32([5, 3, 1])),
        "empty": (F.arange(5, 2), np.zeros(0, np.float32)),
        "linspace": (F.linspace(-1, 1, 5), np.linspace(-1, 1, 5, dtype=np.float32)),
        "one point": (F.linspace(-1, 1, 1), np.float32([-1])),
        "eye": (F.eye(2, 3), np.eye(2, 3, dtype=np.float32)),
        "like": (F.full_like(Tensor(np.int8([1])), 300), np.int8([44])),
    }
    for name, (found, wanted) in made.items():
        assert found.dtype == wanted.dtype and found.shape == wanted.shape, name
        np.testing.assert_array_equal(found.numpy(), wanted, err_msg=name)


def test_creation_on_a_device() -> None:
    assert F.zeros((2,), device="cpu0").device == "cpu0"


def test_a_shape_may_be_computed() -> None:
    n = Tensor([2, 3])
    assert F.zeros(n).shape == F.ones((n[0], n[1])).shape == F.full(n, 1.0).shape == (2, 3)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: F.zeros((2, -1)), RuntimeError),
        (lambda: F.zeros("a"), RuntimeError),
        (lambda: F.ones(2, dtype="float64"), RuntimeError),
        (lambda: F.ones(2, device="nosuch"), RuntimeError),
        (lambda: F.full((2,), "a"), RuntimeError),
        (lambda: F.arange(0, 5, 0), RuntimeError),
        (lambda: F.linspace(0, 1, 2.5), RuntimeError),
        (lambda: F.zeros_like(3.0), TypeError),
        (lambda: F.diag(Tensor(X)), RuntimeError),
        (lambda: F.meshgrid(Tensor([1]), indexing="ji"), ValueError),
        (lambda: F.imag(Tensor([1.0])), RuntimeError),
        (lambda: F.reshape(Tensor(X), (5, -1)), RuntimeError),
        (lambda: F.flatten(Tensor(X), 3), RuntimeError),
        (lambda: F.transpose(Tensor(X), (0, 1)), RuntimeError),
        (lambda: F.swapaxes(Tensor(X), 0, 3), IndexError),
        (lambda: F.broadcast_to(Tensor(X), (2, 3)), RuntimeError),
        (lambda: F.broadcast_to(2.0, (2, 3)), TypeError),
        (lambda: F.expand_dims(Tensor(X), 5), RuntimeError),
        (lambda: F.squeeze(Tensor(X), 0), RuntimeError),
        (lambda: F.concat([]), TypeError),
        (lambda: F.concat([Tensor(X), "a"]), TypeError),
        (lambda: F.concat([Tensor(X), 1.0]), RuntimeError),
        (lambda: F.concat([Tensor(X), Tensor(X[0])]), RuntimeError),
        (lambda: F.stack([Tensor(X), Tensor(X[:1])]), RuntimeError),
        (lambda: F.nn.pad(Tensor(X[:0]), ((1, 0),), "replicate"), RuntimeError),
        (lambda: F.non_zero(Tensor(1.0)), RuntimeError),
        (lambda: F.split(Tensor(X), 3), ValueError),
        (lambda: F.split(Tensor(X), 2, axis=3), IndexError),
        (lambda: F.split(Tensor(X), [2, 1], axis=1), ValueError),
        (lambda: F.repeat(Tensor(X), 0), AssertionError),
        (lambda: F.roll(Tensor(X), (1, 1), 0), TypeError),
        (lambda: F.roll(Tensor(X), 1, 3), AssertionError),
        (lambda: F.gather(Tensor(X), 0, Tensor([0])), ValueError),
        (lambda: F.gather(Tensor([1.0]), 0, Tensor([1])), IndexError),
        (lambda: F.scatter(Tensor([1.0]), 0, Tensor([0]), Tensor([1.0, 2.0])), ValueError),
        (lambda: F.where(Tensor([1.0]), Tensor([1.0]), Tensor([1.0])), ValueError),
        (lambda: F.where("a", Tensor([1.0]), Tensor([1.0])), TypeError),
        (lambda: F.where([1.0], Tensor([1.0]), Tensor([1.0])), ValueError),
        (lambda: F.cond_take(Tensor([True]), Tensor([1.0, 2.0])), RuntimeError),
        (lambda: F.cross(Tensor([1.0]), Tensor([1.0])), RuntimeError),
    ],
)
def test_errors(call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call()


def test_complex_numbers() -> None:
    z = F.complex(Tensor([1.0, 2.0]), Tensor([3.0, -1.0]))
    assert z.dtype == np.complex64
    np.testing.assert_array_equal(z.numpy(), [1 + 3j, 2 - 1j])
    np.testing.assert_array_equal((F.real(z) + F.imag(z)).numpy(), [4, 1])
    np.testing.assert_allclose(F.polar(Tensor([2.0]), Tensor([np.pi / 2])).numpy(), [2j], atol=1e-6)
    gradients.check(lambda r, a: F.imag(F.polar(r, a)), [2.0, 3.0], [0.5, 1.0])


def test_expanded_twice_at_one_place() -> None:
    x = Tensor(np.zeros((2, 3), np.float32))
    assert [F.expand_dims(x, a).shape for a in ([0, 0], [1, 1], [0, 2, 2])] == [(1, 1, 2, 3), (2, 1, 1, 3), (1, 2, 1, 1, 3)]


@given(data=st.data(), shape=array_shapes(min_dims=1, max_dims=3, max_side=3))
@settings(max_examples=12)
def test_shapes_as_numpy(data: Any, shape: tuple[int, ...]) -> None:
    x = np.float32(np.random.default_rng(0).uniform(size=shape))
    t, ndim = Tensor(x), len(shape)
    axis = data.draw(st.integers(-ndim, ndim - 1))
    order = data.draw(st.permutations(range(ndim)))
    shift = data.draw(st.integers(-4, 4))
    pairs = [
        (F.reshape(t, (-1,)), x.reshape(-1)),
        (F.flatten(t), x.reshape(-1)),
        (F.transpose(t, order), x.transpose(order)),
        (F.swapaxes(t, axis, 0), x.swapaxes(axis, 0)),
        (F.expand_dims(t, axis), np.expand_dims(x, axis)),
        (F.squeeze(F.expand_dims(t, axis), axis), x),
        (F.broadcast_to(t, (2, *shape)), np.broadcast_to(x, (2, *shape))),
        (F.concat([t, t], axis), np.concatenate([x, x], axis)),
        (F.stack([t, t], axis), np.stack([x, x], axis)),
        (F.repeat(t, 2, axis), np.repeat(x, 2, axis)),
        (F.tile(t, (2,) * ndim), np.tile(x, (2,) * ndim)),
        (F.roll(t, shift, axis), np.roll(x, shift, axis)),
        (F.roll(t, shift), np.roll(x, shift)),
        (F.cumsum(t, axis), np.cumsum(x, axis)),
        *zip(F.split(t, shape[axis], axis), np.array_split(x, shape[axis], axis), strict=True),
    ]
    for found, wanted in pairs:
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-6)


def test_gradients_flow_through_rearranging() -> None:
    def rearranged(x: Tensor) -> Tensor:
        a, b = F.split(F.transpose(x, (2, 0, 1)), 2)
        y = F.stack([a, F.roll(b, 1, 2)], 1)
        y = F.concat([F.flatten(y), F.reshape(F.tile(F.repeat(x, 2, 1), (1, 1, 2)), (-1,))])
        return F.cumsum(y, 0) * 0.1

    gradients.check(rearranged, X[:, :2, :2] / 8, tolerance=1e-2)


def test_uneven_parts() -> None:
    assert [p.shape[0] for p in F.split(F.arange(10), 3)] == [4, 3, 3]
    assert [p.tolist() for p in F.split(F.arange(4), [1, 3])] == [[0], [1, 2], [3]]


def test_scalars_count_as_vectors_of_one_element() -> None:
    s, v = Tensor(2.0), Tensor([1.0])
    assert F.stack([s, s]).shape == (2, 1) and F.stack([s]).shape == (1,) and F.concat([s, s]).shape == (2,)
    assert F.stack([s, s], 1).shape == F.stack([s, v], -1).shape == (1, 2)
    assert F.cumsum(s, 0).tolist() == F.cumsum(s, -1).tolist() == F.nn.pad(s, ()).tolist() == F.diag(s).tolist()[0] == [2.0]
    assert F.nn.pad(s, ((1, 2),), mode="replicate").tolist() == [2.0] * 4
    assert [g.tolist() for g in F.meshgrid(s, Tensor([3.0, 4.0]))] == [[[2.0], [2.0]], [[3.0], [4.0]]]


def test_gradients_of_scalars_that_count_as_vectors() -> None:
    def joined(x: Tensor) -> Tensor:
        return F.concat([F.cumsum(x, 0), F.nn.pad(x, ((1, 1),), "replicate"), F.stack([x * x, x], 1)[0], F.diag(x)[0]])

    gradients.check(joined, np.float32(0.5), tolerance=1e-2)


def test_diag_and_meshgrid() -> None:
    np.testing.assert_array_equal(F.diag(Tensor(X[0]), 1).numpy(), np.diag(X[0], 1))
    np.testing.assert_array_equal(F.diag(Tensor([1, 2]), -1).numpy(), np.diag([1, 2], -1))
    for indexing in ("xy", "ij"):
        found = F.meshgrid(Tensor([1, 2]), Tensor([3, 4, 5]), indexing=indexing)
        for f, w in zip(found, np.meshgrid([1, 2], [3, 4, 5], indexing=indexing), strict=True):
            np.testing.assert_array_equal(f.numpy(), w)


def test_gather_and_scatter() -> None:
    x, index = X[0], np.int32([[2, 0, 1, 1]])
    np.testing.assert_array_equal(F.gather(Tensor(x), 0, Tensor(index)).numpy(), np.take_along_axis(x, index, 0))
    gradients.check(lambda t: F.gather(t, 1, Tensor([[0, 0], [3, -1]])), X[0, :2])
    target = F.zeros((3, 4))
    assert F.scatter(target, 0, Tensor(index), Tensor(x[:1] + 1)) is target
    wanted = np.zeros((3, 4), np.float32)
    np.put_along_axis(wanted, index, x[:1] + 1, 0)
    np.testing.assert_array_equal(target.numpy(), wanted)


def test_a_computed_index_out_of_range_is_reported_when_something_is_read() -> None:
    x, beyond = Tensor(X[0]), Tensor([[0, 0, 0, 0]]) + 3
    for call in (
        lambda: F.gather(x, 0, beyond),
        lambda: F.scatter(F.zeros((3, 4)), 0, beyond, F.ones((1, 4))),
        lambda: F.indexing_one_hot(x, beyond[0], 0),
        lambda: F.one_hot(beyond, 3),
        lambda: F.nn.cross_entropy(x, beyond[0], 0),
        lambda: x[beyond],
    ):
        result = call()
        with pytest.raises(IndexError, match=r"test_tensor.py:\d+: .* out of range"):
            result.numpy()


def test_sizes_join_a_shape() -> None:
    shape = Tensor((2, 3, 4))
    assert F.concat([shape[:-1], 2, (2,)]).numpy().tolist() == [2, 3, 2, 2]


def test_where() -> None:
    mask = X[0] > 5
    np.testing.assert_array_equal(F.where(Tensor(mask), Tensor(X[0]), -1).numpy(), np.where(mask, X[0], -1))
    assert F.where(Tensor(mask), Tensor(X[0].astype(np.float16)), Tensor(X[0])).dtype == np.float32
    gradients.check(lambda a, b: F.where(Tensor([True, False]), a, b), [1.0, 2.0], [3.0, 4.0])


@pytest.mark.parametrize(
    "index",
    [
        lambda m: m(X > 5),
        lambda m: (slice(None), m(X[0, :, 0] > 2)),
        lambda m: (..., m(X[0] > 5)),
        lambda m: (..., m(X[0, 0] > 1)),
        lambda m: (m(X[:, 0, 0] > 1), slice(None), ...),
        lambda m: m(X[:, :, 0] > 1),
    ],
)
def test_a_number_goes_under_a_mask_that_is_still_to_be_computed(index: Any) -> None:
    wanted = X.copy()
    wanted[index(np.asarray)] = -1
    x = Tensor(X) * 1
    before = graph.counters.flushes.total()
    x[index(lambda mask: Tensor(mask.astype(np.int32)) > 0)] = -1
    assert graph.counters.flushes.total() == before
    np.testing.assert_array_equal(x.numpy(), wanted)


def test_cond_take_is_differentiable_and_reads_only_the_mask() -> None:
    x = Tensor(X[0])
    manager = GradManager().attach(x)
    with manager:
        y = x * 2
        values, index = F.cond_take(x > 7, y)
        manager.backward(values.sum() * 3)
    np.testing.assert_array_equal(index.numpy(), [8, 9, 10, 11])
    np.testing.assert_array_equal(values.numpy(), [16, 18, 20, 22])
    np.testing.assert_array_equal(x.grad.numpy(), np.where(X[0] > 7, 6, 0))


def test_non_zero_and_cross() -> None:
    x = np.int32([[0, 1, 0], [2, 0, 3]])
    np.testing.assert_array_equal(F.non_zero(Tensor(x)).numpy(), np.argwhere(x))
    for found, wanted in zip(F.non_zero(Tensor(x), as_tuple=True), np.nonzero(x), strict=True):
        np.testing.assert_array_equal(found.numpy(), wanted)
    a, b = np.float32([[1, 2, 3], [0, 1, 0]]), np.float32([4, 5, 6])
    np.testing.assert_allclose(F.cross(Tensor(a), Tensor(b)).numpy(), np.cross(a, b))
    gradients.check(F.cross, a, b)


@pytest.mark.usefixtures("compiled")
def test_indices_may_change_without_compiling() -> None:
    x = Tensor(X[0])

    def read(k: int) -> np.ndarray:
        return (F.gather(x, 0, Tensor([[k, k, 0, 0]])) + F.full((1, 4), k)).numpy()

    read(0)
    before = graph.counters.compilations.total()
    for k in (1, 2):
        read(k)
    assert graph.counters.compilations.total() == before


def test_broadcast_to_a_shape_of_tensors_and_none() -> None:
    x = Tensor(np.arange(6, dtype=np.float32).reshape(1, 2, 3))
    assert F.broadcast_to(x, (Tensor(2), None, 2, 3)).shape == (2, 1, 2, 3)


def test_bounds_of_slices_may_be_tensors() -> None:
    data = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    x, two = Tensor(data), Tensor(2)
    np.testing.assert_array_equal(x[:, :two, :two, [1, 2]].numpy(), data[:, :2, :2, [1, 2]])
    x[:, :two, : Tensor([2]), [1]] = 0
    data[:, :2, :2, [1]] = 0
    np.testing.assert_array_equal(x.numpy(), data)


@pytest.mark.parametrize("index", [1, (0, 1), (Tensor(0), -1)], ids=["int", "ints", "tensor"])
@pytest.mark.parametrize("value", [[5], np.full(1, 5.0), Tensor([5])], ids=["list", "array", "tensor"])
def test_one_element_takes_a_value_of_shape_one(index: Any, value: Any) -> None:
    x = Tensor(np.zeros((2, 3) if isinstance(index, tuple) else 3, np.float32))
    wanted = x.numpy()
    wanted[tuple(map(int, index)) if isinstance(index, tuple) else index] = 5
    x[index] = value
    assert x.numpy().tolist() == wanted.tolist()
    with pytest.raises(RuntimeError, match=r"cannot assign a value of shape \(2,\)"):
        x[index] = [5, 6]


@pytest.mark.parametrize("join", [F.concat, F.stack])
def test_tensors_that_are_joined_without_a_list_are_told_so(join: Any) -> None:
    for other in (Tensor([1.0, 2.0]), Tensor([1.0]), Tensor(1.0), np.ones(2)):
        with pytest.raises(TypeError, match=rf"{join.__name__}\(\[a, b\]\)"):
            join(Tensor([1.0, 2.0]), other)


def test_an_axis_that_is_a_tensor_of_several_numbers_is_named() -> None:
    with pytest.raises(TypeError, match=r"axis must be an integer, not a tensor of shape \(2,\)"):
        F.sum(Tensor([1.0, 2.0]), Tensor([1.0, 2.0]))
