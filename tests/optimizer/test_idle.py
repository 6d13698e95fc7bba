"""A loop that trains nothing is told so, once, at the user's line; loops that are as they should be are not."""

from __future__ import annotations

import gc
import re
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import megengine.functional as F
from megengine import Parameter, Tensor, amp, jit
from megengine import module as M
from megengine.autodiff import GradManager
from megengine.graph import source
from megengine.optimizer import SGD, Adam, Optimizer

X = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    source._warned.clear()
    gc.collect()  # a manager that an earlier test left amid garbage is attached to its tensors until then
    yield


def _net() -> tuple[M.Module, SGD]:
    net = M.Linear(3, 2)
    return net, SGD(net.parameters(), lr=0.1)


def _messages(loop: Callable[[], None]) -> list[str]:
    """What a loop of three steps warns of; each warning has to be at a line of this file."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        loop()
    assert all(w.filename == __file__ for w in seen)
    return [str(w.message) for w in seen]


def without_manager() -> None:
    _, optimizer = _net()
    for _ in range(3):
        optimizer.step().clear_grad()


def nothing_attached() -> None:
    net, optimizer = _net()
    manager = GradManager()
    for _ in range(3):
        with manager:
            manager.backward(net(Tensor(X)).sum())
        optimizer.step().clear_grad()


def iterator_used_up() -> None:
    net = M.Linear(3, 2)
    parameters = net.parameters()
    optimizer, manager = SGD(parameters, lr=0.1), GradManager().attach(parameters)
    for _ in range(3):
        with manager:
            manager.backward(net(Tensor(X)).sum())
        optimizer.step().clear_grad()


def loss_outside() -> None:
    net, optimizer = _net()
    manager = GradManager().attach(net.parameters())
    for _ in range(3):
        loss = net(Tensor(X)).sum()
        with manager:
            manager.backward(loss)
        optimizer.step().clear_grad()


def loss_of_numpy() -> None:
    net, optimizer = _net()
    manager = GradManager().attach(net.parameters())
    for _ in range(3):
        with manager:
            manager.backward(Tensor(net(Tensor(X)).numpy()).sum())
        optimizer.step().clear_grad()


def loss_detached() -> None:
    net, optimizer = _net()
    manager = GradManager().attach(net.parameters())
    for _ in range(3):
        with manager:
            manager.backward(net(Tensor(X)).detach().sum())
        optimizer.step().clear_grad()


def loss_of_argmax() -> None:
    net, optimizer = _net()
    manager = GradManager().attach(net.parameters())
    for _ in range(3):
        with manager:
            manager.backward(F.argmax(net(Tensor(X)), axis=1).astype("float32").mean())
        optimizer.step().clear_grad()


def another_net() -> None:
    net, _ = _net()
    _, optimizer = _net()
    manager = GradManager().attach(net.parameters())
    for _ in range(3):
        with manager:
            manager.backward(net(Tensor(X)).sum())
        optimizer.step()
        for parameter in net.parameters():
            parameter.grad = None


def replaced_before_attaching() -> None:
    net, optimizer = _net()
    net = M.Linear(3, 2)
    manager = GradManager().attach(net.parameters())
    for _ in range(3):
        with manager:
            manager.backward(net(Tensor(X)).sum())
        optimizer.step().clear_grad()


def replaced_after_attaching() -> None:
    net = M.Linear(3, 2)
    manager = GradManager().attach(net.parameters())
    net = M.Linear(3, 2)
    optimizer = SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        with manager:
            manager.backward(net(Tensor(X)).sum())
        optimizer.step().clear_grad()


def cleared_too_early() -> None:
    net, optimizer = _net()
    manager = GradManager().attach(net.parameters())
    for _ in range(3):
        with manager:
            manager.backward(net(Tensor(X)).sum())
        optimizer.clear_grad()
        optimizer.step()


def without_backward() -> None:
    net, optimizer = _net()
    manager = GradManager().attach(net.parameters())
    for _ in range(3):
        with manager:
            net(Tensor(X)).sum()
        optimizer.step().clear_grad()


def part_that_is_not_used() -> None:
    net, other = M.Linear(3, 2), M.Linear(3, 2)
    optimizer, manager = (
        Adam(other.parameters(), lr=0.1),
        GradManager().attach([*net.parameters(), *other.parameters()]),
    )
    for _ in range(3):
        with manager:
            manager.backward(net(Tensor(X)).sum())
        optimizer.step()


@pytest.mark.parametrize(
    ("loop", "said"),
    [
        (without_manager, "step.*none of its 2 parameters has a gradient: nothing is attached to a GradManager.*gm.attach"),
        (nothing_attached, "backward.*nothing is attached.*gm.attach"),
        (iterator_used_up, "backward.*nothing is attached.*iterator"),
        (loss_outside, "backward.*no operation on any of the 2 tensors attached was recorded.*inside `with gm:`"),
        (loss_of_numpy, "backward.*does not depend on any of the 2 tensors"),
        (loss_detached, "backward.*does not depend on any of the 2 tensors.*detached"),
        (loss_of_argmax, "backward.*does not depend on any of the 2 tensors.*argmax"),
        (another_net, "step.*not attached.*2 other tensors are.*replaced"),
        (replaced_before_attaching, "step.*not attached.*2 other tensors are.*replaced"),
        (replaced_after_attaching, "backward.*are gone"),
        (cleared_too_early, "step.*cleared after gm.backward"),
        (without_backward, "step.*no gm.backward"),
        (part_that_is_not_used, "step.*gave gradients to other tensors only"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_a_loop_that_trains_nothing_is_told_once(loop: Callable[[], None], said: str) -> None:
    messages = _messages(loop)
    assert len(messages) == 1, messages
    assert re.search(said, messages[0]), messages[0]


def accumulation() -> None:
    net, optimizer = _net()
    manager = GradManager().attach(net.parameters())
    optimizer.clear_grad()
    for number in range(4):
        with manager:
            manager.backward(net(Tensor(X)).sum())
        if number % 2:
            optimizer.step().clear_grad()


def zeroed_gradients() -> None:
    net, optimizer = _net()
    manager = GradManager().attach(net.parameters())
    for _ in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            optimizer.zero_grad()
        with manager:
            manager.backward(net(Tensor(X)).sum())
        optimizer.step()


def frozen_part() -> None:
    net = M.Sequential(M.Linear(3, 3), M.Linear(3, 2))
    optimizer, manager = SGD(net.parameters(), lr=0.1), GradManager().attach(net[1].parameters())
    for _ in range(3):
        with manager:
            manager.backward(net(Tensor(X)).sum())
        optimizer.step().clear_grad()


def frozen_part_with_its_optimizer() -> None:
    net = M.Sequential(M.Linear(3, 3), M.Linear(3, 2))
    body, head = SGD(net[0].parameters(), lr=0.1), SGD(net[1].parameters(), lr=0.1)
    manager = GradManager().attach(net[1].parameters())
    for _ in range(3):
        with manager:
            manager.backward(net(Tensor(X)).sum())
        head.step().clear_grad()
        body.step().clear_grad()


def adversaries() -> None:
    generator, critic = M.Linear(3, 3), M.Linear(3, 1)
    optimizers = SGD(generator.parameters(), lr=0.1), SGD(critic.parameters(), lr=0.1)
    managers = GradManager().attach(generator.parameters()), GradManager().attach(critic.parameters())
    for number in range(4):
        with managers[1]:
            managers[1].backward(critic(Tensor(X)).mean() - critic(generator(Tensor(X))).mean())
        optimizers[1].step().clear_grad()
        if number % 2:
            with managers[0]:
                managers[0].backward(-critic(generator(Tensor(X))).mean())
        optimizers[0].step().clear_grad() if number else None


def batches_without_a_loss() -> None:
    net, optimizer = _net()
    manager = GradManager().attach(net.parameters())
    for number in range(4):
        with manager:
            manager.backward(Tensor(0.0) if number % 2 else net(Tensor(X)).sum())
        optimizer.step().clear_grad()


def overflow_at_first() -> None:
    net, optimizer = _net()
    manager, scaler = GradManager().attach(net.parameters()), amp.GradScaler(init_scale=float(2**127))
    for _ in range(4):
        with manager:
            scaler.backward(manager, (net(Tensor(X)) * 1e3).sum())
        optimizer.step().clear_grad()
    assert scaler.scale_factor < 2.0**127


def own_rule() -> None:
    class Decay(Optimizer):
        def _create_state(self, param_group: dict) -> None: ...

        def _updates(self, param_group: dict) -> None:
            for parameter in param_group["params"]:
                parameter *= 0.5

    optimizer = Decay([Parameter([1.0])], {})
    for _ in range(3):
        optimizer.step()


def traced() -> None:
    net, optimizer = _net()
    manager = GradManager().attach(net.parameters())

    @jit.trace
    def step(x: Tensor) -> Tensor:
        with manager:
            loss = net(x).sum()
            manager.backward(loss)
        optimizer.step().clear_grad()
        return loss

    for _ in range(4):
        step(Tensor(X))


def gradients_given_by_hand() -> None:
    parameter = Parameter([1.0])
    optimizer = SGD([parameter], lr=0.1)
    for _ in range(3):
        parameter.grad = Tensor([1.0])
        optimizer.step().clear_grad()


def no_outputs() -> None:
    manager = GradManager().attach(Parameter([1.0]))
    with manager:
        manager.backward()


@pytest.mark.parametrize(
    "loop",
    [
        accumulation,
        zeroed_gradients,
        frozen_part,
        frozen_part_with_its_optimizer,
        adversaries,
        batches_without_a_loss,
        overflow_at_first,
        own_rule,
        traced,
        gradients_given_by_hand,
        no_outputs,
    ],
)
def test_loops_that_train_are_told_nothing(loop: Callable[[], None]) -> None:
    assert _messages(loop) == []


def test_gradients_that_never_become_finite_are_told() -> None:
    net, optimizer = _net()
    manager, scaler = GradManager().attach(net.parameters()), amp.GradScaler()

    def loop() -> None:
        for _ in range(amp.grad_scaler.TOO_MANY + 5):
            with manager:
                scaler.backward(manager, (net(Tensor(X)) * float("nan")).sum())
            optimizer.step().clear_grad()

    [message] = _messages(loop)
    assert "20 steps in a row" in message and "check_nan" in message


def test_one_that_trained_and_then_lost_its_parameters_is_told() -> None:
    net, optimizer = _net()
    manager = GradManager().attach(net.parameters())

    def step(net: M.Module, manager: GradManager) -> None:
        with manager:
            manager.backward(net(Tensor(X)).sum())
        optimizer.step()

    assert _messages(lambda: step(net, manager)) == []
    optimizer.clear_grad()
    new = M.Linear(3, 2)
    [message] = _messages(lambda: step(new, GradManager().attach(new.parameters())))
    assert "not attached" in message or "other tensors only" in message
