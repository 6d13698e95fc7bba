"""Donated buffers go to the results that replace their input, so that nothing is copied."""

from __future__ import annotations

import gc
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import donate
from megengine.graph.ir import Equation
from megengine.ops.barrier import after
from megengine.optimizer import LAMB, SGD, Adadelta, Adagrad, Adam, AdamW, Optimizer


def _step(optimizer: Optimizer, param: Parameter) -> graph.inspect.Ran:
    gm = GradManager().attach(param)
    x = Tensor(np.ones((3, 40), np.float32))
    for _ in range(2):
        with graph.watch() as seen, gm:
            gm.backward(F.square(F.matmul(x, param)).sum())
            optimizer.step()
        optimizer.clear_grad()
    return seen[0]


def _partners(ran: graph.inspect.Ran) -> dict[str, str]:
    """For each donated input, the op that writes its buffer."""
    program = ran.program
    producer = program.function.producer()
    partners = zip(program.donated, program.function.outputs, strict=False)
    return {f"%{program.inputs[k]}": producer[var].name for k, var in partners}


def test_a_parameters_buffer_goes_to_its_update_not_to_its_gradient() -> None:
    param = Parameter(np.ones((40, 40), np.float32))
    ran = _step(SGD([param], lr=0.1), param)
    assert list(_partners(ran).values()) == ["sgd"]
    assert not re.search(r"f32\[40,40\]\S* copy\(", ran.compiled())


def test_an_optimizers_state_is_overwritten_too() -> None:
    param = Parameter(np.ones((40, 40), np.float32))
    ran = _step(Adam([param], lr=0.1), param)
    assert list(_partners(ran).values()) == ["adam"] * 4


def _trained(optimizer: type[Optimizer], **settings: float) -> graph.inspect.Ran:
    """A step of a network whose layers have equal shapes."""
    net = M.Sequential(*(m for _ in range(4) for m in (M.Linear(40, 40), M.ReLU())))
    gm, made = GradManager().attach(net.parameters()), optimizer(net.parameters(), lr=0.1, **settings)
    x, y = Tensor(np.ones((3, 40), np.float32)), Tensor(np.zeros(3, np.int32))
    for _ in range(2):
        with graph.watch() as seen, gm:
            gm.backward(F.nn.cross_entropy(net(x), y))
            made.step()
        made.clear_grad()
    return seen[0]


@pytest.mark.parametrize(
    ("optimizer", "settings", "arrays"),
    [
        (SGD, {}, 1),
        (SGD, {"momentum": 0.9}, 2),
        (Adam, {}, 4),
        (AdamW, {}, 4),
        (Adagrad, {}, 3),
        (Adadelta, {}, 4),
        (LAMB, {}, 4),
    ],
)
def test_what_an_optimizer_replaces_is_overwritten_by_what_replaces_it(
    optimizer: Any, settings: Any, arrays: int
) -> None:
    program = _trained(optimizer, **settings).program
    assert len(program.donated) == 8 * arrays
    producer = program.function.producer()
    for k, var in zip(program.donated, program.function.outputs, strict=False):
        update = producer[var]
        assert isinstance(update, Equation)
        operand = update.op.replaces[update.outputs.index(var)]
        assert update.inputs[operand] is program.function.inputs[k]


@pytest.mark.parametrize(("optimizer", "settings"), [(SGD, {"momentum": 0.9}), (Adam, {})])
def test_weights_are_not_copied_before_they_are_overwritten(optimizer: Any, settings: Any) -> None:
    """A layer's input has its gradient from the weights, too."""
    text = _trained(optimizer, **settings).compiled()
    # Names of functions are those of whatever traced the ops first; the shifts of what waits are XLA's own.
    assert "shift-right-logical(" in text and not re.search(r"f32\[40,40\]\S* copy\(", text)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_what_waits_for_others_stays_as_it_is(dtype: str) -> None:
    kind = jnp.dtype(dtype)
    bits = np.array([0, 1, 0x7FC1, 0x8000, 0xFFFF, 0x1234], f"uint{8 * kind.itemsize}")
    x = bits.view(kind)  # NaN of several kinds, zeros of both signs, numbers that are hardly any
    for other in (-np.inf, np.nan, -0.0, 1e-40):
        others = [np.full((2, 3), other, np.float32), np.full((), other, np.float16)]
        assert np.asarray(jax.jit(after.lower)(x, *others)).tobytes() == x.tobytes()


def test_updates_wait_only_for_what_can_be_waited_for() -> None:
    """Gradients of nothing, and those that are computed after the update."""
    for rows in (0, 3):
        net = M.Sequential(M.Linear(4, 4), M.Linear(4, 4))
        gm, optimizer = GradManager().attach(net.parameters()), SGD(net.parameters(), lr=0.1, momentum=0.9)
        x, before = Tensor(np.ones((rows, 4), np.float32)), net[1].weight.numpy()
        for _ in range(3):
            with gm:
                gm.backward(net(x).sum())
                optimizer.step().clear_grad()
        assert np.array_equal(net[1].weight.numpy(), before) == (rows == 0)
    w, x = Tensor(np.full((4, 4), 0.5, np.float32)), Parameter(np.ones((3, 4), np.float32))
    for _ in range(3):
        with GradManager().attach(x) as late:
            y = F.matmul(x, w)
            w -= 0.1 * F.matmul(x.transpose(1, 0), y).detach()
            late.backward((y * y).sum())
        assert np.isfinite(x.grad.numpy()).all() and np.isfinite(w.numpy()).all()
        x.grad = None


def test_equal_shapes_find_their_own_update() -> None:
    a, b = (Tensor(np.full(24, v, np.float32)) + 0 for v in (1.0, 2.0))
    graph.flush("option")
    with graph.watch() as seen:
        b += 1.0
        a *= 3.0
        a.numpy()
    program = seen[0].program
    function, producer = program.function, program.function.producer()
    pairs = zip(program.donated, function.outputs, strict=False)
    assert all(function.inputs[k] in producer[var].reads() for k, var in pairs)
    assert len(program.donated) == 2
    np.testing.assert_array_equal(b.numpy(), np.full(24, 3.0))
    np.testing.assert_array_equal(a.numpy(), np.full(24, 3.0))


def test_a_cut_within_the_forward_pass_keeps_nothing_of_the_first_step() -> None:
    param = Parameter(np.full(1711, 0.5, np.float32))
    gm, optimizer = GradManager().attach(param), SGD([param], lr=0.1)
    compiled = []
    for _ in range(3):
        with gm:
            y = F.tanh(param * 2)
            assert y[0].item() > 0
            gc.collect()  # JAX lets go of the host arrays that programs were given when garbage is collected
            gm.backward((y * param).sum())
        del y
        optimizer.step().clear_grad()
        param.numpy()
        compiled.append(graph.counters.compilations.total())
    assert compiled[0] == compiled[1] == compiled[2]


def test_many_results_of_one_shape_are_not_searched_for_each_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Outputs(tuple):  # type: ignore[type-arg]
        def index(self, *_: Any) -> int:
            raise AssertionError("a search for each of them takes seconds for a thousand")

    given = [Tensor(np.full(3, k, np.float32)) for k in range(40)]
    with graph.watch() as seen:
        doubled = [t * 2 for t in given]
        total = F.concat(doubled).sum()
        assert total.item() == 2 * 3 * sum(range(40))
    program = seen[0].program
    function = program.function
    before = donate.pair(function, len(program.live), tuple(range(len(function.inputs))))
    monkeypatch.setattr(function, "outputs", Outputs(function.outputs))
    partners = donate.pair(function, len(program.live), tuple(range(len(function.inputs))))
    assert partners == before and len(set(partners.values())) == len(partners) == 40
