"""Results that are left elsewhere than in what is returned."""

from __future__ import annotations

from typing import Any

from megengine import Tensor

from .program import CALLS, Holder, Wrap, one, program


@program
def losses_in_a_list(wrap: Wrap) -> Any:
    losses: list[Tensor] = []

    @wrap
    def f(x: Tensor) -> Tensor:
        y = x * 2
        losses.append(y)
        return y + 1

    seen = [f(one(k)).item() for k in range(CALLS)]
    return seen, [t.item() for t in losses]


@program
def a_loss_in_an_attribute(wrap: Wrap) -> Any:
    me = Holder()

    @wrap
    def f(x: Tensor) -> None:
        me.loss = x * 2  # type: ignore[attr-defined]

    seen = []
    for k in range(CALLS):
        f(one(k))
        seen.append(me.loss.item())  # type: ignore[attr-defined]
    return seen


@program
def the_last_argument_in_an_attribute(wrap: Wrap) -> Any:
    me = Holder()

    @wrap
    def f(x: Tensor) -> Tensor:
        me.last = x  # type: ignore[attr-defined]
        return x + 1

    return [(f(one(k)).item(), me.last.item()) for k in range(CALLS)]  # type: ignore[attr-defined]


@program
def a_sum_in_a_closure(wrap: Wrap) -> Any:
    total = one(0.0)

    @wrap
    def f(x: Tensor) -> Tensor:
        nonlocal total
        total = total + x * 2
        return x * 3

    return [(f(one()).item(), total.item()) for _ in range(CALLS)]


@program
def a_running_sum_in_place(wrap: Wrap) -> Any:
    total = one(0.0)

    @wrap
    def f(x: Tensor) -> Tensor:
        total[...] = total + x * 2
        return x * 3

    return [(f(one()).item(), total.item()) for _ in range(CALLS)]
