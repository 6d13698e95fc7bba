"""The kinds of expressions."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from ..core.ops.builtin import GetVarShape
from ..core.ops.opdef import OpDef, apply
from ..module import Module
from ..tensor import Parameter, Tensor
from ..version import __version__
from .expression import Expr, get_suffix_name
from .methods import TENSOR_METHODS
from .names import find_function, name_of_function, operator_called
from .node import ModuleNode, TensorNode
from .pytree import tree_flatten
from .sizes import computed, of_shape
from .states import ModuleState, checked_module
from .tm_config import state as tracing_state

__all__ = [
    "Apply", "CallFunction", "CallMethod", "Constant", "Expr", "GetAttr", "Input", "get_suffix_name", "is_apply_def",
    "is_call_function", "is_call_module", "is_call_tensor_method", "is_constant", "is_getattr", "is_input",
]  # fmt: skip

_SHAPE = GetVarShape()


def _is_tensor(obj: Any) -> bool:
    return isinstance(obj, Tensor)


def _results(outputs: Any) -> list[Any] | None:
    return None if outputs is None else tree_flatten(outputs, is_leaf=_is_tensor)[0]


class Input(Expr):
    """What gives an input of the graph.

    Example:
        >>> import megengine.traced_module as tm
        >>> class Net(M.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = M.Linear(3, 2)
        ...     def forward(self, x):
        ...         return F.relu(self.fc(x))
        >>> net = tm.trace_module(Net(), Tensor([[1.0, 2.0, 3.0]]))
        >>> type(net.graph.inputs[1].expr).__name__
        'Input'
    """

    def __init__(self, type: Any, name: str = "args", qualname: str = "") -> None:
        super().__init__()
        self.outputs = [type(self, name=name, qualname=qualname)]
        self.name = name

    def __repr__(self) -> str:
        return f"%{self._id}:\t{self.outputs[0]} = Input()"

    def __getstate__(self) -> dict[str, Any]:
        return self._fields("name")


class GetAttr(Expr):
    """Gets an attribute of a module: a tensor or module.

    Attributes:
        name: the dotted path from the module.

    Example:
        >>> import megengine.traced_module as tm
        >>> class Net(M.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = M.Linear(3, 2)
        ...     def forward(self, x):
        ...         return F.relu(self.fc(x))
        >>> net = tm.trace_module(Net(), Tensor([[1.0, 2.0, 3.0]]))
        >>> [e.name for e in net.graph.exprs(recursive=False) if isinstance(e, tm.expr.GetAttr)]
        ['fc']
    """

    def __init__(self, module: ModuleNode, type: Any, attr_name: str, name: str = "") -> None:
        super().__init__()
        self.inputs = [module]
        module.users.append(self)
        self.name = attr_name
        self.outputs = [type(self, name=name, qualname=f"{module.qualname}.{attr_name}")]

    def interpret(self, *inputs: Any) -> Any:
        found = inputs[0]
        for part in self.name.split("."):
            if not isinstance(found, (Module, list, tuple, dict)):
                raise AttributeError(f"{self.name}: what {part} is an attribute of is no Module")
            found = attribute(found, part)
        if not isinstance(found, (Module, Tensor)):
            raise AttributeError(f"{self.name} is neither a Module nor a Tensor")
        return (found,)

    def __repr__(self) -> str:
        out = self.outputs[0]
        kind = "Tensor"
        if isinstance(out, ModuleNode):
            kind = out.module_type[1] if isinstance(out.module_type, tuple) else out.module_type.__name__
        return f'%{self._id}:\t{out} = getattr({self.inputs[0]}, "{self.name}") -> ({kind})'

    def __getstate__(self) -> dict[str, Any]:
        return self._fields("name")


def attribute(holder: Any, name: str) -> Any:
    """An attribute of a module, or an item of a container that one holds."""
    if isinstance(holder, (list, tuple)):
        return holder[int(name)]
    return holder[name] if isinstance(holder, dict) else getattr(holder, name)


class CallMethod(Expr):
    """Calls a module, or a method of a tensor.

    Args:
        node: what is called; or a class of tensors, for making one of others.
        method: its method. Default: ``"__call__"``

    Example:
        >>> import megengine.traced_module as tm
        >>> class Net(M.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = M.Linear(3, 2)
        ...     def forward(self, x):
        ...         return F.relu(self.fc(x))
        >>> net = tm.trace_module(Net(), Tensor([[1.0, 2.0, 3.0]]))
        >>> [e.method for e in net.graph.exprs(recursive=False) if isinstance(e, tm.expr.CallMethod)]
        ['__call__']
    """

    def __init__(self, node: Any, method: str = "__call__") -> None:
        super().__init__()
        self.const_val: list[tuple[int, Any]] = []
        self.method = method
        self._take([(Parameter if issubclass(node, Parameter) else Tensor) if isinstance(node, type) else node])
        self.arg_def = tree_flatten(((node,), {}))[1]

    @property
    def graph(self) -> Any:
        """The graph of the traced module that is called; None for others."""
        node = self.inputs[0] if self.inputs else None
        graphs = getattr(node.owner, "argdef_graph_map", None) if isinstance(node, ModuleNode) else None
        return graphs.get(self.arg_def) if graphs is not None else None

    def interpret(self, *inputs: Any) -> Any:
        args, kwargs = self.unflatten_args(inputs)
        target = args[0]
        if isinstance(target, (type, Module)):
            return _results(target(*args[1:], **kwargs))
        if not tracing_state.tracing:
            sizes = computed(self.method, target, args[1:], kwargs)
            if sizes is not None:
                return (sizes,)
        outputs = getattr(target, self.method)(*args[1:], **kwargs)
        return _results(target if self.method == "__setitem__" else outputs)

    def _get_func(self) -> Callable[..., Any]:
        target = self.args[0]
        if isinstance(target, ModuleNode):
            owner = target.owner
            kind = type(owner) if isinstance(target.module_type, tuple) and owner is not None else target.module_type
            return kind.forward  # type: ignore[no-any-return]
        kind = target if isinstance(target, type) else Tensor
        return getattr(kind, self.method)  # type: ignore[no-any-return]

    @property
    def _support_set_args_kwargs(self) -> bool:
        target = self.args[0]
        return isinstance(target, (TensorNode, type)) or target.module_type is not Module

    def __repr__(self) -> str:
        method = "" if self.method == "__call__" else f".{self.method}"
        return f"%{self._id}:\t{self._results_text()}{self.args[0]}{method}({self._arguments_text(1)})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self._fields("const_val", "method", "arg_def", "out_def"), "version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["method"] not in TENSOR_METHODS and state["method"] != "__call__":
            raise pickle.UnpicklingError(f"the traced module calls the method {state['method']!r}")
        super().__setstate__(state)


class CallFunction(Expr):
    """Calls a function of :mod:`megengine.functional`, or one that was registered by ``wrap``.

    Args:
        func: the function.

    Example:
        >>> import megengine.traced_module as tm
        >>> class Net(M.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = M.Linear(3, 2)
        ...     def forward(self, x):
        ...         return F.relu(self.fc(x))
        >>> net = tm.trace_module(Net(), Tensor([[1.0, 2.0, 3.0]]))
        >>> [e.func is F.relu for e in net.graph.exprs(recursive=False) if isinstance(e, tm.expr.CallFunction)]
        [True]
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        super().__init__()
        self.func: Any = func
        self.const_val: list[tuple[int, Any]] = []

    def interpret(self, *inputs: Any) -> Any:
        args, kwargs = self.unflatten_args(inputs)
        func = tracing_state.tracer.wrapped(self.func) if tracing_state.tracing else self.func
        return _results(func(*args, **kwargs))

    def _get_func(self) -> Callable[..., Any]:
        return self.func  # type: ignore[no-any-return]

    @property
    def _support_set_args_kwargs(self) -> bool:
        return True

    def __repr__(self) -> str:
        module, name = name_of_function(self.func)
        return f"%{self._id}:\t{self._results_text()}{module.rpartition('.')[2]}.{name}({self._arguments_text()})"

    def __getstate__(self) -> dict[str, Any]:
        func = self.func if isinstance(self.func, tuple) else name_of_function(self.func)
        return {**self._fields("const_val", "arg_def", "out_def"), "func": func, "version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if not isinstance(self.func, tuple):
            raise pickle.UnpicklingError(f"the traced module calls {self.func!r}")
        self.func = find_function(*self.func)


class Apply(Expr):
    """Applies one operator of ``megengine.core.ops.builtin``.

    Args:
        opdef: the operator.

    Example:
        >>> import megengine.traced_module as tm
        >>> class Net(M.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = M.Linear(3, 2)
        ...     def forward(self, x):
        ...         return F.relu(self.fc(x))
        >>> net = tm.trace_module(Net(), Tensor([[1.0, 2.0, 3.0]]))
        >>> [e.opdef for e in net.graph.exprs() if isinstance(e, tm.expr.Apply)]  # functions are one expression each
        []
    """

    def __init__(self, opdef: OpDef) -> None:
        super().__init__()
        self.opdef = opdef
        self.const_val: list[tuple[int, Any]] = []

    def interpret(self, *inputs: Any) -> Any:
        if tracing_state.tracing:
            return tracing_state.tracer.wrapped(apply)(self.opdef, *inputs)
        if self.opdef == _SHAPE and len(inputs) == 1:
            return (of_shape(inputs[0].shape),)
        return apply(self.opdef, *inputs)

    def __repr__(self) -> str:
        outputs, inputs = (", ".join(map(str, nodes)) for nodes in (self.outputs, self.inputs))
        return f"%{self._id}:\t{outputs} = {self.opdef}({inputs})"

    def __getstate__(self) -> dict[str, Any]:
        op_state = {**self.opdef.__getstate__(), "opdef_type": type(self.opdef)}
        return {**self._fields(), "opdef_state": op_state, "version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "opdef" in state and "opdef_state" not in state:  # MegEngine 1.6
            before = dict(state.pop("opdef"))
            state["opdef_state"] = {**before, "opdef_type": before.pop("type")}
        super().__setstate__(state)
        self.__dict__.setdefault("const_val", [])
        self.opdef = made_operator(state["opdef_state"])


def made_operator(fields: dict[str, Any]) -> OpDef:
    """The operator with these settings, and its class as ``opdef_type``."""
    kind = fields["opdef_type"]
    made = operator_called(kind.__name__).__new__(operator_called(kind.__name__))
    made.__setstate__({name: value for name, value in fields.items() if name != "opdef_type"})
    return made


class Constant(Expr):
    """Gives a tensor, or a builtin module, that no module has as an attribute.

    Args:
        c: the tensor or module.
        name: of the node.

    Example:
        >>> import megengine.traced_module as tm
        >>> class Net(M.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = M.Linear(3, 2)
        ...     def forward(self, x):
        ...         return F.relu(self.fc(x))
        >>> net = tm.trace_module(Net(), Tensor([[1.0, 2.0, 3.0]]))
        >>> constant = tm.expr.Constant(Tensor([2.0]), name="two")
        >>> constant.value
        Tensor([2.], device=xpux:0)
    """

    _constant_cache: ClassVar[dict[Any, Any]] = {}

    def __init__(self, c: Any, name: str = "", qualname: str = "") -> None:
        super().__init__()
        if not isinstance(c, (Tensor, Module)):
            raise AssertionError(f"a constant of a traced module is a tensor or a module, not {c!r}")
        self.value = c
        self.name = name
        node_type = TensorNode if isinstance(c, Tensor) else ModuleNode
        self.outputs = [node_type(self, name=name, qualname=qualname)]
        if isinstance(c, Tensor):
            self.outputs[0]._describe(c)

    def interpret(self, *inputs: Any) -> Any:
        if isinstance(self.value, Tensor):
            return (Tensor(self.value.detach()),)  # of its own: the graph may write to it
        return (self.value,)

    def __repr__(self) -> str:
        name = type(self.value) if self.name is None else self.name
        kind = "Tensor" if isinstance(self.outputs[0], TensorNode) else "Module"
        return f"%{self._id}:\t{self.outputs[0]} = Constant({name}) -> ({kind})"

    def __getstate__(self) -> dict[str, Any]:
        value: Any = self.value
        if isinstance(value, Module):
            value = ModuleState.get_module_state(checked_module(value))
        return {**self._fields("name"), "value": value}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if isinstance(self.value, ModuleState):
            self.value = self.value.to_module()
        elif isinstance(self.value, np.ndarray):
            self.value = Tensor(self.value)


def is_call_module(expr: Any, module_cls: Any = None) -> bool:
    """Whether an expression calls a module, of this class."""
    called = isinstance(expr, CallMethod) and isinstance(expr.inputs[0], ModuleNode) and expr.method == "__call__"
    return called and (module_cls is None or isinstance(expr.inputs[0].owner, module_cls))


def is_call_tensor_method(expr: Any, method: str | Iterable[str] | None = None) -> bool:
    """Whether an expression calls a method of a tensor, one of these."""
    methods = (method,) if isinstance(method, str) else method
    return isinstance(expr, CallMethod) and not is_call_module(expr) and (methods is None or expr.method in methods)


def is_call_function(expr: Any, func: Any = None) -> bool:
    """Whether an expression calls a function, one of these."""
    functions = func if func is None or isinstance(func, Iterable) else (func,)
    return isinstance(expr, CallFunction) and (functions is None or any(expr.func == f for f in functions))


def is_constant(expr: Any) -> bool:
    """Whether an expression gives a constant."""
    return isinstance(expr, Constant)


def is_getattr(expr: Any) -> bool:
    """Whether an expression gets an attribute."""
    return isinstance(expr, GetAttr)


def is_apply_def(expr: Any, opdef: Any = None) -> bool:
    """Whether an expression applies an operator, of this class."""
    return isinstance(expr, Apply) and (opdef is None or isinstance(expr.opdef, opdef))


def is_input(expr: Any) -> bool:
    """Whether an expression gives an input."""
    return isinstance(expr, Input)
