"""Gamma, beta and Poisson: their distributions, streams, shapes, dtypes and errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import megengine as mge
from megengine import Tensor, random
from megengine.autodiff import GradManager
from megengine.random import RNG

COUNT = 20_000
_CHANCE = 1e-5  # that a right generator fails one comparison


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """Greatest distance between two empirical distributions (Kolmogorov and Smirnov)."""
    both = np.concatenate([a, b])
    cumulative = [np.searchsorted(np.sort(x), both, side="right") / len(x) for x in (a, b)]
    return float(np.abs(cumulative[0] - cumulative[1]).max())


def _assert_same_distribution(ours: np.ndarray, theirs: np.ndarray) -> None:
    bound = np.sqrt(-np.log(_CHANCE / 2) / 2 * (1 / len(ours) + 1 / len(theirs)))
    assert _distance(ours, theirs) < bound


@pytest.mark.parametrize("alpha", [0.1, 0.7, 1.0, 2.5, 30.0, 1e4])
def test_gamma_follows_its_distribution(alpha: float) -> None:
    drawn = RNG(seed=1).gamma(alpha, 1.5, (COUNT,)).numpy()
    _assert_same_distribution(drawn, np.random.default_rng(1).gamma(alpha, 1.5, 4 * COUNT))
    assert abs(drawn.mean() - alpha * 1.5) < 5 * np.sqrt(alpha) * 1.5 / np.sqrt(COUNT)


@pytest.mark.parametrize(("alpha", "beta"), [(0.2, 0.3), (1, 1), (2, 0.8), (9, 40)])
def test_beta_follows_its_distribution(alpha: float, beta: float) -> None:
    drawn = RNG(seed=2).beta(alpha, beta, (COUNT,)).numpy()
    _assert_same_distribution(drawn, np.random.default_rng(2).beta(alpha, beta, 4 * COUNT))


@pytest.mark.parametrize("mean", [0.01, 1.0, 9.9, 10.1, 50.0, 3e4])
def test_poisson_follows_its_distribution(mean: float) -> None:
    drawn = RNG(seed=3).poisson(mean, (COUNT,)).numpy()
    assert (drawn == np.floor(drawn)).all()
    _assert_same_distribution(drawn, np.random.default_rng(3).poisson(mean, 4 * COUNT))
    assert abs(drawn.mean() - mean) < 5 * np.sqrt(mean / COUNT)
    assert abs(drawn.var() / mean - 1) < 5 * np.sqrt((2 + 1 / mean) / COUNT)


def test_large_parameters_keep_their_digits() -> None:
    for draw in (RNG(seed=1).gamma, RNG(seed=1).poisson):
        drawn = draw(1e9, size=(1000,)).numpy().astype(float)
        assert abs(drawn.mean() - 1e9) < 5 * np.sqrt(1e9 / 1000)
        assert 0.8 < drawn.std() / np.sqrt(1e9) < 1.2


def test_beta_of_tiny_parameters_is_zero_or_one() -> None:
    drawn = RNG(seed=1).beta(1e-10, 1e-10, (2000,)).numpy()
    assert set(drawn.tolist()) == {0.0, 1.0}
    assert 0.4 < drawn.mean() < 0.6


def test_each_element_has_its_own_parameters() -> None:
    mean = np.float32([[0.5, 5.0, 15.0], [1.0, 9.0, 100.0]])
    drawn = RNG(seed=4).poisson(Tensor(mean), size=(4000,)).numpy()
    np.testing.assert_allclose(drawn.mean(0), mean, atol=5 * np.sqrt(100 / 4000))
    drawn = RNG(seed=4).gamma(Tensor(mean), Tensor([1.0, 2.0, 0.5]), size=4000).numpy()
    np.testing.assert_allclose(drawn.mean(0), mean * [1, 2, 0.5], rtol=0.15)


DRAWS: dict[str, Callable[[RNG, int], Tensor]] = {
    "uniform": lambda rng, n: rng.uniform(size=(n,)),
    "normal": lambda rng, n: rng.normal(size=(n,)),
    "gamma": lambda rng, n: rng.gamma(2, size=(n,)),
    "beta": lambda rng, n: rng.beta(2, 3, size=(n,)),
    "poisson": lambda rng, n: rng.poisson(100, size=(n,)),
}


def test_streams_of_one_seed_are_independent() -> None:
    rng = RNG(seed=5)
    drawn = {name: draw(rng, 4000).numpy() for name, draw in DRAWS.items()}
    for name in ("gamma", "beta", "poisson"):
        for other in set(DRAWS) - {name}:
            assert abs(np.corrcoef(drawn[name], drawn[other])[0, 1]) < 0.08, (name, other)


@pytest.mark.parametrize("name", ["gamma", "beta", "poisson"])
def test_a_seed_decides_and_other_streams_do_not_matter(name: str) -> None:
    draw = DRAWS[name]
    own = RNG(seed=7)
    first, second = draw(own, 5).tolist(), draw(own, 5).tolist()
    assert first != second
    again = RNG(seed=7)
    for other in set(DRAWS) - {name}:
        DRAWS[other](again, 9)
    assert [draw(again, 5).tolist(), draw(again, 5).tolist()] == [first, second]
    assert draw(RNG(seed=8), 5).tolist() != first
    shared = RNG()
    random.seed(7)
    assert draw(shared, 5).tolist() == first
    random.seed(7)
    assert draw(shared, 5).tolist() == first


def test_shapes() -> None:
    column, row = Tensor([[2.0], [3.0]]), Tensor([1.0, 2.0, 3.0])
    assert random.gamma(2).shape == random.beta(2, 1).shape == random.poisson(2).shape == (1,)
    assert random.gamma(Tensor(2.0)).shape == (1,)
    assert random.gamma(2, size=()).shape == (1,)
    assert random.gamma(2, size=[2, 3]).shape == random.poisson(2, Tensor([2, 3])).shape == (2, 3)
    assert random.gamma(column, row).shape == random.beta(column, row).shape == (2, 3)
    assert random.gamma(column, row, size=4).shape == (4, 2, 3)
    assert random.poisson(column, size=(0, 5)).shape == (0, 5, 2, 1)
    assert random.gamma(Tensor(np.zeros((0, 3), np.float32))).shape == (0, 3)


def test_dtypes() -> None:
    half = Tensor([2.0, 3.0], dtype="float16")
    for drawn in (random.gamma(half), random.gamma(half, half), random.beta(half, 1.0), random.poisson(half)):
        assert np.dtype(drawn.dtype) == np.float16
    assert random.poisson(3).dtype == random.beta(1, 1).dtype == random.gamma(True).dtype == np.float32


def test_values_a_tensor_should_not_hold() -> None:
    bad = Tensor([0.0, -1.0, np.nan, np.inf, 1.0])
    np.testing.assert_array_equal(random.poisson(bad).numpy()[:4], [0, 0, np.nan, np.inf])
    np.testing.assert_array_equal(random.gamma(bad).numpy()[:4], [0, 0, np.nan, np.inf])
    assert np.isnan(random.beta(bad, 1).numpy()[:4]).all()


@pytest.mark.parametrize("kind", ["gamma", "beta", "poisson"])
def test_errors(kind: str) -> None:
    def draw(x: object, **options: object) -> Tensor:
        own = getattr(options.pop("rng", random), kind)
        return own(x, 1, **options) if kind == "beta" else own(x, **options)

    for number in (0, -1, 0.0, float("nan")):
        with pytest.raises(AssertionError, match="positive"):
            draw(number)
    for junk in ([2.0], "a", None):
        with pytest.raises(TypeError, match="number or a tensor"):
            draw(junk)
    with pytest.raises(RuntimeError, match="floating dtype, not int32"):
        draw(Tensor([2, 3]))
    with pytest.raises(ValueError, match="negative"):
        draw(2, size=(-1,))
    with pytest.raises(AssertionError, match="on xpux:0, the generator on cpu1:0"):
        draw(Tensor([1.0]), rng=RNG(3, "cpu1"))
    assert draw(2.0, rng=RNG(3, "cpu1")).device == "cpu1:0"


def test_parameters_that_do_not_fit_each_other() -> None:
    with pytest.raises(AssertionError, match=r"\(2,\) and \(3,\) do not broadcast"):
        random.gamma(Tensor([1.0, 2.0]), Tensor([1.0, 2.0, 3.0]))
    with pytest.raises(RuntimeError, match="float16 and float32"):
        random.beta(Tensor([1.0], dtype="float16"), Tensor([1.0]))
    with pytest.raises(AssertionError, match="scale must be positive"):
        random.gamma(2, 0)


def test_no_gradient_flows_to_the_parameters() -> None:
    a, b = Tensor([2.0, 3.0]), Tensor([1.0, 2.0])
    manager = GradManager().attach([a, b])
    with manager:
        y = random.gamma(a, b) + random.beta(a, b) + random.poisson(a) + b
        manager.backward(y.sum())
    assert a.grad is None or (a.grad.numpy() == 0).all()
    np.testing.assert_array_equal(b.grad.numpy(), [1, 1])


@pytest.mark.usefixtures("compiled")
def test_changing_a_number_compiles_nothing() -> None:
    rng = RNG(seed=1)
    for number in (1.5, 2.5):
        rng.gamma(number, size=3).numpy(), rng.poisson(number, size=3).numpy()
    before = mge.graph.counters.compilations.total()
    for number in (3.5, 0.5, 40.0):
        rng.gamma(number, size=3).numpy(), rng.poisson(number, size=3).numpy()
    assert mge.graph.counters.compilations.total() == before


def test_draws_go_on_inside_a_traced_function() -> None:
    rng = RNG(seed=9)
    expected = [rng.gamma(2, size=4).tolist() for _ in range(3)]
    own = RNG(seed=9)
    traced = mge.jit.trace(lambda: own.gamma(2, size=4), without_host=True)
    assert [traced().tolist() for _ in range(3)] == expected
