"""The modules whose calls are being traced, one in another, and the nodes of what they see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..module import Module
from ..module.qat import QATModule
from ..tensor import Tensor

__all__ = ["Built", "Scope"]

_CONTAINERS = (list, tuple, dict)


def _items(holder: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of a module, or items of a container, with their names."""
    if isinstance(holder, dict):
        yield from ((key, value) for key, value in holder.items() if isinstance(key, str))
    elif isinstance(holder, (list, tuple)):
        yield from ((str(k), value) for k, value in enumerate(holder))
    else:
        yield from sorted(vars(holder).items())


def paths_below(module: Any) -> dict[int, tuple[str, ...]]:
    """The path to each tensor and module below a module by its id, the shortest of several."""
    found: dict[int, tuple[str, ...]] = {id(module): ()}
    level: list[tuple[tuple[str, ...], Any]] = [((), module)]
    while level:
        below = []
        for path, holder in level:
            for name, value in _items(holder):
                holds = isinstance(value, (Module, *_CONTAINERS))
                if id(value) in found or not (holds or isinstance(value, Tensor)):
                    continue
                found[id(value)] = (*path, name)
                if holds:
                    below.append(((*path, name), value))
        level = below
    return found


class Built:
    """A module, or a container of modules, of which a traced one is made.

    Attributes:
        module: the original.
        graphs: its graphs by the structure of the arguments.
        results: the structures of their results.
        nodes: those that stand for it.
        used: what of it was used, by name.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.graphs: dict[Any, Any] = {}
        self.results: dict[Any, Any] = {}
        self.nodes: list[Any] = []
        self.used: dict[str, Any] = {}

    def use(self, name: str, value: Any) -> None:
        """Note an attribute that was used, under all names that it has here."""
        self.used[name] = value
        self.used.update((other, held) for other, held in _items(self.module) if held is value)

    @property
    def is_qat(self) -> bool:
        """Whether it observes and rounds."""
        return isinstance(self.module, QATModule) or bool(getattr(self.module, "is_qat", False))


class Scope:
    """A call that is being traced.

    Args:
        graph: what it is recorded in.
        module: what is called; None outside of all.
    """

    def __init__(self, graph: Any, module: Any = None) -> None:
        self.graph = graph
        self.module = module
        self._nodes: dict[int, tuple[Any, Any]] = {}
        self._paths: dict[int, tuple[str, ...]] | None = None
        self.values: dict[Any, Any] = {}  # of nodes, where expressions are checked

    def bind(self, obj: Any, node: Any) -> None:
        """Say which node an object is from now on."""
        self._nodes[id(obj)] = (obj, node)

    def node_of(self, obj: Any) -> Any:
        """The node of an object; None if it has none here yet."""
        found = self._nodes.get(id(obj))
        return None if found is None else found[1]

    def object_of(self, node: Any) -> Any:
        """The object of a node, or None."""
        return next((obj for obj, bound in self._nodes.values() if bound is node), None)

    def path_of(self, obj: Any) -> tuple[str, ...] | None:
        """The path from the module that is called to an object; None where it is not below it."""
        if self.module is None:
            return None
        if self._paths is None or id(obj) not in self._paths:
            self._paths = paths_below(self.module)  # anew: the call may have assigned attributes
        path = self._paths.get(id(obj))
        return path if path is not None and self._holds(path, obj) else None

    def _holds(self, path: tuple[str, ...], obj: Any) -> bool:
        held = self.module
        for name in path:
            held = dict(_items(held)).get(name)
        return held is obj
