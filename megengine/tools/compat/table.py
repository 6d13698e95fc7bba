"""The table of removed names: one entry each, declared in the file of its library."""

from __future__ import annotations

import builtins
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any

__all__ = ["AFTER", "ENTRIES", "Library", "Removed", "find", "load"]

ENTRIES: dict[str, Removed] = {}
AFTER: dict[str, list[Callable[[Any], None]]] = {}  # module -> what else is done when it has been loaded
LIBRARIES = [
    "names_of_numpy",
    "calls_of_numpy",
    "types_of_numpy",
    "values_of_numpy",
    "arithmetic_of_numpy",
    "names_of_python",
    "calls_of_python",
    "modules_of_python",
]
LIBRARIES += ["names_of_pillow", "names_of_opencv", "names_of_others", "names_of_megengine"]


class Removed:
    """One thing that an old program may use and today's library does not have.

    Attributes:
        module: the module that had it; a module that is gone itself has an empty ``path``.
        path: its name there, ``"bool8"``, ``"ndarray.ptp"``, or ``"*"`` for every name that the module lacks.
        gone: since when, ``"NumPy 2.0"``.
        instead: what to write today.
        old: makes the old value from the object that had it (and, where something else bears the name today, that), or None
            where it cannot be given back. Of ``"*"``: makes it from the object and the name.
        kind: ``"name"`` is absent today, ``"changed"`` means something else today, ``"call"`` accepts less today.
        when: for ``mge check``, which calls are meant; of None, ``"name"`` and ``"changed"`` mean every use and ``"call"`` none.
    """

    __slots__ = ("gone", "instead", "kind", "module", "old", "path", "shown", "value", "when")

    def __init__(
        self,
        module: str,
        path: str,
        gone: str,
        instead: str,
        old: Callable[..., Any] | None,
        kind: str,
        when: Callable[[ast.Call], bool] | None,
        shown: str,
    ) -> None:
        self.module, self.path, self.gone, self.instead = module, path, gone, instead
        self.old, self.kind, self.when, self.shown = old, kind, when, shown
        self.value: dict[int, Any] = {}

    @property
    def name(self) -> str:
        """The full dotted name."""
        return f"{self.module}.{self.path}" if self.path else self.module

    def __repr__(self) -> str:
        return f"Removed({self.name!r}, {self.gone!r}, instead={self.instead!r})"


class Library:
    """The entries of one module, and how they are declared.

    Args:
        module: the module's name.
        title: the library as people call it, with which versions are written.
        short: what its names are written with in a program, ``"np."``.
    """

    def __init__(self, module: str, title: str, short: str | None = None) -> None:
        self.module, self.title = module, title
        self.short = f"{module}." if short is None else short

    def add(
        self,
        path: str,
        gone: str,
        instead: str,
        old: Callable[..., Any] | None = None,
        kind: str = "name",
        when: Callable[[ast.Call], bool] | None = None,
    ) -> None:
        """Declares one entry; ``gone`` is the version alone."""
        shown = self.short + path if path else self.module
        entry = Removed(self.module, path, f"{self.title} {gone}", instead, old, kind, when, shown)
        if entry.name in ENTRIES:
            raise ValueError(f"{entry.name} is declared twice")
        ENTRIES[entry.name] = entry

    def same(self, gone: str, **names: str) -> None:
        """Declares names that were another spelling of one that is still there: ``same("2.0", product="prod")``."""
        for old, today in names.items():
            self.add(old, gone, self.short + today, _attribute(today))

    def same_method(self, gone: str, kind: str, **names: str) -> None:
        """Declares methods of a class that were another spelling of one that is still there."""
        for old, today in names.items():
            self.add(f"{kind}.{old}", gone, f"{kind}.{today}", _calling(today))

    def builtin(self, gone: str, **names: str) -> None:
        """Declares names that were an alias of a Python builtin: ``builtin("1.24", int="int")``."""
        for old, today in names.items():
            kind = "changed" if old in ("bool", "long") else "name"
            self.add(old, gone, today, lambda *_, today=today: getattr(builtins, today), kind)

    def value(self, gone: str, instead: str, **values: Any) -> None:
        """Declares constants, ``instead`` with ``{value!r}`` for how to write one."""
        for name, value in values.items():
            self.add(name, gone, instead.format(value=value), lambda *_, value=value: value)

    def lost(self, gone: str, instead: str, *names: str) -> None:
        """Declares names that cannot be given back: using one is an ``AttributeError`` that says what to do."""
        for name in names:
            self.add(name, gone, instead)

    def after(self, function: Callable[[Any], None]) -> Callable[[Any], None]:
        """Declares what else is done when the module has its old names."""
        AFTER.setdefault(self.module, []).append(function)
        return function

    def function(self, path: str, gone: str, instead: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declares a function or method, written out below: the decorated function is the old one."""

        def declare(function: Callable[..., Any]) -> Callable[..., Any]:
            self.add(path, gone, instead, lambda *_: function)
            return function

        return declare

    def call(
        self, path: str, gone: str, instead: str, when: Callable[[ast.Call], bool] | None = None
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declares that a function took more than it does today.

        The decorated function is given the function of today and a ``used()`` to call when what it does is what has gone;
        it returns the function that the program sees.
        """

        def declare(make: Callable[..., Any]) -> Callable[..., Any]:
            self.add(path, gone, instead, make, "call", when)
            return make

        return declare


def _calling(method: str) -> Callable[..., Any]:
    def old(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, method)(*args, **kwargs)

    return lambda *_: old


def _attribute(path: str) -> Callable[..., Any]:
    def old(owner: Any, *_: Any) -> Any:
        for part in path.split("."):
            try:
                owner = getattr(owner, part)
            except AttributeError:
                owner = import_module(f"{owner.__name__}.{part}")
        return owner

    return old


def load() -> dict[str, Removed]:
    """All entries by full name, after every library's file has been read."""
    for name in LIBRARIES:
        import_module(f"{__package__}.{name}")
    return ENTRIES


def find(name: str) -> Removed | None:
    """The entry of a full dotted name, or of a ``"*"`` that covers it.

    Args:
        name: for instance ``"numpy.bool8"``.
    """
    entry = ENTRIES.get(name)
    if entry is None:
        parts = name.split(".")
        for end in range(len(parts) - 1, 0, -1):
            entry = ENTRIES.get(".".join(parts[:end]) + ".*")
            if entry is not None and end == len(parts) - 1:
                return entry
            whole = ENTRIES.get(".".join(parts[:end]))
            if whole is not None and not whole.path:
                return whole
        return None
    return entry
