"""The faces of MegEngine's operators: what the recorded answers of golden/cases/core_ops.py do not show."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from megengine import Tensor, config, graph
from megengine.autodiff import Function, GradManager
from megengine.core import _config
from megengine.core._imperative_rt import CompNode, Logger, OpDef, ops
from megengine.core._imperative_rt.core2 import (
    Const,
    TensorWeakRef,
    apply,
    config_async_level,
    get_async_level,
    get_device,
)
from megengine.core._wrap import Device, as_device
from megengine.core.ops import builtin
from megengine.core.tensor.array_method import ArrayMethodMixin
from megengine.core.tensor.utils import get_convert_inputs, set_convert_inputs, subgraph, subgraph_fn


def test_operators_are_the_same_under_both_paths() -> None:
    assert ops.Elemwise is builtin.Elemwise
    assert issubclass(builtin.Reduce, OpDef)


def test_choices_and_operators_survive_pickling() -> None:
    mode = pickle.loads(pickle.dumps(builtin.Elemwise.Mode.ADD))
    assert mode == builtin.Elemwise.Mode.ADD and repr(mode) == "Elemwise.Mode.ADD"
    op = builtin.Reduce("max", axis=1, keepdim=False)
    again = pickle.loads(pickle.dumps(op))
    assert again == op and {op: 1}[again] == 1 and again != builtin.Reduce("max", axis=0, keepdim=False)


@pytest.mark.parametrize(
    ("write", "error", "text"),
    [
        (lambda x: builtin.Elemwise("averege"), RuntimeError, "Elemwise has no mode 'averege'; there are .*ADD"),
        (lambda x: builtin.Reduce(dim=1), TypeError, "Reduce has no setting 'dim'; it has mode, axis"),
        (lambda x: builtin.Dimshuffle(1), TypeError, "Dimshuffle takes a list as pattern, not 1"),
        (lambda x: apply(builtin.Elemwise, x), TypeError, "the class Elemwise: make an operator of it first"),
        (lambda x: apply("add", x, x), TypeError, "apply takes an operator .*not 'add'"),
        (lambda x: apply(builtin.TypeCvt(), x), RuntimeError, "TypeCvt has no dtype"),
        (lambda x: apply(builtin.Reshape(), [1.0], x), TypeError, "Reshape takes tensors, not list"),
        (
            lambda x: apply(builtin.Convolution(stride_h=2), x, x),
            NotImplementedError,
            "call megengine.functional.conv2d",
        ),
        (lambda x: apply(builtin.Subtensor(items=[(3, True, False, False, False)]), x, x), RuntimeError, "for axis 3"),
    ],
)
def test_a_mistake_is_named(write, error, text) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=text):
        write(Tensor([1.0, 2.0]))


def test_operators_that_functional_computes_can_be_named_and_compared() -> None:
    op = builtin.Pooling(window_h=2, mode="MAX")
    assert isinstance(op, builtin.Pooling) and op.window_h == 2
    assert op == builtin.Pooling(mode="MAX", window_h=2) != builtin.Pooling(window_h=3)


def test_a_function_of_the_users_own_is_applied() -> None:
    class Twice(Function):
        def forward(self, x):  # type: ignore[no-untyped-def]
            return x * 2

        def backward(self, dy):  # type: ignore[no-untyped-def]
            return dy * 2

    x = Tensor([1.0, 3.0])
    with GradManager().attach(x) as manager:
        (y,) = apply(Twice(), x)
        manager.backward(y.sum())
    assert y.tolist() == [2.0, 6.0] and x.grad.tolist() == [2.0, 2.0]


def test_intersections_of_boxes_as_one_expression() -> None:
    """The shape of detectors' expressions: columns picked, extremes, products."""

    def column(f, boxes, k, c):  # type: ignore[no-untyped-def]
        return f(builtin.Subtensor(items=[[2, False, False, False, True]]), boxes, c(k, dtype="int32"))

    @subgraph("overlap", "float32", "xpux", 2, gopt_level=2)
    def overlap(inputs, f, c):  # type: ignore[no-untyped-def]
        a, b = inputs
        a, b = f(builtin.AddAxis(axis=[1]), a), f(builtin.AddAxis(axis=[0]), b)
        sides = []
        for low, high in ((0, 2), (1, 3)):
            end = f(builtin.Elemwise(mode=builtin.Elemwise.Mode.MIN), column(f, a, high, c), column(f, b, high, c))
            start = f("max", column(f, a, low, c), column(f, b, low, c))
            sides.append(f("max", f("-", end, start), c(0, dtype="float32")))
        return [f("*", *sides)], [False]

    a = np.array([[0, 0, 4, 4], [2, 2, 6, 6]], "float32")
    b = np.array([[1, 1, 3, 3], [5, 5, 9, 9], [0, 0, 1, 1]], "float32")
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    expected = np.clip(high - low, 0, None).prod(-1)
    np.testing.assert_array_equal(apply(overlap(), Tensor(a), Tensor(b))[0].numpy(), expected)


def test_shapes_within_an_expression_wait_for_nothing() -> None:
    @subgraph_fn("rows_first", "float32", "xpux", 1)
    def flat(inputs, f, c):  # type: ignore[no-untyped-def]
        (x,) = inputs
        sizes = [f(builtin.GetVarShape(axis=k), x) for k in range(3)]
        shape = f(builtin.Concat(axis=0), f("*", sizes[0], sizes[1]), sizes[2])
        diagonal = f(
            builtin.TypeCvt("int32"), f(builtin.Linspace(), c(0), f(builtin.Elemwise("SUB"), sizes[2], c(1)), sizes[2])
        )
        rows = f(builtin.Reshape(), x, shape)
        return (f(builtin.IndexingMultiAxisVec([(1, False, False, False, True)]), rows, diagonal),), (True,)

    value = np.arange(24, dtype="float32").reshape(2, 3, 4)
    pending = Tensor(value) * 1.0
    before = graph.counters.snapshot()["flushes"]
    (y,) = flat(pending)
    assert graph.counters.snapshot()["flushes"] == before
    np.testing.assert_array_equal(y.numpy(), value.reshape(6, 4))


def test_an_expression_with_a_gradient_of_its_own() -> None:
    @subgraph_fn("scaled", "float32", "xpux", 2, custom_grad=True)
    def scaled(inputs, f, c):  # type: ignore[no-untyped-def]
        x, y = inputs
        dx_of, dy_of = yield (f("*", x, y), f("+", x, y))
        yield (f("+", f("*", dx_of, y), dy_of), None)

    x, y = Tensor([1.0, 2.0]), Tensor([3.0, 5.0])
    with GradManager().attach([x, y]) as manager:
        product, _ = scaled(x, y)
        manager.backward(product.sum())
    assert product.tolist() == [3.0, 10.0]
    assert x.grad.tolist() == [3.0, 5.0] and y.grad is None


def test_expressions_say_what_is_wrong() -> None:
    @subgraph_fn("bad", "float32", "xpux", 1)
    def bad(inputs, f, c):  # type: ignore[no-untyped-def]
        return (f("relu9", inputs[0]),), (True,)

    with pytest.raises(ValueError, match="'relu9'"):
        bad(Tensor([1.0]))
    with pytest.raises(TypeError, match="bad takes 1 tensors, got 2"):
        bad(Tensor([1.0]), Tensor([1.0]))


def test_settings_by_the_internal_names() -> None:
    setattr(_config, "__compute_mode", "float32")
    assert config._compute_mode == "float32" == getattr(_config, "__compute_mode")  # type: ignore[attr-defined]
    setattr(_config, "__compute_mode", "default")
    with _config._override(async_level=1):
        assert config.async_level == 1 == get_async_level()
    config_async_level(2)
    with pytest.raises(AssertionError, match="async_level"):
        config_async_level(3)
    assert set_convert_inputs(False) is True and get_convert_inputs() is False
    assert set_convert_inputs(True) is False


def test_devices_references_and_the_log() -> None:
    x = Const([1.0], "float32", "cpu0")
    assert get_device([2, x]) == "cpu0" == CompNode("cpu0")
    assert as_device(Device("cpu0")).to_c() == "cpu0" and Device("cpu0") == "cpu0" != Device()
    reference = TensorWeakRef(x)
    assert reference() is x
    assert isinstance(x, ArrayMethodMixin)
    before = Logger.set_log_level(Logger.LogLevel.Error)
    assert Logger().set_log_level(before) == Logger.LogLevel.Error


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("sum", [3.0, 12.0]),
        ("sum_sqr", [5.0, 50.0]),
        ("product", [0.0, 60.0]),
        ("min", [0.0, 3.0]),
        ("mean", [1.0, 4.0]),
    ],
)
def test_a_reduction_to_a_shape(mode: str, expected: list[float]) -> None:
    x = Tensor(np.arange(6, dtype=np.float32).reshape(2, 3))
    (y,) = apply(builtin.Reduce(mode), x, Tensor([2, 1]))
    assert y.shape == (2, 1) and y.flatten().tolist() == expected  # recorded from MegEngine 1.13
    with pytest.raises(RuntimeError, match=r"cannot reduce a tensor of shape \(2, 3\) to \(3, 1\)"):
        apply(builtin.Reduce(mode), x, Tensor([3, 1]))


def test_adding_at_places_that_come_twice() -> None:
    """Values and gradients recorded from MegEngine 1.13."""
    x, value = Tensor(np.arange(6, dtype=np.float32).reshape(2, 3)), Tensor(np.ones((2, 3)))
    add = builtin.IndexingIncrMultiAxisVec(items=[(1, False, False, False, True)])
    with GradManager().attach([x, value]) as gm:
        (y,) = apply(add, x, value, Tensor([0, 2, 2]))
        gm.backward((y * y).sum())
    assert y.tolist() == [[1.0, 1.0, 4.0], [4.0, 4.0, 7.0]]
    assert x.grad.tolist() == [[2.0, 2.0, 8.0], [8.0, 8.0, 14.0]]
    assert value.grad.tolist() == [[2.0, 8.0, 8.0], [8.0, 14.0, 14.0]]
