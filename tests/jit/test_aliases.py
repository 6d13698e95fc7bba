"""jit.trace where one tensor is known by several ways, is changed from outside, or keeps its gradient from call to call."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

import megengine.functional as F
from megengine import Parameter, Tensor
from megengine.autodiff import GradManager
from megengine.jit import trace
from megengine.utils.dlpack import from_dlpack


def _pool() -> list[Tensor]:
    pool = [Parameter([float(k + 1), 2.0 * k - 3]) for k in range(4)]
    pool[3]._reset(pool[2])  # two tensors of one value
    return pool


def _bodies(pool: list[Tensor]) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Functions of two tensors that also use, change or differentiate those of the pool."""

    def arithmetic(x: Tensor, y: Tensor) -> Tensor:
        return x * pool[0] + y

    def outside_only(x: Tensor, y: Tensor) -> Tensor:
        return pool[2] * pool[3] - x

    def writes_argument(x: Tensor, y: Tensor) -> Tensor:
        x[0] = y[1]
        return x + y

    def exchanges(x: Tensor, y: Tensor) -> Tensor:
        kept = x * 1
        x._reset(y * 0.5)
        y._reset(kept)
        return x - y

    def differentiates(x: Tensor, y: Tensor) -> Tensor:
        gm = GradManager().attach([x, pool[1]])
        with gm:
            loss = F.sin(x * y * pool[1]).sum()
            gm.backward(loss)
        return loss

    def returns_what_it_got(x: Tensor, y: Tensor) -> Tensor:
        return [x, pool[0], y * 1]  # type: ignore[return-value]

    return {f.__name__: f for f in locals().values() if callable(f)}


def _life(name: str, seed: int, mode: dict[str, bool] | None) -> list[object]:
    """What a random sequence of calls, and of changes from outside, leaves behind after each."""
    pool, rng, history = _pool(), random.Random(seed), []
    body = _bodies(pool)[name]
    function = body if mode is None else trace(body, **mode)
    for _ in range(14):
        action = rng.random()
        x, y = rng.choice(pool), rng.choice(pool)
        if action < 0.12:
            x.grad = None
        elif action < 0.24:
            x[...] = [rng.uniform(-1, 1), 1.0]
        elif action < 0.3:
            x._reset(y)
        else:
            if rng.random() < 0.3:
                x = Tensor([rng.uniform(-1, 1), 0.5])
            result = function(x, y)
            history.append([r.numpy().tolist() for r in (result if isinstance(result, list) else [result])])
        history.append([(t.numpy().tolist(), t.grad is not None and t.grad.numpy().tolist()) for t in pool])
    return history


@pytest.mark.parametrize("mode", [{}, {"without_host": True}], ids=["default", "without_host"])
@pytest.mark.parametrize("name", sorted(_bodies(_pool())))
def test_calls_do_what_they_do_without_trace(name: str, mode: dict[str, bool]) -> None:
    for seed in range(6):
        assert str(_life(name, seed, mode)) == str(_life(name, seed, None)), seed


@pytest.mark.parametrize("mode", [{}, {"symbolic": True}, {"without_host": True}])
def test_gradients_accumulate_until_they_are_cleared(mode: dict[str, bool]) -> None:
    p = Parameter([1.0, 2.0])
    gm = GradManager().attach(p)

    @trace(**mode)
    def backward(x: Tensor) -> None:
        with gm:
            gm.backward((p * x).sum())

    seen = []
    for k in range(12):
        backward(Tensor([1.0, 1.0]))
        seen.append(p.grad.numpy()[0])
        if k % 4 == 3:
            p.grad = None
    assert seen == [1, 2, 3, 4] * 3


def test_changing_arguments_record_no_more_than_needed() -> None:
    calls = []

    @trace(without_host=True)
    def f(x: Tensor) -> Tensor:
        calls.append(x.shape)
        return x + 1

    a, b = Tensor([1.0]), Tensor([2.0])
    for _ in range(10):
        assert (f(a).item(), f(b).item()) == (2.0, 3.0)
    assert len(calls) <= 3


@pytest.mark.parametrize(
    "made",
    [
        lambda x: Parameter([1.0, 2.0]),
        lambda x: Tensor([1.0, 2.0], device="cpu0"),
        lambda x: x.to("cpu0"),
        lambda x: Tensor([1.0, 2.0]).to("cpu0"),
        lambda x: F.copy(x, "cpu0"),
        lambda x: from_dlpack(x.numpy()),
    ],
    ids=["data", "data elsewhere", "an argument moved", "data moved", "an argument copied", "an array taken"],
)
def test_what_the_body_makes_is_new_at_each_call(made: Callable[[Tensor], Tensor]) -> None:
    def body(x: Tensor) -> Tensor:
        y = made(x)
        y += x
        return y

    traced = trace(body, without_host=True)
    for number in range(5):
        x = Tensor([float(number), 3.0])
        assert traced(x).numpy().tolist() == body(x).numpy().tolist()
