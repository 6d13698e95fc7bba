"""The variables of a traced module's graph: tensors and modules."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import ReferenceType, ref

from ..logger import get_logger
from ..module import Module
from ..tensor.qparams import QParams
from .methods import BINARY, dunders
from .tm_config import active_surgery

if TYPE_CHECKING:
    from .expr import Expr
    from .internal_graph import InternalGraph

__all__ = ["ModuleNode", "Node", "NodeMixin", "TensorNode"]

logger = get_logger(__name__)


class NodeMixin:
    """Base of objects that stand for modules while they are traced; in the files of MegEngine, part of structures."""

    _harmless: ClassVar[bool] = True


class Node:
    """A variable: made by one expression, used by others.

    Attributes:
        expr: the expression that makes it.
        users: the expressions that take it, as often as they do.
    """

    _harmless: ClassVar[bool] = True
    _next: ClassVar[int] = 0
    _format_spec: ClassVar[str] = ""
    _top_graph: ReferenceType[InternalGraph] | None = None

    def __init__(self, expr: Any, name: str | None = None, qualname: str | None = None) -> None:
        self.expr: Expr = expr
        self.users: list[Expr] = []
        self._id = Node._get_next_id()
        Node._set_next_id(self._id + 1)
        self._name: str = name or ""
        self._qualname: str = qualname or ""
        self.actual_node: list[Node] = []

    @classmethod
    def _get_next_id(cls) -> int:
        return Node._next

    @classmethod
    def _set_next_id(cls, id: int = 0) -> None:
        Node._next = id

    @classmethod
    def _set_format_spec(cls, spec: str) -> str:
        before, Node._format_spec = Node._format_spec, spec
        return before

    def __repr__(self) -> str:
        return format(self, "")

    def __format__(self, spec: str) -> str:
        """``i`` puts the number before the name, ``p`` the graph's name."""
        spec = spec or Node._format_spec
        name = self._name
        if "p" in spec and self.top_graph is not None:
            name = f"{self.top_graph._name}_{name}"
        if "i" in spec:
            return f"%{self._id}_{name}"
        return name or str(self._id)

    @property
    def name(self) -> str:
        """The name, unique in the graph."""
        return self._name

    @name.setter
    def name(self, new_name: str) -> None:
        """Rename the node.

        Raises:
            AssertionError: the name is taken, or the node is in no graph.
        """
        surgery = active_surgery()
        graph = self.top_graph or (surgery.graph_of(self) if surgery is not None else None)
        if graph is None:
            raise AssertionError("a node that is in no graph cannot be renamed")
        names = graph._namespace
        if names.used_names.get(new_name) is not None:
            raise AssertionError(f"the name {new_name} is already in use: choose another")
        if names.used_names.get(self._name) is self:
            names.unassociate_name_with_obj(self)
        self._name = names.create_unique_name(new_name, self)

    @property
    def qualname(self) -> str:
        """Where in the original module it comes from, such as ``net.block.conv`` or ``net.block.conv.[out]``."""
        return self._qualname

    @property
    def top_graph(self) -> InternalGraph | None:
        """The graph that it is in."""
        return self._top_graph() if self._top_graph is not None else None

    def _fields(self) -> dict[str, Any]:
        names = ("expr", "_id", "_name", "_qualname")
        # who uses it follows from the expressions; written down, it would nest a file as deeply as the network is
        return {"users": [], **{name: getattr(self, name) for name in names}}

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        for name, value in self.__dict__.items():
            if not isinstance(value, ReferenceType):
                made.__dict__[name] = [] if name == "actual_node" else copy.deepcopy(value, memo)
        return made

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__.setdefault("actual_node", [])


class ModuleNode(Node):
    """A module.

    Example:
        >>> import megengine.traced_module as tm
        >>> class Net(M.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = M.Linear(3, 2)
        ...     def forward(self, x):
        ...         return F.relu(self.fc(x))
        >>> net = tm.trace_module(Net(), Tensor([[1.0, 2.0, 3.0]]))
        >>> net.graph.inputs[0]
        self
    """

    #: Its class, where it is a builtin module.
    module_type: Any = Module
    _owner: ReferenceType[Module] | None = None

    def __getstate__(self) -> dict[str, Any]:
        kind = self.module_type
        name = kind if isinstance(kind, tuple) else (kind.__module__, kind.__qualname__)
        return {**self._fields(), "module_type": name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_orig_name" in state:  # before MegEngine 1.8
            state["_qualname"] = state.pop("_orig_name")
        super().__setstate__(state)

    @property
    def owner(self) -> Any:
        """The module itself."""
        return self._owner() if self._owner is not None else None

    def _own(self, module: Module) -> None:
        self._owner = ref(module)
        if isinstance(self.module_type, tuple):  # from a file
            traced = self.module_type == (Module.__module__, Module.__qualname__)
            self.module_type = Module if traced else type(module)

    def __getattr__(self, name: str) -> Any:
        """While expressions are inserted, ``node.attribute`` gets the module's attribute in the graph."""
        surgery = active_surgery() if not name.startswith("__") else None
        if surgery is None or "_id" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return surgery.attribute(self, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """While expressions are inserted, call the module in the graph.

        Raises:
            TypeError: at any other time.
        """
        surgery = active_surgery()
        if surgery is None:
            raise TypeError("'ModuleNode' object is not callable outside of insert_exprs()")
        return surgery.call(self, args, kwargs)


class TensorNode(Node):
    """A tensor, with what is known of it: shape, dtype, device and quantization.

    Example:
        >>> import megengine.traced_module as tm
        >>> class Net(M.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = M.Linear(3, 2)
        ...     def forward(self, x):
        ...         return F.relu(self.fc(x))
        >>> net = tm.trace_module(Net(), Tensor([[1.0, 2.0, 3.0]]))
        >>> net.graph.outputs[0].shape
        (1, 2)
    """

    _shape: Any = None
    _dtype: Any = None
    _qparams: QParams | None = None
    _device: Any = None
    _value: Any = None

    def __init__(
        self,
        expr: Any,
        name: str | None = None,
        qualname: str | None = None,
        shape: Any = None,
        dtype: Any = None,
        qparams: QParams | None = None,
    ) -> None:
        super().__init__(expr, name, qualname)
        self._shape = shape
        self._dtype = dtype
        self._qparams = qparams

    def _describe(self, value: Any) -> None:
        """Keep what is known of a tensor."""
        self._shape, self._dtype, self._device = value._tuple_shape, value.dtype, value.device
        if value._qparams is not None:
            self._qparams = value.qparams

    def __getstate__(self) -> dict[str, Any]:
        names = ("_qparams", "_shape", "_dtype", "_device")
        return {**self._fields(), **{name: getattr(self, name) for name in names}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_orig_name" in state:  # before MegEngine 1.8
            path, dot, last = state.pop("_orig_name").rpartition(".")
            last = last if type(state["expr"]).__name__ == "GetAttr" else f"[{last}]"
            state["_qualname"] = f"{path}{dot}{last}"
        super().__setstate__(state)

    @property
    def shape(self) -> Any:
        """Sizes of the dimensions in the call that was traced; a node while expressions are inserted."""
        surgery = active_surgery()
        return self._shape if surgery is None else surgery.shape(self)

    @shape.setter
    def shape(self, shape: Any) -> None:
        self._shape = shape

    @property
    def dtype(self) -> Any:
        """Its dtype."""
        return self._dtype

    @dtype.setter
    def dtype(self, dtype: Any) -> None:
        self._dtype = dtype

    @property
    def device(self) -> Any:
        """Its device."""
        return self._device

    @device.setter
    def device(self, device: Any) -> None:
        self._device = device

    @property
    def qparams(self) -> QParams | None:
        """What is known of its quantization."""
        return self._qparams

    @qparams.setter
    def qparams(self, qparams: QParams | None) -> None:
        self._qparams = qparams

    @property
    def value(self) -> Any:
        """The tensor that stands for it while expressions are inserted; None at other times."""
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        self._value = value

    def __getattr__(self, name: str) -> Any:
        """While expressions are inserted, methods of tensors."""
        surgery = active_surgery() if not name.startswith("_") else None
        if surgery is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return surgery.method(self, name)


def _operator(name: str) -> Any:
    def called(self: TensorNode, *args: Any) -> Any:
        surgery = active_surgery()
        if surgery is None:
            if name == "__getitem__":
                raise TypeError("'TensorNode' object is not subscriptable outside of insert_exprs()")
            return NotImplemented
        return surgery.method(self, name)(*args)

    called.__name__ = name
    return called


_OTHERS = dunders("lt le gt ge neg pos abs invert round getitem setitem")
for _name in [*(f"__{prefix}{name}__" for name in BINARY for prefix in ("", "r")), *_OTHERS]:
    setattr(TensorNode, _name, _operator(_name))
