"""Dumps take other sizes than those that they were recorded with, through reshapes too."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor
from megengine.jit import trace
from megengine.network.resizing import _reshaped
from megengine.utils.comp_graph_tools import GraphInference


@pytest.mark.parametrize(
    ("before", "target", "now", "expected"),
    [
        ((2, 512, 1, 1), (2, 512), (3, 512, 1, 1), (3, 512)),
        ((2, 8, 4, 4), (2, 128), (2, 8, 2, 2), (2, 32)),
        ((2, 5, 8), (2, 5, 2, 4), (2, 7, 8), (2, 7, 2, 4)),
        ((2, 5, 8), (10, 8), (3, 7, 8), (21, 8)),
        ((10, 8), (2, 5, 8), (15, 8), (3, 5, 8)),
        ((3, 4), (1, 3, 4), (5, 4), (1, 5, 4)),
        ((1, 3, 4), (3, 4), (1, 6, 4), (6, 4)),
        ((2, 3), (6,), (4, 3), (12,)),
        ((2, 3), (2, 3, 1), (4, 3), (4, 3, 1)),
    ],
)
def test_reshapes(before: Any, target: Any, now: Any, expected: Any) -> None:
    assert _reshaped(target, before, now) == expected
    assert _reshaped(target, before, before) == target


def test_flattened_and_split_batches() -> None:
    def function(x: Any) -> Any:
        heads = F.transpose(F.reshape(x, (x.shape[0], x.shape[1], 2, 3)), (0, 2, 1, 3))
        return F.flatten(heads, 1), F.broadcast_to(F.expand_dims(x, 0), (4, *x.shape))

    traced = trace(function, symbolic=True, capture_as_const=True)
    traced(Tensor(np.zeros((2, 5, 6), np.float32)))
    file = io.BytesIO()
    traced.dump(file, output_names=["flat", "copies"])
    file.seek(0)
    graph = GraphInference(file)
    for shape in ((2, 5, 6), (3, 5, 6), (1, 7, 6)):
        data = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        got = graph.run(data)
        for key, value in zip(("flat", "copies"), function(Tensor(data)), strict=True):
            np.testing.assert_array_equal(got[key], value.numpy())
