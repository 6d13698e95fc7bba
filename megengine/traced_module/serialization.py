"""Loaders: functions that bring expressions of files up to date, by what the expressions call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .states import ModuleState

__all__ = [
    "FUNCTIONAL_LOADER", "MODULE_LOADER", "OPDEF_LOADER", "TENSORMETHOD_LOADER", "of_function", "of_method", "of_module",
    "of_operator", "register_functional_loader", "register_module_loader", "register_opdef_loader",
    "register_tensor_method_loader",
]  # fmt: skip

Loader = Callable[[Any], Any]

_ModuleState = ModuleState  # as MegEngine calls it

OPDEF_LOADER: dict[Any, Loader] = {}
FUNCTIONAL_LOADER: dict[Any, Loader] = {}
TENSORMETHOD_LOADER: dict[Any, Loader] = {}
MODULE_LOADER: dict[Any, Loader] = {}


def _registering(table: dict[Any, Loader], keys: tuple[Any, ...]) -> Callable[[Loader], Loader]:
    def register(loader: Loader) -> Loader:
        for key in keys:
            if key in table:
                raise AssertionError(f"{key} has a loader already")
            table[key] = loader
        return loader

    return register


def register_opdef_loader(*opdefs: Any) -> Callable[[Loader], Loader]:
    """A decorator for the loader of expressions that apply operators of some classes; it may change ``expr.opdef_state``."""
    return _registering(OPDEF_LOADER, opdefs)


def register_functional_loader(*funcs: Any) -> Callable[[Loader], Loader]:
    """A decorator for the loader of calls of functions, each given as the pair of module and name.

    Example:
        >>> from megengine.traced_module.serialization import FUNCTIONAL_LOADER, register_functional_loader
        >>> @register_functional_loader(("megengine.functional.nn", "softmax"))
        ... def add_axis(expr):
        ...     expr.set_arg("axis", -1)
        >>> FUNCTIONAL_LOADER["megengine.functional.nn", "softmax"] is add_axis
        True
        >>> del FUNCTIONAL_LOADER["megengine.functional.nn", "softmax"]
    """
    return _registering(FUNCTIONAL_LOADER, funcs)


def register_module_loader(*module_types: Any) -> Callable[[Loader], Loader]:
    """A decorator for the loader of calls of builtin modules, each class given as the pair of module and name."""
    return _registering(MODULE_LOADER, module_types)


def register_tensor_method_loader(*methods: Any) -> Callable[[Loader], Loader]:
    """A decorator for the loader of calls of tensors' methods."""
    return _registering(TENSORMETHOD_LOADER, methods)


def of_function(name: tuple[str, str]) -> Loader | None:
    """The loader of calls of a function."""
    return FUNCTIONAL_LOADER.get(name)


def of_module(name: tuple[str, str]) -> Loader | None:
    """The loader of calls of modules of a class."""
    return MODULE_LOADER.get(name)


def of_method(name: str) -> Loader | None:
    """The loader of calls of a tensors' method."""
    return TENSORMETHOD_LOADER.get(name)


def of_operator(kind: type) -> Loader | None:
    """The loader of expressions that apply an operator of a class."""
    return OPDEF_LOADER.get(kind)
