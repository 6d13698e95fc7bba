"""Donated buffers go to the results that replace their input, so that nothing is copied."""

from __future__ import annotations

import gc
import re

import numpy as np

import megengine.functional as F
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.optimizer import SGD, Adam, Optimizer


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
