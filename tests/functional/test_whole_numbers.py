"""What a program computes as ``n / 2`` is a size, an axis or a number of parts, as in MegEngine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor

X = np.arange(24, dtype="float32").reshape(6, 4)
CALLS: dict[str, tuple[Callable[[Tensor, Any], Any], int]] = {
    "zeros": (lambda x, n: F.zeros((n, 3)), 4),
    "ones of one size": (lambda x, n: F.ones(n), 4),
    "reshape": (lambda x, n: x.reshape(n, 6), 4),
    "expand_dims": (lambda x, n: F.expand_dims(x, n), 1),
    "sum": (lambda x, n: x.sum(axis=n), 1),
    "split": (lambda x, n: F.split(x, n), 3),
    "split at places": (lambda x, n: F.split(x, [n, 4]), 2),
    "concat": (lambda x, n: F.concat([x, x], axis=n), 1),
    "topk": (lambda x, n: F.topk(x, n, descending=True), 2),
    "one_hot": (lambda x, n: F.one_hot(Tensor([1, 0]), n), 3),
    "broadcast_to": (lambda x, n: F.broadcast_to(Tensor(1.0), (n, 2)), 5),
    "pooling": (lambda x, n: F.avg_pool2d(x.reshape(1, 1, 6, 4), n), 2),
    "convolution": (lambda x, n: F.conv2d(x.reshape(1, 1, 6, 4), F.ones((1, 1, 3, 3)), stride=n), 1),
    "interpolate": (lambda x, n: F.vision.interpolate(x.reshape(1, 1, 6, 4), size=(n, n)), 3),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", [float, np.float32, np.float64])
def test_whole_floats(call: str, kind: type) -> None:
    function, number = CALLS[call]
    found, wanted = function(Tensor(X), kind(number)), function(Tensor(X), number)
    if isinstance(wanted, Tensor):
        found, wanted = [found], [wanted]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("number", [2.5, float("nan"), float("inf")])
def test_no_other_floats(number: float) -> None:
    for call in ("zeros", "split", "concat", "pooling"):
        with pytest.raises(TypeError, match=f"must be an integer, not {number}"):
            CALLS[call][0](Tensor(X), number)


def test_rows_of_a_tensor_are_joined() -> None:
    np.testing.assert_array_equal(F.stack(Tensor(X), axis=1).numpy(), X.T)
    np.testing.assert_array_equal(F.concat(Tensor(X)).numpy(), X.reshape(-1))


def test_parts_outside_of_a_tensor_are_refused() -> None:
    for places in ([2, 9], [-1, 2], [7], [3, 2]):
        with pytest.raises(ValueError, match=r"Invalid nsplits_or_secions: \["):
            F.split(Tensor(X), places)


def test_python_numbers_are_compared_as_such() -> None:
    assert F.equal(3, 2) is False and F.less_equal(True, 1.0) is True and F.not_equal(3, 2.5) is True
    assert isinstance(F.greater(Tensor(3), 2), Tensor)
