"""State that a body changes in one way and reads in another."""

from __future__ import annotations

import operator
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

from megengine import Tensor

from .program import CALLS, Holder, Wrap, one, program, trainer


@program
def a_count_in_a_nested_dict(wrap: Wrap) -> Any:
    state = {"train": {"n": 0}}

    @wrap
    def f(x: Tensor) -> Tensor:
        state["train"]["n"] += 1
        return x * 5 if state["train"]["n"] > 6 else x * 3

    return [f(one()).item() for _ in range(CALLS)], state


@program
def a_history_by_its_name(wrap: Wrap) -> Any:
    meters: dict[str, list[int]] = defaultdict(list)

    @wrap
    def f(x: Tensor) -> Tensor:
        meters["loss"].append(1)
        return x * len(meters["loss"])

    return [f(one()).item() for _ in range(CALLS)], dict(meters)


@program
def an_iterator_in_a_dict(wrap: Wrap) -> Any:
    held = {"it": iter(range(100))}

    @wrap
    def f(x: Tensor) -> Tensor:
        return x * next(held["it"])

    return [f(one()).item() for _ in range(CALLS)]


@program
def a_list_of_two_names(wrap: Wrap) -> Any:
    history: list[int] = []
    schedule, log = SimpleNamespace(seen=history), Holder()
    log.items = history
    p, gm, opt = trainer()

    @wrap
    def f(x: Tensor) -> Tensor:
        if len(schedule.seen) >= 5:
            opt.param_groups[0]["lr"] = 0.001
        with gm:
            loss = (p * p * x).sum()
            gm.backward(loss)
        opt.step().clear_grad()
        log.items.append(1)
        return loss

    return [(f(one()).item(), p.item()) for _ in range(CALLS)], len(history)


@program
def a_list_within_one_of_two_names(wrap: Wrap) -> Any:
    outer = [[0]]
    alias = outer

    @wrap
    def f(x: Tensor) -> Tensor:
        alias[0].append(1)
        return x * max(len(inner) for inner in outer)

    return [f(one()).item() for _ in range(CALLS)]


@program
def a_number_with_a_second_name(wrap: Wrap) -> Any:
    counts = [0]

    @wrap
    def f(x: Tensor) -> Tensor:
        counts[0] = (n := counts[0] + 1)
        return x * n

    return [f(one()).item() for _ in range(CALLS)]


@program
def an_attribute_in_a_pattern(wrap: Wrap) -> Any:
    me = Holder()

    @wrap
    def f(x: Tensor) -> Tensor:
        me.count += 1
        match me:
            case Holder(count=n) if n > 4:
                return x * 5
        return x

    return [f(one()).item() for _ in range(CALLS)]


@program
def an_attribute_by_a_getter(wrap: Wrap) -> Any:
    me, get = Holder(), operator.attrgetter("count")

    @wrap
    def f(x: Tensor) -> Tensor:
        me.count += 1
        return x * operator.attrgetter("count")(me) if get else x

    return [f(one()).item() for _ in range(CALLS)]


@program
def a_text_of_an_object(wrap: Wrap) -> Any:
    state = SimpleNamespace(n=0)

    @wrap
    def f(x: Tensor) -> Tensor:
        state.n += 1
        return x * len(repr(state)) if state == SimpleNamespace(n=3) else x

    return [f(one()).item() for _ in range(CALLS)]


@program
def an_attribute_whose_setter_changes_another(wrap: Wrap) -> Any:
    class Switch:
        def __setattr__(self, name: str, value: Any) -> None:
            object.__setattr__(self, name, value)
            if name == "n" and value > 5:
                object.__setattr__(self, "factor", 5.0)

    switch: Any = Switch()
    switch.n, switch.factor = 0, 1.0

    @wrap
    def f(x: Tensor) -> Tensor:
        switch.n += 1
        return x * switch.factor

    return [f(one()).item() for _ in range(CALLS)]
