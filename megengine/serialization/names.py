"""What a checkpoint may name, and under which names.

Classes and functions are pickled by name. The names in our files are those that MegEngine 1.13 and NumPy 1 know.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import functools
import importlib
import inspect
import os
import pathlib
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import ml_dtypes
import numpy as np

from ..graph.device import Device
from ..module import Module
from ..ops.quantized import QuantDtypeMeta
from ..optimizer import LRScheduler, Optimizer
from ..tensor import Tensor
from ..tensor.qparams import QParams, QuantMode

ENVIRONMENT = "MEGENGINE_LOAD_ALLOW"
EVERYTHING = "all"

Name = tuple[str, str]

# the names of classes here -> in files
_MOVED: dict[Name, Name] = {
    (cls.__module__, cls.__qualname__): name
    for cls, name in (
        (QParams, ("megengine.quantization.utils", "QParams")),
        (QuantMode, ("megengine.quantization.utils", "QuantMode")),
        (QuantDtypeMeta, ("megengine.core.tensor.dtype", "QuantDtypeMeta")),
        (Device, ("megengine.core._imperative_rt.common", "CompNode")),
        (ml_dtypes.bfloat16, ("megengine.core._imperative_rt", "pybfloat16")),
        (np.bool_, ("numpy", "bool_")),
    )
}
_BUILTINS = (
    bool, bytearray, bytes, complex, dict, float, frozenset, int, list, object, range, set, slice, str, tuple,
)  # fmt: skip
_CONTAINERS = (
    collections.Counter, collections.OrderedDict, collections.defaultdict, collections.deque,
    datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone,
    argparse.Namespace, types.SimpleNamespace,
)  # fmt: skip
_SCALARS = (
    np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.float16, np.float32,
    np.float64, np.longdouble, np.complex64, np.complex128, np.str_, np.bytes_, np.datetime64, np.timedelta64,
)  # fmt: skip
_KNOWN: dict[Name, Any] = {
    ("megengine.quantization.utils", "QParams"): QParams,
    ("megengine.core.tensor.dtype", "QuantDtypeMeta"): QuantDtypeMeta,
    ("megengine.core._imperative_rt.common", "CompNode"): Device,
    ("megengine.core._imperative_rt", "pybfloat16"): ml_dtypes.bfloat16,
    **{(kind.__module__, kind.__qualname__): kind for kind in (*_BUILTINS, *_CONTAINERS, *_SCALARS)},
    ("builtins", "Ellipsis"): Ellipsis,
    ("functools", "partial"): functools.partial,
    ("inspect", "FullArgSpec"): inspect.FullArgSpec,
    ("numpy", "bool_"): np.bool_,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    # Paths of the other system come as pure ones.
    ("pathlib", "PosixPath"): pathlib.Path if os.name == "posix" else pathlib.PurePosixPath,
    ("pathlib", "WindowsPath"): pathlib.Path if os.name == "nt" else pathlib.PureWindowsPath,
    ("pathlib", "PurePosixPath"): pathlib.PurePosixPath,
    ("pathlib", "PureWindowsPath"): pathlib.PureWindowsPath,
    **{
        ("ml_dtypes", name): getattr(ml_dtypes, name)
        for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
    },
}
_OURS = tuple(
    f"megengine.{part}"
    for part in (
        "amp.grad_scaler", "core._imperative_rt.ops", "module.", "ops.rng.", "optimizer.", "quantization.", "random.", "tensor",
        "traced_module.",
    )
)  # fmt: skip
# Where functions are that a module may hold, and where MegEngine has them, too.
_FUNCTIONS = tuple(
    f"megengine.{part}"
    for part in (
        "functional", *(f"functional.{name}" for name in ("nn", "vision", "loss", "metric", "quantized")), "module.init",
    )
)  # fmt: skip
_RANDOM = {
    ("megengine.random.rng", "RNG"),
    ("megengine.random.rng", "_Streams"),
    ("megengine.ops.rng.xoroshiro", "Xoroshiro128"),
}


def name_in_file(module: str, name: str) -> Name:
    """The name to write for a class or function that has this one here."""
    if module.startswith("numpy._core"):
        module = "numpy.core" + module.removeprefix("numpy._core")
    if module == "pathlib._local":  # Python 3.13
        module = "pathlib"
    if module.startswith("megengine.core.ops.builtin"):
        module = "megengine.core._imperative_rt.ops"
    if module.startswith("megengine.functional."):
        module = _public(module, name)
    return _MOVED.get((module, name), (module, name))


def _public(module: str, name: str) -> str:
    """The module by which programs, and MegEngine's, know what a file of this package defines."""
    found = getattr(sys.modules.get(module), name, None)
    public = (m for m in _FUNCTIONS if found is not None and getattr(sys.modules.get(m), name, None) is found)
    return next(public, module)


def known(module: str, name: str) -> Any:
    """The harmless class or value of this name, or None.

    Harmless are plain containers, NumPy's scalars, the tensors, modules and optimizers of this package, and its functions of
    tensors, which a module may hold and a file may not call.

    Raises:
        ImportError: MegEngine's, but not here.
    """
    key = ("pathlib", name) if module == "pathlib._local" else (module, name)
    if key in _KNOWN:
        return _KNOWN[key]
    if not module.startswith((*_OURS, *_FUNCTIONS)) or "." in name:
        return None
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise ImportError(f"this megengine has no {module}.{name}", name=module) from None
    harmless = isinstance(found, type) and (
        issubclass(found, Tensor | Module | Optimizer | LRScheduler) or getattr(found, "_harmless", False)
    )
    return found if harmless or key in _RANDOM or _of_tensors(found, name) else None


def _of_tensors(found: Any, name: str) -> bool:
    """Whether this is a public function of one of the modules for these."""
    defined = isinstance(found, types.FunctionType) and found.__module__.startswith(_FUNCTIONS) and not name.startswith("_")
    return defined and any(getattr(module, name, None) is found for module in map(importlib.import_module, _FUNCTIONS))


def of_the_program(module: str, name: str) -> type[Module] | None:
    """A subclass of Module that the running program has defined or imported, or None; nothing is imported for it."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) and issubclass(found, Module) else None


class Allowed:
    """What the user trusts beyond what is harmless.

    Args:
        allow: ``"all"``; or classes and functions, themselves or as ``"module.name"``; or a mapping from names in the file to
            them. The environment variable :data:`ENVIRONMENT` adds ``all`` or names, separated by commas.

    Raises:
        TypeError: it is something else.
    """

    def __init__(self, allow: Any) -> None:
        self.everything = False
        self.objects: dict[str, Any] = {}
        if isinstance(allow, str):
            allow = [allow]
        if not isinstance(allow, Iterable):
            raise TypeError(f"allow={allow!r}: give a list of classes and names, a dict, or 'all'")
        for item in [*allow, *filter(None, os.environ.get(ENVIRONMENT, "").split(","))]:
            self._add(item, allow)

    def _add(self, item: Any, allow: Any) -> None:
        if isinstance(item, str):
            item = item.strip()
            if isinstance(allow, Mapping) and item in allow:
                self.objects[item] = allow[item]
            elif item == EVERYTHING:
                self.everything = True
            elif "." in item:
                self.objects[item] = None
            else:
                raise TypeError(f"allow: {item!r} is no name of the kind 'module.name', and not 'all'")
        elif hasattr(item, "__qualname__"):
            self.objects[f"{item.__module__}.{item.__qualname__}"] = item
        else:
            raise TypeError(f"allow: {item!r} is no class, function or name of one")

    def find(self, module: str, name: str, resolve: Callable[[str, str], Any]) -> Any:
        """The object of this name in the file, looked up if only its name is trusted; None if it is not trusted by name."""
        if f"{module}.{name}" not in self.objects:
            return None
        found = self.objects[f"{module}.{name}"]
        return resolve(module, name) if found is None else found


def refusal(file: str, names: list[str]) -> str:
    """What to tell the user of names that were refused."""
    listed = ", ".join(names)
    quoted = ", ".join(map(repr, names))
    return (
        f"cannot load {file}: it refers to {listed}, which is neither plain data nor a part of megengine, and loading it could "
        f"run any code. If you trust the file, allow it: megengine.load(..., allow=[{quoted}]), or without changing the "
        f"program the environment variable {ENVIRONMENT}={','.join(names)}; 'all' in place of the names allows everything"
    )
