"""The Optimizer base: parameter groups, state dicts, what it refuses, and subclasses of users."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import megengine
import megengine.optimizer as optim
from megengine import Parameter, Tensor
from megengine.autodiff import GradManager
from megengine.optimizer.optimizer import required


@pytest.fixture
def p() -> Parameter:
    return Parameter([1.0, 2.0])


@pytest.fixture
def q() -> Parameter:
    return Parameter([[3.0]])


OPTIONS = [
    ("SGD", {"lr": -0.1}, AssertionError, "learning rate: -0.1"),
    ("SGD", {"lr": float("nan")}, AssertionError, "learning rate: nan"),
    ("SGD", {"lr": 0.1, "momentum": -1}, AssertionError, "momentum value: -1"),
    ("SGD", {"lr": 0.1, "weight_decay": -1}, AssertionError, "weight_decay value: -1"),
    ("SGD", {"lr": 0.1, "nesterov": True}, AssertionError, "Nesterov momentum requires a momentum"),
    ("SGD", {}, TypeError, "lr"),
    ("SGD", {"lr": "x"}, TypeError, "must be a number, not 'x'"),
    ("SGD", {"lr": 0.1, "nosuch": 1}, TypeError, "nosuch"),
    ("Adam", {"lr": -0.1}, ValueError, "learning rate: -0.1"),
    ("Adam", {"lr": 0.1, "weight_decay": -1}, ValueError, "weight_decay value: -1"),
    ("Adam", {"lr": 0.1, "betas": (1.0, 0.5)}, ValueError, "beta parameter at index 0: 1.0"),
    ("Adam", {"lr": 0.1, "betas": (0.5, 1.0)}, ValueError, "beta parameter at index 1: 1.0"),
    ("Adam", {"lr": 0.1, "eps": -1}, ValueError, "epsilon value: -1"),
    ("AdamW", {"lr": 0.1, "betas": (-0.1, 0.5)}, ValueError, "beta parameter at index 0: -0.1"),
    ("Adagrad", {"lr": -0.1}, AssertionError, "learning rate: -0.1"),
    ("Adagrad", {"lr_decay": -0.1}, AssertionError, "learning rate decay: -0.1"),
    ("Adagrad", {"eps": -0.1}, AssertionError, "epsilon value: -0.1"),
    ("Adadelta", {"rho": 1.1}, AssertionError, "rho value: 1.1"),
    ("Adadelta", {"rho": -0.1}, AssertionError, "rho value: -0.1"),
    ("Adadelta", {"weight_decay": -0.1}, AssertionError, "weight_decay value: -0.1"),
]


@pytest.mark.parametrize(("kind", "options", "error", "message"), OPTIONS)
def test_options_out_of_range(
    kind: str, options: dict[str, Any], error: type[Exception], message: str, p: Parameter
) -> None:
    with pytest.raises(error, match=message):
        getattr(optim, kind)([p], **options)


def test_parameters_in_every_form(p: Parameter, q: Parameter) -> None:
    for params, wanted in [
        (p, [[p]]),
        ([p, q], [[p, q]]),
        ((x for x in (p, q)), [[p, q]]),
        ({"params": p}, [[p]]),
        ([{"params": p}, {"params": (q,)}], [[p], [q]]),
    ]:
        assert [group["params"] for group in optim.SGD(params, 0.1).param_groups] == wanted


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ([], ValueError, "empty parameter list"),
        (3, TypeError, "got 3"),
        (None, TypeError, "got None"),
        ([Tensor([1.0])], TypeError, "one of the params is <class 'megengine.tensor.Tensor'>"),
        (Tensor([1.0, 2.0]), TypeError, "one of the params is <class 'megengine.tensor.Tensor'>"),
        ([np.ones(3)], TypeError, "one of the params is <class 'numpy.ndarray'>"),
        ([Parameter([1.0]), {"params": Parameter([1.0])}], TypeError, "should be the same"),
        ([{"lr": 1}], KeyError, "params"),
    ],
)
def test_parameters_refused(params: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        optim.SGD(params, 0.1)


def test_a_parameter_is_in_one_group(p: Parameter, q: Parameter) -> None:
    with pytest.raises(AssertionError, match="more than one parameter group"):
        optim.SGD([{"params": [p]}, {"params": [q, p]}], 0.1)
    optimizer = optim.SGD([p], 0.1)
    with pytest.raises(AssertionError, match="more than one parameter group"):
        optimizer.add_param_group({"params": p})
    with pytest.raises(AssertionError, match="must be a dict"):
        optimizer.add_param_group([q])  # type: ignore[arg-type]
    assert len(optimizer.param_groups) == 1


def test_groups_have_their_own_options_and_defaults(p: Parameter, q: Parameter) -> None:
    groups = [{"params": p, "lr": 0.5}, {"params": q, "momentum": 0.9}]
    optimizer = optim.SGD(groups, 0.1)
    assert optimizer.param_groups[0] is groups[0]
    assert [(g["lr"], g["momentum"]) for g in optimizer.param_groups] == [(0.5, 0.0), (0.1, 0.9)]
    assert optimizer.state_dict()["state"].keys() == {1}


def test_a_group_added_later_gets_its_state(p: Parameter, q: Parameter) -> None:
    """MegEngine fails with a KeyError in the next step."""
    optimizer = optim.SGD([p], 0.1, momentum=0.9)
    optimizer.add_param_group({"params": q})
    q.grad = Tensor([[1.0]])
    optimizer.step()
    assert q.item() == pytest.approx(2.9) and optimizer.state_dict()["state"][1]["momentum_buffer"].tolist() == [[1.0]]


def test_momentum_set_later_starts_from_rest(p: Parameter) -> None:
    """MegEngine fails with a KeyError."""
    optimizer = optim.SGD([p], 0.5)
    optimizer.param_groups[0]["momentum"] = 0.5
    for _ in range(2):
        p.grad = Tensor([1.0, 1.0])
        optimizer.step()
    assert p.numpy().tolist() == [-0.25, 0.75]


def test_a_set_of_parameters_is_refused_in_a_step(p: Parameter) -> None:
    optimizer = optim.SGD([p], 0.5)
    optimizer.param_groups[0]["params"] = {p}
    with pytest.raises(TypeError, match="use a list"):
        optimizer.step()


def test_gradients_are_cleared(p: Parameter, q: Parameter) -> None:
    optimizer = optim.SGD([p, q], 0.5)
    grad = p.grad = Tensor([1.0, 1.0])
    with pytest.warns(DeprecationWarning, match="clear_grad"):
        optimizer.zero_grad()
    assert p.grad is grad and grad.numpy().tolist() == [0, 0] and q.grad is None
    assert optimizer.clear_grad() is None and p.grad is None


def test_first_interface_is_gone(p: Parameter) -> None:
    optimizer = optim.SGD([p], 0.5)
    with pytest.raises(NotImplementedError, match="GradManager"):
        optimizer.backward(p)
    with pytest.raises(NotImplementedError, match="bcast_list_"):
        optimizer.bcast_param()


def test_state_dict_of_plain_sgd_can_be_loaded(p: Parameter) -> None:
    """MegEngine fails with a KeyError."""
    optimizer = optim.SGD([p], 0.1)
    optimizer.load_state_dict(optim.SGD([p], 0.7).state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.7


def two() -> list[Parameter]:
    return [Parameter([1.0, 2.0]), Parameter([[3.0]])]


def changed(state: dict[str, Any], **state_of: Any) -> dict[str, Any]:
    state = copy.deepcopy(state)
    for number, value in state_of.items():
        if value is None:
            del state["state"][int(number[1:])]
        else:
            state["state"][int(number[1:])] = value
    return state


SGD2 = optim.SGD(two(), 0.9, momentum=0.5).state_dict()
MISFITS = [
    (
        optim.SGD([{"params": x} for x in two()], 0.1).state_dict(),
        ValueError,
        "2 parameter groups, the optimizer has 1",
    ),
    (optim.SGD(two()[:1], 0.1).state_dict(), ValueError, "has 1 parameters, here 2"),
    (optim.Adam(two(), 0.1).state_dict(), ValueError, "has options"),
    (
        optim.SGD(two()[::-1], 0.1, momentum=0.5).state_dict(),
        ValueError,
        r"of parameter 0 has shape \(1, 1\), here \(2,\)",
    ),
    (changed(SGD2, _1=None), ValueError, r"no state for parameters \[1\]"),
    (changed(SGD2, _7={}), ValueError, r"state for parameters \[7\]"),
    ({}, KeyError, "param_groups"),
]


@pytest.mark.parametrize(("state", "error", "message"), MISFITS)
def test_loading_changes_nothing_if_anything_does_not_fit(
    state: dict[str, Any], error: type[Exception], message: str
) -> None:
    optimizer = optim.SGD(two(), 0.1, momentum=0.25)
    for number, param in enumerate(optimizer.param_groups[0]["params"]):
        param.grad = Tensor(np.full(param.shape, number + 1, "float32"))
    optimizer.step()
    before = optimizer.state_dict()
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for number, states in before["state"].items():
        np.testing.assert_array_equal(after["state"][number]["momentum_buffer"], states["momentum_buffer"])


def test_a_state_dict_is_a_copy(p: Parameter) -> None:
    optimizer = optim.SGD([p], 0.1, momentum=0.5)
    state = optimizer.state_dict()
    state["state"][0]["momentum_buffer"][...] = 100
    state["param_groups"][0]["lr"] = 100
    p.grad = Tensor([1.0, 1.0])
    optimizer.step()
    np.testing.assert_allclose(p.numpy(), [0.9, 1.9], rtol=1e-6)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"]
)
def test_optimizers_can_be_copied_with_their_parameters(duplicate: Any, p: Parameter) -> None:
    optimizer = optim.SGD([p], 0.5, momentum=0.5)
    p.grad = Tensor([1.0, 1.0])
    optimizer.step().clear_grad()
    twin = duplicate(optimizer)
    (own,) = twin.param_groups[0]["params"]
    assert own is not p
    own.grad = Tensor([1.0, 1.0])
    twin.step()
    assert own.numpy().tolist() == [-0.25, 0.75] and p.numpy().tolist() == [0.5, 1.5]


class Accumulating(optim.Optimizer):
    """As programs for MegEngine write their own: states by ``_add_state``, scalars as tensors, in-place operators."""

    def __init__(self, params: Any, lr: Any = required) -> None:
        super().__init__(params, {"lr": lr})
        self._disable_type_convert = True

    def _create_state(self, param_group: dict[str, Any]) -> None:
        for param in param_group["params"]:
            self._add_state(param, "total")
            self._add_state(param, "count", initializer=0.0)

    def _updates(self, param_group: dict[str, Any]) -> None:
        lr = Tensor(param_group["lr"], dtype="float32")
        for param in param_group["params"]:
            if param.grad is None:
                continue
            states = self._state[param]
            states["count"] += 1
            states["total"]._reset(states["total"] + param.grad)
            param -= lr * states["total"] / states["count"]


def test_an_optimizer_of_a_user(p: Parameter, q: Parameter) -> None:
    with pytest.raises(ValueError, match="required optimization parameter lr"):
        Accumulating([p])
    optimizer = Accumulating([{"params": p, "lr": 0.5}, {"params": q, "lr": 0.25}])
    for step in range(3):
        p.grad = Tensor([1.0, float(step)])
        assert optimizer.step() is optimizer
    assert p.numpy().tolist() == [-0.5, 2 - 0.5 * (0 + 1 / 2 + 3 / 3)] and q.item() == 3
    state = optimizer.state_dict()["state"]
    assert state[0]["count"].shape == () and state[0]["count"] == 3 and state[1]["count"] == 0
    with pytest.raises(AssertionError, match="'total' already"):
        optimizer._add_state(p, "total")


def test_the_base_is_abstract(p: Parameter) -> None:
    with pytest.raises(TypeError, match="abstract"):
        optim.Optimizer([p], {})  # type: ignore[abstract]


def test_steps_inside_the_gradient_manager(p: Parameter) -> None:
    """As in the tutorial: backward, step and clear within the block; each step starts without the last one's history."""
    optimizer = optim.SGD([p], 0.25)
    manager = GradManager().attach([p])
    for _ in range(3):
        with manager:
            manager.backward((p * p).sum())
            optimizer.step().clear_grad()
    np.testing.assert_array_equal(p.numpy(), [0.125, 0.25])


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_hundreds_of_parameters_are_updated_by_one_program(kind: str) -> None:
    params = [Parameter(np.full((k % 5 + 1,), 0.5, "float32")) for k in range(200)]
    optimizer = getattr(optim, kind)(params, lr=0.1)

    def step() -> None:
        for param in params:
            param.grad = Tensor(np.ones(param.shape, "float32"))
        optimizer.step().clear_grad()

    step()
    with megengine.graph.watch() as seen:
        step()
    assert len(seen) == 1
    assert sum(" input" not in line for line in seen[0].recorded().splitlines()) - 1 <= 2 * len(params)
    assert all(param.numpy()[0] != 0.5 for param in params)


def test_lamb_for_float16_keeps_digits_and_takes_over_what_is_assigned() -> None:
    param = Parameter(np.array([1.0, 2.0], "float16"))
    optimizer = optim.LAMBFp16(param, lr=1e-4)

    def step(times: int) -> None:
        for _ in range(times):
            param.grad = Tensor(np.ones(2, "float16"))
            optimizer.step().clear_grad()

    step(20)  # each step is less than half of float16's spacing at 2
    np.testing.assert_allclose(param.numpy(), [0.998, 1.998], atol=1e-3)
    assert param.dtype == np.float16
    param[0] = 5.0
    step(1)
    master = optimizer.state_dict()["state"][0]["param_fp32"]
    np.testing.assert_allclose(master, [4.9999, 1.9979], atol=2e-5)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda p: optim.Adam(p, lr=0.1, betas=0.9), TypeError, "beta parameter must be two numbers, not 0.9"),
        (lambda p: optim.Adam(p, lr=0.1, betas=(0.9,)), IndexError, "must be two numbers"),
        (lambda p: optim.LAMB(p, lr=0.1, betas=None), TypeError, "must be two numbers, not None"),
        (lambda p: optim.SGD(p, lr=[0.1]), TypeError, "learning rate must be a number, not .0.1."),
        (lambda p: optim.SGD(p, lr=None), TypeError, "learning rate must be a number, not None"),
        (lambda p: optim.SGD(p, lr="0.1"), TypeError, "learning rate must be a number, not '0.1'"),
        (lambda p: optim.SGD(p, lr=0.1, weight_decay=None), TypeError, "weight_decay value must be a number"),
    ],
)
def test_options_of_a_wrong_kind_are_named(p: Parameter, make: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        make([p])


@pytest.mark.parametrize("lr", [0.5, np.float32(0.5), np.array([0.5]), Tensor(0.5), Tensor([0.5])])
def test_numbers_of_all_kinds_are_learning_rates(p: Parameter, lr: Any) -> None:
    p.grad = Tensor([1.0, 1.0])
    optim.SGD([p], lr=lr).step()
    np.testing.assert_array_equal(p.numpy(), [0.5, 1.5])


def test_an_option_that_is_set_later_to_a_wrong_kind_is_named(p: Parameter) -> None:
    optimizer = optim.SGD([p], lr=0.5)
    p.grad = Tensor([1.0, 1.0])
    for wrong in ("0.1", None, [0.1]):
        optimizer.param_groups[0]["lr"] = wrong
        with pytest.raises(TypeError, match="lr of a param group must be a number"):
            optimizer.step()
    np.testing.assert_array_equal(p.numpy(), [1.0, 2.0])


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (0.9, TypeError, "must be two numbers, not 0.9"),
        (None, TypeError, "must be two numbers, not None"),
        ("ab", TypeError, "must be two numbers, not 'ab'"),
        ((0.9, 0.99, 0.999), TypeError, r"must be two numbers, not \(0.9, 0.99, 0.999\)"),
        ((0.9,), IndexError, r"must be two numbers, not \(0.9,\)"),
        ((0.9, None), TypeError, "at index 1 must be a number, not None"),
    ],
)
def test_a_pair_that_is_set_later_to_a_wrong_kind_is_named(
    p: Parameter, wrong: Any, error: type[Exception], said: str
) -> None:
    optimizer = optim.Adam([p], lr=0.5)
    p.grad = Tensor([1.0, 1.0])
    optimizer.param_groups[0]["betas"] = wrong
    with pytest.raises(error, match=f"betas of a param group {said}"):
        optimizer.step()
    np.testing.assert_array_equal(p.numpy(), [1.0, 2.0])
    optimizer.param_groups[0]["betas"] = np.array([0.9, 0.999])
    optimizer.step()
    np.testing.assert_allclose(p.numpy(), [0.5, 1.5], rtol=1e-5)


def test_a_misspelt_option_of_a_group_is_told(p: Parameter) -> None:
    with pytest.warns(UserWarning, match="SGD has no option 'learning_rate', which is not used: write 'lr'"):
        optim.SGD([{"params": [p], "learning_rate": 3.0, "name": "all"}], lr=0.1)
