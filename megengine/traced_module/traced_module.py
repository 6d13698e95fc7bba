"""Modules whose calls are graphs."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any, Self
from weakref import ReferenceType, ref

from ..functional import copy as copied
from ..graph.shared import exclusive
from ..module import Module
from ..tensor import Tensor
from ..utils.max_recursion_limit import max_recursion_limit
from ..version import __version__
from .arguments import convert_kwargs_to_args
from .checker import draws_numbers
from .expr import CallMethod, Constant, Expr, GetAttr, Input
from .flattening import flattened
from .internal_graph import InternalGraph
from .loading import load_graphs
from .module_tracer import module_tracer
from .names import USER_REGISTERED_FUNCTION, USER_REGISTERED_MODULE
from .namespace import NameSpace
from .node import ModuleNode, Node, TensorNode
from .pytree import USER_REGISTERED_CONTAINER_TYPE, USER_REGISTERED_LEAF_TYPE, tree_flatten
from .scopes import Scope
from .states import ModuleState, checked_module
from .tm_config import checks_expressions, checks_results, exclude_from_trace, state

__all__ = ["InternalGraph", "NameSpace", "TracedModule", "register_as_builtin", "trace_module", "wrap"]


class TracedModule(Module):
    """A module that runs graphs: one for each structure of arguments that it was traced with.

    :func:`trace_module` makes it.

    Attributes:
        argdef_graph_map: its graphs by the structure of the arguments.
        argdef_outdef_map: the structures of their results.
        watch_node_value: after a call, the values of the nodes that are watched.

    Example:
        >>> import megengine.traced_module as tm
        >>> class Net(M.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = M.Linear(3, 2)
        ...     def forward(self, x):
        ...         return F.relu(self.fc(x))
        >>> net = tm.trace_module(Net(), Tensor([[1.0, 2.0, 3.0]]))
        >>> net(Tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])).shape  # another batch
        (2, 2)
    """

    def __init__(self, is_top: bool, argdef_graph_map: Any, argdef_outdef_map: Any, is_qat: bool = False) -> None:
        super().__init__()
        self.__dict__["argdef_graph_map"] = argdef_graph_map  # no container of tensors or modules
        self.__dict__["argdef_outdef_map"] = argdef_outdef_map
        self._is_top = is_top
        self.__dict__["watch_points"] = []
        self.__dict__["watch_node_value"] = {}
        self.__dict__["end_points"] = []
        self.is_qat = is_qat
        self.__dict__["argspec"] = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the graph for arguments of this structure.

        Raises:
            AssertionError: the module was traced with arguments of other structures.
        """
        if getattr(self, "argspec", None) is not None:
            args, kwargs = convert_kwargs_to_args(self.argspec, args, kwargs, True)
        leaves, structure = tree_flatten(((self, *args), kwargs))
        graph = self.argdef_graph_map.get(structure)
        if graph is None:
            known = "\n ".join(f"forward({s._args_kwargs_repr()})" for s in self.argdef_graph_map)
            raise AssertionError(
                f"support input args kwargs format: \n{known}, but get: \nforward({structure._args_kwargs_repr()})"
            )
        outputs = graph.interpret(*[leaf for leaf in leaves if isinstance(leaf, (Module, Tensor))])
        if self.watch_points:
            self.__dict__["watch_node_value"] = {n: n.top_graph._rst.pop(n) for n in self.watch_points}
        return outputs if self.end_points else self.argdef_outdef_map[structure].unflatten(outputs)

    @property
    def graph(self) -> InternalGraph:
        """The graph.

        Raises:
            AssertionError: there are several, or none.
        """
        if len(self.argdef_graph_map) != 1:
            raise AssertionError(f"the module has {len(self.argdef_graph_map)} graphs: see argdef_graph_map")
        return next(iter(self.argdef_graph_map.values()))  # type: ignore[no-any-return]

    # Values of nodes

    def set_watch_points(self, nodes: Any) -> None:
        """Have the values of nodes kept in ``watch_node_value``.

        Args:
            nodes: one, or a list.

        Example:
            >>> import megengine.traced_module as tm
            >>> net = tm.trace_module(M.Sequential(M.ReLU()), Tensor([0.0]))
            >>> net.set_watch_points(net.graph.outputs[0])
            >>> y = net(Tensor([2.0]))
            >>> net.watch_node_value
            {_0_out: Tensor([2.], device=xpux:0)}
        """
        self.clear_watch_points()
        self.__dict__["watch_points"] = nodes if isinstance(nodes, list) else [nodes]
        for node in self.watch_points:
            node.top_graph._watch_point.append(node)

    def clear_watch_points(self) -> None:
        """Watch no nodes."""
        for node in self.watch_points:
            node.top_graph._watch_point = []
        self.__dict__["watch_points"] = []
        self.__dict__["watch_node_value"] = {}

    def set_end_points(self, nodes: Any) -> None:
        """Have calls end as soon as nodes of this module's graph have values, and return those.

        Args:
            nodes: one, or a list.

        Raises:
            AssertionError: a node is not in this module's graph.
        """
        self.clear_end_points()
        chosen = nodes if isinstance(nodes, list) else [nodes]
        for node in chosen:
            if not any(node.top_graph is graph for graph in self.argdef_graph_map.values()):
                raise AssertionError(f"{node} is not in the module's graph")
        self.__dict__["end_points"] = chosen
        for node in chosen:
            node.top_graph._end_point.append(node)

    def clear_end_points(self) -> None:
        """Run the whole graph again."""
        for node in self.end_points:
            node.top_graph._end_point = []
        self.__dict__["end_points"] = []

    # Structure

    def flatten(self) -> TracedModule:
        """A copy whose graph calls no other graphs, except those of layers that observe."""
        made = copy.deepcopy(self)
        graph = made.graph
        graph._exprs[:] = flattened(graph, made)
        graph._re_associate_name()
        graph.compile()
        made._update_ref()
        graph._reset_ids()
        return made

    def _update_ref(self, actual: Any = None, top_graph: Any = None) -> None:
        """Tell nodes and expressions which graph they are in, and nodes of modules which module they stand for."""
        for structure, graph in self.argdef_graph_map.items():
            here = ref(graph)
            graph._top_graph = ref(top_graph) if top_graph is not None else graph._top_graph
            graph._inputs[0]._own(self)
            calls = (actual or {}).get(structure, [])
            for k, node in enumerate(graph._inputs):
                node.actual_node = [call[k] for call in calls]
                node.expr._top_graph = here
            owners = {id(graph._inputs[0]): self}
            below: dict[int, tuple[Any, dict[Any, Any]]] = {}
            for node in (*graph._inputs, *graph._outputs):
                node._top_graph = here
            for expr in graph._exprs:
                expr._top_graph = here
                for node in (*expr.inputs, *expr.outputs):
                    node._top_graph = here
                self._note(expr, owners, below)
            for owner, maps in below.values():
                owner._update_ref(maps, graph)

    def _note(self, expr: Any, owners: dict[int, Any], below: dict[int, tuple[Any, dict[Any, Any]]]) -> None:
        """Find the modules that an expression gives or calls."""
        gives = isinstance(expr, (GetAttr, Constant)) and isinstance(expr.outputs[0], ModuleNode)
        if gives:
            found = expr.interpret(*[owners[id(node)] for node in expr.inputs])[0]
            expr.outputs[0]._own(found)
            owners[id(expr.outputs[0])] = found
            if isinstance(found, TracedModule) and found is not self:
                below.setdefault(id(found), (found, {}))
        if isinstance(expr, CallMethod) and isinstance(expr.inputs[0], ModuleNode):
            found = owners[id(expr.inputs[0])]
            if id(found) in below:
                below[id(found)][1].setdefault(expr.arg_def, []).append(expr.inputs)

    # Copies and files

    def __getstate__(self) -> dict[str, Any]:
        fields = {name: value for name, value in self.__dict__.items() if not isinstance(value, ReferenceType)}
        for name, value in fields.items():
            if isinstance(value, Module) and module_tracer.is_builtin(value):
                fields[name] = ModuleState.get_module_state(checked_module(value))
        fields["dump_info"] = {
            "version": __version__,
            "register_type": USER_REGISTERED_LEAF_TYPE,
            "register_container_type": USER_REGISTERED_CONTAINER_TYPE,
            "register_mdule": USER_REGISTERED_MODULE,  # spelt so by MegEngine
            "register_function": USER_REGISTERED_FUNCTION,
        }
        return fields

    def __setstate__(self, state: dict[str, Any]) -> None:
        made = {k: v.to_module() if isinstance(v, ModuleState) else v for k, v in state.items()}
        super().__setstate__(made)
        self._update_ref()
        load_graphs(self.argdef_graph_map.values())
        self._update_ref()
        for graph in self.argdef_graph_map.values():
            graph._reset_ids()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        with exclusive, max_recursion_limit():
            for name, value in self.__dict__.items():
                if not isinstance(value, ReferenceType):
                    made.__dict__[name] = copy.deepcopy(value, memo)
        made._update_ref()
        return made


def register_as_builtin(mod_cls: type[Module]) -> None:
    """Do not look into modules of a class of yours: their calls are one expression.

    Args:
        mod_cls: the class.

    Example:
        >>> import megengine.traced_module as tm
        >>> class Double(M.Module):
        ...     def forward(self, x):
        ...         return x + x
        >>> tm.register_as_builtin(Double)
        >>> len(tm.trace_module(M.Sequential(Double()), Tensor([1.0])).graph._exprs)
        2
    """
    USER_REGISTERED_MODULE.append((mod_cls.__module__, mod_cls.__qualname__))
    module_tracer.register_as_builtin(mod_cls)


def wrap(func: Callable[..., Any]) -> Callable[..., Any]:
    """Let calls of a function of yours be one expression; also a decorator.

    It stands at the top level of the module that defines the function.

    Args:
        func: the function.

    Returns:
        The function.

    Raises:
        AssertionError: no function, or not at the top level of a module.

    Example:
        >>> import megengine.traced_module as tm
        >>> def twice(x):
        ...     return x + x
        >>> tm.wrap(twice) is twice
        True
    """
    frame = inspect.currentframe()
    above = frame.f_back if frame is not None else None
    if not callable(func) or not hasattr(func, "__code__"):
        raise AssertionError(f"wrap takes a function, not {func!r}")
    if above is None or above.f_code.co_name != "<module>":
        raise AssertionError("wrap must be called at the top level of a module")
    USER_REGISTERED_FUNCTION.append((func.__module__, func.__qualname__))
    return func


def trace_module(mod: Module, *args: Any, **kwargs: Any) -> TracedModule:
    """Call a module and record what it does.

    The traced module shares parameters, buffers and builtin layers with the original. What Python decides during the call,
    such as which branch of an ``if`` to take, is fixed; sizes are not, as ``shape`` is a tensor during the call.

    Args:
        mod: the module.
        args: arguments for its ``forward``.
        kwargs: those by keyword.

    Raises:
        RuntimeError: the call computes something in a way that cannot be recorded.

    Example:
        >>> import megengine.traced_module as tm
        >>> net = M.Sequential(M.Linear(3, 2), M.ReLU())
        >>> traced = tm.trace_module(net, F.zeros((1, 3)))
        >>> traced(F.ones((4, 3))).shape
        (4, 2)
        >>> traced.graph.get_module_by_type(M.Linear).as_unique().qualname
        'Sequential.0'
    """
    if state.tracer is not None:
        raise AssertionError("another module is being traced")
    if not isinstance(mod, Module):
        raise AssertionError(f"trace_module takes a Module, not {mod!r}")
    spec = getattr(mod, "argspec", None) or _argspec(mod)
    args, kwargs = convert_kwargs_to_args(spec, args, kwargs, True)
    Node._set_next_id(0)
    Expr._set_next_id(0)
    for tensor in [*mod.tensors(), *_tensors((args, kwargs))]:
        tensor.numpy()  # what is pending is computed before
    tracer = module_tracer(InternalGraph, TracedModule)
    name = mod._name or type(mod).__name__
    top = Scope(InternalGraph("top", name))
    try:
        state.tracer = tracer
        with tracer.patcher:
            tracer.scopes.append(top)
            _input(tracer, mod, "top", name)
            called_args, called_kwargs = _own_tensors(tracer, name, args, kwargs)
            state.tracing = True
            result = tracer.call_module(tracer.call_original, mod, called_args, called_kwargs)
            state.tracing = False
            traced: TracedModule = tracer.build(mod, True)
            if not isinstance(traced, TracedModule):
                raise AttributeError(
                    f"{name} is one step in graphs, whose insides are not recorded: trace a module that calls it, "
                    "such as a Sequential of it"
                )
    finally:
        state.tracer, state.tracing = None, False
        tracer.patcher.restore()  # after an interrupt before the end of the block did so
    traced.__dict__["argspec"] = spec
    traced._update_ref()
    traced.graph._reset_ids()
    _check(tracer, traced, args, kwargs, result)
    return traced


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(values)[0] if isinstance(leaf, Tensor)]


def _argspec(mod: Module) -> inspect.FullArgSpec:
    spec = inspect.getfullargspec(inspect.unwrap(mod.forward))
    tree_flatten((spec.defaults, spec.kwonlydefaults))  # raises where a file could not hold them
    return spec._replace(annotations={})


def _input(tracer: Any, obj: Any, name: str, qualname: str) -> None:
    expr = Input(TensorNode if isinstance(obj, Tensor) else ModuleNode, name, qualname)
    tracer.current_scope()._namespace.auto_naming_for_outputs(expr)
    tracer.current_scope()._add_input(expr.outputs[0])
    tracer.bind(obj, expr.outputs[0])


def _own_tensors(tracer: Any, name: str, args: Any, kwargs: Any) -> Any:
    """The arguments with tensors of the call's own, which it may write to, as inputs."""
    leaves, structure = tree_flatten((args, kwargs))
    for k, leaf in enumerate(leaves):
        if isinstance(leaf, Tensor):
            leaves[k] = copied(leaf)
            leaves[k].numpy()
            _input(tracer, leaves[k], f"arg_{k}", f"{name}.[arg_{k}]")
    return structure.unflatten(leaves)


def _check(tracer: Any, traced: TracedModule, args: Any, kwargs: Any, expected: Any) -> None:
    """Run the traced module once and compare its result with the original's, where that is wanted."""
    if checks_expressions() or not checks_results() or any(map(draws_numbers, traced.graph.exprs())):
        return
    if any(module.training for module in traced.modules()):
        return
    with exclude_from_trace():
        found = traced(*copy.deepcopy(args), **copy.deepcopy(kwargs))
        tracer.checker.check_net_outputs(*(tree_flatten(v, is_leaf=lambda _: True)[0] for v in (found, expected)))
