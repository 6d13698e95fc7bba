"""trace(symbolic=True): the function is one graph, and says so in MegEngine's words where it is not."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.jit import TraceError, exclude_from_trace, trace
from megengine.optimizer import SGD

from .programs import PROGRAMS


@pytest.mark.parametrize(
    ("first", "then", "words", "note"),
    [
        ("a + b + c", "a + b - c", "operator mismatch", "operation 1 was add at .*, now it is sub at "),
        (
            "a + b + c",
            "c + (a + b)",
            "expect internal node, got external",
            "an operand of it comes from elsewhere: operation 1",
        ),
        (
            "c + (a + b)",
            "a + b + c",
            "expect external node, got internal",
            "an operand of it comes from elsewhere: operation 1",
        ),
        ("a + b + c", "a + b + c + c", "too many instructions", "there was no add of "),
        ("((a + b), (b + c))[0]", "a + b", "mismature end", "there was add of "),
        (
            "((a + b), (b + c))[1] + a",
            "((a + b), (b + c))[0] + a",
            "input id mismatch",
            "an operand of it comes from elsewhere",
        ),
        ("F.exp(a).sum()", "F.exp(a).max()", "operator mismatch", "operation 1 was sum .* now it is max"),
    ],
)
def test_a_call_that_records_other_operations_is_an_error(first: str, then: str, words: str, note: str) -> None:
    a, b, c = Tensor([1.0, 2.0]), Tensor([5.0, 6.0]), Tensor([9.0, 0.0])
    mismatch = False

    @trace(symbolic=True)
    def f(a: Tensor, b: Tensor, c: Tensor) -> Any:
        return eval(then) if mismatch else eval(first)

    rng = random.Random(3)
    for _ in range(20):
        if mismatch:
            with pytest.raises(TraceError) as caught:
                f(a, b, c)
            assert str(caught.value) == f"trace error because {words}"
            assert re.match(note, caught.value.__notes__[0])
        else:
            np.testing.assert_array_equal(f(a, b, c).numpy(), eval(first).numpy())
        mismatch = rng.random() > 0.7


def test_the_error_names_both_lines() -> None:
    other = False

    @trace(symbolic=True)
    def f(x: Tensor) -> Tensor:
        if other:
            return F.cos(x)
        return F.sin(x)

    f(Tensor([1.0]))
    other = True
    with pytest.raises(TraceError) as caught:
        f(Tensor([1.0]))
    line = f.__wrapped__.__code__.co_firstlineno
    found = re.findall(r"(\w+) at [^,]*test_symbolic.py:(\d+)", caught.value.__notes__[0])
    assert [(name, int(number) - line) for name, number in found] == [("sin", 4), ("cos", 3)]


def test_every_tensor_is_as_before_the_call_that_fails() -> None:
    p = Parameter([1.0])
    gm, opt = GradManager().attach([p]), SGD([p], lr=0.5, momentum=0.9)
    state, late = Tensor([3.0]), False

    @trace(symbolic=True)
    def step(x: Tensor) -> Tensor:
        with gm:
            loss = (p * x).sum()
            gm.backward(loss)
        opt.step()
        state[...] = state * 2
        return loss - 1 if late else loss + 1

    def everything() -> list[Any]:
        momentum = opt.state_dict()["state"][0]["momentum_buffer"]
        return [p.item(), p.grad.item(), state.item(), momentum.item()]

    p.grad = Tensor([0.0])
    for _ in range(3):
        step(Tensor([2.0]))
    before = everything()
    for late in (True, False, True):
        if late:
            with pytest.raises(TraceError):
                step(Tensor([2.0]))
            assert everything() == before
        else:
            step(Tensor([2.0]))
            assert everything() != before
            before = everything()


def test_its_step_is_the_imperative_program_and_overwrites_parameters() -> None:
    def make() -> tuple[Callable[[Tensor], Tensor], list[Parameter]]:
        net = M.Sequential(M.Linear(64, 64), M.ReLU(), M.Linear(64, 1))
        for p in net.parameters():
            p[...] = np.full(p.shape, 0.01, np.float32)
        gm, opt = GradManager().attach(net.parameters()), SGD(net.parameters(), lr=0.1)

        def step(x: Tensor) -> Tensor:
            with gm:
                loss = (net(x) ** 2).mean()
                gm.backward(loss)
            opt.step().clear_grad()
            return loss

        return step, list(net.parameters())

    def train(step: Callable[[Tensor], Tensor]) -> list[float]:
        return [step(Tensor(np.ones((8, 64), np.float32))).item() for _ in range(4)]

    plain, p = make()
    expected = train(plain)
    compiled, donated = graph.counters.compilations.total(), graph.counters.bytes_donated
    step, q = make()
    assert train(trace(step, symbolic=True)) == expected
    assert graph.counters.compilations.total() - compiled <= 1
    assert graph.counters.bytes_donated - donated >= 3 * sum(t.numpy().nbytes for t in q)
    for a, b in zip(p, q, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_program_does_what_it_does_without_trace_or_says_that_it_changed(name: str) -> None:
    try:
        got = PROGRAMS[name](trace(symbolic=True))
    except TraceError:
        pass
    else:
        assert str(got) == str(PROGRAMS[name](lambda f: f))


VALID = [  # MegEngine runs these under symbolic=True, too
    "state_in_an_attribute",
    "state_in_a_module",
    "state_in_a_closure",
    "losses_in_a_list",
    "a_replaced_parameter",
    "a_learning_rate",
    "numpy_random_data",
    "random_numbers_of_the_package",
    "gradients_that_accumulate",
    "an_array_changed_in_place",
    "returns_what_it_got",
]


@pytest.mark.parametrize("name", VALID)
def test_programs_of_one_graph_are_no_error(name: str) -> None:
    assert str(PROGRAMS[name](trace(symbolic=True))) == str(PROGRAMS[name](lambda f: f))


READS: dict[str, Callable[[Tensor], Any]] = {
    "numpy": lambda y: y.numpy(),
    "item": lambda y: y.item(),
    "item of an index": lambda y: y.reshape(1).item(0),
    "tolist": lambda y: y.tolist(),
    "bool": lambda y: 1 if y else 0,
    "int": int,
    "float": float,
    "index": lambda y: [1, 2, 3][y.astype("int32")],
    "print": lambda y: print(y),
    "repr": repr,
    "format": lambda y: f"{y}",
    "NumPy": np.asarray,
}


@pytest.mark.parametrize("name", READS)
def test_reading_what_the_function_computes_is_an_error(name: str) -> None:
    f = trace(lambda x: (x * 2, READS[name](x * 1)), symbolic=True)
    for _ in range(3):
        with pytest.raises(TraceError, match="symbolic") as caught:
            f(Tensor(1.0))
        assert isinstance(caught.value, ValueError)
    assert (Tensor([1.0]) + 1).item() == 2


def test_reading_it_after_the_optimizers_step_is_an_error_too() -> None:
    p = Parameter([1.0])
    gm, opt = GradManager().attach([p]), SGD([p], lr=0.1)

    @trace(symbolic=True)
    def step(x: Tensor) -> Any:
        with gm:
            loss = (p * x).sum()
            gm.backward(loss)
        opt.step().clear_grad()
        return loss.item()

    with pytest.raises(TraceError, match="symbolic"):
        step(Tensor([1.0]))


def test_what_is_from_outside_may_be_read() -> None:
    w = Tensor([3.0])
    pending = w * 2

    @trace(symbolic=True)
    def f(x: Tensor) -> Tensor:
        return x * w.item() + x.item() + Tensor([1.0]).item() + pending.item()

    for k in range(4):
        w[...] = float(k)
        assert f(Tensor([2.0])).item() == 2 * k + 2 + 1 + 6


def test_functions_may_need_values_inside() -> None:
    @trace(symbolic=True)
    def f(x: Tensor) -> Any:
        positive, places = F.cond_take(x > 0, x)
        shape = F.concat([Tensor([2], dtype="int32"), (x.sum() * 0 + 3).reshape(1).astype("int32")])
        return positive * 2, places, x.reshape(shape), x[x > 2]

    for k in range(4):
        data = np.float32([1.0, -1.0, k, 3.0, -4.0, 5.0])
        taken, places, shaped, larger = f(Tensor(data))
        np.testing.assert_array_equal(taken.numpy(), data[data > 0] * 2)
        np.testing.assert_array_equal(places.numpy(), np.flatnonzero(data > 0))
        np.testing.assert_array_equal(shaped.numpy(), data.reshape(2, 3))
        np.testing.assert_array_equal(larger.numpy(), data[data > 2])


def test_shapes_and_dtypes_of_arguments_are_kinds_of_their_own() -> None:
    @trace(symbolic=True)
    def f(x: Tensor) -> Tensor:
        return x.reshape(1, -1) if x.ndim == 1 else F.exp(x).sum() / x.shape[0]

    for _ in range(2):
        for shape in [(3,), (2, 3), (4, 3), (3,), (1, 3)]:
            wanted = np.ones((1, 3)) if shape == (3,) else 3 * np.e
            np.testing.assert_allclose(f(F.ones(shape)).numpy(), wanted, rtol=1e-6)
        assert f(F.ones((2,), dtype="int32")).dtype == np.int32


def test_parts_excluded_may_differ() -> None:
    calls = 0

    @trace(symbolic=True)
    def f(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        x = x * 2
        with exclude_from_trace():
            if calls % 2:
                x = F.relu(x) + calls
        return x - 1

    assert [f(Tensor([1.0])).item() for _ in range(4)] == [2, 1, 4, 1]


def test_inside_and_around_a_recording() -> None:
    p = Parameter([3.0])
    gm = GradManager().attach([p])
    square = trace(lambda x: x * x * p, symbolic=True)
    for _ in range(3):
        with gm:
            gm.backward(square(Tensor([2.0])) * 2)
        assert p.grad.item() == 8
        p.grad = None


def test_arguments_and_results_that_become_constants() -> None:
    f = trace(lambda x, **kw: x * 2, capture_as_const=True)
    assert f(Tensor([1.0]), k=3).item() == 2
    with pytest.raises(AssertionError, match="Only support tensor type args"):
        f(1)
    for result in (1, [Tensor([1.0]), 2], {"a": "b"}):
        with pytest.raises(AssertionError, match="Only support return tensors"):
            trace(lambda x, r=result: r, capture_as_const=True)(Tensor([1.0]))
    assert trace(lambda x: None, capture_as_const=True)(Tensor([1.0])) is None


def test_record_only_runs_nothing_until_a_value_is_read() -> None:
    @trace(record_only=True)
    def f(x: Tensor) -> Tensor:
        return F.exp(x) * 2

    before = graph.counters.snapshot()["flushes"]
    y = f(Tensor([0.0]))
    assert y.shape == (1,) and graph.counters.snapshot()["flushes"] == before
    assert y.item() == 2
    with pytest.raises(TraceError):
        trace(lambda x: (x * 2).item(), record_only=True)(Tensor([1.0]))


@pytest.mark.parametrize("settings", [{}, {"symbolic": True}, {"capture_as_const": True}, {"without_host": True}], ids=str)
def test_shapes_inside_give_themselves_as_arrays(settings: dict[str, bool]) -> None:
    """As programs for MegEngine write it, whose shapes are tensors there; outside they are tuples and nothing else."""

    @trace(**settings)
    def flat(x):
        n, *rest = x.shape.numpy()
        return x.reshape(int(n), int(np.prod(rest)))

    assert flat(Tensor(np.zeros((2, 3, 4), np.float32))).shape == (2, 12)
    assert type(Tensor([1.0]).shape) is tuple

    @trace(symbolic_shape=False, **settings)
    def plain(x):
        return x * float(type(x.shape) is tuple)

    assert plain(Tensor([3.0])).numpy().tolist() == [3.0]
