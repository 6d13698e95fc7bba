"""State that a body with ``without_host=True`` reads by way of objects that do not show what they hold."""

from __future__ import annotations

import collections
import contextvars
import ctypes
import enum
import functools
import io
import multiprocessing
import os
import queue
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Parameter, Tensor
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


def _first_of_its_name_in_a_class() -> Kind:
    class Child(Thing):
        pass

    return (lambda x: x * Child.first), (lambda n: setattr(Child, "first", n))


def _default_of_a_class() -> Kind:
    class Child(Thing):
        pass

    return (lambda x: x * getattr(Child, "factor", 1.0)), (lambda n: setattr(Child, "factor", n))


def _default_of_a_module() -> Kind:
    module = types.ModuleType("settings_of_a_test")
    return (lambda x: x * getattr(module, "FACTOR", 1.0)), (lambda n: setattr(module, "FACTOR", n))


def _one_attribute_for_another() -> Kind:
    thing = Thing()
    thing.other = 1.0  # type: ignore[attr-defined]

    def change(number: float) -> None:
        vars(thing).clear()
        thing.first = number

    return (lambda x: x * thing.first), change


def _class_of_an_object() -> Kind:
    thing = Thing()

    def change(number: float) -> None:
        thing.__class__ = type("Other", (Thing,), {"first": number, "__module__": __name__})

    return (lambda x: x * thing.first), change


def _method_that_python_looks_up() -> Kind:
    class Called:
        def __call__(self) -> float:
            return 1.0

    thing = Called()
    return (lambda x: x * thing()), (lambda n: setattr(Called, "__call__", lambda self: n))


def _overloaded_function() -> Kind:
    @functools.singledispatch
    def factor(of: object) -> float:
        return 1.0

    return (lambda x: x * factor(3)), (lambda n: factor.register(int, lambda of: n))


def _private_attribute_of_a_parameter() -> Kind:
    parameter: Any = Parameter([1.0])
    parameter._factor = 1.0
    return (lambda x: x * parameter._factor), (lambda n: setattr(parameter, "_factor", n))


def _value_of_a_member() -> Kind:
    class Settings(enum.Enum):
        RATES = [1.0]

    return (lambda x: x * Settings.RATES.value[0]), (lambda n: Settings.RATES.value.__setitem__(0, n))


def _event() -> Kind:
    event = threading.Event()
    numbers = [1.0, 1.0]

    def change(number: float) -> None:
        numbers[event.is_set()] = number if number != 5.0 else 1.0
        (event.clear if event.is_set() else event.set)()

    return (lambda x: x * (5.0 if event.is_set() else 7.0 if numbers[1] == 7.0 else 1.0)), change


def _shared_value() -> Kind:
    value = multiprocessing.Value("d", 1.0)
    return (lambda x: x * value.value), (lambda n: setattr(value, "value", n))


def _number_of_c() -> Kind:
    value = ctypes.c_double(1.0)
    return (lambda x: x * value.value), (lambda n: setattr(value, "value", n))


def _queue_length() -> Kind:
    waiting: queue.Queue[int] = queue.Queue()
    waiting.put(0)
    return (lambda x: x * waiting.qsize()), (lambda n: [waiting.put(0) for _ in range(int(n) - waiting.qsize())])


def _text_in_memory() -> Kind:
    text = io.StringIO("1.0")
    return (lambda x: x * float(text.getvalue())), (lambda n: (text.seek(0), text.write(f"{n}")))


def _weak_proxy() -> Kind:
    thing = Thing()
    proxy = weakref.proxy(thing)
    return (lambda x: x * proxy.first), (lambda n: setattr(thing, "first", n))


def _method_of_c() -> Kind:
    table = {"factor": 1.0}
    get = table.get
    return (lambda x: x * get("factor", 0.0)), (lambda n: table.__setitem__("factor", n))


def _items_that_came_before_the_third_call() -> Kind:
    items = [1.0]
    return (lambda x: x * len(items)), (lambda n: items.extend([1.0] * (int(n) - len(items))))


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


def test_what_changes_right_after_the_recorded_call_is_seen() -> None:
    items: list[float] = []
    traced, x = trace(lambda x: x * (1 + len(items)), without_host=True), Tensor([1.0])
    for length in (0, 0, 1, 1, 2):
        items.extend([0.0] * (length - len(items)))
        assert traced(x).item() == 1 + length
