"""Floats that a graph has once for many operations: options of optimizers, and what layers are made with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph.apply import apply
from megengine.graph.scalars import Shared, interned
from megengine.ops import elemwise
from megengine.optimizer import LAMB, SGD, Adadelta, Adagrad, Adam, AdamW, clip_grad_value

MADE = {
    "SGD": (lambda params: SGD(params, lr=0.1), 2),
    "momentum": (lambda params: SGD(params, lr=0.1, momentum=0.9, weight_decay=0.01), 3),
    "Adam": (lambda params: Adam(params, lr=0.1), 5),
    "AdamW": (lambda params: AdamW(params, lr=0.1), 5),
    "LAMB": (lambda params: LAMB(params, lr=0.1), 5),
    "Adagrad": (lambda params: Adagrad(params, lr=0.1), 4),
    "Adadelta": (lambda params: Adadelta(params, lr=0.1), 4),
}


def _stepping(params: list[Parameter], optimizer: Any) -> graph.inspect.Ran:
    for number, param in enumerate(params):
        param.grad = Tensor(np.full(param.shape, number + 1.0, np.float32))
    graph.flush("option")
    with graph.watch() as seen:
        optimizer.step().clear_grad()
    return seen[0]


@pytest.mark.parametrize("name", MADE)
def test_a_groups_options_are_arguments_once(name: str) -> None:
    make, count = MADE[name]
    params = [Parameter(np.ones(k + 2, np.float32)) for k in range(5)]
    alone = [Parameter(np.ones(k + 2, np.float32)) for k in range(5)]
    optimizer, one_by_one = make(params), [make([p]) for p in alone]
    ran = _stepping(params, optimizer)
    for number, (param, own) in enumerate(zip(alone, one_by_one, strict=True)):
        param.grad = Tensor(np.full(param.shape, number + 1.0, np.float32))
        own.step().clear_grad()
    assert ran.function.floats == count
    for param, expected in zip(params, alone, strict=True):
        np.testing.assert_array_equal(param.numpy(), expected.numpy())


def test_groups_change_theirs_by_themselves_and_nothing_is_made_anew() -> None:
    one, two, three = (Parameter(np.zeros(3, np.float32)) for _ in range(3))
    groups: Any = [{"params": [one, three]}, {"params": [two]}]
    optimizer = SGD(groups, lr=0.5)
    programs = [_stepping([one, two, three], optimizer).program]
    optimizer.param_groups[1]["lr"] = 0.25
    programs.append(_stepping([one, two, three], optimizer).program)
    optimizer.param_groups[0]["lr"] = np.float32(0.125)
    programs.append(_stepping([one, two, three], optimizer).program)
    assert len(set(programs)) == 1
    assert [p.numpy()[0] for p in (one, two, three)] == [-1.125, -2 * (0.5 + 0.25 + 0.25), -3 * 1.125]


@pytest.mark.parametrize(
    "layer",
    [lambda: M.BatchNorm2d(3, momentum=0.7), lambda: M.Dropout(0.3), lambda: M.LeakyReLU(0.2)],
    ids=["batch_norm", "dropout", "leaky_relu"],
)
def test_equal_layers_have_their_number_in_common(layer: Callable[[], M.Module]) -> None:
    net = M.Sequential(*(layer() for _ in range(4)))
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32))
    with graph.watch() as seen:
        net(x).numpy()
    assert sum(ran.function.floats for ran in seen.ran) == 1


def test_layers_that_differ_in_it_compute_with_their_own() -> None:
    norms = [M.BatchNorm2d(2, momentum=m) for m in (0.5, 0.25, 0.5)]
    x = Tensor(np.full((2, 2, 3, 3), 8.0, np.float32))
    for norm in norms:
        norm(x)
    assert [norm.running_mean.numpy().ravel()[0] for norm in norms] == [4.0, 6.0, 4.0]


def test_one_number_in_several_places_of_one_call_and_after_a_failed_one() -> None:
    x, number = Tensor(np.ones(3, np.float32)), interned(0.5)
    graph.flush("option")
    with graph.watch() as seen:
        y = apply(elemwise.mul, x, number)
        with pytest.raises(RuntimeError):
            apply(elemwise.add, Tensor(np.ones(2, np.float32)), x)
        y = apply(elemwise.add, F.clip(y, number, number), number) + 0.5
        y.numpy()
    assert y.numpy().tolist() == [1.5] * 3
    assert seen[0].function.floats == 2  # the last is one of its own
    assert interned(0.5) is number and type(number) is Shared


def test_a_traced_step_follows_a_schedule() -> None:
    from megengine.jit import trace

    found = {}
    for traced in (False, True):
        param = Parameter(np.ones(4, np.float32))
        manager, optimizer = GradManager().attach(param), SGD([param], lr=1.0, momentum=0.5)

        def step(x: Tensor, param: Parameter = param, manager: GradManager = manager, optimizer: SGD = optimizer) -> Any:
            with manager:
                loss = (param * x).sum()
                manager.backward(loss)
                optimizer.step().clear_grad()
            return loss

        run = trace(step, symbolic=True) if traced else step
        for number in range(6):
            optimizer.param_groups[0]["lr"] = 1.0 / (number + 1)
            run(Tensor(np.arange(4, dtype=np.float32)))
        found[traced] = param.numpy()
    np.testing.assert_array_equal(found[True], found[False])
    assert F.sum(Tensor(found[True])).item() != 4.0


def test_bounds_of_gradients_are_arguments_once() -> None:
    params = [Parameter(np.zeros(k + 2, np.float32)) for k in range(4)]
    for param in params:
        param.grad = Tensor(np.linspace(-3, 3, param.size, dtype=np.float32))
    graph.flush("option")
    with graph.watch() as seen:
        clip_grad_value(params, lower=-1, upper=0.5)
        found = [param.grad.numpy() for param in params]
    assert seen[0].function.floats == 2
    assert all(np.array_equal(g, np.clip(np.linspace(-3, 3, g.size, dtype=np.float32), -1, 0.5)) for g in found)
