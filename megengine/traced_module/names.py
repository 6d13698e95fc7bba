"""Names of functions and operators in files: public ones of MegEngine, and what they may stand for here.

A file names functions and classes; only those of ``functional`` and of this package's layers are looked up, and those that the
program registered itself, so that loading a file runs nothing else.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

from ..core.ops import builtin
from ..core.ops.opdef import OpDef
from ..module import Module
from ..module.qat import QATModule
from ..random import rng
from ..serialization.names import known, of_the_program

__all__ = [
    "FUNCTIONAL", "PLACES_OF_FUNCTIONS", "USER_REGISTERED_FUNCTION", "USER_REGISTERED_MODULE", "class_called", "draws",
    "find_function", "functional_modules", "name_of_function", "operator_called", "public_functions",
]  # fmt: skip

FUNCTIONAL = (
    "elemwise", "math", "nn", "tensor", "loss", "vision", "quantized", "metric", "utils", "inplace", "distributed",
)  # fmt: skip
PLACES_OF_FUNCTIONS = (*(f"megengine.functional.{name}" for name in FUNCTIONAL), "megengine.quantization.utils")
RANDOM = "megengine.random.rng"
_DRAWS = ("uniform", "normal", "gamma", "beta", "poisson", "permutation", "exponential")
FAKE_QUANT = ("megengine.module.qat.module", "QATModule._apply_fakequant_with_observer")
_ROOT = "megengine.functional"

USER_REGISTERED_MODULE: list[tuple[str, str]] = []
USER_REGISTERED_FUNCTION: list[tuple[str, str]] = []


def functional_modules() -> list[ModuleType]:
    """The modules that public functions are found in."""
    return [import_module(name) for name in (*PLACES_OF_FUNCTIONS, _ROOT)]


def public_functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """Names and functions that a module of ``functional`` has for programs."""
    for name, value in list(vars(module).items()):
        ours = isinstance(value, FunctionType) and value.__module__.startswith(_ROOT)
        if ours and not name.startswith("_"):
            yield name, value


def draws() -> Iterator[tuple[ModuleType, str, Any]]:
    """The functions that draw random numbers: where they are, their names, and they."""
    for module in (rng, import_module("megengine.random")):
        yield from ((module, name, vars(module)[name]) for name in _DRAWS if name in vars(module))


@lru_cache(maxsize=1)
def _public_names() -> dict[tuple[str, str], tuple[str, str]]:
    """Where a function is defined here -> where MegEngine has it."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    modules = functional_modules()
    for listed in (True, False):  # what a module lists is its own; others only import it
        for module in modules:
            for name, function in public_functions(module):
                if not listed or name in getattr(module, "__all__", ()):
                    found.setdefault((function.__module__, function.__qualname__), (module.__name__, name))
    return found


def name_of_function(function: Any) -> tuple[str, str]:
    """The name of a function in files."""
    own = (function.__module__, function.__qualname__)
    if own[0] == RANDOM:  # a method of the shared generator
        return RANDOM, function.__name__
    return _public_names().get(own, own)


def find_function(module: str, name: str) -> Callable[..., Any]:
    """The function of this name in a file.

    Raises:
        pickle.UnpicklingError: it is neither public in ``functional`` nor registered by :func:`~megengine.traced_module.wrap`.
        ImportError: it is MegEngine's, but not here.
    """
    if (module, name) == FAKE_QUANT:
        return QATModule._apply_fakequant_with_observer
    found: Any = None
    if (module, name) in USER_REGISTERED_FUNCTION:
        found = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
    elif module == RANDOM and name in _DRAWS:
        found = getattr(rng, name, None)
    elif module in PLACES_OF_FUNCTIONS or module == _ROOT:
        found = getattr(import_module(module), name, None) if not name.startswith("_") else None
        if found is None:
            raise ImportError(f"this megengine has no {module}.{name}", name=module)
        if not isinstance(found, FunctionType) or not found.__module__.startswith(_ROOT):
            found = None
    if found is None:
        raise pickle.UnpicklingError(
            f"the traced module calls {module}.{name}, which is no function of megengine.functional: if you trust it, import "
            f"the module that defines it and register it there with megengine.traced_module.wrap"
        )
    return found  # type: ignore[no-any-return]


def class_called(module: str, name: str) -> type[Module]:
    """The class of a builtin module of this name in a file.

    Raises:
        pickle.UnpicklingError: it is no subclass of ``Module`` that this package or the program has.
        ImportError: it is MegEngine's, but not here.
    """
    found = known(module, name) or of_the_program(module, name)
    if isinstance(found, type) and issubclass(found, Module):
        return found
    raise pickle.UnpicklingError(
        f"the traced module holds a {module}.{name}, which is no Module that this program has defined or imported"
    )


def operator_called(name: str) -> type[OpDef]:
    """The operator's class of this name.

    Raises:
        ImportError: there is none here.
    """
    found = getattr(builtin, name, None)
    if isinstance(found, type) and issubclass(found, OpDef):
        return found
    raise ImportError(f"this megengine has no operator {name}", name="megengine.core.ops.builtin")
