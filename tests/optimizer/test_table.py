"""All optimizers, all options: the same values and state as MegEngine 1.13, or by the paper, after 1, 2, 5, 10 and 20 steps."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine
import megengine.optimizer
from megengine import Parameter, Tensor

HERE = Path(__file__).resolve().parent
RECORDED = json.loads((HERE.parent / "golden" / "optimizers.json").read_text())


def neighbour(name: str) -> Any:
    """A file of this folder as a module."""
    spec = importlib.util.spec_from_file_location("optimizer_" + name, HERE / (name + ".py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


table, paper = neighbour("table"), neighbour("paper")

ROWS = [pytest.param(name, kind, options, id=name) for name, kind, options in table.TABLE]


def test_every_optimizer_has_a_row() -> None:
    kinds = {
        value.__name__
        for value in vars(megengine.optimizer).values()
        if isinstance(value, type) and issubclass(value, megengine.optimizer.Optimizer)
    }
    assert kinds - {"Optimizer"} == {kind for _, kind, _ in table.TABLE}


@pytest.mark.parametrize(("name", "kind", "options"), ROWS)
def test_trajectory(name: str, kind: str, options: dict[str, Any]) -> None:
    recorded = paper.run(table, kind, options) if kind in table.FROM_THE_PAPER else RECORDED[name]
    ours = table.run(megengine, np, kind, options)
    for step, values in recorded["values"].items():
        for param, value in values.items():
            np.testing.assert_allclose(
                ours["values"][step][param], value, rtol=2e-5, atol=2e-6, err_msg=f"{param} after {step} steps"
            )
    assert ours["groups"] == recorded["groups"]
    assert ours["state"].keys() == recorded["state"].keys()
    for number, states in recorded["state"].items():
        assert list(ours["state"][number]) == list(states)
        for state, (dtype, shape, value) in states.items():
            assert ours["state"][number][state][:2] == [dtype, shape], state
            np.testing.assert_allclose(ours["state"][number][state][2], value, rtol=2e-5, atol=2e-6, err_msg=state)


def make(kind: str, options: dict[str, Any], dtype: str = "float32") -> tuple[list[Parameter], Any]:
    params = [Parameter(np.array([1.0, -2.0], dtype)), Parameter(np.array([[0.5]], dtype))]
    return params, getattr(megengine.optimizer, kind)(params, **options)


def go(params: list[Parameter], optimizer: Any, steps: range) -> None:
    for step in steps:
        for param in params:
            param.grad = Tensor(
                np.cos(np.arange(param.size, dtype="float32") + step).reshape(param.shape).astype(param.dtype)
            )
        optimizer.step().clear_grad()


@pytest.mark.parametrize(("name", "kind", "options"), ROWS)
def test_going_on_from_a_state_dict_changes_nothing(name: str, kind: str, options: dict[str, Any]) -> None:
    params, optimizer = make(kind, options)
    go(params, optimizer, range(3))
    others, other = make(kind, {**options, "lr": 0.7})
    other.load_state_dict(optimizer.state_dict(keep_var=name.endswith("decay")))
    for mine, theirs in zip(params, others, strict=True):
        theirs[...] = Tensor(mine.numpy())
    go(params, optimizer, range(3, 6))
    go(others, other, range(3, 6))
    for mine, theirs in zip(params, others, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


@pytest.mark.parametrize(("name", "kind", "options"), ROWS)
def test_a_parameter_keeps_identity_and_dtype(name: str, kind: str, options: dict[str, Any]) -> None:
    params, optimizer = make(kind, options, "float16")
    half = [id(param) for param in params], [type(param) for param in params]
    go(params, optimizer, range(2))
    assert ([id(param) for param in params], [type(param) for param in params]) == half
    assert all(param.dtype == np.float16 for param in params)
    exact, reference = make(kind, options)
    go(exact, reference, range(2))
    for rounded, param in zip(params, exact, strict=True):
        np.testing.assert_allclose(rounded.numpy(), param.numpy(), rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize(("name", "kind", "options"), ROWS)
def test_a_parameter_without_gradient_is_left_alone(name: str, kind: str, options: dict[str, Any]) -> None:
    params, optimizer = make(kind, options)
    before = optimizer.state_dict()["state"].get(1)
    params[0].grad = Tensor([1.0, 1.0])
    optimizer.step()
    assert params[1].numpy().tolist() == [[0.5]] and params[0].grad.numpy().tolist() == [1, 1]
    after = optimizer.state_dict()["state"].get(1)
    assert before == after or all((before[k] == after[k]).all() for k in before)


@pytest.mark.parametrize(("name", "kind", "options"), ROWS)
@pytest.mark.usefixtures("compiled")
def test_a_changing_learning_rate_compiles_nothing(name: str, kind: str, options: dict[str, Any]) -> None:
    params, optimizer = make(kind, options)
    go(params, optimizer, range(2))
    compiled = megengine.graph.counters.compilations.copy()
    for step in range(2, 7):
        optimizer.param_groups[0]["lr"] = np.float64(0.01) / step
        go(params, optimizer, range(step, step + 1))
    assert megengine.graph.counters.compilations == compiled


@pytest.mark.parametrize(("name", "kind", "options"), ROWS)
def test_recorded_ops_of_a_step(name: str, kind: str, options: dict[str, Any]) -> None:
    """Recording costs microseconds an op, so that their number is kept in sight."""
    most = {"SGD": 8, "Adam": 21, "AdamW": 21, "Adagrad": 14, "Adadelta": 19, "LAMB": 21, "LAMBFp16": 21}
    params, optimizer = make(kind, options)
    go(params, optimizer, range(1))
    before = megengine.graph.counters.ops
    params[0].grad = Tensor([1.0, 1.0])
    optimizer.step()
    assert 0 < megengine.graph.counters.ops - before <= most[kind]
