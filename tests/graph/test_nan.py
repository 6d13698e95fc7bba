"""NaN: what each operation makes of it, and that ``check_nan`` sees it wherever it comes in, even where it does not come out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import check_nan
from megengine.jit import trace
from megengine.ops import activation
from megengine.optimizer import SGD, Adam, clip_grad_norm, clip_grad_value

NAN = float("nan")
X = np.array([NAN, 1.0, -2.0], np.float32)
_SQUARE = np.array([[NAN, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]], np.float32)[None, None]
_BOXES = np.array([[0, 0, 10, 10], [20, 20, 30, 30], [0, 0, 9, 9]], np.float32)

# Operations whose results may hold no NaN though an operand does, and what they make of X here. Those of relu, relu6 and sign are
# the reference's on the CPU.
HIDING: dict[str, tuple[Callable[[Tensor], Any], Any]] = {
    "relu": (F.relu, [0, 1, 0]),
    "relu6": (F.relu6, [6, 1, 0]),
    "sign": (F.sign, [0, 1, -1]),
    "gt": (lambda x: x > 0, [False, True, False]),
    "ne": (lambda x: x != 1, [True, False, True]),
    "isinf": (F.isinf, [False, False, False]),
    "argmax": (F.argmax, 0),
    "argmin": (F.argmin, 0),
    "argsort": (F.argsort, [2, 1, 0]),
    "pow 0": (lambda x: x**0, [1, 1, 1]),
    "astype": (lambda x: (x * 1).astype("bool"), [True, True, True]),
    "index": (lambda x: x[1:], [1, -2]),
    "where": (lambda x: F.where(x > 0, x, F.zeros((3,))), [0, 1, 0]),
    "cond_take": (lambda x: F.cond_take(x > 0, x)[0], [1]),
    "topk, smallest": (lambda x: F.topk(x, 2, descending=False)[1], [2, 1]),
    "zeros_like": (F.zeros_like, [0, 0, 0]),
}
# Operations that let NaN through, where the reference's results depend on the place of an element or the order of operands.
SHOWING: dict[str, Callable[[], Any]] = {
    "clip": lambda: F.clip(Tensor(X), -1.0, 1.0),
    "clip, lower": lambda: F.clip(Tensor(X), lower=-1.0),
    "maximum": lambda: F.maximum(Tensor(X), 0.5),
    "maximum, second": lambda: F.maximum(0.5, Tensor(X)),
    "minimum": lambda: F.minimum(Tensor(X), Tensor([0.5])),
    "minimum, second": lambda: F.minimum(Tensor([0.5]), Tensor(X)),
    "max": lambda: F.max(Tensor(X)),
    "min": lambda: F.min(Tensor(X[::-1].copy())),
    "max_pool2d": lambda: F.max_pool2d(Tensor(_SQUARE), 2),
    "adaptive_max_pool2d": lambda: F.adaptive_max_pool2d(Tensor(_SQUARE), 2),
    "hsigmoid": lambda: F.hsigmoid(Tensor(X)),
    "hswish": lambda: F.hswish(Tensor(X)),
    "leaky_relu": lambda: F.leaky_relu(Tensor(X)),
    "prelu": lambda: F.prelu(Tensor(X), Tensor([0.25])),
    "abs": lambda: F.abs(Tensor(X)),
    "softmax": lambda: F.softmax(Tensor(np.resize(X, 37)), 0),
    "sigmoid": lambda: F.sigmoid(Tensor(np.resize(X, 37))),
    "exp": lambda: F.exp(Tensor(np.resize(X, 37))),
    "cumsum": lambda: F.cumsum(Tensor(X), 0),
    "norm, inf": lambda: F.norm(Tensor(X), ord=float("inf")),
    "l1_loss": lambda: F.nn.l1_loss(Tensor(X), F.zeros((3,))),
    "sort": lambda: F.sort(Tensor(X))[0],
    "topk": lambda: F.topk(Tensor(X), 1, descending=True)[0],
    "float16 relu": lambda: F.relu(Tensor(X.astype(np.float16))),
}


def test_what_hides_nan() -> None:
    made = {name: call(Tensor(X)) for name, (call, _) in HIDING.items()}
    for name, (_, expected) in HIDING.items():
        np.testing.assert_array_equal(made[name].numpy().reshape(-1), np.reshape(expected, -1), name)


def test_what_shows_nan() -> None:
    made = {name: call() for name, call in SHOWING.items()}
    for name, result in made.items():
        assert np.isnan(result.numpy()).any(), name


def test_relu_on_a_gpu_is_that_of_the_references_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    np.testing.assert_array_equal(np.asarray(activation.relu.lower(np.append(X, np.float32(0)))), [NAN, 1, 0, 0])


def _found(call: Callable[[], Any], op_by_op: bool = False) -> str:
    """What the check says of a program."""
    with pytest.raises(FloatingPointError) as caught, check_nan():
        with graph.eager() if op_by_op else nullcontext():
            result = call()
        if isinstance(result, Tensor):
            result.numpy()
    return str(caught.value)


@pytest.mark.parametrize("op_by_op", [False, True])
@pytest.mark.parametrize("name", HIDING)
def test_nan_in_is_seen_where_none_comes_out(name: str, op_by_op: bool) -> None:
    call = HIDING[name][0]
    said = _found(lambda: call(Tensor(X)), op_by_op)
    assert "holds NaN" in said or "gave NaN" in said
    assert "test_nan.py:" in said
    zero = Tensor([0.0, 1.0, -2.0])
    said = _found(lambda: call(zero / F.abs(zero) * F.abs(zero)), op_by_op)
    assert "div at" in said and "gave NaN" in said


# Ways into a program.
def _graded(change: Callable[[Parameter], Any]) -> Callable[[], Any]:
    def call() -> Any:
        p = Parameter([1.0, 2.0, 3.0])
        p.grad = Tensor(X)
        return change(p)

    return call


def _backward_of(dy: Any) -> Tensor:
    p = Parameter([1.0, 2.0, 3.0])
    with GradManager().attach(p) as gm:
        gm.backward(F.relu(p) * 2, dy)
    return p.grad


WAYS: dict[str, Callable[[], Any]] = {
    "a reshaped array": lambda: F.relu(Tensor(X).reshape(3, 1)),
    "a cast array": lambda: Tensor(X).astype("float16") > 0,
    "a cast to bools": lambda: Tensor(X).astype("bool"),
    "a NumPy operand": lambda: F.relu(Tensor([1.0, 1.0, 1.0]) + X),
    "a list": lambda: F.relu(Tensor([1.0, 1.0]) * [NAN, 1.0]),
    "a number": lambda: F.relu(Tensor([1.0, 1.0]) * NAN),
    "a bound": lambda: F.maximum(Tensor([1.0]), NAN) > 0,
    "a number compared with": lambda: Tensor([1.0]) > NAN,
    "an assigned element": lambda: _assigned(),
    "full": lambda: F.relu(F.full((2,), NAN)),
    "a batch in a layer": lambda: M.Sequential(M.Linear(3, 2), M.ReLU())(Tensor(X[None])),
    "a parameter": lambda: F.relu(Parameter(X) + 1),
    "a mask": lambda: Tensor([1.0, 2.0, 3.0])[Tensor(X) > 0],
    "a gradient, clipped by norm": _graded(lambda p: clip_grad_norm([p], 1.0)),
    "a gradient, clipped by value": _graded(lambda p: clip_grad_value([p], -1.0, 1.0)),
    "a gradient, taken as a step": _graded(lambda p: SGD([p], lr=0.1).step()),
    "a gradient, taken as Adam's step": _graded(lambda p: Adam([p], lr=0.1).step()),
    "a cotangent": lambda: _backward_of(Tensor(X)),
    "a traced function": lambda: trace(lambda x: F.relu(x))(Tensor(X)),
    "a symbolic one": lambda: trace(lambda x: F.relu(x), symbolic=True)(Tensor(X)),
    "boxes": lambda: F.vision.nms(Tensor(np.where(_BOXES == 20, NAN, _BOXES)), Tensor([0.5, 0.9, 0.8]), 0.5),
    "scores": lambda: F.vision.nms(Tensor(_BOXES), Tensor(X), 0.5),
    "non_zero": lambda: F.non_zero(Tensor(X)),
    "nobody reads": lambda: _unread(),
}


def _unread() -> None:
    F.relu(Tensor(X))


def _assigned() -> Tensor:
    x = Tensor([1.0, 2.0])
    x[0] = NAN
    return F.relu(x)


@pytest.mark.parametrize("op_by_op", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_in(way: str, op_by_op: bool) -> None:
    assert "test_nan.py:" in _found(WAYS[way], op_by_op)


def test_a_call_that_skipped_the_body_before() -> None:
    step = trace(lambda x: F.relu(x), without_host=True)
    for _ in range(4):
        step(Tensor([1.0, 2.0, 3.0]))
    assert "relu" in _found(lambda: step(Tensor(X)))


def test_a_value_computed_for_another_thread() -> None:
    with check_nan():
        pending: list[Tensor] = []
        t = threading.Thread(target=lambda: pending.append(F.relu(Tensor(X))))
        t.start()
        t.join()
        with pytest.raises(FloatingPointError, match="relu"):
            pending[0].numpy()


def test_the_number_is_named() -> None:
    assert "greater at " in (said := _found(lambda: Tensor([1.0]) > NAN)) and "is given the number NaN" in said


def test_nan_that_is_there_and_not_used_is_no_error() -> None:
    unused = Tensor(X)
    with check_nan():
        assert (Tensor([1.0, 2.0]) * 2).numpy().tolist() == [2, 4]
    assert np.isnan(unused.numpy()).any()


def test_the_environment_variable_sees_nan_in_the_data_of_a_finite_falling_loss() -> None:
    program = """
import numpy as np, megengine as mge, megengine.functional as F
w = mge.Parameter(np.ones((3, 2), "float32"))
gm, opt = mge.autodiff.GradManager().attach(w), mge.optimizer.SGD([w], lr=0.1)
x = np.ones((4, 3), "float32"); x[1, 2] = np.nan
with gm:
    loss = F.relu(F.matmul(F.relu(mge.Tensor(x)), w)).mean()
    gm.backward(loss)
opt.step().clear_grad()
print(loss.item())
"""
    runs = {}
    for check in ("0", "1"):
        env = {**os.environ, "MEGENGINE_CHECK_NAN": check}
        runs[check] = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False
        )
    assert np.isfinite(float(runs["0"].stdout))
    assert runs["1"].returncode and "of relu at" in runs["1"].stderr and "holds NaN" in runs["1"].stderr
