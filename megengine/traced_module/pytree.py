"""Nested arguments and results as flat lists with a description of their structure."""

from __future__ import annotations

import inspect
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..core.ops.opdef import OpDef
from ..core.tensor.dtype import QuantDtypeMeta
from ..distributed import Group
from ..graph.device import Device
from ..module import Module
from ..quantization.utils import LSQParams, QParams, QuantMode
from ..tensor import Parameter, Tensor
from .node import ModuleNode, Node, NodeMixin, TensorNode

__all__ = ["ArgsIndex", "LeafDef", "TreeDef", "register_supported_type", "tree_flatten"]


class ArgsIndex:
    """A position among flattened arguments, in the place of the argument."""

    _harmless: ClassVar[bool] = True

    def __init__(self, index: int = 0, name: str = "") -> None:
        self.index = index
        self.name = name

    def __repr__(self) -> str:
        return self.name


class NodeType(NamedTuple):
    """How objects of a container type are taken apart and put together."""

    flatten: Callable[[Any], tuple[Sequence[Any], Any]]
    unflatten: Callable[[list[Any], Any], Any]


_BRACKETS: dict[Any, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), dict: ("{", "}")}
SUPPORTED_TYPE: dict[Any, NodeType] = {}
SUPPORTED_LEAF_TYPE: set[Any] = {
    Tensor, Parameter, str, int, float, bool, complex, bytes, bytearray, type(None), type(Ellipsis), QuantDtypeMeta,
    QuantMode, Device, ArgsIndex, Group, inspect.FullArgSpec,
}  # fmt: skip
SUPPORTED_LEAF_CLS: list[type] = [Module, Node, NodeMixin, np.dtype, np.ndarray, np.generic, OpDef]
USER_REGISTERED_LEAF_TYPE: list[tuple[str, str]] = []
USER_REGISTERED_CONTAINER_TYPE: list[tuple[str, str]] = []


def register_supported_type(
    type: type,
    flatten_fn: Callable[[Any], tuple[Sequence[Any], Any]] | None = None,
    unflatten_fn: Callable[[list[Any], Any], Any] | None = None,
) -> None:
    """Let objects of a class of yours be arguments and results in traced modules.

    With both functions they are containers, whose items may be tensors; without, constants.

    Args:
        type: the class.
        flatten_fn: from an object to its items and what else is needed to make it again, which is hashable.
        unflatten_fn: from the items and that to the object.

    Example:
        >>> import megengine.traced_module as tm
        >>> class Boxes:
        ...     def __init__(self, corners):
        ...         self.corners = corners
        >>> tm.register_supported_type(Boxes, lambda b: ([b.corners], None), lambda items, _: Boxes(*items))
        >>> class Shift(M.Module):
        ...     def forward(self, boxes):
        ...         return Boxes(boxes.corners + 1)
        >>> tm.trace_module(Shift(), Boxes(Tensor([1.0])))(Boxes(Tensor([4.0]))).corners
        Tensor([5.], device=xpux:0)
    """
    name = (type.__module__, type.__qualname__)
    (USER_REGISTERED_CONTAINER_TYPE if flatten_fn and unflatten_fn else USER_REGISTERED_LEAF_TYPE).append(name)
    _register_supported_type(type, flatten_fn, unflatten_fn)


def _register_supported_type(type: Any, flatten_fn: Any = None, unflatten_fn: Any = None) -> None:
    if flatten_fn and unflatten_fn:
        SUPPORTED_TYPE[type] = NodeType(flatten_fn, unflatten_fn)
    else:
        SUPPORTED_LEAF_CLS.append(type)


def _sorted_items(mapping: dict[Any, Any]) -> tuple[list[Any], tuple[Any, ...]]:
    keys = tuple(sorted(mapping))
    return [mapping[key] for key in keys], keys


def _ordered_items(mapping: dict[Any, Any]) -> tuple[list[Any], tuple[Any, ...]]:
    return list(mapping.values()), tuple(mapping)


def _slots(obj: Any) -> tuple[list[Any], tuple[Any, ...]]:
    names = tuple(obj.__slots__)
    return [getattr(obj, name, None) for name in names], names


def _from_slots(cls: Any) -> Callable[[list[Any], Any], Any]:
    def make(items: list[Any], names: Any) -> Any:
        made = cls.__new__(cls)
        for name, item in zip(names, items, strict=True):
            setattr(made, name, item)
        return made

    return make


_register_supported_type(list, lambda x: (x, None), lambda items, _: list(items))
_register_supported_type(tuple, lambda x: (x, None), lambda items, _: tuple(items))
_register_supported_type(dict, _sorted_items, lambda items, keys: dict(zip(keys, items, strict=True)))
_register_supported_type(
    defaultdict, _sorted_items, lambda items, keys: defaultdict(None, zip(keys, items, strict=True))
)
_register_supported_type(OrderedDict, _ordered_items, lambda items, keys: OrderedDict(zip(keys, items, strict=True)))
_register_supported_type(slice, lambda x: ([x.start, x.stop, x.step], None), lambda items, _: slice(*items))
_register_supported_type(QParams, _slots, _from_slots(QParams))
_register_supported_type(LSQParams, _slots, _from_slots(LSQParams))


def is_leaf(obj: Any) -> bool:
    kind = obj if isinstance(obj, type) else type(obj)
    return issubclass(kind, tuple(SUPPORTED_LEAF_CLS)) or kind in SUPPORTED_LEAF_TYPE


def _leaf_type(obj: Any) -> tuple[Any, ...]:
    """What may stand where this object stood."""
    if isinstance(obj, (Tensor, TensorNode)):
        return (Tensor, TensorNode, ArgsIndex)
    if isinstance(obj, (NodeMixin, Module, ModuleNode)):
        return (Module, ModuleNode, NodeMixin, ArgsIndex)
    return (type(obj), ArgsIndex)


def is_const_leaf(obj: Any) -> bool:
    return not isinstance(obj, (Tensor, Node, NodeMixin, Module))


def tree_flatten(
    values: Any,
    leaf_type: Callable[[Any], Any] = _leaf_type,
    is_leaf: Callable[[Any], bool] = is_leaf,
    is_const_leaf: Callable[[Any], bool] = is_const_leaf,
) -> tuple[list[Any], TreeDef]:
    """The leaves of nested containers, and the structure they came from.

    Args:
        values: containers of the supported types, nested.
        leaf_type: the types that may replace a leaf.
        is_leaf: whether an object that is no container may be a leaf.
        is_const_leaf: whether a leaf is part of the structure: structures with other constants are not equal.

    Raises:
        AssertionError: an object that is neither.

    Example:
        >>> from megengine.traced_module.pytree import tree_flatten
        >>> leaves, structure = tree_flatten({"b": [1, 2], "a": 3})
        >>> leaves, structure.unflatten(leaves)
        ([3, 1, 2], {'a': 3, 'b': [1, 2]})
    """
    container = SUPPORTED_TYPE.get(type(values))
    if container is None:
        if not is_leaf(values):
            raise AssertionError(
                f"doesn't support {values!r} of {type(values)} in traced modules: use Tensor, plain values, or "
                f'"register_supported_type" for a type of yours'
            )
        leaf = LeafDef(leaf_type(values))
        if is_const_leaf(values):
            leaf.const_val = values
        return [values], leaf
    leaves: list[Any] = []
    children: list[TreeDef] = []
    items, context = container.flatten(values)
    for item in items:
        below, structure = tree_flatten(item, leaf_type, is_leaf, is_const_leaf)
        leaves.extend(below)
        children.append(structure)
    return leaves, TreeDef(type(values), context, children)


class TreeDef:
    """The structure of nested containers.

    Attributes:
        type: the outermost container's.
        aux_data: what else its ``unflatten`` takes, such as the keys of a dict.
        children_defs: the structures of its items.
        num_leaves: how many leaves there are.
    """

    _harmless: ClassVar[bool] = True

    def __init__(self, type: Any, aux_data: Any, children_defs: list[TreeDef]) -> None:
        self.type = type
        self.aux_data = aux_data
        self.children_defs = children_defs
        self.num_leaves: int = sum(child.num_leaves for child in children_defs)

    def unflatten(self, leaves: Sequence[Any]) -> Any:
        """The containers again, with other leaves.

        Raises:
            AssertionError: another number of leaves, or one of a type that cannot be there.
        """
        if len(leaves) != self.num_leaves:
            raise AssertionError(f"{len(leaves)} leaves for a structure of {self.num_leaves}")
        start, items = 0, []
        for child in self.children_defs:
            items.append(child.unflatten(leaves[start : start + child.num_leaves]))
            start += child.num_leaves
        return SUPPORTED_TYPE[self.type].unflatten(items, self.aux_data)

    def _identity(self) -> tuple[Any, ...]:
        return self.type, _hashable(self.aux_data), self.num_leaves, *map(hash, self.children_defs)

    def __hash__(self) -> int:
        return hash(self._identity())

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TreeDef)
            and (self.type, self.aux_data, self.num_leaves) == (other.type, other.aux_data, other.num_leaves)
            and self.children_defs == other.children_defs
        )

    def _args_kwargs_repr(self) -> str:
        """The structure of ``(args, kwargs)`` as a call is written."""
        if len(self.children_defs) != 2 or [child.type for child in self.children_defs] != [tuple, dict]:
            return repr(self)
        args, kwargs = self.children_defs
        named = [f"{key}={child!r}" for key, child in zip(kwargs.aux_data, kwargs.children_defs, strict=True)]
        return ", ".join([*map(repr, args.children_defs), *named])

    def __repr__(self) -> str:
        keys = self.aux_data or ()
        between = ": " if issubclass(self.type, dict) else "="
        items = [
            f"{keys[i]!r}{between}{child!r}" if i < len(keys) else repr(child)
            for i, child in enumerate(self.children_defs)
        ]
        begin, end = _BRACKETS.get(self.type, (f"{self.type.__name__}(", ")"))
        return f"{begin}{', '.join(items)}{end}"


def _hashable(value: Any) -> Any:
    return str(value) if isinstance(value, (np.ndarray, list, dict, set, bytearray)) else value


class LeafDef(TreeDef):
    """One leaf: the types of what may be there, and its value where that is a constant."""

    def __init__(self, type: Any) -> None:
        super().__init__(tuple(type) if isinstance(type, (tuple, list)) else (type,), None, [])
        self.num_leaves = 1
        self.const_val: Any = None

    def unflatten(self, leaves: Sequence[Any]) -> Any:
        if len(leaves) != 1:
            raise AssertionError(f"{len(leaves)} leaves where one is expected")
        if not isinstance(leaves[0], self.type):
            raise AssertionError(f"{leaves[0]!r} is none of {self.type}")
        return leaves[0]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if isinstance(self.const_val, np.dtype):
            self.type = _leaf_type(self.const_val)  # NumPy's versions have other classes of dtypes
        elif isinstance(self.const_val, type):
            self.type = (type, ArgsIndex)
        elif self.const_val is not None and not isinstance(self.const_val, self.type):
            self.type = (*_leaf_type(self.const_val), *self.type)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LeafDef) or self.type != other.type:
            return False
        mine, theirs = self.const_val, other.const_val
        if isinstance(mine, np.ndarray) or isinstance(theirs, np.ndarray):
            return type(mine) is type(theirs) and np.array_equal(mine, theirs)
        return type(mine) is type(theirs) and bool(mine == theirs)

    def __hash__(self) -> int:
        return hash((self.type, _hashable(self.const_val)))

    def __repr__(self) -> str:
        if self.const_val is not None or type(None) in self.type:
            return repr(self.const_val) if isinstance(self.const_val, str) else str(self.const_val)
        return str(self.type[0].__name__)
