"""Initialisers: distributions, formulas, in-place filling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import megengine.module.init as init
from megengine import Parameter, Tensor

SHAPE = (60, 50, 3, 3)
IN, OUT = 450, 540


def standard_deviation(fill: Any) -> float:
    x = Tensor(np.zeros(SHAPE, "float32"))
    fill(x)
    values = x.numpy()
    assert abs(values.mean()) < 5 * values.std() / math.sqrt(values.size)
    return float(values.std())


@pytest.mark.parametrize(
    ("fill", "wanted"),
    [
        (lambda x: init.xavier_normal_(x), math.sqrt(2 / (IN + OUT))),
        (lambda x: init.xavier_normal_(x, gain=3), 3 * math.sqrt(2 / (IN + OUT))),
        (lambda x: init.msra_normal_(x), math.sqrt(2 / IN)),
        (lambda x: init.msra_normal_(x, a=1, mode="fan_out"), math.sqrt(1 / OUT)),
        (lambda x: init.msra_normal_(x, nonlinearity="linear"), math.sqrt(1 / IN)),
        (lambda x: init.normal_(x, 0.0, 4.0), 4.0),
    ],
)
def test_normal_initialisers(fill: Any, wanted: float) -> None:
    assert standard_deviation(fill) == pytest.approx(wanted, rel=0.02)


@pytest.mark.parametrize(
    ("fill", "bound"),
    [
        (lambda x: init.xavier_uniform_(x), math.sqrt(6 / (IN + OUT))),
        (lambda x: init.xavier_uniform_(x, gain=3), 3 * math.sqrt(6 / (IN + OUT))),
        (lambda x: init.msra_uniform_(x), math.sqrt(6 / IN)),
        (lambda x: init.msra_uniform_(x, mode="fan_out", nonlinearity="tanh"), 5 / 3 * math.sqrt(3 / OUT)),
        (lambda x: init.uniform_(x, -4.0, 4.0), 4.0),
    ],
)
def test_uniform_initialisers(fill: Any, bound: float) -> None:
    assert standard_deviation(fill) == pytest.approx(bound / math.sqrt(3), rel=0.02)
    x = Tensor(np.zeros(SHAPE, "float32"))
    fill(x)
    assert 0.999 * bound < abs(x.numpy()).max() <= bound * (1 + 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
@pytest.mark.parametrize("shape", [(2, 3), (4,), ()])
def test_filling_keeps_object_shape_and_dtype(shape: tuple[int, ...], dtype: str) -> None:
    x = Parameter(np.full(shape, 7, dtype))
    for fill, wanted in ((init.zeros_, 0), (init.ones_, 1), (lambda x: init.fill_(x, 2.0), 2)):
        assert fill(x) is None
        np.testing.assert_array_equal(x.numpy(), np.full(shape, wanted, dtype))
        assert x.dtype == dtype and type(x) is Parameter
    for fill in (init.uniform_, init.normal_):
        fill(x)
        assert x.shape == shape and x.dtype == dtype


def test_draws_into_integers_are_cut_off() -> None:
    x = Tensor(np.zeros(500, "int32"))
    init.uniform_(x, 0, 3)
    assert set(x.numpy()) == {0, 1, 2}


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((2, 3), (3, 2)),
        ((2, 3, 4), (12, 8)),
        ((2, 3, 4, 5), (60, 40)),
        ((2, 3, 4, 5, 6), (120, 90)),
        ((2, 3, 4, 5, 6, 7), (840, 630)),
    ],
)
def test_fans(shape: tuple[int, ...], wanted: tuple[int, int]) -> None:
    x = Tensor(np.zeros(shape, "float32"))
    assert init.calculate_fan_in_and_fan_out(x) == wanted
    assert (init.calculate_correct_fan(x, "fan_in"), init.calculate_correct_fan(x, "FAN_OUT")) == wanted


def test_fans_need_two_dimensions_and_a_known_mode() -> None:
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        init.calculate_fan_in_and_fan_out(Tensor([1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match="'x' not supported"):
        init.calculate_correct_fan(Tensor([[1.0]]), "x")


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("linear",), 1),
        (("conv_transpose3d",), 1),
        (("sigmoid",), 1),
        (("tanh",), 5 / 3),
        (("relu",), math.sqrt(2)),
        (("relu", "x"), math.sqrt(2)),
        (("leaky_relu",), math.sqrt(2 / 1.0001)),
        (("leaky_relu", 0.2), math.sqrt(2 / 1.04)),
        (("leaky_relu", 1), 1),
    ],
)
def test_gains(arguments: Any, wanted: float) -> None:
    assert init.calculate_gain(*arguments) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("selu",), "'selu'"), (("leaky_relu", True), "True"), (("leaky_relu", "a"), "a not a valid")],
)
def test_gains_refuse(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        init.calculate_gain(*arguments)
