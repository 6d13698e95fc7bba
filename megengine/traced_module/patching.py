"""Where calls are seen while a module is traced: functions and methods replaced by ones that record, and put back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from types import FunctionType, MethodType, ModuleType
from typing import Any

from ..core.ops.opdef import apply
from ..module.qat import QATModule
from ..tensor import Tensor
from .methods import METHODS
from .names import USER_REGISTERED_FUNCTION, draws, functional_modules, public_functions

__all__ = ["Patcher", "registered_functions"]

_SEARCHED = ("megengine.module", "megengine.quantization")
# After so many traces the methods of Tensor stay replaced, by what calls the original where nothing is traced: a class has a
# thousand versions, and CPython 3.13.0 takes ``x[k]`` for what it was before once they are used up.
_ROUNDS = 100
_rounds = 0
_staying: dict[str, Any] = {}


def registered_functions() -> Iterator[tuple[MutableMapping[str, Any], str]]:
    """The namespace and name of each function that the program registered."""
    for module, name in USER_REGISTERED_FUNCTION:
        found = sys.modules.get(module)
        if found is not None and "." not in name and callable(vars(found).get(name)):
            yield vars(found), name


class Patcher:
    """Replaces what tracing has to see, from ``with`` to its end.

    Args:
        function: makes the recording version of a function.
        method: that of a method of tensors, given its name.
        others: other attributes of classes, as class, name and what to make of the original.
        classes: those whose methods may be called in what is traced, and hold functions as attributes.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        method: Callable[[str, Any], Any],
        others: list[tuple[type, str, Callable[[Any], Any]]],
        classes: Iterable[type],
    ) -> None:
        self._function, self._method, self._others, self._classes = function, method, others, classes
        self._undo: list[tuple[Any, str, Any, bool]] = []
        self.made: dict[int, Any] = {}  # recording versions by the original's id

    def __enter__(self) -> Patcher:
        try:
            self._functions()
            originals = [(name, getattr(Tensor, name, None)) for name in METHODS]
            made: list[tuple[type, str, Any]] = [
                (Tensor, name, self._method(name, original))
                for name, original in originals
                if original is not None and original is not _staying.get(name)
            ]
            made += [(cls, name, make(getattr(cls, name))) for cls, name, make in self._others]
            for replaced in made:  # nothing is looked up in between, so that a class gets one new version of all
                self._set_attribute(*replaced)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        global _rounds
        _rounds += 1
        try:
            self.restore()
        finally:
            self.restore()  # an interrupt may have come amid the first

    def restore(self) -> None:
        """Undo what was replaced, once or more often."""
        while self._undo:
            place, name, before, was_own = self._undo[-1]
            if place is Tensor and name in METHODS and _rounds > _ROUNDS:
                _staying[name] = getattr(Tensor, name)
            elif not isinstance(place, type):
                place[name] = before
            elif was_own:
                setattr(place, name, before)
            elif name in vars(place):
                delattr(place, name)
            del self._undo[-1]  # last: what an interrupt leaves is done again

    def _set_attribute(self, cls: type, name: str, value: Any) -> None:
        self._undo.append((cls, name, vars(cls).get(name), name in vars(cls)))
        setattr(cls, name, value)

    def _set_item(self, namespace: MutableMapping[str, Any], name: str, value: Any) -> None:
        self._undo.append((namespace, name, namespace[name], True))
        namespace[name] = value

    def wrapped(self, function: Any) -> Any:
        """The recording version of a function; each has one."""
        found = self.made.get(id(function))
        if found is None:
            found = self.made[id(function)] = self._function(function)
            self.made[id(found)] = found
        return found

    def patch_object(self, obj: Any) -> None:
        """Replace functions that a module, or a class that it is of, holds as attributes."""
        for name, value in list(vars(obj).items()):
            if type(value) is FunctionType and self.made.get(id(value), value) is not value:
                self._set_item(vars(obj), name, self.made[id(value)])
        self.patch_class(type(obj))

    def patch_class(self, kind: type) -> None:
        """Replace functions that a class or its bases hold as attributes."""
        for cls in kind.__mro__[:-1]:
            for name, value in list(vars(cls).items()):
                plain = value.__func__ if isinstance(value, staticmethod) else value
                if type(plain) is FunctionType and self.made.get(id(plain), plain) is not plain:
                    recording = self.made[id(plain)]
                    self._set_attribute(cls, name, staticmethod(recording) if value is not plain else recording)

    def _functions(self) -> None:
        """Replace functions in the modules that have them, and in those that imported them by name."""
        home = {id(vars(module)) for module in functional_modules()}
        for module in functional_modules():
            for name, function in [*public_functions(module)]:
                self._set_item(vars(module), name, self.wrapped(function))
        for module, name, function in [*draws()]:
            self._set_item(vars(module), name, self.wrapped(function))
        for namespace, name in [*registered_functions()]:
            if id(namespace[name]) not in self.made:
                self._set_item(namespace, name, self.wrapped(namespace[name]))
        self.wrapped(apply)
        made = self.made
        for module in [m for m in list(sys.modules.values()) if isinstance(m, ModuleType) and _searched(m)]:
            namespace = vars(module)
            if id(namespace) in home:
                continue
            for name, value in list(namespace.items()):
                if type(value) in (FunctionType, MethodType) and made.get(id(value), value) is not value:
                    self._set_item(namespace, name, made[id(value)])
        own = QATModule._apply_fakequant_with_observer
        self._set_attribute(QATModule, own.__name__, self.wrapped(own))
        for cls in self._classes:
            self.patch_class(cls)


def _searched(module: ModuleType) -> bool:
    """Whether functions that a module imported are replaced: in programs' modules, and where layers are."""
    name = module.__name__
    if not name.startswith("megengine"):
        return not name.startswith(("numpy", "jax", "scipy"))
    return name.startswith(_SEARCHED) or name == "megengine.core._imperative_rt.core2"
