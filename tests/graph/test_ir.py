"""Functions: what is recorded as data, verified, printed, and made into others by passes."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import passes
from megengine.graph.errors import VerificationError
from megengine.graph.inspect import Ran
from megengine.graph.ir import Equation, Function, Residuals, Var, VjpEquation
from megengine.graph.lower import Plan
from megengine.optimizer import SGD, Adam


def recorded(compute: Callable[[], Any]) -> Ran:
    graph.flush("option")
    with graph.watch() as seen:
        kept = compute()
    assert kept is not None and len(seen) == 1
    return seen[0]


def run(function: Function, *inputs: np.ndarray, floats: list[float] | None = None) -> list[np.ndarray]:
    """The results, by the interpreter."""
    numbers = [np.array(floats, np.float32)] if function.floats else []
    plan = Plan(function, len(function.outputs), False)
    return list(map(np.asarray, plan.callable(np, attrgetter("interpreted"))(*numbers, *inputs)))


@pytest.fixture
def step() -> Ran:
    net = M.Sequential(M.Linear(3, 4), M.ReLU(), M.Linear(4, 2))
    manager, optimizer = GradManager().attach(net.parameters()), SGD(net.parameters(), lr=0.5)
    x = Tensor(np.ones((5, 3), np.float32))

    def train() -> Any:
        with manager:
            loss = F.square(net(x)).sum()
            manager.backward(loss)
        optimizer.step().clear_grad()
        return net

    return recorded(train)


def test_a_step_is_equations_with_names_lines_and_scopes(step: Ran) -> None:
    function = step.function.verify()
    assert {"0.weight", "0.bias", "2.weight", "2.bias"} <= {v.name for v in function.inputs}
    linear = next(e for e in function.equations if e.name == "linear")
    assert isinstance(linear, Equation) and linear.attributes == {}
    assert linear.source.rpartition(":")[0].endswith("test_ir.py") and linear.scope == ("Sequential", "0")
    vjps = [e for e in function.equations if isinstance(e, VjpEquation)]
    assert vjps and all(v.of in function.equations for v in vjps)
    text = str(function)
    assert (
        "vjp of linear" in text
        and "wrt" in text
        and "0.weight: float32[4,3] = input" in text
        and "in Sequential.0" in text
    )
    assert "3 equations" not in repr(function) and f"{len(function.equations)} equations" in repr(function)


def test_a_cache_hit_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = Tensor([1.0, 2.0])
    (x * 3 + 17).numpy()

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("built a function")

    monkeypatch.setattr("megengine.graph.program.build", refuse)
    np.testing.assert_array_equal((x * 3 + 17).numpy(), [20, 23])


def test_users_and_producer(step: Ran) -> None:
    function = step.function
    producer, users = function.producer(), function.users()
    for var, equations in users.items():
        assert all(var in e.reads() for e in equations)
    for equation in function.equations:
        assert all(producer[out] is equation for out in equation.outputs)
    assert not producer.keys() & set(function.inputs)


def test_names_are_distinct_and_those_of_two_networks_are_told_apart() -> None:
    one, two = M.Linear(2, 2, name="first"), M.Linear(2, 2, name="second")
    x = Tensor(np.ones((1, 2), np.float32))
    function = recorded(lambda: two(one(x)).numpy()).function
    names = {v.name for v in function.inputs if v.name}
    assert {"first.weight", "second.weight"} <= names


def test_the_state_of_an_optimizer_goes_by_its_parameter() -> None:
    net = M.Linear(3, 2)
    manager, optimizer = GradManager().attach(net.parameters()), Adam(net.parameters(), lr=0.1)

    def train() -> Any:
        with manager:
            manager.backward(net(Tensor(np.ones((4, 3), np.float32))).sum())
        optimizer.step().clear_grad()
        return optimizer

    train()
    names = {v.name for v in recorded(train).function.inputs}
    assert {"weight", "weight.exp_avg", "bias.exp_avg_sq", "bias.step"} <= names


# What a faulty pass may do to a function, and what verify says of it.
def _before(f: Function) -> Function:
    return f.having(equations=(*f.equations[1:], f.equations[0]))


def _twice(f: Function) -> Function:
    return f.having(equations=(*f.equations, f.equations[-1]))


def _undefined(f: Function) -> Function:
    return f.having(outputs=(*f.outputs, Var(f.inputs[0].aval)))


def _wrong_shape(f: Function) -> Function:
    first = f.equations[0]
    assert isinstance(first, Equation)
    other = next(v.aval for v in f.inputs if v.aval is not first.outputs[0].aval)
    new = (Var(other), *first.outputs[1:])
    return f.having(equations=(first.with_vars(first.inputs, new), *f.equations[1:]))


def _other_operands(f: Function) -> Function:
    first = f.equations[0]
    assert isinstance(first, Equation)
    inputs = tuple(reversed(first.inputs))
    return f.having(equations=(first.with_vars(inputs, first.outputs), *f.equations[1:]))


def _dangling(f: Function) -> Function:
    k = next(k for k, e in enumerate(f.equations) if isinstance(e, VjpEquation))
    vjp = f.equations[k]
    assert isinstance(vjp, VjpEquation)
    stranger = vjp.of.with_vars(vjp.of.inputs, vjp.of.outputs)
    return f.having(
        equations=(*f.equations[:k], vjp.with_vars(vjp.cotangents, vjp.outputs, stranger), *f.equations[k + 1 :])
    )


def _kept(f: Function) -> Function:
    first = f.equations[0]
    assert isinstance(first, Equation)
    return f.having(residuals=[Residuals(first.with_vars(first.inputs, first.outputs), (0,))])


def _numbers(f: Function) -> Function:
    return f.having(floats=0, ints=0)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_before, "not computed before"),
        (_twice, "twice"),
        (_undefined, "returns"),
        (_wrong_shape, "is inferred"),
        (_other_operands, "its signature has"),
        (_dangling, "is the VJP of"),
        (_kept, "keeps residuals"),
        (_numbers, "takes number"),
    ],
)
def test_verify_names_what_is_wrong(step: Ran, spoil: Callable[[Function], Function], says: str) -> None:
    with pytest.raises(VerificationError, match=says):
        spoil(step.function).verify()


def test_a_pass_that_spoils_a_function_is_named(step: Ran) -> None:
    with pytest.raises(VerificationError) as raised:
        passes.run(step.function, (passes.dead_code, _undefined))
    assert raised.value.__notes__ == ["after the pass _undefined"]


def test_structures_that_begin_alike_share_their_equations() -> None:
    first, second = np.arange(6, dtype=np.float32).reshape(2, 3)

    def loop(x: Any, y: Any, turns: int) -> Any:
        z = x
        for k in range(turns):
            z = z * 0.5 + (x if k % 2 else y)  # reads inputs from further and further back
        return z

    def ran(turns: int) -> tuple[Ran, np.ndarray]:
        x, y, kept = Tensor(first), Tensor(second), []
        seen = recorded(lambda: kept.append(loop(x, y, turns)) or kept)  # type: ignore[func-returns-value]
        return seen, kept[0].numpy()

    (short, three), (long, five) = ran(3), ran(5)
    one, other = short.program.function.verify(), long.program.function.verify()
    assert (len(one.equations), len(other.equations)) == (6, 10)
    assert one.equations == other.equations[:6] and one.inputs == other.inputs and one.outputs != other.outputs
    assert long.function.equations[0].source and not other.equations[0].source  # lines are those of a recording
    np.testing.assert_array_equal(three, loop(first, second, 3))
    np.testing.assert_array_equal(five, loop(first, second, 5))


def test_what_no_result_needs_is_left_out() -> None:
    def compute() -> Any:
        x = Tensor(np.arange(4, dtype=np.float32))
        F.exp(x) + 1
        return (x * 2).numpy()

    ran = recorded(compute)
    assert [e.name for e in ran.function.equations] == ["exp", "add", "mul"]
    assert [e.name for e in ran.program.function.equations] == ["mul"]


def test_a_rule_on_values_keeps_its_op() -> None:
    table = Tensor(np.eye(3, dtype=np.float32))
    index = Tensor(np.array([0, 7], np.int32)) + 0

    def compute() -> Any:
        F.embedding(index, table)
        return (table * 2).numpy()

    with pytest.raises(IndexError):
        recorded(compute)


def test_equal_equations_become_one() -> None:
    x = Tensor(np.linspace(0.1, 1, 6, dtype=np.float32))
    manager = GradManager().attach(x)

    def compute() -> Any:
        with manager:
            y = (F.exp(x) * F.exp(x)).sum() + F.exp(x).sum()
            manager.backward(y)
        return x.grad.numpy()

    function = recorded(compute).function
    shorter = passes.dead_code(passes.common_subexpressions(function)).verify()
    assert [e.name for e in shorter.equations].count("exp") == 1
    assert len(shorter.equations) < len(function.equations)
    numbers = [1.0] * function.floats
    for a, b in zip(run(function, x.numpy(), floats=numbers), run(shorter, x.numpy(), floats=numbers), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_casts_become_equations_with_the_same_gradients() -> None:
    a = Tensor(np.linspace(-1, 1, 6, dtype=np.float16))
    b = Tensor(np.linspace(0.5, 2, 6, dtype=np.float32))
    manager = GradManager().attach([a, b])

    def compute() -> Any:
        with manager:
            manager.backward((a * b).sum())
        return a.grad, b.grad, graph.flush("option") or 1

    function = recorded(compute).function
    explicit = passes.explicit_casts(function).verify()
    assert all(c is None for e in explicit.equations if isinstance(e, Equation) for c in e.signature.casts)
    assert [e.name for e in explicit.equations].count("cast") == 2  # of the operand, and of its cotangent
    inputs = [{6: {np.dtype("f2"): a, np.dtype("f4"): b}[v.aval.dtype].numpy()}[v.aval.size] for v in function.inputs]
    for x, y in zip(run(function, *inputs, floats=[1.0]), run(explicit, *inputs, floats=[1.0]), strict=True):
        np.testing.assert_array_equal(x, y)


def test_casts_stay_with_an_op_that_would_refuse_what_it_casts_to() -> None:
    x, weight = Tensor(np.ones((1, 1, 2, 2), np.int8)), Tensor(np.full((1, 1, 2, 2), 3, np.int8))
    function = recorded(lambda: F.conv_transpose2d(x, weight).numpy()).function
    explicit = passes.explicit_casts(function).verify()
    assert [e.name for e in explicit.equations] == ["conv_transpose"]
    (found,) = run(explicit, *[{1: x, 3: weight}[int(v.numpy().max())].numpy() for v in (x, weight)])
    assert found.dtype == np.int32 and found.sum() == 3 * 16


@pytest.mark.parametrize(
    ("patterns", "left"),
    [([(1, 2, 0), (2, 0, 1)], 0), ([(1, 0, 2), (0, 2, 1)], 1), ([(1, 2, 0)] * 3, 0), ([(1, 2, 0)], 1)],
)
def test_transpositions_are_merged(patterns: list[tuple[int, ...]], left: int) -> None:
    x = Tensor(np.arange(24, dtype=np.float32).reshape(2, 3, 4))

    def compute() -> Any:
        y = x
        for pattern in patterns:
            y = F.transpose(y, pattern)
        return (y + 1.5).numpy()

    function = recorded(compute).function
    shorter = passes.cancel_transposes(function).verify()
    assert [e.name for e in shorter.equations].count("transpose") == left
    for a, b in zip(run(function, x.numpy(), floats=[1.5]), run(shorter, x.numpy(), floats=[1.5]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_constants_are_part_of_a_function() -> None:
    x, w = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    function = recorded(lambda: (x * w).numpy()).function
    whole = function.having(inputs=function.inputs[:1], constants={function.inputs[1]: w.numpy()}).verify()
    np.testing.assert_array_equal(run(whole, x.numpy())[0], [3, 8])
    assert "= constant" in str(whole)
