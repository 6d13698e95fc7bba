"""Results whose size depends on numbers, in dumps: the same as the function gives, for inputs that leave other sizes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor
from megengine.jit import trace
from megengine.utils.comp_graph_tools import GraphInference
from megengine.utils.network import Network

RNG = np.random.default_rng(0)


def boxes(count: int) -> Any:
    found = RNG.random((count, 5), np.float32)
    found[:, 2:4] += found[:, :2]
    return found


def detected(x: Any) -> Any:
    scores = x[:, 4]
    _, index = F.cond_take(scores > 0.3, scores)
    kept = F.vision.nms(x[index, :4], scores[index], 0.5, 10)
    return F.concat([x[index][kept], F.expand_dims(scores[index][kept], 1)], 1)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "detection": detected,
    "all boxes": lambda x: F.vision.nms(x[:, :4], x[:, 4], 0.3),
    "cond_take": lambda x: F.cond_take(x > 0.5, x)[0] * 2,
    "places": lambda x: F.cond_take(x > 0.5, x)[1],
    "non_zero": lambda x: F.non_zero(x > 0.5),
    "non_zero along axes": lambda x: F.stack(list(F.non_zero(x > 0.5, as_tuple=True))),
    "rows under a mask": lambda x: x[x[:, 0] > 0.5],
    "elements under a mask": lambda x: x[x > 0.5],
    "a mask behind a slice": lambda x: x[:3, x[0] > 0.2],
    "set under a mask": lambda x: _set(x),
    "reshaped": lambda x: x[x[:, 0] > 0.5].reshape(-1),
    "broadcast": lambda x: F.broadcast_to(F.expand_dims(x[x[:, 0] > 0.5], 0), (2, *x[x[:, 0] > 0.5].shape)),
    "first and last": lambda x: F.stack([x[x[:, 0] > 0.1][-1], x[x[:, 0] > 0.1][0]]),
    "sliced further": lambda x: x[x[:, 0] > 0.1][:4, 1:-1],
    "indexed from the end": lambda x: x[x[:, 0] > 0.1][Tensor([-1, 0])],
    "twice": lambda x: _twice(x),
}


def _set(x: Any) -> Any:
    y = F.copy(x)
    y[y > 0.5] = 0.25
    return y


def _twice(x: Any) -> Any:
    y = x[x[:, 0] > 0.2]
    return y[y[:, 1] > 0.4].sum(0)


def dumped(function: Callable[[Any], Any], data: Any, symbolic: bool = True) -> tuple[Any, bytes]:
    traced = trace(function, symbolic=symbolic, capture_as_const=True)
    result = traced(Tensor(data))
    file = io.BytesIO()
    traced.dump(file, arg_names=["x"], output_names=["y"])
    return result, file.getvalue()


@pytest.mark.parametrize("symbolic", [True, False], ids=["symbolic", "imperative"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_same_as_the_function(name: str, symbolic: bool) -> None:
    function = FUNCTIONS[name]
    data = boxes(30)
    result, file = dumped(function, data, symbolic)
    np.testing.assert_array_equal(result.numpy(), function(Tensor(data)).numpy())
    graph = GraphInference(io.BytesIO(file))
    for count in (30, 12, 45):
        other = boxes(count)
        np.testing.assert_array_equal(graph.run(other)["y"], function(Tensor(other)).numpy(), err_msg=str(count))


def test_nothing_is_left() -> None:
    result, file = dumped(detected, boxes(20))
    assert result.shape[0]
    none = boxes(9)
    none[:, 4] = 0
    assert GraphInference(io.BytesIO(file)).run(none)["y"].shape == (0, 6)


def test_the_file_says_so() -> None:
    """Such files are of version 2, which older readers refuse; others stay what they were."""
    for function, version in ((FUNCTIONS["cond_take"], 2), (lambda x: x * 2, 1)):
        _, file = dumped(function, boxes(5))
        archive = zipfile.ZipFile(io.BytesIO(file))
        assert json.loads(archive.read("format.json"))["version"] == version
        lines = [json.loads(line) for line in archive.read("graph.jsonl").decode().splitlines()]
        assert any(line.get("op") == "true_places" for line in lines) == (version == 2)


def test_edited() -> None:
    _, file = dumped(FUNCTIONS["rows under a mask"], boxes(20))
    graph = Network.load(io.BytesIO(file))
    y = graph.get_var_by_name("y")
    total = F.sum(y, axis=0)
    total.name = "total"
    graph.add_output(total)
    changed = io.BytesIO()
    graph.dump(changed)
    data = boxes(11)
    found = GraphInference(io.BytesIO(changed.getvalue())).run(data)
    np.testing.assert_allclose(found["total"], data[data[:, 0] > 0.5].sum(0), rtol=1e-6)


def test_nms_is_the_same_in_a_graph() -> None:
    """Equal scores, NaN and touching boxes: the op against what programs get."""
    data = np.round(boxes(60) * 4) / 4
    data[7, 4] = np.nan
    for limit in (None, 5, 100):
        plain = F.vision.nms(Tensor(data[:, :4]), Tensor(data[:, 4]), 0.4, limit).numpy()
        _, file = dumped(lambda x, limit=limit: F.vision.nms(x[:, :4], x[:, 4], 0.4, limit), data)
        np.testing.assert_array_equal(GraphInference(io.BytesIO(file)).run(data)["y"], plain)


def test_a_symbolic_trace_that_is_not_kept() -> None:
    traced = trace(FUNCTIONS["rows under a mask"], symbolic=True)
    for _ in range(3):
        data = boxes(10)
        np.testing.assert_array_equal(traced(Tensor(data)).numpy(), data[data[:, 0] > 0.5])


INT, X = np.int32, np.arange(12, dtype=np.float32).reshape(3, 4)
# What is given besides numbers are sizes: a function, a call, and another call.
GIVEN: dict[str, tuple[Callable[..., Any], tuple[Any, ...], tuple[Any, ...]]] = {
    "reshape": (lambda x, sizes: F.reshape(x, sizes), (X, INT([2, 6])), (X, INT([4, -1]))),
    "reshape, one of them": (lambda x, n: x.reshape(n, -1), (X, INT([2])), (X, INT([4]))),
    "broadcast_to": (lambda x, sizes: F.broadcast_to(x, sizes) * 2, (X, INT([2, 3, 4])), (X, INT([5, 3, 4]))),
    "broadcast_to, one of them": (lambda x, n: F.broadcast_to(x, (n * 2, None, 4)), (X, INT([2])), (X, INT([1]))),
    "arange": (lambda start, stop: F.arange(start, stop, 2), (INT([1]), INT([9])), (INT([0]), INT([5]))),
    "arange by": (lambda by, stop: F.arange(0, stop, by), (np.float32([0.5]), INT([2])), (np.float32([0.3]), INT([3]))),
    "linspace": (lambda start, n: F.linspace(start, 9, n), (np.float32([1]), INT([9])), (np.float32([3]), INT([1]))),
}


@pytest.mark.parametrize("name", GIVEN)
def test_sizes_that_are_given(name: str) -> None:
    function, first, then = GIVEN[name]
    traced = trace(function, symbolic=name != "arange", capture_as_const=True)
    traced(*map(Tensor, first))
    file = io.BytesIO()
    traced.dump(file, output_names=["y"])
    graph = GraphInference(io.BytesIO(file.getvalue()))
    for args in (first, then):
        found, wanted = graph.run(*args)["y"], function(*map(Tensor, args)).numpy()
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_sizes_from_outside_stay_what_they_are() -> None:
    """A constant needs no op of its own, so the file is of version 1 and follows other batches."""
    sizes = Tensor(INT([3, 2, 2]))
    _, file = dumped(lambda x: F.reshape(x, sizes), X)
    assert json.loads(zipfile.ZipFile(io.BytesIO(file)).read("format.json"))["version"] == 1
    assert GraphInference(io.BytesIO(file)).run(np.zeros((5, 4), np.float32))["y"].shape == (5, 2, 2)
