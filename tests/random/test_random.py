"""The public random functions: streams, shapes, and what MegEngine answers."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.module as M
from megengine import random
from megengine.random import RNG
from tests.golden import record_random

_GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "random_behaviour.json").read_text())

TUTORIAL = [
    [0.01395061, 0.33661973, 0.8770228],
    [0.4072623, -0.00307158, 0.26380703],
    [-0.18256213, 1.4192054, 0.27583534],
]


def test_the_tutorials_nine_numbers() -> None:
    random.seed(20200325)
    x = random.normal(0, 1, (3, 3))
    np.testing.assert_allclose(x.numpy(), np.float32(TUTORIAL), atol=1e-6)
    assert (
        repr(x)
        == "Tensor([[ 0.014   0.3366  0.877 ]\n [ 0.4073 -0.0031  0.2638]\n [-0.1826  1.4192  0.2758]], device=xpux:0)"
    )


def test_streams_do_not_advance_each_other() -> None:
    random.seed(3)
    a = random.normal(size=(4,)).tolist()
    random.seed(3)
    random.uniform(size=(100,)), random.permutation(9)
    assert random.normal(size=(4,)).tolist() == a


def test_rng_with_a_seed_is_its_own() -> None:
    random.seed(5)
    a = random.uniform(size=(4,)).tolist()
    own = RNG(seed=5)
    random.seed(6)
    assert own.uniform(size=(4,)).tolist() == a


def test_rng_without_a_seed_shares_the_modules_streams() -> None:
    rng = RNG()
    random.seed(5)
    together = [rng.uniform(size=(2,)).tolist(), random.uniform(size=(2,)).tolist()]
    random.seed(5)
    assert together == [random.uniform(size=(2,)).tolist() for _ in range(2)]


@pytest.mark.usefixtures("compiled")
def test_changing_the_parameters_compiles_nothing() -> None:
    random.uniform(0, 1, (3,)).numpy()
    random.uniform(0, 2, (3,)).numpy()
    before = mge.graph.counters.compilations.total()
    for k in range(1, 5):
        assert (random.uniform(-k, k, (3,)).numpy() <= k).all()
    assert mge.graph.counters.compilations.total() == before


def test_cpu_generator() -> None:
    random.set_generator("xoroshiro128+")
    try:
        random.seed(20200325)
        x = random.normal(0, 1, (3, 3)).numpy()
        np.testing.assert_allclose(x[0], [-0.1655, 0.2488, 0.6178], atol=5e-5)
        assert random.get_generator() == "xoroshiro128+"
    finally:
        random.set_generator("xorwow")
    with pytest.raises(ValueError, match="mersenne"):
        random.set_generator("mersenne")


@pytest.fixture
def cpu_generator() -> Iterator[None]:
    random.set_generator("xoroshiro128+")
    yield
    random.set_generator("xorwow")


# Where accepting more is no harm, or the reference is plainly wrong; listed in docs/differences.md.
_ACCEPTED_BEYOND = (
    "R.normal(size=5)",
    "R.uniform(Tensor([0.0, 1.0]), Tensor([2.0, 3.0]), (2,))",
    'R.permutation(32766, dtype="int16")',
)


_REFUSED = ("R.normal(0.0, -1, (2,))",)


@pytest.mark.parametrize("recorded", _GOLDEN, ids=lambda r: r["statement"])
def test_recorded_behaviour(recorded: dict, cpu_generator: None) -> None:
    got = record_random.outcome(recorded["statement"])
    if recorded["statement"] in _ACCEPTED_BEYOND:
        assert "raises" not in got
    elif recorded["statement"] in _REFUSED:
        assert got["raises"] == "ValueError"
    else:
        assert {"statement": recorded["statement"], **got} == recorded


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda rng: pickle.loads(pickle.dumps(rng))])
def test_copies_go_on_where_they_were_made(copied: Any) -> None:
    rng = mge.random.RNG(seed=3)
    rng.normal(size=5), rng.permutation(4)
    net = M.Sequential(M.ReLU())
    net.rng = rng
    other = copied(net).rng
    for draw in ("normal", "uniform"):
        np.testing.assert_array_equal(getattr(other, draw)(size=4).numpy(), getattr(rng, draw)(size=4).numpy())
    np.testing.assert_array_equal(other.permutation(9).numpy(), rng.permutation(9).numpy())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda rng: pickle.loads(pickle.dumps(rng))])
def test_copies_of_one_that_shares_the_streams_do_not_repeat_them(copied: Any) -> None:
    rng = mge.random.RNG()
    other = copied(rng)
    assert not np.array_equal(rng.normal(size=8).numpy(), other.normal(size=8).numpy())
