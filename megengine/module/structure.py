"""What a module's attributes hold: tensors and submodules, also inside lists, tuples and dicts, and the names they get."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..tensor import Tensor

if TYPE_CHECKING:
    from .module import Module

logger = logging.getLogger(__name__)

CONTAINERS = (list, tuple, dict)


def is_module(obj: Any) -> bool:
    """Whether ``obj`` is a Module (a class attribute says so, which spares this file an import cycle)."""
    return getattr(type(obj), "_is_module", False)


def expand(name: str, obj: Any) -> Iterator[tuple[str, Any]]:
    """The tensors and modules that an attribute holds, with their dotted names.

    Dict entries come in the order of their keys, list and tuple items in their own order.

    Args:
        name: the attribute's name.
        obj: its value.

    Raises:
        AssertionError: a tensor or module is held under a dict key that is no string.
    """
    if isinstance(obj, Tensor) or is_module(obj):
        yield name, obj
    elif isinstance(obj, dict):
        for key in sorted(obj, key=str):
            for inner, leaf in expand(str(key), obj[key]):
                if not isinstance(key, str):
                    raise AssertionError(f"keys for Tensor and Module must be str, error key: {key}")
                yield f"{name}.{inner}", leaf
    elif isinstance(obj, (list, tuple)):
        for position, item in enumerate(obj):
            for inner, leaf in expand(str(position), item):
                yield f"{name}.{inner}", leaf


def expand_structure(prefix: str, obj: Any) -> list[tuple[str, Any]]:
    """The list of what :func:`expand` gives: the tensors and modules within an object, with their dotted names.

    Programs that visit parameters on their own import it as ``megengine.module.module._expand_structure``.

    Example:
        >>> from megengine.module.module import _expand_structure
        >>> [name for name, _ in _expand_structure("head", [M.ReLU(), {"scale": Tensor(1.0)}])]
        ['head.0', 'head.1.scale']
    """
    return list(expand(prefix, obj))


def assign_names(prefix: str | None, name: str, obj: Any) -> None:
    """Tell a tensor or module what it is called where it was assigned, and all that it holds likewise.

    An object keeps the first short name it got; a tensor's own ``name=`` goes before the attribute's.

    Args:
        prefix: full name of the module that it was assigned to, if that is known.
        name: the attribute's name.
        obj: the tensor or module.
    """
    if isinstance(obj, Tensor):
        name = obj.name or name
    short = getattr(obj, "_short_name", None)
    if short and short != name:
        logger.debug("%r is also assigned as %r; it keeps its name", short, name)
        return
    full = f"{prefix}.{name}" if prefix else name
    obj._name = full
    obj._short_name = name
    if isinstance(obj, Tensor):
        obj._prefix = prefix
    else:
        _name_attributes(full, obj)


def _name_attributes(full: str, module: Module) -> None:
    for key, leaf in module._flatten(recursive=False, with_key=True):
        assign_names(full, key, leaf)
