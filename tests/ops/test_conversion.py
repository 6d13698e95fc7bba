"""Conversions and division of integers: one result in every tier, and that of ``astype`` wherever numbers are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor, graph

NAN = float("nan")


@pytest.fixture(params=["host", "compiled"])
def tier(request: pytest.FixtureRequest) -> Iterator[None]:
    with graph.tier(request.param):
        yield


@pytest.mark.usefixtures("tier")
def test_false_times_nan_is_nan() -> None:
    mask, x = Tensor([True, False]), Tensor([NAN, NAN])
    results = [mask * x, x * mask, mask.astype("float32") * x, mask * NAN, x * (x > 0), mask * x.astype("float16")]
    assert all(np.isnan(result.numpy()).all() for result in results)


@pytest.mark.usefixtures("tier")
def test_floats_written_into_narrow_integers_are_those_of_astype() -> None:
    values = [2.7, -1.2, 300.0, 70000.0]
    for dtype in ("int8", "uint8", "int16", "uint16"):
        x = Tensor(values)
        wanted = np.array(values).astype(np.int32).astype(dtype)
        zeros = F.zeros((4,), dtype=dtype)
        sliced, picked, masked, first = (F.copy(zeros) for _ in range(4))
        sliced[:] = x
        picked[[0, 1, 2, 3]] = x
        masked[Tensor([True] * 4)] = x
        first[2] = 300.0
        scattered = F.scatter(zeros, 0, Tensor([0, 1, 2, 3]), x)
        for made in (x.astype(dtype), sliced, picked, masked, scattered):
            np.testing.assert_array_equal(made.numpy(), wanted)
        assert first.numpy()[2] == wanted[2] == F.full_like(zeros, 300.0).numpy()[0]


@pytest.mark.usefixtures("tier")
def test_integers_divided_by_elements_that_are_0() -> None:
    for dtype in ("int8", "uint8", "int16", "int32"):
        x, y = np.array([7, 100, 0, 5], dtype), np.array([0, 7, 0, 2], dtype)
        with np.errstate(divide="ignore"):
            np.testing.assert_array_equal((Tensor(x) // Tensor(y)).numpy(), x // y)
            np.testing.assert_array_equal((Tensor(x) % Tensor(y)).numpy(), x % y)


@pytest.mark.parametrize(
    "call",
    [lambda x: x // 0, lambda x: x % 0, lambda x: divmod(x, 0), lambda x: F.floor_div(x, 0), lambda x: F.mod(x, 0)],
)
def test_integers_divided_by_the_number_0(call: Callable[[Tensor], object]) -> None:
    with pytest.raises(ZeroDivisionError, match="int32 cannot be divided by 0"):
        call(Tensor([1, 2]))
    call(Tensor([1.0, 2.0]))


def test_ints_of_more_than_64_bits_do_not_wrap() -> None:
    x = Tensor([1, 2])
    assert (x * 2**40).tolist() == [0, 0]
    for call in (lambda: x * 10**30, lambda: x + 2**64, lambda: -(2**70) - x):
        with pytest.raises(OverflowError, match="does not fit int32"):
            call()


@pytest.mark.parametrize(
    ("x", "y", "meet"),
    [
        ("bool", "int32", "int32"), ("uint8", "bool", "uint8"), ("int8", "uint8", "int16"), ("int8", "uint16", "int32"),
        ("int32", "uint8", "int32"), ("float16", "int32", "float16"), ("bool", "float16", "float16"),
        ("float16", "float32", "float32"),
    ],
)  # fmt: skip
def test_what_where_chooses_from(x: str, y: str, meet: str) -> None:
    """As in MegEngine; no integer loses digits."""
    largest = 16777217 if "int32" in (x, y) and meet == "int32" else 1
    first, second = (np.array([largest if d == "int32" and meet == d else 1] * 2).astype(d) for d in (x, y))
    chosen = F.where(Tensor([True, False]), Tensor(first), Tensor(second))
    assert chosen.dtype == meet
    assert chosen.tolist() == [first[0], second[1]]
    assert largest == 1 or largest in chosen.tolist()


def test_linspace_ends_where_it_should() -> None:
    for start, stop, count in ((2**31, 3, 3), (0, 1, 7), (-5, 1e-8, 11), (3, 9, 1), (1, 2, 0)):
        np.testing.assert_allclose(
            F.linspace(start, stop, count).numpy(), np.linspace(start, stop, count), rtol=1e-6, atol=1e-6 * abs(start)
        )
        if count > 1:
            assert F.linspace(start, stop, count)[-1].item() == np.float32(stop)


@pytest.mark.parametrize("what", [int, Tensor, np.float32, type(None)])
def test_classes_are_no_numbers(what: type) -> None:
    x = Tensor([1.0])
    for call in (
        lambda: x + what,
        lambda: what * x,
        lambda: Tensor(what),
        lambda: Tensor([what]),
        lambda: F.maximum(x, what),
    ):
        with pytest.raises(TypeError, match=f"the class {what.__name__}: give numbers"):
            call()
