"""What a traced function returned, as a plan to make another of the same structure around other tensors."""

from __future__ import annotations

import enum
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Container
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from ..module import Module
from ..tensor import Tensor

Build = Callable[[list[Any]], Any]
_LEAVES = (int, float, complex, str, bytes, bool, type(None), np.generic, np.dtype, type(Ellipsis), slice, range)
_SHARED = (type, FunctionType, MethodType, BuiltinFunctionType, ModuleType, Module, enum.Enum)


class CannotReturn(Exception):
    """A result of a kind that cannot be made again."""


class Plan:
    """How to make what a function returned.

    Args:
        result: what it returned.
        known: ids of objects that were there before the call: they are returned themselves.
        given: ids of the arguments and what is in them.

    Attributes:
        tensors: the tensors in it, each once.
        signature: everything else in it, to be compared with another call's.

    Raises:
        CannotReturn: it holds an object that may be another at every call.
    """

    def __init__(self, result: Any, known: Container[int] = (), given: Container[int] = ()) -> None:
        self.tensors: list[Tensor] = []
        self.signature: list[Any] = []
        self._known = known
        self._given = given
        self._objects: list[Any] = []
        self._build = self._plan(result)

    def make(self, tensors: list[Any]) -> Any:
        """The result around other tensors."""
        return self._build([*tensors, *[None] * len(self._objects)])

    def _plan(self, thing: Any) -> Build:
        if isinstance(thing, Tensor):
            return self._plan_tensor(thing)
        if isinstance(thing, _LEAVES):
            return self._constant(thing, thing)
        if isinstance(thing, _SHARED) or id(thing) in self._known:
            return self._constant(thing, id(thing))
        for number, other in enumerate(self._objects):
            if other is thing:
                self.signature.append(number)
                return self._again(number)
        number = len(self._objects)
        self._objects.append(thing)
        self.signature.append(type(thing))
        made = self._plan_object(thing)

        def build(tensors: list[Any]) -> Any:
            tensors[number - len(self._objects)] = result = made(tensors)
            return result

        return build

    def _again(self, number: int) -> Build:
        def build(tensors: list[Any]) -> Any:
            found = tensors[number - len(self._objects)]
            if found is None:
                raise CannotReturn("its result holds itself")
            return found

        return build

    def _constant(self, thing: Any, signature: Any) -> Build:
        self.signature.append(repr(signature) if isinstance(signature, float) else signature)
        return lambda tensors: thing

    def _plan_tensor(self, tensor: Tensor) -> Build:
        number = next((k for k, other in enumerate(self.tensors) if other is tensor), len(self.tensors))
        if number == len(self.tensors):
            self.tensors.append(tensor)
        self.signature.append(("tensor", number))
        return lambda tensors: tensors[number]

    def _plan_object(self, thing: Any) -> Build:
        cls = type(thing)
        if id(thing) in self._given and cls is not tuple:
            raise CannotReturn("its result holds a container that it was given")
        if cls in (list, tuple, set, frozenset):
            parts = self._parts(thing)
            return lambda tensors: cls([p(tensors) for p in parts])
        if isinstance(thing, tuple) and hasattr(thing, "_fields"):
            parts = self._parts(thing)
            return lambda tensors: cls(*[p(tensors) for p in parts])
        if cls is deque:
            parts, limit = self._parts(thing), thing.maxlen
            return lambda tensors: deque([p(tensors) for p in parts], limit)
        if cls in (dict, OrderedDict, defaultdict):
            return self._plan_dict(thing)
        if cls is np.ndarray and thing.dtype != object:
            self.signature.append((thing.shape, thing.dtype, thing.tobytes()))
            return lambda tensors: thing.copy()
        return self._plan_instance(thing)

    def _parts(self, things: Any) -> list[Build]:
        self.signature.append(len(things))
        return [self._plan(thing) for thing in things]

    def _plan_dict(self, thing: Any) -> Build:
        cls, keys = type(thing), list(thing)
        for key in keys:
            if not isinstance(key, (*_LEAVES, *_SHARED, tuple)):
                raise CannotReturn(f"its result holds a dict with a key of type {type(key).__name__}")
        self.signature.append(tuple(keys))
        parts = [self._plan(value) for value in thing.values()]
        if cls is defaultdict:
            factory = thing.default_factory
            return lambda tensors: defaultdict(factory, zip(keys, [p(tensors) for p in parts], strict=True))
        return lambda tensors: cls(zip(keys, [p(tensors) for p in parts], strict=True))

    def _plan_instance(self, thing: Any) -> Build:
        """An instance of a class written in Python: another one with the same attributes."""
        cls: Any = type(thing)
        names = [n for base in cls.__mro__ for n in _slots_of(base) if hasattr(thing, n)]
        names += list(getattr(thing, "__dict__", ()))
        if cls.__new__ not in (object.__new__, SimpleNamespace.__new__) or hasattr(cls, "__next__") or not names:
            raise CannotReturn(f"its result holds an object of type {cls.__name__}")
        self.signature.append(tuple(names))
        parts = [self._plan(getattr(thing, n)) for n in names]

        def build(tensors: list[Any]) -> Any:
            made: Any = cls.__new__(cls)
            for name, part in zip(names, parts, strict=True):
                object.__setattr__(made, name, part(tensors))
            return made

        return build


def _slots_of(cls: type) -> list[str]:
    slots = vars(cls).get("__slots__", ())
    return [n for n in ((slots,) if isinstance(slots, str) else slots) if n not in ("__dict__", "__weakref__")]
