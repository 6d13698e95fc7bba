"""State that a body with ``without_host=True`` reads by way of objects that do not show what they hold."""

from __future__ import annotations

import collections
import contextvars
import functools
import os
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor
from megengine.jit import trace

Kind = tuple[Callable[[Tensor], Tensor], Callable[[float], Any]]


class Thing:
    first = 1.0

    @property
    def twice(self) -> float:
        return self.first * 2

    def method(self) -> float:
        return self.first


def _attribute_beside_that_of_the_class() -> Kind:
    thing = Thing()
    return (lambda x: x * thing.twice), (lambda n: setattr(thing, "first", n))


def _method_of_one_object() -> Kind:
    thing = Thing()
    return (lambda x: x * thing.method()), (lambda n: setattr(thing, "method", lambda: n))


def _cached_function() -> Kind:
    box = [1.0]

    @functools.lru_cache(maxsize=8)
    def cached(factor: int) -> float:
        return box[0] * factor

    def change(number: float) -> None:
        box[0] = number
        cached.cache_clear()

    cached(2)  # its code does not run while the call is recorded
    return (lambda x: x * cached(2)), change


def _cached_list() -> Kind:
    @functools.cache
    def cached() -> list[float]:
        return [1.0]

    cached()
    return (lambda x: x * cached()[0]), (lambda n: cached().__setitem__(0, n))


def _weak_reference() -> Kind:
    thing = Thing()
    weak = weakref.ref(thing)
    return (lambda x: x * weak().first), (lambda n: setattr(thing, "first", n))  # type: ignore[union-attr]


def _weak_dictionary() -> Kind:
    thing = Thing()
    table = weakref.WeakKeyDictionary({thing: 1.0})
    return (lambda x: x * table[thing]), (lambda n: table.__setitem__(thing, n))


def _context_variable() -> Kind:
    variable = contextvars.ContextVar("variable", default=1.0)
    return (lambda x: x * variable.get()), variable.set


def _local_of_the_thread() -> Kind:
    local = threading.local()
    local.first = 1.0
    return (lambda x: x * local.first), (lambda n: setattr(local, "first", n))


def _user_dictionary() -> Kind:
    table = collections.UserDict(first=1.0)
    return (lambda x: x * table["first"]), (lambda n: table.__setitem__("first", n))


def _chain_of_dictionaries() -> Kind:
    inner = {"first": 1.0}
    table = collections.ChainMap({}, inner)
    return (lambda x: x * table["first"]), (lambda n: inner.__setitem__("first", n))


def _view_of_a_dictionary() -> Kind:
    table = {"first": 1.0}
    values = table.values()
    return (lambda x: x * sum(values)), (lambda n: table.__setitem__("first", n))


def _module_imported_inside() -> Kind:
    module = sys.modules["settings_of_a_test"] = types.ModuleType("settings_of_a_test")
    module.first = 1.0  # type: ignore[attr-defined]

    def body(x: Tensor) -> Tensor:
        import settings_of_a_test  # type: ignore[import-not-found]

        return x * settings_of_a_test.first

    return body, (lambda n: setattr(module, "first", n))


def _environment() -> Kind:
    os.environ["MEGENGINE_OF_A_TEST"] = "1"
    return (lambda x: x * float(os.environ["MEGENGINE_OF_A_TEST"])), (
        lambda n: os.environ.__setitem__("MEGENGINE_OF_A_TEST", str(n))
    )


def _function_of_the_package() -> Kind:
    return (lambda x: F.relu(x)), (lambda n: setattr(F, "relu", lambda x: x * n))


KINDS = [
    kind for name, kind in list(globals().items()) if name.startswith("_") and isinstance(kind, types.FunctionType)
]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    relu = F.relu
    yield
    F.relu = relu
    sys.modules.pop("settings_of_a_test", None)
    os.environ.pop("MEGENGINE_OF_A_TEST", None)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_body_runs_again_when_it_has_changed(kind: Callable[[], Kind]) -> None:
    body, change = kind()
    ran: list[int] = []

    def counted(x: Tensor) -> Tensor:
        ran.append(0)
        return body(x)

    traced, x = trace(counted, without_host=True), Tensor([1.0, 2.0])
    for _ in range(6):
        before = traced(x).numpy()
    assert len(ran) < 6  # it is skipped while nothing changes
    for number in (5.0, 7.0):
        change(number)
        now = traced(x).numpy()
        np.testing.assert_array_equal(now, body(x).numpy())
        assert not np.array_equal(now, before)
