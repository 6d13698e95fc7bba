"""What the programs have in common, and where they are collected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from megengine import Parameter, Tensor
from megengine.autodiff import GradManager
from megengine.optimizer import SGD

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]
CALLS = 9
PROGRAMS: dict[str, Callable[[Wrap], Any]] = {}


def program(function: Callable[[Wrap], Any]) -> Callable[[Wrap], Any]:
    PROGRAMS[function.__name__] = function
    return function


def one(number: float = 1.0) -> Tensor:
    return Tensor([number])


class Holder:
    def __init__(self) -> None:
        self.h: Any = one(0.0)
        self.count = 0
        self.items: list[Any] = []
        self.table: dict[str, Any] = {}


def trainer() -> tuple[Parameter, GradManager, Any]:
    p = Parameter([1.0])
    return p, GradManager().attach([p]), SGD([p], lr=0.1, momentum=0.5)
