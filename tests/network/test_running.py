"""A graph from a file, run over and over: what was recorded for inputs of the same shapes runs again, with each one's numbers."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
from megengine import Tensor
from megengine.jit import trace
from megengine.network.running import KINDS
from megengine.utils.comp_graph_tools import GraphInference

WEIGHT = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def loaded() -> GraphInference:
    weight, file = Tensor(WEIGHT), io.BytesIO()
    predict = trace(lambda x: F.relu(F.linear(x, weight)), symbolic=True, capture_as_const=True)
    predict(F.zeros((2, 3)))
    predict.dump(file, arg_names=["x"], output_names=["y"])
    return GraphInference(io.BytesIO(file.getvalue()))


def inputs(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, 3)).astype(np.float32)


def expected(x: np.ndarray) -> np.ndarray:
    return np.maximum(x @ WEIGHT.T, 0)


def test_the_third_run_records_nothing(loaded: GraphInference) -> None:
    counters = mge.graph.counters
    for k in range(2):
        np.testing.assert_allclose(loaded.run(inputs(k, 2))["y"], expected(inputs(k, 2)), rtol=1e-5, atol=1e-6)
    ops, replays = counters.ops, counters.replays
    for k in range(2, 5):
        np.testing.assert_allclose(loaded.run(inputs(k, 2))["y"], expected(inputs(k, 2)), rtol=1e-5, atol=1e-6)
    assert (counters.ops, counters.replays) == (ops, replays + 3)


def test_shapes_in_turns_more_than_are_kept(loaded: GraphInference) -> None:
    for seed in range(3):
        for rows in range(1, KINDS + 4):
            x = inputs(seed, rows)
            np.testing.assert_allclose(loaded.run(x)["y"], expected(x), rtol=1e-5, atol=1e-6)
    assert len(loaded._runnable._known) == KINDS


def test_threads_get_their_own_numbers(loaded: GraphInference) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda k: loaded.run(inputs(k, 1 + k % 3))["y"], range(60)))
    for k, y in enumerate(found):
        np.testing.assert_allclose(y, expected(inputs(k, 1 + k % 3)), rtol=1e-5, atol=1e-6)


def test_tensors_and_earlier_results_stay_as_they_are(loaded: GraphInference) -> None:
    """Results are each run's own, a tensor that is given is not changed, and NaN checking looks at each run."""
    x = Tensor(inputs(0, 2))
    first = [loaded.run(x)["y"] for _ in range(4)]
    loaded.run(inputs(9, 2))
    for y in first:
        np.testing.assert_array_equal(y, first[0])
    np.testing.assert_array_equal(x.numpy(), inputs(0, 2))
    loaded.run(np.full((2, 3), np.nan, np.float32))
    with mge.graph.check_nan(), pytest.raises(FloatingPointError, match="linear"):
        loaded.run(np.full((2, 3), np.nan, np.float32))
