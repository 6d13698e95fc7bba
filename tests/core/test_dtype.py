"""Quantised tensors through the engine: never mixed with the plain integers whose dtype NumPy calls equal."""

from __future__ import annotations

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
from megengine import Tensor
from megengine.core.tensor.dtype import get_scale, is_dtype_equal, is_quantize, qint8, qint32, quint8

X = np.float32([-1.0, -0.25, 0.0, 0.31, 3.0])


@pytest.mark.parametrize("first", ["plain", "quantized"])
def test_equal_shapes_of_plain_and_quantized_integers_do_not_mix(first: str) -> None:
    shape = (1, 17) if first == "plain" else (1, 19)

    def plain() -> np.dtype:
        return F.concat([Tensor(np.ones(shape, np.int8))] * 2).reshape(-1).dtype

    def quantized(scale: float) -> np.dtype:
        return F.concat([Tensor(np.ones(shape, np.float32)).astype(qint8(scale))] * 2).reshape(-1).dtype

    if first == "plain":
        plain()
    assert get_scale(quantized(0.5)) == 0.5
    assert get_scale(quantized(0.25)) == 0.25
    assert not is_quantize(plain())


def test_changing_the_scale_is_another_conversion() -> None:
    for scale in (0.5, 0.25, 0.5):
        q = Tensor(X).astype(qint8(scale))
        np.testing.assert_allclose(q.astype("float32").numpy(), X, atol=scale / 2 + 1e-6)


def test_the_dtype_outlives_a_cut_and_a_copy_to_the_host() -> None:
    q = (Tensor(X) * 1).astype(quint8(0.125, 100))
    q.numpy()
    for held in (q, q[1:], Tensor(q.numpy()), mge.Parameter(q)):
        assert is_dtype_equal(held.dtype, quint8(0.125, 100))
        assert is_dtype_equal(held.numpy().dtype, quint8(0.125, 100))


@pytest.mark.parametrize("dtype", [qint8(0.5), qint32(0.5), quint8(0.5, 3)], ids=lambda d: str(d))
@pytest.mark.parametrize("numbers", [np.float64([1, 2]), np.float32([1, 2]), np.int32([1, 2]), np.int8([1, 2]), [1.0, 2]])
def test_a_tensor_made_in_the_dtype_has_it(dtype: np.dtype, numbers: object) -> None:
    assert is_dtype_equal(Tensor(numbers, dtype=dtype).dtype, dtype)
    assert Tensor(numbers, dtype=dtype).numpy().tolist() == [1, 2]


def test_integers_of_a_quantised_array_can_be_taken() -> None:
    array = Tensor([1.0, 2.0]).astype(qint8(0.5)).numpy()
    assert not is_quantize(Tensor(array, dtype="int8").dtype) and Tensor(array, dtype="int8").numpy().tolist() == [2, 4]


def test_the_same_dtype_is_the_same_tensor() -> None:
    q = Tensor(X).astype(qint8(0.5))
    assert q.astype(qint8(0.5)) is q


def test_inside_a_traced_function() -> None:
    traced = mge.jit.trace(lambda x: x.astype(qint8(0.1)).reshape(5, 1).astype("float32"))
    for k in range(3):
        np.testing.assert_allclose(traced(Tensor(X + k)).numpy()[:, 0], X + k, atol=0.051)


def test_saved_and_loaded(tmp_path: object) -> None:
    path = str(tmp_path) + "/q.pkl"
    mge.save({"q": Tensor(X).astype(qint8(0.5))}, path)
    loaded = mge.load(path)["q"]
    assert is_dtype_equal(loaded.dtype, qint8(0.5))
    np.testing.assert_allclose(loaded.astype("float32").numpy(), [-1, -0.5, 0, 0.5, 3])


def test_arithmetic_asks_for_real_numbers() -> None:
    q = Tensor(X).astype(qint8(0.5))
    for use in (lambda: q * q, lambda: F.exp(q), lambda: q.sum(), lambda: q > 0, lambda: q.mean(), lambda: q * 2.0):
        with pytest.raises(RuntimeError, match=r"quantised.*astype"):
            use()
    with pytest.raises(RuntimeError, match="different quantised dtypes"):
        F.concat([q, Tensor(X).astype(qint8(0.25))])
