"""Numbers and flags from outside: variables, defaults, attributes."""

from __future__ import annotations

import types
from typing import Any

import megengine.module as M
from megengine import Tensor

from .program import CALLS, Holder, Wrap, one, program

LEVEL = 1.0
MODES = {"gain": 1.0}


@program
def a_flag_from_outside(wrap: Wrap) -> Any:
    double = False
    f = wrap(lambda x: x * 2 if double else x + 5)
    seen = []
    for k in range(CALLS):
        double = k % 4 == 3
        seen.append(f(one(k)).item())
    return seen


@program
def a_number_in_a_closure(wrap: Wrap) -> Any:
    scale = 1.0
    f = wrap(lambda x: x * scale)
    seen = []
    for k in range(CALLS):
        scale = 1.0 + k // 3
        seen.append(f(one()).item())
    return seen


@program
def a_global_number(wrap: Wrap) -> Any:
    global LEVEL
    f = wrap(lambda x: x * LEVEL)
    seen = []
    for k in range(CALLS):
        LEVEL = 2.0 + k // 3
        seen.append(f(one()).item())
    return seen


def leveled(x: Tensor) -> Tensor:
    return x * MODES["gain"]


@program
def a_global_dict_of_a_called_function(wrap: Wrap) -> Any:
    f = wrap(lambda x: leveled(x) + 1)
    seen = []
    for k in range(CALLS):
        MODES["gain"] = 2.0 + k // 3
        seen.append(f(one()).item())
    return seen


@program
def a_number_in_a_default(wrap: Wrap) -> Any:
    def helper(x: Tensor, scale: float = 1.0) -> Tensor:
        return x * scale

    f = wrap(lambda x: helper(x) * 1)
    seen = []
    for k in range(CALLS):
        if k == 5:
            helper.__defaults__ = (7.0,)
        seen.append(f(one()).item())
    return seen


@program
def an_attribute_of_an_argument(wrap: Wrap) -> Any:
    options = types.SimpleNamespace(scale=1.0)
    f = wrap(lambda x, o: x * o.scale)
    seen = []
    for k in range(CALLS):
        options.scale = 1.0 + k // 3
        seen.append(f(one(), options).item())
    return seen


@program
def an_attribute_of_an_object_argument(wrap: Wrap) -> Any:
    options = Holder()
    f = wrap(lambda x, options: x * options.h)
    seen = []
    for k in range(CALLS):
        options.h = 1.0 + k // 3
        seen.append(f(one(), options=options).item())
    return seen


@program
def a_class_attribute(wrap: Wrap) -> Any:
    class Config:
        scale = 1.0

    f = wrap(lambda x: x * Config.scale)
    seen = []
    for k in range(CALLS):
        Config.scale = 1.0 + k // 4
        seen.append(f(one()).item())
    return seen


@program
def an_attribute_that_hides_one_of_the_class(wrap: Wrap) -> Any:
    class Net(M.Module):
        scale = 1.0

        def forward(self, x: Tensor) -> Tensor:
            return x * self.scale

    net = Net()
    f = wrap(net)
    seen = []
    for k in range(CALLS):
        if k == 5:
            net.scale = 3.0
        seen.append(f(one()).item())
    return seen
