"""Putting an entry of the table where the program looks for it, so that other code sees nothing of it.

- A name that a module lacks is found by the module's ``__getattr__``, if the program asks.
- A name that means something else today is a data descriptor of the module's class, which answers the program with the old
  value and everyone else with today's.
- A method is a descriptor in the class, an ``AttributeError`` for everyone else. Classes written in C refuse assignment;
  there it is put into the class's own dictionary.
"""

from __future__ import annotations

import copy
import ctypes
import gc
import sys
from importlib import import_module
from types import ModuleType

from .own import caller, nearest_own
from .table import AFTER, ENTRIES, Removed
from .uses import note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

__all__ = ["OldMethod", "graft", "put", "use_python_slot"]


def old_value(entry: Removed, owner: Any, *arguments: Any) -> Any:
    """The old value, made once for each object that had it."""
    if entry.old is None:
        raise AttributeError(f"{entry.shown} is gone since {entry.gone}: {entry.instead}")
    if id(owner) not in entry.value:
        entry.value[id(owner)] = entry.old(owner, *arguments)
    return entry.value[id(owner)]


class Changed:
    """A module's name that means something else today."""

    def __init__(self, entry: Removed) -> None:
        self.entry, self.name = entry, entry.path

    def __get__(self, module: Any, owner: Any = None) -> Any:
        frame = caller()
        names = module.__dict__
        if self.name in names:
            present = names[self.name]
        elif "__getattr__" in names:  # a module that loads its parts when they are asked for
            present = names["__getattr__"](self.name)
        else:
            raise AttributeError(f"module {module.__name__!r} has no attribute {self.name!r}", name=self.name)
        if frame is None or self.entry.value.get(-1) is not None:
            return present
        if self.entry.kind == "changed":
            note(self.entry, frame)
        value = self.entry.value.get(id(module))
        if value is None:
            value = self.entry.value[id(module)] = self.make(module, present)
        return value

    def make(self, module: Any, present: Any) -> Any:
        """What the program sees."""
        assert self.entry.old is not None
        if self.entry.kind == "changed":
            return self.entry.old(module, present)
        return OldCall(self.entry, present)

    def __set__(self, module: Any, value: Any) -> None:
        self.entry.value[-1] = True  # the program has given the name its own meaning
        module.__dict__[self.name] = value

    def __delete__(self, module: Any) -> None:
        del module.__dict__[self.name]


class OldCall:
    """A function of today, which takes what it took then. It is pickled as the function of today."""

    def __init__(self, entry: Removed, present: Any) -> None:
        assert entry.old is not None
        self.__wrapped__ = present
        self.__name__ = getattr(present, "__name__", entry.path)
        self.__qualname__ = getattr(present, "__qualname__", self.__name__)
        self.__module__ = getattr(present, "__module__", entry.module)
        self.__doc__ = getattr(present, "__doc__", None)
        self._call = entry.old(present, _noted(entry))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __reduce__(self) -> Any:
        return copy.copy, (self.__wrapped__,)  # which of a function is the function itself

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


def _noted(entry: Removed) -> Callable[..., None]:
    def used(name: str | None = None, instead: str | None = None) -> None:
        note(entry, nearest_own(sys._getframe(1)), name and f"{entry.shown}{name}", instead)

    return used


class OldMethod:
    """A method that the program's objects have again."""

    def __init__(self, entry: Removed, owner: Any) -> None:
        self.entry, self.owner, self.name = entry, owner, entry.path.rpartition(".")[2]

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        frame = caller()
        if frame is None:
            kind = owner if owner is not None else type(instance)
            what = f"{kind.__name__!r} object" if instance is not None else f"type object {kind.__name__!r}"
            raise AttributeError(f"{what} has no attribute {self.name!r}", name=self.name, obj=instance)
        note(self.entry, frame)
        function = old_value(self.entry, self.owner)
        bind = getattr(type(function), "__get__", None)
        return function if bind is None else bind(function, instance, owner)


def graft(module: ModuleType, entries: list[Removed]) -> None:
    """Gives a module that has just been loaded its old names back.

    Args:
        module: the module; ``cv2`` may be of a class of its own.
        entries: those of the table that belong to it.
    """
    names: dict[str, Removed] = {}
    changed: dict[str, Any] = {}
    for entry in entries:
        if "." in entry.path:
            _graft_member(module, entry)
        elif entry.kind == "call" and entry.path == "*":
            changed |= _every_function(module, entry)
        elif entry.path in vars(module) or entry.path in vars(module).get("__all__", ()):
            if entry.kind != "name":
                changed[entry.path] = Changed(entry)
        elif entry.kind != "call":
            names[entry.path] = entry
    gone_inside = any(not entry.path and name.startswith(f"{module.__name__}.") for name, entry in ENTRIES.items())
    if names or gone_inside:
        _answer_for(module, names)
    if changed or "__all__" in vars(module):
        kind = type(module)
        changed |= _all_with(names) if "__all__" in vars(module) else {}
        # cloudpickle knows modules by their very class, and asks this one.
        changed["__reduce__"] = lambda self: (import_module, (self.__name__,))
        module.__class__ = type(kind.__name__, (kind,), changed)
    for function in AFTER.get(module.__name__, ()):
        function(module)


def _every_function(module: ModuleType, entry: Removed) -> dict[str, Any]:
    found = {}
    for name, value in vars(module).items():
        if type(value).__name__ == "builtin_function_or_method" and not name.startswith("_"):
            one = Removed(
                entry.module, name, entry.gone, entry.instead, entry.old, "call", None, entry.shown[:-1] + name
            )
            found[name] = Changed(one)
    return found


def _all_with(names: dict[str, Removed]) -> dict[str, Any]:
    """``__all__`` with those old names that a file of the program with ``from module import *`` mentions."""
    kept = {name for name, entry in names.items() if entry.old is not None} - STAYED_OUT

    def all_names(module: Any) -> Any:
        today = module.__dict__["__all__"]
        frame = caller()
        return (
            today
            if frame is None
            else [*(n for n in today if n not in CAME_IN), *sorted(kept & _mentioned(frame.f_code))]
        )

    def set_all(module: Any, value: Any) -> None:
        module.__dict__["__all__"] = value

    return {"__all__": property(all_names, set_all)}


# Names that NumPy had and left out of its __all__: Python's own, and modules.
STAYED_OUT = {
    "int",
    "float",
    "complex",
    "object",
    "str",
    "bool",
    "long",
    "unicode",
    "math",
    "os",
    "sys",
    "warnings",
    "typeDict",
    "*",
}
# Names of today's NumPy that would hide Python's own, which they did not.
CAME_IN = {"abs", "bool", "long", "max", "min", "pow", "round", "ulong"}


def _mentioned(code: CodeType) -> set[str]:
    """The names in a piece of code and the functions in it."""
    names, pending = set[str](), [code]
    while pending:
        one = pending.pop()
        names.update(one.co_names)
        pending += [c for c in one.co_consts if hasattr(c, "co_names")]
    return names


def _answer_for(module: ModuleType, names: dict[str, Removed]) -> None:
    today: Callable[[str], Any] | None = vars(module).get("__getattr__")
    rest = names.pop("*", None)
    inside = f"{module.__name__}."
    modules = {
        name.removeprefix(inside) for name, entry in ENTRIES.items() if not entry.path and name.startswith(inside)
    }

    def __getattr__(name: str) -> Any:
        entry = names.get(name)
        frame = caller() if entry is not None or rest is not None or name in modules else None
        if frame is not None and name in modules:
            return import_module(inside + name)
        if frame is not None and entry is not None:
            note(entry, frame)
            return old_value(entry, module)
        if today is not None:
            try:
                return today(name)
            except AttributeError:
                if frame is None or rest is None:
                    raise
        if frame is not None and rest is not None and name[:2] != "__":
            assert rest.old is not None
            value, instead = rest.old(module, name)
            note(rest, frame, rest.shown[:-1] + name, instead)
            return value
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}", name=name, obj=module)

    vars(module)["__getattr__"] = __getattr__


def _graft_member(module: ModuleType, entry: Removed) -> None:
    path, _, name = entry.path.rpartition(".")
    owner: Any = module
    for part in path.split("."):
        owner = vars(owner).get(part)
        if owner is None:
            return
    if entry.kind == "call":
        assert entry.old is not None
        put(owner, name, entry.old(vars(owner)[name], _noted(entry)))
    elif not hasattr(owner, name):
        put(owner, name, OldMethod(entry, owner))


def put(kind: Any, name: str, value: Any) -> None:
    """Sets an attribute of a class, also of one written in C."""
    try:
        setattr(kind, name, value)
    except TypeError:
        gc.get_referents(kind.__dict__)[0][name] = value
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


# Where the tables of operations are in a type object: the tables' pointers follow 12 words.
_TABLES = {"number": 12, "mapping": 14}
_WORD = ctypes.sizeof(ctypes.c_void_p)


def _words(kind: type, table: str, count: int) -> list[int] | None:
    address = ctypes.c_void_p.from_address(id(kind) + _TABLES[table] * _WORD).value
    return (
        None
        if address is None
        else [ctypes.c_void_p.from_address(address + i * _WORD).value or 0 for i in range(count)]
    )


def use_python_slot(kind: type, name: str, table: str, length: int) -> bool:
    """Has an operation of a class written in C look up its special method, as it does in a class written in Python.

    The place of the operation is found by comparing two classes, of which one has the method; where that does not give
    exactly one, nothing is done.

    Args:
        kind: the class.
        name: the special method, which the class's dictionary holds.
        table: ``"number"`` or ``"mapping"``.
        length: how many operations the table has.

    Returns:
        Whether it was done.
    """
    if (
        sys.implementation.name != "cpython"
        or hasattr(sys, "getobjects")
        or not getattr(sys, "_is_gil_enabled", lambda: True)()
    ):
        return False
    without = type("Without", (), {})
    having = type("Having", (), {name: lambda self, *_: NotImplemented})
    before, after = _words(without, table, length), _words(having, table, length)
    target = ctypes.c_void_p.from_address(id(kind) + _TABLES[table] * _WORD).value
    if before is None or after is None or target is None:
        return False
    places = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    if len(places) != 1 or before[places[0]] != 0:
        return False
    ctypes.c_void_p.from_address(target + places[0] * _WORD).value = after[places[0]]
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
    return True
