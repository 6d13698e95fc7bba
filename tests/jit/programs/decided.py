"""Counters and optimizers' settings that decide what a step does."""

from __future__ import annotations

from typing import Any

from megengine import Parameter, Tensor
from megengine.autodiff import GradManager
from megengine.optimizer import Adam

from .program import CALLS, Holder, Wrap, one, program, trainer


@program
def a_counter_that_decides_on_the_step(wrap: Wrap) -> Any:
    p, gm, opt = trainer()
    me = Holder()

    @wrap
    def f(x: Tensor) -> Tensor:
        with gm:
            loss = (p * x) ** 2
            gm.backward(loss)
        me.count += 1
        if me.count % 2 == 0:
            opt.step().clear_grad()
        return loss

    return [(f(one()).item(), p.item()) for _ in range(CALLS)]


@program
def a_count_of_a_list_that_decides(wrap: Wrap) -> Any:
    p, gm, opt = trainer()
    steps: list[int] = []

    @wrap
    def f(x: Tensor) -> Tensor:
        with gm:
            loss = (p * x) ** 2
            gm.backward(loss)
        steps.append(1)
        if len(steps) % 3 == 0:
            opt.step().clear_grad()
        return loss

    return [(f(one()).item(), p.item()) for _ in range(CALLS)]


@program
def an_iteration_argument(wrap: Wrap) -> Any:
    p, gm, opt = trainer()

    @wrap
    def f(x: Tensor, k: int) -> Tensor:
        with gm:
            loss = (p * x) ** 2
            gm.backward(loss)
        if k % 2:
            opt.step().clear_grad()
        return loss

    return [(f(one(), k).item(), p.item()) for k in range(CALLS)]


@program
def a_learning_rate(wrap: Wrap) -> Any:
    p, gm, opt = trainer()

    @wrap
    def f(x: Tensor) -> Tensor:
        with gm:
            loss = (p * x) ** 2
            gm.backward(loss)
        opt.step().clear_grad()
        return loss

    seen = []
    for k in range(CALLS + 3):
        opt.param_groups[0]["lr"] = 0.1 / (1 + k // 4)
        seen.append((round(f(one()).item(), 6), round(p.item(), 6)))
    return seen


@program
def a_group_added_to_an_optimizer(wrap: Wrap) -> Any:
    p, q = Parameter([1.0]), Parameter([1.0])
    gm, opt = GradManager().attach([p, q]), Adam([p], lr=0.1)

    @wrap
    def f(x: Tensor) -> Tensor:
        with gm:
            loss = ((p + q) * x) ** 2
            gm.backward(loss)
        opt.step().clear_grad()
        q.grad = None
        return loss

    seen = []
    for k in range(CALLS):
        if k == 5:
            opt.add_param_group({"params": [q], "lr": 0.3})
        seen.append((round(f(one()).item(), 4), round(p.item(), 4), round(q.item(), 4)))
    return seen
