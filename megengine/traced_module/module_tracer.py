"""Records the calls of modules, functions and methods as expressions while a module runs."""

from __future__ import annotations

import functools
import inspect
from typing import Any, ClassVar

from ..core.ops import builtin
from ..core.ops.opdef import apply
from ..functional._fake_quant import fake_quant_bias
from ..module import Module
from ..quantization.parts import Part
from ..tensor import Tensor
from . import biases
from .arguments import convert_kwargs_to_args
from .checker import TracedModuleChecker
from .expr import Apply, CallFunction, CallMethod, Constant, GetAttr, Input, attribute
from .methods import METHODS
from .node import ModuleNode, TensorNode
from .patching import Patcher
from .pytree import ArgsIndex, tree_flatten
from .scopes import Built, Scope
from .tm_config import checks_expressions, exclude_from_trace, state

__all__ = ["BUILTIN_ARRAY_METHOD", "active_module_tracer", "module_tracer"]

# Under the name by which converters tell methods of tensors from those of modules.
BUILTIN_ARRAY_METHOD = [name for name in METHODS if name not in ("detach", "to")]


def active_module_tracer() -> Any:
    """Who traces in this thread, or None."""
    return state.tracer


def _is_tensor(obj: Any) -> bool:
    return isinstance(obj, Tensor)


class module_tracer:
    """The tracing of one module.

    Args:
        graph_type: class of graphs.
        traced_type: class of traced modules.
    """

    _opaque_types: ClassVar[set[type]] = set()

    def __init__(self, graph_type: Any, traced_type: Any) -> None:
        self._graph_type, self._traced_type = graph_type, traced_type
        self.scopes: list[Scope] = []
        self.built: dict[int, Built] = {}
        self.checker = TracedModuleChecker()
        others: list[Any] = [
            (Module, "__call__", self._module_call),
            (Tensor, "__new__", self._new_tensor),
            (Tensor, "shape", self._shape),
            (Tensor, "name", self._name),
            (Tensor, "__iter__", self._iter),
            (Tensor, "__len__", self._untraced),
        ]
        self.patcher = Patcher(self._function, self._method, others, self._opaque_types)

    @classmethod
    def register_as_builtin(cls, mod: type[Module]) -> type[Module]:
        """Do not look into modules of a class."""
        if not issubclass(mod, Module):
            raise AssertionError(f"{mod} is no subclass of Module")
        cls._opaque_types.add(mod)
        return mod

    @classmethod
    def is_builtin(cls, mod: Any) -> bool:
        """Whether calls of a module are one step."""
        return type(mod) in cls._opaque_types

    @property
    def scope(self) -> Scope:
        """The innermost call that is traced."""
        return self.scopes[-1]

    def current_scope(self) -> Any:
        """The graph of the innermost call."""
        return self.scope.graph

    def top_scope(self) -> Any:
        """The graph of the outermost call."""
        return self.scopes[0].graph

    def wrapped(self, function: Any) -> Any:
        """The recording version of a function."""
        return self.patcher.wrapped(function)

    # Nodes

    def built_of(self, module: Any) -> Built:
        """What is known of a module, or a container of modules."""
        found = self.built.get(id(module))
        if found is None:
            found = self.built[id(module)] = Built(module)
        return found

    def node_of(self, obj: Any) -> Any:
        """The node of a tensor or module here: that of an attribute or a constant, where it has none yet.

        None for modules that are neither builtin nor attributes.

        Raises:
            RuntimeError: a tensor was computed by something that cannot be recorded.
        """
        found = self.scope.node_of(obj)
        if found is not None:
            return found
        path = self.scope.path_of(obj)
        if path is not None:
            return self._attribute(obj, path)
        if isinstance(obj, Module) and not self.is_builtin(obj):
            return None
        if isinstance(obj, Tensor) and any(scope.node_of(obj) is not None for scope in self.scopes):
            raise RuntimeError(
                f"{type(self.scope.module).__name__} uses a tensor of the module that calls it, which is not among its arguments"
            )
        if isinstance(obj, Tensor) and obj._value.array is None:
            raise RuntimeError(
                f"a tensor of shape {obj._tuple_shape} was computed by something that tracing does not see: use functions of "
                f"megengine.functional, methods of Tensor, and modules, or register a function of yours with traced_module.wrap"
            )
        return self._constant(obj)

    def _attribute(self, obj: Any, path: tuple[str, ...]) -> Any:
        holder = self.scope.module
        for name in path:
            value = attribute(holder, name)
            self.built_of(holder).use(name, value)
            holder = value
        module = self.scope.graph.inputs[0]
        expr = GetAttr(module, TensorNode if isinstance(obj, Tensor) else ModuleNode, ".".join(path))
        return self._place(expr, obj)

    def _constant(self, obj: Any) -> Any:
        return self._place(Constant(Tensor(obj) if isinstance(obj, Tensor) else obj), obj)

    def _place(self, expr: Any, obj: Any) -> Any:
        """Add an expression that gives an object."""
        self.scope.graph._namespace.auto_naming_for_outputs(expr)
        self.scope.graph._insert(expr)
        self.bind(obj, expr.outputs[0])
        return expr.outputs[0]

    def bind(self, obj: Any, node: Any) -> None:
        """Say which node an object is in the innermost call."""
        self.scope.bind(obj, node)
        if isinstance(obj, Tensor):
            node._describe(obj)
            if checks_expressions():
                self.scope.values[node] = Tensor(obj)
        else:
            self.built_of(obj).nodes.append(node)
            node._own(obj)

    def nodes_of(self, leaves: list[Any]) -> list[Any]:
        """Nodes in the place of tensors and modules."""
        return [self.node_of(leaf) if isinstance(leaf, (Tensor, Module)) else leaf for leaf in leaves]

    def finish(self, expr: Any, result: Any, add: bool = True) -> None:
        """Add an expression with its outputs."""
        if result is None:
            outputs: list[Any] = []
        else:
            outputs, expr.out_def = tree_flatten(result, is_leaf=_is_tensor)
        expr.outputs = [TensorNode(expr) for _ in outputs]
        self.scope.graph._namespace.auto_naming_for_outputs(expr)
        if add:
            self.scope.graph._insert(expr)
        if checks_expressions():
            self.checker.check(expr, self.scope, outputs)
        for obj, node in zip(outputs, expr.outputs, strict=True):
            self.bind(obj, node)

    # Functions and methods

    def _function(self, original: Any) -> Any:
        if original is apply:
            return self._apply()
        if original is fake_quant_bias:
            return biases.recording(original, self.wrapped(apply))

        @functools.wraps(original)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            if not state.tracing:
                return original(*args, **kwargs)
            tracer = state.tracer
            with exclude_from_trace():
                by_position, by_name = convert_kwargs_to_args(original, args, kwargs)
                leaves, structure = tree_flatten((by_position, by_name))
                expr = CallFunction(original)
                expr._take(tracer.nodes_of(leaves))
                expr.arg_def = structure
                result = original(*by_position, **by_name)
                if _all_tensors(result):
                    tracer.finish(expr, result)
                return result

        return recorded

    def _apply(self) -> Any:
        @functools.wraps(apply)
        def recorded(op: Any, *operands: Any) -> Any:
            if not state.tracing:
                return apply(op, *operands)
            tracer = state.tracer
            with exclude_from_trace():
                tensors = [x if isinstance(x, Tensor) else Tensor(x) for x in operands]
                expr = Apply(op)
                expr._take(tracer.nodes_of(tensors))
                result = apply(op, *tensors)
                tracer.finish(expr, tuple(result))
                expr.out_def = None
                return result

        return recorded

    def _method(self, name: str, original: Any) -> Any:
        @functools.wraps(original)
        def recorded(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not state.tracing:
                return original(self, *args, **kwargs)
            tracer = state.tracer
            with exclude_from_trace():
                by_position, by_name = convert_kwargs_to_args(original, (self, *args), kwargs)
                leaves, structure = tree_flatten((by_position, by_name))
                nodes = tracer.nodes_of(leaves)
                expr = CallMethod(nodes[0], name)
                expr._take(nodes[1:])
                expr.arg_def = structure
                result = original(*by_position, **by_name)
                written = name == "__setitem__"
                if _all_tensors(result) or written:
                    if (written or name.startswith("__i")) and isinstance(nodes[0].expr, GetAttr):
                        expr.disable_remove()  # it changes an attribute, whoever uses it
                    tracer.finish(expr, self if written else result)
                return result

        return recorded

    def _new_tensor(self, original: Any) -> Any:
        def __new__(cls: Any, data: Any = (), *args: Any, **kwargs: Any) -> Any:
            if not state.tracing:
                return original(cls, data, *args, **kwargs)
            tracer = state.tracer
            with exclude_from_trace():
                made = original(cls, data, *args, **kwargs)
                leaves, structure = tree_flatten(((cls, data, *args), kwargs), is_leaf=lambda _: True)
                if any(isinstance(leaf, Tensor) for leaf in leaves):
                    expr = CallMethod(cls, "__new__")
                    expr._take(tracer.nodes_of(leaves[1:]))
                    expr.arg_def = structure
                    tracer.finish(expr, made)
                return made

        return __new__

    # Properties

    def _shape(self, original: Any) -> Any:
        """Sizes as a tensor, so that what is computed with them is recorded."""

        def shape(tensor: Any) -> Any:
            if not state.tracing:
                return original.fget(tensor)
            return state.tracer.wrapped(apply)(builtin.GetVarShape(), tensor)[0]

        return property(shape)

    def _name(self, original: Any) -> Any:
        def rename(tensor: Any, name: Any) -> None:
            original.fset(tensor, name)
            node = state.tracer.scope.node_of(tensor) if state.tracing and name else None
            if node is not None:
                names = state.tracer.current_scope()._namespace
                names.unassociate_name_with_obj(node)
                node._name = names.create_unique_name(name, node)

        return property(original.fget, rename)

    def _iter(self, original: Any) -> Any:
        def __iter__(tensor: Any) -> Any:
            with exclude_from_trace():
                size = len(tensor)
            return (tensor[k] for k in range(size))

        return __iter__

    def _untraced(self, original: Any) -> Any:
        @functools.wraps(original)
        def called(*args: Any) -> Any:
            with exclude_from_trace():
                return original(*args)

        return called

    # Modules

    def _module_call(self, original: Any) -> Any:
        @functools.wraps(original)
        def __call__(module: Any, *args: Any, **kwargs: Any) -> Any:
            if not state.tracing:
                return original(module, *args, **kwargs)
            return state.tracer.call_module(original, module, args, kwargs)

        self.call_original = original
        return __call__

    def call_module(self, original: Any, module: Any, args: Any, kwargs: Any) -> Any:
        """Record the call of a module, and those within it where it is not builtin."""
        with exclude_from_trace():
            node = self.node_of(module)
        if node is None:  # made in this call: what it calls is recorded here
            self.patcher.patch_object(module)
            return original(module, *args, **kwargs)
        with exclude_from_trace():
            spec = getattr(module, "argspec", None) or module.forward
            args, kwargs = convert_kwargs_to_args(spec, args, kwargs, True)
            leaves, structure = tree_flatten(((module, *args), kwargs))
            expr = CallMethod(node)
            expr._take(self.nodes_of(leaves[1:]))
            expr.arg_def = structure
            built = self.built_of(module)
            known = structure in built.graphs or (
                structure in getattr(module, "argdef_graph_map", ()) and state.surgery
            )
            if self.is_builtin(module) or isinstance(module, Part) or known:
                result = original(module, *args, **kwargs)
            else:
                result = self._trace_call(module, node, leaves, structure)
            self.finish(expr, result)
            return result

    def _trace_call(self, module: Any, node: Any, leaves: list[Any], structure: Any) -> Any:
        self.patcher.patch_object(module)
        names = self.scope.graph._namespace
        graph = self._graph_type(names.create_unique_name(node._qualname), node._qualname)
        names.associate_name_with_obj(graph.name, graph)
        scope = Scope(graph, module)
        self.scopes.append(scope)
        try:
            self._input(module, "self")
            called = _names_of(module, structure, len(leaves))
            for k, leaf in enumerate(leaves):
                if k and isinstance(leaf, (Tensor, Module)):
                    if scope.node_of(leaf) is not None and isinstance(leaf, Tensor):
                        leaf = leaves[k] = Tensor(leaf)  # so that two inputs are two, when they are the same tensor now
                    self._input(leaf, called[k])
            (_, *args), kwargs = structure.unflatten(leaves)
            state.tracing = True
            result = module.forward(*args, **kwargs)
            state.tracing = False
            outputs, results = tree_flatten(result, is_leaf=_is_tensor)
            for out in outputs:
                graph._add_output(self.node_of(out))
        finally:
            state.tracing = False
            self.scopes.pop()
        built = self.built_of(module)
        built.graphs[structure], built.results[structure] = graph, results
        return result

    def _input(self, obj: Any, name: str) -> None:
        graph = self.scope.graph
        kind = TensorNode if isinstance(obj, Tensor) else ModuleNode
        qualname = graph.qualname if name == "self" and not graph.inputs else f"{graph.qualname}.[{name}]"
        expr = Input(kind, name, qualname)
        graph._namespace.auto_naming_for_outputs(expr)
        graph._add_input(expr.outputs[0])
        self.bind(obj, expr.outputs[0])

    # Results

    def build(self, module: Any, is_top: bool = False, memo: dict[int, Any] | None = None) -> Any:
        """The traced module of a module; the module itself, if it is builtin."""
        memo = {} if memo is None else memo
        if id(module) in memo:
            return memo[id(module)]
        built = self.built_of(module)
        if self.is_builtin(module) or isinstance(module, Part):
            for node in built.nodes:
                node.module_type = type(module)
            return module
        if isinstance(module, self._traced_type) and not built.graphs and state.surgery:
            return module
        made = memo[id(module)] = self._traced_type(is_top, built.graphs, built.results, built.is_qat)
        made.training = getattr(module, "training", True)
        for graph in built.graphs.values():
            graph.compile()
        for name, value in built.used.items():
            setattr(made, name, value if isinstance(value, Tensor) else self.build(value, False, memo))
        if built.is_qat:
            for name in ("with_act", "with_weight"):
                setattr(made, name, getattr(module, name))
            for name in ("act_fake_quant", "act_observer", "weight_fake_quant", "weight_observer"):
                if not hasattr(made, name):
                    setattr(made, name, None)
        return made


def _all_tensors(result: Any) -> bool:
    """Whether a result can be that of an expression: tensors, in containers."""
    if result is None or isinstance(result, Tensor):
        return result is not None
    if not isinstance(result, (list, tuple, dict)):
        return False
    leaves = tree_flatten(result, is_leaf=lambda _: True)[0]
    return bool(leaves) and all(isinstance(leaf, Tensor) for leaf in leaves)


def _names_of(module: Any, structure: Any, count: int) -> list[str]:
    """What each leaf of the arguments is called: by the parameter that it belongs to."""
    graphs = getattr(module, "argdef_graph_map", {})
    if structure in graphs:
        nodes = iter(graphs[structure].inputs)
        return [next(nodes)._name if leaf.const_val is None else "" for leaf in _leaves_of(structure)]
    (_, *args), kwargs = structure.unflatten([ArgsIndex(k) for k in range(count)])
    bound = inspect.signature(module.forward).bind(*args, **kwargs)
    names = [""] * count
    for name, value in bound.arguments.items():
        leaves = tree_flatten(value)[0]
        for k, leaf in enumerate(leaves):
            names[leaf.index] = name if isinstance(value, ArgsIndex) else f"{name}_{k}"
    return names


def _leaves_of(structure: Any) -> list[Any]:
    if hasattr(structure, "const_val"):
        return [structure]
    return [leaf for child in structure.children_defs for leaf in _leaves_of(child)]
