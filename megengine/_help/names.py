"""Errors of names that are not there, with MegEngine's spelling where PyTorch has the name."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import FrameType, ModuleType
from typing import Any, NoReturn

from .spellings import OF_MODULES, TENSOR

_PACKAGE = __name__.partition(".")[0]
_IMPORT_FROM = dis.opmap["IMPORT_FROM"]
_FUNCTIONS = ("functional", "functional.nn", "functional.loss", "functional.vision", "functional.metric")
_CLASSES = ("module", "optimizer", "autodiff", "data", "data.dataset", "data.transform", "amp", "jit", "distributed")


def explain_names(modules: Mapping[str, Any]) -> None:
    """Have those of the package's modules that are given say what a name of PyTorch's is called here; costs what is there
    nothing."""
    for name in OF_MODULES:
        module = modules.get(f"{_PACKAGE}.{name}" if name else _PACKAGE)
        if module is not None:
            vars(module).setdefault("__getattr__", _getattr_of(module, name))


def _getattr_of(module: ModuleType, name: str) -> Callable[[str], NoReturn]:
    def __getattr__(attribute: str) -> NoReturn:
        message = f"module {module.__name__!r} has no attribute {attribute!r}"
        if attribute.startswith("__"):  # as the machinery of imports asks
            raise AttributeError(message, name=attribute, obj=module)
        spelling = (
            OF_MODULES[name].get(attribute)
            or _function_called(attribute)
            or _class_called(attribute)
            or OF_MODULES["functional"].get(attribute)
        )
        if spelling is None:
            raise AttributeError(message, name=attribute, obj=module)
        if _imports(sys._getframe(1)):  # the import statement would drop the message of an AttributeError
            raise ImportError(
                f"cannot import name {attribute!r} from {module.__name__!r}; MegEngine's spelling is {spelling}",
                name=module.__name__,
            )
        raise AttributeError(f"{message}; MegEngine's spelling is {spelling}")

    return __getattr__


def _imports(frame: FrameType | None) -> bool:
    """Whether a frame, or the one that called this package's from there, is at ``from ... import name``."""
    while frame is not None and frame.f_code.co_name == "__getattr__":
        frame = frame.f_back
    return frame is not None and frame.f_code.co_code[frame.f_lasti] == _IMPORT_FROM


def _function_called(name: str, first: str = "") -> str | None:
    """How to write a function of :mod:`megengine.functional` that is looked for elsewhere."""
    if name.endswith("_") and not name.startswith("_"):
        stem = _function_called(name[:-1], first or "x")
        return stem and f"x = {stem}"
    for place in _FUNCTIONS:
        function = vars(sys.modules.get(f"{_PACKAGE}.{place}", sys)).get(name)
        if callable(function) and not name.startswith("_") and not isinstance(function, type):
            return (
                f"F.{place.removeprefix('functional').removeprefix('.')}{'.' * ('.' in place)}{name}({first or '...'})"
            )
    return None


def _class_called(name: str) -> str | None:
    """Where a public class or decorator is that is looked for in another module of the package."""
    for place in _CLASSES:
        found = vars(import_module(f"{_PACKAGE}.{place}")).get(name)
        if isinstance(found, type) and found.__module__.startswith(_PACKAGE) and not name.startswith("_"):
            return f"M.{name}" if place == "module" else f"mge.{place}.{name}"
    return None


def no_tensor_attribute(tensor: Any, name: str) -> AttributeError:
    """The error of an attribute that tensors do not have."""
    message = f"{type(tensor).__name__!r} object has no attribute {name!r}"
    if name.startswith("_"):
        return AttributeError(message, name=name, obj=tensor)
    spelling = TENSOR.get(name) or _function_called(name, "x")
    if spelling is None:
        return AttributeError(message, name=name, obj=tensor)
    return AttributeError(f"{message}; MegEngine's spelling is {spelling}")


def no_attribute(thing: Any, name: str, spellings: Mapping[str, str]) -> AttributeError:
    """The error of an attribute that an object does not have, with the spelling of it in a table."""
    message = f"{type(thing).__name__!r} object has no attribute {name!r}"
    spelling = spellings.get(name)
    if spelling is None:
        return AttributeError(message, name=name, obj=thing)
    return AttributeError(f"{message}; MegEngine's spelling is {spelling}")
