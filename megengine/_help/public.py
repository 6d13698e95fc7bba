"""What ``dir()`` and completion at a prompt list of a module: its public names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

_PACKAGE = __name__.partition(".")[0]


def present(
    modules: Mapping[str, Any], *, hidden: bool, arrived: Callable[[Mapping[str, Any]], None] = lambda modules: None
) -> None:
    """Have the package's modules, those among ``modules`` and those imported later, list their public names only.

    Args:
        modules: the modules imported so far, by name.
        hidden: whether pytest shall leave the frames of the package out of tracebacks.
        arrived: called with modules that are imported later, a package with all that it imports of its own.
    """
    Package.hidden, Package.arrived = hidden, staticmethod(arrived)
    for name, module in list(modules.items()):
        if (name == _PACKAGE or name.startswith(_PACKAGE + ".")) and isinstance(module, ModuleType):
            _present(module)


class Package(ModuleType):
    """A package that presents its modules as they are imported: the import statement makes them its attributes."""

    hidden = False
    arrived: Callable[[Mapping[str, Any]], None] = staticmethod(lambda modules: None)

    def __reduce__(self) -> Any:
        return import_module, (self.__name__,)  # so that functions which use it can be sent to data workers

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        own = f"{self.__name__}.{name}"
        if isinstance(value, ModuleType) and value.__name__ == own and sys.modules.get(own) is value:
            modules = {n: m for n, m in list(sys.modules.items()) if n == own or n.startswith(own + ".")}
            for module in modules.values():
                _present(module)
            Package.arrived(modules)


def _present(module: ModuleType) -> None:
    names = vars(module)
    names.setdefault("__dir__", public_names(names))
    if Package.hidden and not module.__name__.startswith(_PACKAGE + ".tools"):
        names.setdefault("__tracebackhide__", True)
    if type(module) is ModuleType and "__path__" in names:
        module.__class__ = Package
        for name, value in list(names.items()):  # those that its own source imported
            if isinstance(value, ModuleType) and value.__name__ == f"{module.__name__}.{name}":
                _present(value)


def public_names(namespace: dict[str, Any]) -> Callable[[], list[str]]:
    """A module's ``__dir__``: what its ``__all__`` names, or else the functions, classes and modules that are its own."""

    def listed() -> list[str]:
        names = namespace.get("__all__")
        if names is None:
            names = [name for name, value in namespace.items() if _is_own(value, namespace)]
        return sorted(name for name in names if not name.startswith("_"))

    return listed


def _is_own(value: Any, namespace: dict[str, Any]) -> bool:
    """Whether a name of a module without ``__all__`` is its own, and not what its source imports."""
    module, is_package = namespace["__name__"], "__path__" in namespace
    if isinstance(value, ModuleType):
        return is_package and value.__name__.rpartition(".")[0] == module
    home = getattr(value, "__module__", None) if callable(value) else None
    return home == module or (is_package and isinstance(home, str) and home.startswith(module + "."))
