"""Names of what a graph reads: the path within its module of a parameter or buffer, that of a
parameter and the name of an optimizer's state of it, or the name that the user gave a tensor.

Nothing is written down for them while a program runs: they are found when someone looks.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any
from weakref import ReferenceType, ref

from .value import Handle, Value

Holder = ReferenceType[Handle] | ReferenceType[Value]


def holders(
    values: Sequence[Value], positions: Sequence[int], rebound: Sequence[tuple[Any, ...]]
) -> tuple[Holder, ...]:
    """For each input of a graph what leads to its tensor later: the tensor, where the graph rebinds it, else the value.

    Args:
        values: of the graph, by position.
        positions: of the inputs.
        rebound: for each tensor rebound, a reference to it and the position of what it held, first.
    """
    changed = {before: reference for reference, before, *_ in rebound if isinstance(before, int)}
    return tuple(changed.get(p) or ref(values[p]) for p in positions)


def names_of(inputs: Sequence[Holder], with_network: bool = False) -> list[str]:
    """The names of a graph's inputs; empty for those without one.

    Where it reads tensors of several networks, a path begins with the network's name, or class.

    Args:
        inputs: what leads to each tensor.
        with_network: a path begins with the network's name where it has one.
    """
    by_tensor = _paths()
    by_value = {id(t._value): (t, root, path) for t, root, path in by_tensor.values()}
    found = []
    for reference in inputs:
        holder = reference()
        if isinstance(holder, Handle):
            found.append(by_tensor.get(id(holder), (holder, None, getattr(holder, "_name", None) or "")))
        else:
            found.append(by_value.get(id(holder), (None, None, "")))
    several = len({id(root) for _, root, _ in found if root is not None}) > 1
    begins = [root is not None and (several or (with_network and bool(root.name))) for _, root, _ in found]
    return [f"{_called(root)}.{path}" if own else path for own, (_, root, path) in zip(begins, found, strict=True)]


def _called(module: Any) -> str:
    return module.name or type(module).__name__


def _paths() -> dict[int, tuple[Any, Any, str]]:
    """Every tensor of a module that is alive, by id, with the outermost module that holds it and the path from there.

    The state that an optimizer has of a parameter goes by the parameter's path.
    """
    alive, optimizers = _alive("_is_module", "_is_optimizer")
    modules = [m for m in alive if "_modules" in m.__dict__]  # others are being made
    inner = {id(child) for module in modules for _, child in module.named_children()}
    found: dict[int, tuple[Any, Any, str]] = {}
    for module in modules:
        if id(module) not in inner:
            for path, tensor in module.named_tensors():
                found.setdefault(id(tensor), (tensor, module, path))
    for optimizer in optimizers:
        for param, states in list(getattr(optimizer, "_state", {}).items()):
            _, module, path = found.get(id(param), (None, None, param._name or ""))
            found.update((id(t), (t, module, f"{path}.{name}".lstrip("."))) for name, t in states.items())
    return found


def _alive(*flags: str) -> list[list[Any]]:
    """For each flag the objects of classes that have it, which spares this room their imports."""
    of_class: dict[type, list[list[Any]]] = {}
    found: dict[str, list[Any]] = {flag: [] for flag in flags}
    for one in gc.get_objects():
        lists = of_class.get(type(one))
        if lists is None:
            lists = of_class[type(one)] = [found[flag] for flag in flags if getattr(type(one), flag, False)]
        for several in lists:
            several.append(one)
    return list(found.values())
