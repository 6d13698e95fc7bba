"""Element-wise functions against NumPy: values, broadcasting, dtypes, gradients, special values."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import megengine.functional as F
from megengine import Tensor, graph

from . import gradients

X = np.float32([[-1.5, -0.4, 0.3], [0.8, 1.25, 2.0]])
Y = np.float32([[0.5, 2.0, -0.75], [1.5, -0.3, 0.9]])
UNIT = np.float32([-0.9, -0.3, 0.2, 0.7])
POSITIVE = np.float32([0.2, 0.9, 1.0, 2.5])

UNARY: dict[str, tuple[Any, np.ndarray]] = {
    "neg": (np.negative, X), "abs": (np.abs, X), "square": (np.square, X), "exp": (np.exp, X), "expm1": (np.expm1, X),
    "sin": (np.sin, X), "cos": (np.cos, X), "tan": (np.tan, UNIT), "sinh": (np.sinh, X), "cosh": (np.cosh, X),
    "tanh": (np.tanh, X), "asinh": (np.arcsinh, X), "atan": (np.arctan, X), "asin": (np.arcsin, UNIT), "acos": (np.arccos, UNIT),
    "atanh": (np.arctanh, UNIT), "sqrt": (np.sqrt, POSITIVE), "log": (np.log, POSITIVE), "log1p": (np.log1p, POSITIVE),
    "acosh": (np.arccosh, POSITIVE + 1),
}  # fmt: skip
STEPS = {"floor": np.floor, "ceil": np.ceil, "sign": np.sign}
BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "maximum": np.maximum, "minimum": np.minimum,
    "atan2": np.arctan2, "logaddexp": np.logaddexp,
}  # fmt: skip
COMPARISONS = {
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
}


def test_unary_values() -> None:
    found = {name: getattr(F, name)(Tensor(x)) for name, (_, x) in UNARY.items()}
    for name, (fn, x) in UNARY.items():
        np.testing.assert_allclose(found[name].numpy(), fn(x), rtol=2e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", UNARY)
def test_unary_gradient(name: str) -> None:
    gradients.check(getattr(F, name), UNARY[name][1])


@pytest.mark.parametrize("name", BINARY)
def test_binary_gradient(name: str) -> None:
    gradients.check(getattr(F, name), X, Y)
    gradients.check(getattr(F, name), X, Y[0])


def test_steps_have_values_and_no_gradient() -> None:
    for name, fn in STEPS.items():
        np.testing.assert_array_equal(getattr(F, name)(Tensor(X)).numpy(), fn(X))
        assert (
            gradients.gradients(lambda x, name=name: getattr(F, name)(x) + 0 * x, X)[0].tolist()
            == np.zeros_like(X).tolist()
        )
    with pytest.warns(UserWarning, match="gives no tensor a gradient"):
        assert gradients.gradients(lambda x: F.floor(x), X) == [None]


def test_round_is_half_away_from_zero() -> None:
    x = np.float32([0.5, 1.5, 2.5, -0.5, -2.5, 0.49999997, 8388609.0, 2.4])
    np.testing.assert_array_equal(F.round(Tensor(x)).numpy(), [1, 2, 3, -1, -3, 0, 8388609, 2])


@given(shapes=mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0))
@settings(max_examples=12)
def test_binary_broadcasts_as_numpy(shapes: Any) -> None:
    rng = np.random.default_rng(1)
    a, b = (np.float32(rng.uniform(0.5, 2, s)) for s in shapes.input_shapes)
    found = {name: getattr(F, name)(Tensor(a), Tensor(b)) for name in BINARY}
    for name, fn in BINARY.items():
        result = found[name].numpy()
        assert result.shape == shapes.result_shape
        np.testing.assert_allclose(result, fn(a, b), rtol=1e-6, atol=1e-6)


@given(
    dtypes=st.tuples(*[st.sampled_from(["float32", "float16", "int32", "int16", "int8"])] * 2),
    operation=st.sampled_from(["add", "sub", "mul", "div", "floor_div"]),
)
@settings(max_examples=20)
def test_promotion_is_symmetric(dtypes: tuple[str, str], operation: str) -> None:
    """Tensors of the same kind meet in the wider dtype; a float with another dtype gives float32."""
    a, b = (Tensor(np.array([4, 6], d)) for d in dtypes)
    result = getattr(F, operation)(a, b)
    floating = [d for d in dtypes if d.startswith("float")]
    if dtypes[0] == dtypes[1] == "float16":
        wanted = "float16"
    elif floating or operation == "div":
        wanted = "float32"
    else:
        wanted = max(dtypes, key=lambda d: int(d[3:]))
    assert result.dtype == wanted and getattr(F, operation)(b, a).dtype == wanted


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name: str) -> None:
    fn = getattr(operator, COMPARISONS[name])
    for a, b in ((X, Y), (X, np.float32(0.3)), (np.int32([1, 2]), np.int32([2, 2]))):
        result = getattr(F, name)(Tensor(a), Tensor(b))
        assert result.dtype == np.bool_
        np.testing.assert_array_equal(result.numpy(), fn(a, b))


def test_logic_and_shifts() -> None:
    p, q = np.array([True, True, False, False]), np.array([True, False, True, False])
    for name, fn in (("logical_and", np.logical_and), ("logical_or", np.logical_or), ("logical_xor", np.logical_xor)):
        np.testing.assert_array_equal(getattr(F, name)(Tensor(p), Tensor(q)).numpy(), fn(p, q))
    np.testing.assert_array_equal(F.logical_not(Tensor(p)).numpy(), ~p)
    np.testing.assert_array_equal(F.left_shift(Tensor([1, 3]), 2).numpy(), [4, 12])
    np.testing.assert_array_equal(F.right_shift(Tensor([-8, 17]), 2).numpy(), [-2, 4])
    with pytest.raises(RuntimeError, match="bools"):
        F.logical_and(Tensor([1.0]), Tensor([True]))
    with pytest.raises(RuntimeError, match="integers"):
        F.left_shift(Tensor([1.0]), 2)


def test_remainders() -> None:
    a = np.array([7, -7, 5, -5])
    np.testing.assert_array_equal(F.mod(Tensor(a.astype(np.int32)), 3).numpy(), a % 3)
    np.testing.assert_array_equal(F.mod(Tensor(a.astype(np.float32)), 3).numpy(), np.fmod(a, 3))
    np.testing.assert_array_equal(F.floor_div(Tensor(a.astype(np.float32)), 2).numpy(), a // 2)


def test_clip() -> None:
    x = Tensor(X)
    np.testing.assert_array_equal(F.clip(x, -1, 1).numpy(), X.clip(-1, 1))
    np.testing.assert_array_equal(F.clip(x, lower=0).numpy(), X.clip(0))
    np.testing.assert_array_equal(F.clip(x, upper=0).numpy(), X.clip(None, 0))
    with pytest.raises(AssertionError, match="lower"):
        F.clip(x)


def test_gradients_at_corners() -> None:
    """Where the reference chooses one of several subgradients, so do we."""

    def slope(fn: Any, *arrays: Any) -> list[Any]:
        return [g.tolist() for g in gradients.gradients(lambda *xs: fn(*xs).sum(), *map(np.float32, arrays))]

    assert slope(F.abs, [0.0]) == [[-1.0]]
    assert slope(F.maximum, [1.0], [1.0]) == [[1.0], [0.0]]
    assert slope(F.minimum, [1.0], [1.0]) == [[1.0], [0.0]]
    assert slope(lambda x: F.clip(x, -1, 1), [-1.0, 1.0, 1.5]) == [[1.0, 1.0, 0.0]]
    assert slope(F.relu, [0.0]) == [[0.0]]


@pytest.mark.usefixtures("compiled")
def test_a_changing_number_compiles_nothing() -> None:
    x = Tensor(X)

    def step(k: float) -> np.ndarray:
        y = F.clip(F.maximum(F.pow(F.abs(x), k), 0.1 * k), k / 10, k)
        return F.leaky_relu(y - k, k / 7).numpy()

    step(1.5)
    before = graph.counters.compilations.total()
    for k in (1.1, 1.7, 3.9):
        step(k)
    assert graph.counters.compilations.total() == before


def test_errors_name_the_op_and_the_shapes() -> None:
    with pytest.raises(RuntimeError, match=r"add.*\(?2,3.*4"):
        F.add(Tensor(X), Tensor(np.ones(4)))
    with pytest.raises(RuntimeError, match="exp: .*bool"):
        F.exp(Tensor([True]))
    with pytest.raises(ValueError, match="None"):
        F.exp(None)


@pytest.mark.parametrize("tier", ["host", "compiled"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
@pytest.mark.parametrize("bounds", [*itertools.product([np.nan, -1.0, 1.0], repeat=2)])
def test_a_bound_that_is_nan_gives_nan(bounds: tuple[float, float], dtype: str, tier: str) -> None:
    """Comparing with it is False, so that it would be no bound at all."""
    x = np.array([-2, 0, 1, 3], dtype)
    as_tensors = [Tensor(np.array(b, "float16" if dtype == "float16" else "float32")) for b in bounds]
    with graph.tier(tier):
        for low, high in (bounds, as_tensors):
            clipped = np.where(x < bounds[0], bounds[0], np.minimum(x, bounds[1]))
            wanted = np.where(np.isnan(bounds).any(), np.nan, clipped)
            np.testing.assert_array_equal(F.clip(Tensor(x), low, high).numpy(), wanted)
