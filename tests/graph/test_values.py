"""Values that an op does not take are reported at the next read, with the op and its line."""

from __future__ import annotations

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
from megengine import Tensor, graph
from megengine.jit import trace


def _pending(values: list[int]) -> Tensor:
    return Tensor(values) + 0


def test_an_index_out_of_range_is_named_with_its_line() -> None:
    x = Tensor([1.0, 2.0, 3.0])
    y = x[_pending([1, 7])]
    with pytest.raises(
        IndexError, match=r"index at .*test_values\.py:\d+: an index is out of range for a dimension of size 3"
    ):
        y.numpy()
    np.testing.assert_array_equal((x + 1).numpy(), [2, 3, 4])


def test_negative_indices_count_from_the_end() -> None:
    np.testing.assert_array_equal(Tensor([1.0, 2.0, 3.0])[_pending([-1, 0])].numpy(), [3, 1])


@pytest.mark.parametrize("label", [[0, 3], [-1, 0]])
def test_a_label_out_of_range(label: list[int]) -> None:
    loss = F.nn.cross_entropy(Tensor(np.zeros((2, 3), np.float32)), _pending(label))
    with pytest.raises(ValueError, match=r"cross_entropy at .*a label is out of range"):
        loss.item()


def test_it_is_found_in_replays_too() -> None:
    f = trace(lambda x, i: x[i] * 2, without_host=True)
    x = Tensor([1.0, 2.0])
    for _ in range(4):
        f(x, _pending([1])).numpy()
    with pytest.raises(IndexError, match="out of range"):
        f(x, _pending([2])).numpy()


def test_op_by_op_finds_it_at_the_line() -> None:
    x = Tensor([1.0, 2.0])
    with graph.eager(), pytest.raises(IndexError, match="out of range"):
        x[_pending([5])]


def test_verify_waits_for_what_still_runs() -> None:
    y = F.one_hot(_pending([4]), 3)
    graph.flush("step")
    with pytest.raises(IndexError, match="3 classes"):
        graph.verify(wait=True)
    assert y.shape == (1, 3)
    with pytest.raises(IndexError, match="3 classes"):
        y.numpy()


def test_full_sync_computes_what_is_pending() -> None:
    x = mge.Tensor([1.0, 2.0]) * 3
    mge._full_sync()
    assert x._value.array is not None and x._value.array.is_ready()
