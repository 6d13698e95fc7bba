"""Attributes of modules by path."""

from __future__ import annotations

from typing import Any

from ..module import Module
from .arguments import convert_kwargs_to_args
from .node import ModuleNode

__all__ = ["assign_attr", "get_subattr"]


# MegEngine's name of it.
_convert_kwargs_to_args = convert_kwargs_to_args


def assign_attr(obj: Any, module: Module, target: str) -> None:
    """Make a tensor or module an attribute of a module below another.

    Args:
        obj: the tensor or module.
        module: where the path begins.
        target: dotted path.

    Raises:
        AttributeError: the path goes through something else than modules.
    """
    path, _, name = target.rpartition(".")
    setattr(get_subattr(module, path), name, obj)


def get_subattr(module: Any, target: str) -> Any:
    """An attribute of a module below another, by its dotted path; the module itself for an empty one.

    Raises:
        AttributeError: there is none, or the path goes through something else than modules.

    Example:
        >>> from megengine.traced_module.utils import get_subattr
        >>> get_subattr(M.Sequential(M.Linear(3, 2)), "0.bias").shape
        (2,)
    """
    for part in filter(None, target.split(".")):
        if isinstance(module, (list, tuple, dict)):
            module = module[part] if isinstance(module, dict) else module[int(part)]
        elif isinstance(module, (Module, ModuleNode)):
            module = getattr(module, part)
        else:
            raise AttributeError(f"`{part}` is not an attribute of a Module")
    return module
