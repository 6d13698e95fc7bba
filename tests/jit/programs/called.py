"""Arguments that are changed or returned, and functions reached by other ways than their names."""

from __future__ import annotations

import contextlib
import functools
import queue
from collections.abc import Iterator
from typing import Any

from megengine import Tensor

from .program import CALLS, Holder, Wrap, one, program


@program
def a_replaced_function(wrap: Wrap) -> Any:
    helpers = Holder()
    helpers.h = lambda x: x + 1
    f = wrap(lambda x: helpers.h(x) * 2)
    seen = []
    for k in range(CALLS):
        if k == 5:
            helpers.h = lambda x: x + 10
        seen.append(f(one()).item())
    return seen


@program
def a_dict_that_is_given_and_filled(wrap: Wrap) -> Any:
    @wrap
    def f(batch: dict[str, Any]) -> Tensor:
        batch["y"] = batch["x"] * 2
        batch["n"] = 3
        return batch["y"] + 1

    seen = []
    for k in range(CALLS):
        batch: dict[str, Any] = {"x": one(k)}
        seen.append((f(batch).item(), batch["n"], batch["y"].item()))
    return seen


@program
def a_list_that_is_given_and_returned(wrap: Wrap) -> Any:
    f = wrap(lambda xs: (xs, xs[0] * 2))
    seen = []
    for k in range(CALLS):
        xs = [one(k)]
        same, y = f(xs)
        seen.append((same is xs, y.item()))
    return seen


@program
def an_object_made_for_each_call(wrap: Wrap) -> Any:
    f = wrap(lambda batch: batch.h * 2)
    seen = []
    for k in range(CALLS):
        batch = Holder()
        batch.h = one(k)
        seen.append(f(batch).item())
    return seen


@program
def a_function_behind_a_context_manager(wrap: Wrap) -> Any:
    scale = 1.0

    @contextlib.contextmanager
    def scaled() -> Iterator[float]:
        yield scale

    @wrap
    def f(x: Tensor) -> Tensor:
        with scaled() as s:
            return x * s

    seen = []
    for k in range(CALLS):
        scale = 1.0 + k // 4
        seen.append(f(one()).item())
    return seen


@program
def a_function_in_a_queue(wrap: Wrap) -> Any:
    scale = 1.0
    waiting: Any = queue.Queue()
    waiting.put(lambda x: x * scale)

    @wrap
    def f(x: Tensor) -> Tensor:
        return waiting.queue[0](x)

    def g(x: Tensor) -> Tensor:
        return x * scale

    lookup = functools.singledispatch(g)
    h = wrap(lambda x: lookup(x) + 1)
    seen = []
    for k in range(CALLS):
        scale = 1.0 + k // 4
        seen.append((f(one()).item(), h(one()).item()))
    return seen


@program
def a_traced_function_in_another(wrap: Wrap) -> Any:
    scale = 1.0
    inner = wrap(lambda x: x * scale)
    outer = wrap(lambda x: inner(x) + 1)
    seen = []
    for k in range(CALLS):
        scale = 1.0 + k // 4
        seen.append((outer(one()).item(), inner(one(2.0)).item()))
    return seen
