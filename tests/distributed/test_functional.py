"""Functions of a group of one: identity with its gradient, and the checks of their arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.distributed as dist
import megengine.functional as F
from megengine import Tensor
from megengine.autodiff import GradManager
from megengine.distributed.functional import CollectiveMode
from megengine.jit import trace

D = F.distributed
FUNCTIONS = [
    D.reduce_sum,
    D.broadcast,
    D.all_gather,
    D.reduce_scatter_sum,
    D.all_reduce_sum,
    D.all_reduce_max,
    D.all_reduce_min,
    D.gather,
    D.scatter,
    D.all_to_all,
]
AXIS = [D.all_gather, D.reduce_scatter_sum, D.gather, D.scatter]


def named(functions: list[Callable[..., Any]]) -> Any:
    return pytest.mark.parametrize("function", functions, ids=lambda f: f.__name__)


@named(FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "int8", "uint8"])
def test_identity(function: Callable[..., Any], dtype: str, rng: np.random.Generator) -> None:
    array = (rng.random((3, 4)) * 10).astype(dtype)
    x = Tensor(array)
    for group in (dist.WORLD, None, [0], dist.new_group([0])):
        y = function(x, group)
        np.testing.assert_array_equal(y.numpy(), array)
        assert y.dtype == x.dtype
        assert y is not x


@named(FUNCTIONS)
def test_gradients_pass_unchanged(function: Callable[..., Any]) -> None:
    x, dy = Tensor([[1.0, -2.0], [3.0, 4.0]]), Tensor([[0.5, 1.0], [2.0, -1.0]])
    gm = GradManager().attach(x)
    with gm:
        gm.backward(function(x) * 2, dy)
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), 2 * dy.numpy())


@named(FUNCTIONS)
def test_the_result_is_a_tensor_of_its_own(function: Callable[..., Any]) -> None:
    x = Tensor([[1.0, 2.0]])
    y = function(x)
    y[...] = 0.0
    assert x.numpy().tolist() == [[1.0, 2.0]]


@named(FUNCTIONS)
def test_within_a_trace(function: Callable[..., Any]) -> None:
    traced = trace(lambda x: function(x + 1), without_host=True)
    for value in (1.0, 2.0, 3.0):
        assert traced(Tensor([[value]])).numpy().tolist() == [[value + 1]]


@named(FUNCTIONS)
def test_the_device_of_the_result(function: Callable[..., Any]) -> None:
    assert function(Tensor([[1.0]]), device="cpu1").device == "cpu1"
    assert function(Tensor([[1.0]], device="cpu1"), device="cpu1:3").device == "cpu1"
    with pytest.raises(RuntimeError, match="not a device name"):
        function(Tensor([[1.0]]), device="nowhere")


@named(FUNCTIONS)
def test_wrong_arguments(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"takes a Tensor, not ndarray"):
        function(np.ones((2, 2), "float32"))
    with pytest.raises(AssertionError, match="no rank: there is one process"):
        function(Tensor([[1.0]]), [0, 1])
    with pytest.raises(AssertionError, match="group must be a Group"):
        function(Tensor([[1.0]]), "world")


@named(AXIS)
def test_axes(function: Callable[..., Any]) -> None:
    error = AssertionError if function is D.gather else IndexError
    x = Tensor([[1.0, 2.0]])
    assert function(x, axis=1).shape == (1, 2)
    for axis in (2, -1, None):
        with pytest.raises(error, match=rf"{function.__name__}: the input of shape \(1, 2\) has no axis {axis}"):
            function(x, axis=axis)
    with pytest.raises(error, match=r"of shape \(\) has no axis 0"):
        function(Tensor(1.0))


def test_axes_of_all_to_all() -> None:
    x = Tensor([[1.0, 2.0]])
    assert D.all_to_all(x, split_axis=1, concat_axis=0).shape == (1, 2)
    for axes in ({"split_axis": 2}, {"concat_axis": 3}):
        with pytest.raises(IndexError, match="has no axis"):
            D.all_to_all(x, **axes)


@pytest.mark.parametrize("mode", [*CollectiveMode, "GATHER"])
def test_collective_comm(mode: Any) -> None:
    assert D.collective_comm(Tensor([1.0, 2.0]), mode, dist.WORLD, "").numpy().tolist() == [1.0, 2.0]


def test_collective_comm_names_an_unknown_mode() -> None:
    with pytest.raises(ValueError, match="mode='SUM': write one of REDUCE_SUM, "):
        D.collective_comm(Tensor([1.0]), "SUM", dist.WORLD, None)


def test_nobody_to_send_to() -> None:
    with pytest.raises(AssertionError, match="rank 0 is this process itself"):
        D.remote_send(Tensor([1.0]), 0)
    with pytest.raises(AssertionError, match="there is no rank 1"):
        D.remote_recv(1)
    with pytest.raises(TypeError, match="a rank is an int"):
        D.remote_recv("1")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes a Tensor"):
        D.remote_send(1.0, 1)  # type: ignore[arg-type]


def test_bcast_list_keeps_values_and_identity() -> None:
    x = mge.Parameter([1.0, 2.0])
    tensors = [x, Tensor([1])]
    dist.bcast_list_(tensors, dist.WORLD)
    assert tensors[0] is x and [t.numpy().tolist() for t in tensors] == [[1.0, 2.0], [1]]
    with pytest.raises(TypeError, match="bcast_list_ takes Tensors, not float"):
        dist.bcast_list_([1.0])  # type: ignore[list-item]
