"""Gradients: residuals shared, flushes crossed, orders stacked."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from megengine import Parameter, Tensor, graph
from megengine.autodiff import Function, GradManager
from megengine.graph import source
from megengine.graph.recorder import thread


def _grad(f, x: np.ndarray, cut: bool = False) -> np.ndarray:
    t = Tensor(x)
    gm = GradManager().attach(t)
    with gm:
        gm.backward(f(t))
    return t.grad.numpy()


def test_the_forward_is_not_run_again_by_backward() -> None:
    x = Tensor([0.5, 1.0])
    gm = GradManager().attach(x)
    with graph.watch() as seen:
        with gm:
            y = 2.0 ** (x * 3)
            gm.backward(y.sum())
        x.grad.numpy()
    lowered = seen[0].lowered()
    assert lowered.count("stablehlo.power") <= 1


@pytest.mark.parametrize("read_at", [0, 1, 2])
def test_reading_in_the_middle_changes_nothing(read_at: int) -> None:
    def f(x: Tensor) -> Tensor:
        a = x * x + 1
        if read_at == 1:
            a.numpy()
        b = 1 / a
        if read_at == 2:
            print(b)
        return (b * x).sum()

    x = np.float32([0.5, -1.0, 2.0])
    expected = (1 - x * x) / (1 + x * x) ** 2
    np.testing.assert_allclose(_grad(f, x), expected, rtol=2e-5)


def test_across_a_cut_only_what_backward_needs_is_kept() -> None:
    x = Tensor(np.ones((8, 8), np.float32))
    gm = GradManager().attach(x)
    with gm:
        h = x + 1  # needs nothing
        y = h * h  # needs h
        z = y.sum()
        del h
        z.numpy()
        node = z._node.parents[0][0]
        kept = node.kept[1]
        assert len({id(k._value.array) for k in kept}) == 1
        gm.backward(z)
    np.testing.assert_array_equal(x.grad.numpy(), np.full((8, 8), 4))


def test_what_was_kept_is_freed_after_backward() -> None:
    x = Tensor([1.0, 2.0])
    gm = GradManager().attach(x)
    with gm:
        y = (x * x).sum()
        y.numpy()
        array = weakref.ref(y._node.parents[0][0])
        assert array().kept is not None
        gm.backward(y)
    gc.collect()
    assert array() is None or array().kept is None


def test_only_paths_to_attached_tensors_are_visited() -> None:
    a, b = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    gm = GradManager().attach(a)
    with graph.watch() as seen:
        with gm:
            gm.backward((a * 2 + b * b * b).sum())
        a.grad.numpy()
    assert seen[0].recorded().count("vjp of ") == 3
    assert b.grad is None


def test_higher_orders() -> None:
    x = Tensor([2.0, 3.0])
    outer, inner = GradManager().attach(x), GradManager().attach(x)
    with outer:
        with inner:
            inner.backward((x**3).sum())
        first, x.grad = x.grad, None
        outer.backward(first.sum())
    np.testing.assert_allclose(first.numpy(), [12, 27])
    np.testing.assert_allclose(x.grad.numpy(), [12, 18])


def test_third_order_across_cuts() -> None:
    x = Tensor([2.0])
    gms = [GradManager().attach(x) for _ in range(3)]
    with gms[0]:
        with gms[1]:
            with gms[2]:
                y = x**4
                y.numpy()
                gms[2].backward(y)
            g1, x.grad = x.grad, None
            g1.numpy()
            gms[1].backward(g1)
        g2, x.grad = x.grad, None
        gms[0].backward(g2)
    assert (g1.item(), g2.item(), x.grad.item()) == (32, 48, 48)


def test_gradients_accumulate_and_callbacks_change_them() -> None:
    w = Parameter([1.0, 2.0])
    gm = GradManager().attach(w, callbacks=lambda t, g: g * 10)
    for _ in range(2):
        with gm:
            gm.backward((w * w).sum())
    np.testing.assert_array_equal(w.grad.numpy(), [40, 80])


def test_dy_and_several_outputs() -> None:
    x = Tensor([1.0, 2.0])
    gm = GradManager().attach(x)
    with gm:
        gm.backward([x * 2, x * x], [Tensor([1.0, 1.0]), Tensor([10.0, 10.0])])
    np.testing.assert_array_equal(x.grad.numpy(), [22, 42])


def test_bad_cotangents() -> None:
    x = Tensor([1.0, 2.0])
    gm = GradManager().attach(x)
    with pytest.raises(RuntimeError, match=r"shape \(3,\).*\(2,\)"), gm:
        gm.backward(x * 2, Tensor([1.0, 1.0, 1.0]))
    with pytest.raises(RuntimeError, match="1 outputs and 2"), gm:
        gm.backward(x * 2, [Tensor([1.0, 1.0])] * 2)


def test_backward_needs_a_recording() -> None:
    gm = GradManager().attach(Tensor([1.0]))
    with pytest.raises(RuntimeError, match="recording"):
        gm.backward(Tensor([1.0]))
    with gm, pytest.raises(RuntimeError, match="already"):
        gm.record()


def test_attach_refuses_integers_and_others() -> None:
    with pytest.raises(AssertionError, match="int32"):
        GradManager().attach(Tensor([1, 2]))
    with pytest.raises(AssertionError, match="float"):
        GradManager().attach([1.0])


def test_attaching_late_affects_later_ops_only() -> None:
    x = Tensor([1.0, 2.0])
    with GradManager() as gm:
        early = x * 5
        gm.attach(x)
        gm.backward((early + x * 2).sum())
    np.testing.assert_array_equal(x.grad.numpy(), [2, 2])


def test_attaching_what_the_recording_computed_keeps_the_way_behind_it() -> None:
    x = Parameter([1.0, 2.0])
    gm = GradManager().attach(x)
    with gm:
        a = x * 2
        gm.attach(a)
        gm.backward((a * 3).sum())
    assert x.grad.tolist() == [6, 6] and a.grad.tolist() == [3, 3]


def test_managers_hold_tensors_weakly() -> None:
    gm = GradManager()
    x = Tensor([1.0])
    gm.attach(x)
    assert gm.attached_tensors() == [x]
    del x
    gc.collect()
    assert gm.attached_tensors() == []


def test_detach_stops_gradients() -> None:
    x = Tensor([1.0, 2.0])
    gm = GradManager().attach(x)
    with gm:
        gm.backward((x * x.detach()).sum())
    np.testing.assert_array_equal(x.grad.numpy(), [1, 2])


def test_item_assignment_has_gradients() -> None:
    x, v = Tensor([1.0, 2.0, 3.0]), Tensor([5.0])
    gm = GradManager().attach([x, v])
    with gm:
        y = x * 2
        y[1:2] = v * 3
        gm.backward((y * y).sum())
    np.testing.assert_array_equal(x.grad.numpy(), [8, 0, 24])
    np.testing.assert_array_equal(v.grad.numpy(), [90])


def test_a_long_chain_is_differentiated_without_recursion() -> None:
    x = Tensor([1.0, 1.0])
    gm = GradManager().attach(x)
    with gm:
        y = x
        for _ in range(5000):
            y = y + x
        gm.backward(y.sum())
    np.testing.assert_array_equal(x.grad.numpy(), [5001, 5001])


class _Swap(Function):
    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        self.saved = a
        return b * 2, a * a

    def backward(self, db: Tensor, da: Tensor) -> tuple[Tensor | None, Tensor | None]:
        return 2 * self.saved * da, None


def test_function_with_several_inputs_and_none_gradients() -> None:
    a, b = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    gm = GradManager().attach([a, b])
    with gm:
        u, v = _Swap()(a, b)
        gm.backward((u + v).sum())
    np.testing.assert_array_equal(a.grad.numpy(), [2, 4])
    assert b.grad is None
    np.testing.assert_array_equal(u.numpy(), [6, 8])


class _Returns(Function):
    """Passes one or two tensors on; backward returns what it was made with, given the cotangent."""

    def __init__(self, returned: Callable[[Tensor], Any]) -> None:
        self.returned = returned

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a * 2 + b

    def backward(self, dy: Tensor) -> Any:
        return self.returned(dy)


def _gradients_of(returned: Callable[[Tensor], Any]) -> list[Any]:
    a, b = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    gm = GradManager().attach([a, b])
    with gm:
        gm.backward(_Returns(returned)(a, b))
    return [None if x.grad is None else x.grad.tolist() for x in (a, b)]


# What MegEngine 1.13.0 makes of each.
@pytest.mark.filterwarnings(r"ignore:backward\(\) gives no tensor a gradient")
@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (lambda d: (d, d * 2), [[1, 1], [2, 2]]),
        (lambda d: [d, d * 2], [[1, 1], [2, 2]]),
        (lambda d: (g for g in (d, d * 2)), [[1, 1], [2, 2]]),
        (lambda d: (d, d * 2, None), [[1, 1], [2, 2]]),
        (lambda d: [d, d * 2, None, None, None], [[1, 1], [2, 2]]),
        (lambda d: (None, d, None), [None, [1, 1]]),
        (lambda d: None, [None, None]),
        (lambda d: (), [None, None]),
    ],
)
def test_function_may_return_more_nones_than_it_has_inputs(returned: Any, expected: list[Any]) -> None:
    assert _gradients_of(returned) == expected


@pytest.mark.parametrize(
    ("returned", "expected", "said"),
    [
        (lambda d: d, [[1, 1], None], "_Returns.backward returned 1 gradients for 2"),
        (lambda d: (d,), [[1, 1], None], "_Returns.backward returned 1 gradients for 2"),
        (lambda d: (d, None, d), [[1, 1], None], "_Returns.backward returned 3 gradients for 2"),
    ],
)
def test_function_with_another_number_of_gradients_warns_once(
    returned: Any, expected: list[Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_warned", {})
    with pytest.warns(UserWarning, match=said) as seen:
        assert _gradients_of(returned) == _gradients_of(returned) == expected
    assert len(seen) == 1 and seen[0].filename == __file__


@pytest.mark.parametrize("returned", [(2.0,), 2.0, np.ones(2, np.float32), "ab", {0: None}, (None, None, 2.0)])
def test_function_gradients_are_tensors(returned: Any) -> None:
    with pytest.raises(RuntimeError, match=r"_Returns.backward returned (float|float32|str|int) as a gradient"):
        _gradients_of(lambda d: returned)


@pytest.mark.filterwarnings(r"ignore:backward\(\) gives no tensor a gradient")
def test_a_manager_sees_the_backward_of_those_that_began_later() -> None:
    x = Tensor([1.0, 2.0])
    outer, inner = GradManager().attach(x), GradManager().attach(x)
    with outer, inner:
        y = x**3
        outer.backward(y)
        first, x.grad = x.grad, None
        inner.backward(first)
    np.testing.assert_allclose(first.numpy(), [3, 12])
    assert x.grad is None


@pytest.mark.filterwarnings(r"ignore:backward\(\) gives no tensor a gradient")
def test_managers_in_a_group_do_not_see_each_other() -> None:
    x = Tensor([1.0, 2.0])
    a, b = GradManager().attach(x), GradManager().attach(x)
    with a | b:
        y = x**3
        b.backward(y)
        first, x.grad = x.grad, None
        a.backward(first)
    np.testing.assert_allclose(first.numpy(), [3, 12])
    assert x.grad is None


def test_higher_orders_through_a_function() -> None:
    class Cube(Function):
        def forward(self, x: Tensor) -> Tensor:
            self.x = x
            return x * x * x

        def backward(self, dy: Tensor) -> Tensor:
            return 3 * self.x * self.x * dy

    x = Tensor([2.0])
    outer, inner = GradManager().attach(x), GradManager().attach(x)
    with outer:
        with inner:
            inner.backward(Cube()(x))
        first, x.grad = x.grad, None
        outer.backward(first)
    assert (first.item(), x.grad.item()) == (12, 12)


def test_function_takes_tensors() -> None:
    with pytest.raises(TypeError, match="op _Swap expect type Tensor as inputs, got float as argument 0"):
        _Swap()(1.0, Tensor([1.0]))


def test_a_manager_dropped_while_recording_stops() -> None:
    x = Tensor([1.0, 2.0])
    gm = GradManager().attach(x)
    gm.record()
    assert len(thread.recorder.tapes) == 1
    del gm
    assert not thread.recorder.tapes


def test_a_function_may_return_other_things_than_tensors() -> None:
    class Doubled(Function):
        def forward(self, x: Tensor) -> Any:
            return x * 2, 3, None, {"a": 1}

        def backward(self, *grads: Tensor | None) -> Any:
            assert grads[1:] == (None, None, None)
            return grads[0] * 2

    x = Tensor([1.0, 2.0])
    gm = GradManager().attach(x)
    with gm:
        y, *others = Doubled()(x)
        gm.backward(y.sum())
    assert others == [3, None, {"a": 1}]
    np.testing.assert_array_equal(x.grad.numpy(), [2, 2])


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "float16"])
def test_cotangents_have_the_dtype_of_their_output(dtype: str) -> None:
    """Those of integers made gradients of float64, those of bools a gradient of bools."""
    x, y = Tensor([1.0, 2.0]), Tensor([1.0, 2.0], dtype="float16")
    gm = GradManager().attach([x, y])
    with gm:
        ones = Tensor([1, 1], dtype=dtype)
        gm.backward([x * x, y * y, (x * 3)], [ones, ones, Tensor([True, False])])
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float16)
    np.testing.assert_array_equal(x.grad.numpy(), [5, 4])
    np.testing.assert_array_equal(y.grad.numpy(), [2, 4])


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float16"])
def test_function_gradients_have_the_dtype_of_their_tensor(dtype: str) -> None:
    a, b = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    gm = GradManager().attach([a, b])
    with gm:
        gm.backward(_Returns(lambda d: (d.astype(dtype), d.astype(dtype)))(a * a, b))
    assert a.grad.dtype == b.grad.dtype == np.float32
    np.testing.assert_array_equal(a.grad.numpy(), [2, 4])


def test_a_gradient_of_another_shape_is_told() -> None:
    class Doubled(Function):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2

        def backward(self, d: Tensor) -> Tensor:
            return Tensor(np.ones(5, np.float32))

    w = Parameter([1.0])
    gm = GradManager().attach([w])
    with gm, pytest.warns(UserWarning, match=r"Doubled.backward returned a gradient of shape \(5,\) .* shape \(1,\)"):
        gm.backward(Doubled()(w).sum())
