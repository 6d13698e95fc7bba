"""What stands for the engine in a worker process, which loads neither JAX nor a device.

A program's modules begin with ``import megengine.functional as F``, define models, decorate functions, make a tensor or two.
Workers import these modules for the data set that they define. There ``megengine.data`` and the logger are real, and every
other module of the package is a stand-in: it can be imported, its classes subclassed, its functions called and used as
decorators. What they return stands for a value that is not there, and says so when the value is needed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType
from typing import Any, NoReturn

__all__ = ["Absent", "absent", "install"]

PACKAGE = __name__.partition(".")[0]
# Modules that load no JAX; a test holds that.
_REAL = ("_help", "_support", "data", "logger", "version")
_FROM_LOGGER = ("enable_debug_log", "get_logger", "set_log_file", "set_log_level")


class Absent:
    """The result of a call into the engine, in a process without one.

    Example:
        >>> from megengine.data.workers.stand_ins import absent
        >>> relu = absent("megengine.functional.relu(...)")
        >>> relu + 1
        Traceback (most recent call last):
        ...
        RuntimeError: megengine.functional.relu(...) has no value in a data worker: workers compute with NumPy, not with tensors
    """

    def __init__(self, name: str) -> None:
        vars(self)["_name"] = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self._name}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _called(self._name, args, kwargs)

    def __repr__(self) -> str:
        return f"<{self._name}, which a data worker does not have>"

    def _needed(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(f"{self._name} has no value in a data worker: workers compute with NumPy, not with tensors")

    __hash__ = object.__hash__


_UNARY = (
    "abs",
    "bool",
    "bytes",
    "complex",
    "float",
    "index",
    "int",
    "invert",
    "iter",
    "len",
    "neg",
    "next",
    "pos",
    "round",
)
_BINARY = (
    "add",
    "and",
    "divmod",
    "floordiv",
    "lshift",
    "matmul",
    "mod",
    "mul",
    "or",
    "pow",
    "rshift",
    "sub",
    "truediv",
    "xor",
)
_OTHER = ("array", "contains", "eq", "ge", "getitem", "gt", "le", "lt", "ne", "reduce_ex", "setitem")
for _operation in (*_UNARY, *_BINARY, *(f"r{name}" for name in _BINARY), *_OTHER):
    setattr(Absent, f"__{_operation}__", Absent._needed)


def absent(name: str) -> Absent:
    """A value that the worker does not have, by the name that messages give it."""
    return Absent(name)


def _called(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What a call gives: a function or class that is being decorated stays what it is."""
    if len(args) == 1 and not kwargs and isinstance(args[0], FunctionType | type):
        return args[0]
    return Absent(f"{name}(...)")


class _StandInType(type):
    """The type of the names in a stand-in module: anything may be asked of them, and they may be subclassed."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _stand_in(f"{cls.__module__}.{cls.__qualname__}", name)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if "_of_engine" in vars(cls):
            return _called(f"{cls.__module__}.{cls.__qualname__}", args, kwargs)
        return super().__call__(*args, **kwargs)

    def __getitem__(cls, item: Any) -> Any:
        return cls


def _stand_in(owner: str, name: str) -> Any:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None: ...

    def __getattr__(self: Any, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return Absent(f"{type(self).__name__}().{attribute}")

    def __call__(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        absent(f"{type(self).__name__}(...)")._needed()

    methods = {"__init__": __init__, "__getattr__": __getattr__, "__call__": __call__}
    return _StandInType(name, (), {"__module__": owner, "_of_engine": True, **methods})


class _StandInModule(ModuleType):
    """A module of which every name exists; some, such as ``megengine.tensor``, share their name with a function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _called(self.__name__, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return importlib.import_module(f"{self.__name__}.{name}")
        except ModuleNotFoundError:
            made = _stand_in(self.__name__, name)
        setattr(self, name, made)
        return made


class _Finder:
    """Finds stand-ins for the modules of the package that need the engine.

    It is not derived from the classes of importlib.abc, whose import takes as long as that of all the rest here.
    """

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        package, _, rest = name.partition(".")
        if package != PACKAGE or rest.partition(".")[0] in _REAL:
            return None
        found = PathFinder.find_spec(name, path)
        if found is None:
            return None
        loader: Any = self
        spec = ModuleSpec(name, loader, origin=found.origin, is_package=found.submodule_search_locations is not None)
        spec.submodule_search_locations = found.submodule_search_locations
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandInModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def install(folder: str) -> None:
    """Makes ``import megengine`` in this process give the stand-ins; called before anything imports the package.

    Args:
        folder: the package's own.
    """
    finder: Any = _Finder()
    sys.meta_path.insert(0, finder)
    spec = ModuleSpec(PACKAGE, finder, is_package=True)
    spec.submodule_search_locations = [folder]
    package = _StandInModule(PACKAGE)
    package.__spec__, package.__path__, package.__loader__ = spec, [folder], finder
    sys.modules[PACKAGE] = package
    logger = importlib.import_module(f"{PACKAGE}.logger")
    for name in _FROM_LOGGER:
        setattr(package, name, getattr(logger, name))
    vars(package)["__version__"] = importlib.import_module(f"{PACKAGE}.version").__version__


def set_process_group(size: int, rank: int) -> None:
    """Lets ``megengine.distributed`` in this process say what it says in the loader's process.

    Args:
        size: number of ranks; 1 without a group.
        rank: which of them the loader's process is.
    """
    group = importlib.import_module(f"{PACKAGE}.distributed")
    for name, value in (("is_distributed", size > 1), ("get_world_size", size), ("get_rank", rank)):
        setattr(group, name, lambda *args, value=value: value)
