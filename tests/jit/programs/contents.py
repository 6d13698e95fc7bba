"""What is inside of containers, arrays and objects, and changes there."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

import numpy as np

from megengine import Tensor

from .program import CALLS, Holder, Wrap, one, program


@program
def a_number_in_nested_containers(wrap: Wrap) -> Any:
    config = {"a": [1, {"scale": 1.0}], "b": (2, [3])}
    f = wrap(lambda x: x * config["a"][1]["scale"] + config["b"][1][0])  # type: ignore[index]
    seen = []
    for k in range(CALLS):
        if k == 4:
            config["a"][1]["scale"] = 5.0  # type: ignore[index]
        if k == 6:
            config["b"][1][0] = 7  # type: ignore[index]
        seen.append(f(one()).item())
    return seen


@program
def an_array_changed_in_place(wrap: Wrap) -> Any:
    table = np.float32([1.0, 2.0])
    f = wrap(lambda x: x + Tensor(table))
    seen = []
    for k in range(CALLS):
        if k == 5:
            table[0] = 9.0
        seen.append(f(one()).numpy().tolist())
    return seen


@program
def items_of_a_defaultdict_that_go(wrap: Wrap) -> Any:
    layers: Any = collections.defaultdict(lambda: 5.0, a=1.0)
    f = wrap(lambda x: x * layers["a"])
    seen = []
    for k in range(CALLS):
        if k == 5:
            del layers["a"]
        seen.append(f(one()).item())
    return seen


@program
def the_order_of_a_dict(wrap: Wrap) -> Any:
    layers = {"a": lambda x: x * 2, "b": lambda x: x + 3}

    @wrap
    def f(x: Tensor) -> Tensor:
        for layer in layers.values():
            x = layer(x)
        return x

    seen = []
    for k in range(CALLS):
        if k == 5:
            layers["a"] = layers.pop("a")
        seen.append(f(one()).item())
    return seen


@program
def minus_zero(wrap: Wrap) -> Any:
    me = Holder()
    f = wrap(lambda x, k: (x * k, x * me.h))
    seen = []
    for k in range(CALLS):
        me.h = -0.0 if k > 4 else 0.0
        seen.append([t.item() for t in f(one(), -0.0 if k % 2 else 0.0)])
    return seen


@program
def an_attribute_read_by_name(wrap: Wrap) -> Any:
    me = Holder()
    names = ["alpha", "beta"]
    me.alpha, me.beta = 1.0, 2.0  # type: ignore[attr-defined]
    f = wrap(lambda x: sum(x * getattr(me, n) for n in names))
    seen = []
    for k in range(CALLS):
        me.beta = 2.0 + k // 4  # type: ignore[attr-defined]
        seen.append(f(one()).item())
    return seen


@program
def a_dataclass_read_whole(wrap: Wrap) -> Any:
    @dataclasses.dataclass
    class Config:
        alpha: float = 1.0

    config = Config()
    f = wrap(lambda x: sum(x * v for v in dataclasses.asdict(config).values()))
    seen = []
    for k in range(CALLS):
        config.alpha = 2.0 + k // 4
        seen.append(f(one()).item())
    return seen


@program
def a_buffer_of_bytes(wrap: Wrap) -> Any:
    levels = bytearray(b"\x01\x02")
    f = wrap(lambda x: x * levels[1])
    seen = []
    for k in range(CALLS):
        levels[1] = 2 + k // 4
        seen.append(f(one()).item())
    return seen
