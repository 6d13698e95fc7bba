"""State kept by assignment."""

from __future__ import annotations

import collections
import queue
from typing import Any

import megengine.functional as F
import megengine.module as M
from megengine import Tensor

from .program import CALLS, Holder, Wrap, one, program


@program
def state_in_an_attribute(wrap: Wrap) -> Any:
    me = Holder()

    @wrap
    def f(x: Tensor) -> Tensor:
        me.h = me.h * 0.5 + x
        return me.h

    return [f(one()).item() for _ in range(CALLS)]


@program
def state_that_begins_as_none(wrap: Wrap) -> Any:
    me = Holder()
    me.h = None

    @wrap
    def f(x: Tensor) -> Tensor:
        me.h = x if me.h is None else me.h * 0.5 + x
        return me.h * 1

    return [f(one()).item() for _ in range(CALLS)]


@program
def state_in_a_module(wrap: Wrap) -> Any:
    class Average(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean = one(0.0)

        def forward(self, x: Tensor) -> Tensor:
            self.mean = self.mean * 0.9 + x * 0.1
            return x - self.mean

    net = Average()
    f = wrap(lambda x: net(x) * 2)
    return [(f(one(k)).item(), net.mean.item()) for k in range(CALLS)]


@program
def state_in_a_closure(wrap: Wrap) -> Any:
    total = one(0.0)

    @wrap
    def f(x: Tensor) -> Tensor:
        nonlocal total
        total += x
        return total * 2

    return [(f(one()).item(), total.item()) for _ in range(CALLS)]


@program
def state_in_a_dict(wrap: Wrap) -> Any:
    cache: dict[str, Tensor] = {}

    @wrap
    def f(x: Tensor) -> Tensor:
        cache["last"] = cache.get("last", x) * 0.5 + x
        return cache["last"] + 1

    return [f(one()).item() for _ in range(CALLS)]


@program
def state_in_a_list(wrap: Wrap) -> Any:
    window = [one(0.0), one(0.0)]

    @wrap
    def f(x: Tensor) -> Tensor:
        window.append(x * 2)
        window.pop(0)
        return window[0] + window[1]

    return [f(one(k)).item() for k in range(CALLS)]


@program
def state_in_a_deque(wrap: Wrap) -> Any:
    frames: Any = collections.deque([one(0.0)] * 3, maxlen=3)

    @wrap
    def f(x: Tensor) -> Tensor:
        frames.append(x * 1)
        return F.concat(list(frames)).sum()

    return [f(one(k)).item() for k in range(CALLS)]


@program
def state_in_a_queue(wrap: Wrap) -> Any:
    waiting: Any = queue.Queue()
    waiting.put(one(5.0))

    @wrap
    def f(x: Tensor) -> Tensor:
        y = waiting.get() + x
        waiting.put(y)
        return y * 2

    return [f(one(k)).item() for k in range(CALLS)]


@program
def state_in_slots(wrap: Wrap) -> Any:
    class Cell:
        __slots__ = ("h",)

    cell = Cell()
    cell.h = one(0.0)

    @wrap
    def f(x: Tensor) -> Tensor:
        cell.h = F.sin(cell.h + x)
        return cell.h

    return [round(f(one()).item(), 5) for _ in range(CALLS)]


@program
def state_in_a_class(wrap: Wrap) -> Any:
    class Shared:
        h = one(0.0)

    @wrap
    def f(x: Tensor) -> Tensor:
        Shared.h = Shared.h * 0.5 + x
        return Shared.h

    return [f(one()).item() for _ in range(CALLS)]


@program
def state_set_by_name(wrap: Wrap) -> Any:
    me = Holder()

    @wrap
    def f(x: Tensor) -> Tensor:
        setattr(me, "h", getattr(me, "h") * 0.5 + x)  # noqa: B009, B010
        return me.h

    return [f(one()).item() for _ in range(CALLS)]
