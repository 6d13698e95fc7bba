"""Python ints of any size beside tensors, against Python's and NumPy's own arithmetic."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import megengine as mge
import megengine.functional as F
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph.errors import RangeError

INTEGERS = ["int8", "int16", "int32", "uint8", "uint16"]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
EDGES = [s * 2**k + d for k in (7, 8, 15, 16, 24, 31, 32, 63, 64, 100) for s in (1, -1) for d in (-1, 0, 1)]
ints = st.one_of(st.sampled_from(EDGES), st.integers(-(2**40), 2**40), st.integers(-300, 300))


def extremes(dtype: str) -> np.ndarray:
    limits = np.iinfo(dtype)
    return np.array([limits.min, limits.min + 1, 0, 1, 5, limits.max - 1, limits.max], dtype)


@settings(max_examples=60, deadline=None)
@given(ints, st.sampled_from([operator.add, operator.sub, operator.mul, operator.truediv, *COMPARISONS]), st.booleans())
def test_beside_floats_an_int_is_the_float_it_is(n: int, call: Any, left: bool) -> None:
    x = np.float32([-2.5, 0.5, 3])
    with np.errstate(all="ignore"):
        wanted = call(np.float32(n), x) if left else call(x, np.float32(n))
    found = call(n, Tensor(x)) if left else call(Tensor(x), n)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-6)


@settings(max_examples=80, deadline=None)
@given(ints, st.sampled_from(INTEGERS), st.sampled_from(COMPARISONS), st.booleans())
def test_comparisons_with_integers_are_exact(n: int, dtype: str, call: Any, left: bool) -> None:
    x = extremes(dtype)
    wanted = [call(n, v) if left else call(v, n) for v in x.tolist()]
    found = call(n, Tensor(x)) if left else call(Tensor(x), n)
    assert found.tolist() == wanted


@settings(max_examples=60, deadline=None)
@given(ints, st.sampled_from(INTEGERS), st.sampled_from([operator.add, operator.sub, operator.mul]))
def test_sums_and_products_of_integers_wrap_as_in_the_reference(n: int, dtype: str, call: Any) -> None:
    x = extremes(dtype)
    size = 2 ** (8 * x.itemsize)
    if not -(2**63) <= n < 2**64:
        with pytest.raises(RangeError):
            call(Tensor(x), n)
        return
    wanted = np.array([call(v, n) % size for v in x.tolist()], f"uint{8 * x.itemsize}").view(dtype)
    np.testing.assert_array_equal(call(Tensor(x), n).numpy(), wanted)


@settings(max_examples=80, deadline=None)
@given(ints, st.sampled_from(INTEGERS), st.sampled_from(["maximum", "minimum", "floor_div", "mod"]))
def test_others_are_exact_or_refused(n: int, dtype: str, name: str) -> None:
    x = extremes(dtype)
    limits = np.iinfo(dtype)
    fits = limits.min <= n <= limits.max
    if name in ("floor_div", "mod"):
        if n == 0 or (fits and n == -1):
            return
        right = (lambda v: v // n) if name == "floor_div" else (lambda v: v % n)
        possible = fits
    else:
        right = (lambda v: max(v, n)) if name == "maximum" else (lambda v: min(v, n))
        possible = all(limits.min <= right(v) <= limits.max for v in x.tolist())
    if possible:
        assert getattr(F, name)(Tensor(x), n).tolist() == [right(v) for v in x.tolist()]
    else:
        with pytest.raises(OverflowError, match=dtype):
            getattr(F, name)(Tensor(x), n)


@settings(max_examples=60, deadline=None)
@given(ints, ints, st.sampled_from(INTEGERS))
def test_bounds_of_clip_may_lie_outside(low: int, high: int, dtype: str) -> None:
    x = extremes(dtype)
    limits = np.iinfo(dtype)
    if low > high:
        return
    if low <= limits.max and high >= limits.min:
        assert F.clip(Tensor(x), low, high).tolist() == [min(max(v, low), high) for v in x.tolist()]
    else:
        with pytest.raises(RangeError):
            F.clip(Tensor(x), low, high)


FAR = 2**33


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (lambda x: F.where(x > 2, x, -FAR), [-FAR, -FAR, 3]),
        (lambda x: F.clip(x, -FAR, FAR), [1, 2, 3]),
        (lambda x: F.clip(x, FAR, None), [FAR] * 3),
        (lambda x: F.maximum(FAR, x), [FAR] * 3),
        (lambda x: F.full_like(x, FAR), [FAR] * 3),
        (lambda x: F.full((3,), FAR, dtype="float32"), [FAR] * 3),
        (lambda x: F.full((3,), np.int64(FAR), dtype="float32"), [FAR] * 3),
        (lambda x: F.linspace(0, FAR, 3), [0, FAR / 2, FAR]),
        (lambda x: F.arange(FAR, FAR + 2**20, 2**19)[:2], [FAR, FAR + 2**19]),
        (lambda x: F.nn.pad(x, ((0, 1),), constant_value=FAR), [1, 2, 3, FAR]),
        (lambda x: F.pow(x, FAR - 1)[:1], [1]),
        (lambda x: F.add(x, FAR), [FAR] * 3),
        (lambda x: F.sub(FAR, x), [FAR] * 3),
        (lambda x: F.div(x * FAR, FAR), [1, 2, 3]),
        (lambda x: x * Tensor([True, True, False]) * FAR, [FAR, 2 * FAR, 0]),
        (lambda x: Tensor([True, True, False]) * FAR, [FAR, FAR, 0]),
        (lambda x: Tensor([1, 2, 3]) / FAR * FAR, [1, 2, 3]),
        (lambda x: F.softmax(x + (1 - Tensor([1.0, 0.0, 0.0])) * (-(2**32) + 1)), [1, 0, 0]),
        (lambda x: F.logaddexp(x, FAR), [FAR] * 3),
        (lambda x: F.nn.local_response_norm(x.reshape(1, 3, 1), 3, k=FAR, alpha=0, beta=1).flatten() * FAR, [1, 2, 3]),
        (lambda x: F.leaky_relu(-x, FAR), [-FAR, -2 * FAR, -3 * FAR]),
        (lambda x: mge.random.uniform(FAR, FAR + 1, size=(3,)), [FAR] * 3),
        (lambda x: mge.random.normal(FAR, 1, size=(3,)), [FAR] * 3),
    ],
)
def test_functions_that_take_numbers(call: Any, wanted: list[float]) -> None:
    x = Tensor([1.0, 2.0, 3.0])
    for mode in (graph.eager(False), graph.eager(True)):
        with mode:
            np.testing.assert_allclose(call(x).numpy(), np.float32(wanted), rtol=1e-6)


def test_assignments() -> None:
    for value in (FAR, np.int64(FAR), np.float64(FAR), np.array(FAR), Tensor(float(FAR))):
        x = Tensor([1.0, 2.0])
        x[0] = value
        assert x.tolist() == [FAR, 2]
        x[x > 100] = value
        assert x.tolist() == [FAR, 2]
        x[:] = value
        assert x.tolist() == [FAR, FAR]
    n = Tensor([1, 2])
    for value in (FAR, np.int64(FAR), np.array([FAR]), [FAR], float("nan"), 1e30, np.float64("inf")):
        for index in (0, slice(None), Tensor([True, False]), ...):
            with pytest.raises(OverflowError, match="fit"):
                n[index] = value
    assert n.tolist() == [1, 2]


def test_a_refused_number_leaves_the_graph_as_it_was() -> None:
    x, n = Tensor([1.0, 2.0]), Tensor([1, 2])
    y = x * 3
    for call in (
        lambda: F.clip(n, FAR, 5),
        lambda: n // FAR,
        lambda: F.full_like(n, -FAR),
        lambda: F.clip(x, 0.5, 10**400),
    ):
        with pytest.raises(OverflowError):
            call()
    z = F.clip(n, 0, 1) + y
    assert (y.tolist(), z.tolist()) == ([3, 6], [4, 7])


def test_a_changing_number_compiles_once_near_and_once_far() -> None:
    x = Tensor([1.0, 2.0])

    def run(n: int) -> list[float]:
        return ((x + n) * n).tolist()

    run(3), run(FAR)
    before = graph.counters.compilations.total()
    for k in range(4, 9):
        assert run(k) == [(1 + k) * k, (2 + k) * k]
        assert run(k * FAR) == pytest.approx([(k * FAR) ** 2] * 2, rel=1e-6)
    assert graph.counters.compilations.total() == before


def test_hyperparameters_and_scales() -> None:
    p = Parameter([1.0, 2.0])
    optimizer = mge.optimizer.SGD([p], lr=FAR, weight_decay=0)
    gm = GradManager().attach([p])
    with gm:
        gm.backward((p * 2**35).sum() / 2**70)
    optimizer.step()
    np.testing.assert_allclose(p.numpy(), np.float32([1, 2]) - FAR * 2.0**-35)


def test_floats_beyond_the_range_are_infinite() -> None:
    x, h = Tensor([1.0, -2.0]), Tensor(np.float16([1, -2]))
    assert (
        (x * 1e39).tolist() == (x * 10**39).tolist() == (h * 1e5).tolist() == (h * 10**9).tolist() == [np.inf, -np.inf]
    )
    with pytest.raises(OverflowError, match="16610 bits"):
        x * 10**5000


def test_under_trace() -> None:
    call = mge.jit.trace(lambda x: x * FAR - FAR)
    for value in (1.0, 2.0, 3.0):
        assert call(Tensor([value])).tolist() == [(value - 1) * FAR]


def test_a_shape_that_no_memory_holds() -> None:
    for make in (F.zeros, F.ones, lambda shape: F.full(shape, 1.0)):
        with pytest.raises(OverflowError, match="shape"):
            make((2**40, 2**40))


def test_integer_ranges_are_exact() -> None:
    start = 2**24 + 1
    assert F.arange(start, start + 3, dtype="int32").tolist() == [start, start + 1, start + 2]
    for call in (lambda: F.arange(2**31, 2**31 + 2, dtype="int32"), lambda: F.linspace(0, 2**31, 3, dtype="int32")):
        with pytest.raises(OverflowError):
            call()
