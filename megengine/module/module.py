"""The base class of all layers and models."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

import numpy as np

from .._help.keywords import constructor_error
from .._help.names import no_attribute
from .._help.spellings import NETWORK
from .._support.hooks import HookHandler
from ..functional import zeros_like
from ..graph import compile, flush_before, reset_together, scopes
from ..graph.called import ShownCalls
from ..graph.guards import note_dependence
from ..graph.recorder import thread
from ..graph.shared import CopiedWhole, exclusive
from ..graph.source import warn_once
from ..tensor import Parameter, Tensor
from .access import access_structure as _access_structure  # noqa: F401  # programs import these from here
from .state import load_state
from .structure import CONTAINERS, assign_names, expand, is_module, logger
from .structure import expand_structure as _expand_structure  # noqa: F401
from .structure import is_module as _is_module  # noqa: F401
from .summary import summary


def _is_tensor(obj: Any) -> bool:
    return isinstance(obj, Tensor)


def _is_parameter(obj: Any) -> bool:
    return isinstance(obj, Parameter)


def _is_buffer(obj: Any) -> bool:
    return isinstance(obj, Tensor) and not isinstance(obj, Parameter)


def _anything(_: Any) -> bool:
    return True


_NUMBERS = (np.ndarray, np.generic, int, float, list)  # what people assign to a parameter that is to have these values
_OF_EVERY_MODULE = frozenset(("_modules", "training", "_forward_hooks", "_forward_pre_hooks", "_name", "name"))


def _without_requires_grad(kwargs: dict[str, Any]) -> dict[str, Any]:
    """MegEngine accepts ``requires_grad=`` where parameters are listed, and ignores it."""
    if kwargs.pop("requires_grad", None) is not None:
        logger.warning("tensors have no requires_grad: the argument is ignored")
    return kwargs


P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class _WithForward(Protocol[P, R]):
    """What calling a module does is said by its ``forward``."""

    def forward(self, *inputs: P.args, **kwargs: P.kwargs) -> R: ...


class Module(ShownCalls, CopiedWhole, metaclass=ABCMeta):
    """A layer or model: holds parameters, buffers and other modules as attributes, and computes in :meth:`forward`.

    Tensors and modules may also stand in lists, tuples and dicts that are attributes. All listings visit attributes in
    alphabetical order, and each object once, under the first name met.

    Args:
        name: name of this module; by default the attribute that it is assigned to.

    Raises:
        AssertionError: ``name`` is not a string with something in it.

    Example:
        >>> class Scale(M.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.factor = mge.Parameter([2.0])
        ...     def forward(self, x):
        ...         return x * self.factor
        >>> scale = Scale()
        >>> scale(Tensor([1.0, 3.0])).numpy()
        array([2., 6.], dtype=float32)
        >>> [name for name, _ in scale.named_parameters()]
        ['factor']
    """

    _is_module = True
    #: Whether ``state_dict`` lists this module's own tensors flattened, as it does for the normalisation layers.
    _flat_state = False

    def __init__(self, name: str | None = None, **unknown: Any) -> None:
        if unknown:
            raise constructor_error(self, unknown)
        self._modules: list[str] = []
        if name is not None and not (isinstance(name, str) and name.strip()):
            made = type(self).__name__
            hint = f": {made}(...) makes a layer, call that: {made}()(x)" if isinstance(name, (Tensor, np.ndarray)) else ""
            got = f"a {type(name).__name__}" if hint else repr(name)
            raise AssertionError(f"a module's name must be a non-empty string, got {got}{hint}")
        self.name = name
        self.training = True
        self.quantize_disabled = False
        self._forward_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._forward_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._name: str | None = None
        self._short_name: str | None = None

    @abstractmethod
    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Compute the module's outputs; ``module(...)`` calls it."""

    if TYPE_CHECKING:

        def __call__(self: _WithForward[P, R], *inputs: P.args, **kwargs: P.kwargs) -> R: ...

    else:

        def __call__(self, *inputs, **kwargs):
            if self._forward_pre_hooks or self._forward_hooks or scopes.enabled or thread.recorder.capture is not None:
                return self._observed_call(inputs, kwargs)
            return self.forward(*inputs, **kwargs)

    def _observed_call(self, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The call with all that is left out where nobody looks: hooks, the scope, and what a trace has to know."""
        note_dependence(lambda: (self.training, *self._forward_pre_hooks, *self._forward_hooks), self)
        outer = scopes.here.names
        try:
            scopes.push(self)
            for hook in list(self._forward_pre_hooks.values()):
                modified = hook(self, inputs)
                if modified is not None:
                    inputs = modified if isinstance(modified, tuple) else (modified,)
            outputs = self.forward(*inputs, **kwargs)
            for hook in list(self._forward_hooks.values()):
                modified = hook(self, inputs, outputs)
                if modified is not None:
                    outputs = modified
            return outputs
        finally:
            try:
                scopes.leave(outer)
            finally:
                scopes.here.names = outer  # also after an interrupt before that began

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> HookHandler:
        """Have ``hook(module, inputs)`` called before each forward.

        Args:
            hook: gets the tuple of positional inputs; what it returns, if not None, replaces them.

        Returns:
            a handler whose ``remove()`` takes the hook away.

        Example:
            >>> relu = M.ReLU()
            >>> handler = relu.register_forward_pre_hook(lambda module, inputs: -inputs[0])
            >>> relu(Tensor([-1.0, 2.0])).numpy()
            array([1., 0.], dtype=float32)
            >>> handler.remove()
        """
        return HookHandler(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook: Callable[..., Any]) -> HookHandler:
        """Have ``hook(module, inputs, outputs)`` called after each forward.

        Args:
            hook: what it returns, if not None, replaces the outputs.

        Returns:
            a handler whose ``remove()`` takes the hook away.

        Example:
            >>> relu = M.ReLU()
            >>> handler = relu.register_forward_hook(lambda module, inputs, outputs: outputs + 1)
            >>> relu(Tensor([-1.0, 2.0])).numpy()
            array([1., 3.], dtype=float32)
            >>> handler.remove()
        """
        return HookHandler(self._forward_hooks, hook)

    def _flatten(
        self,
        *,
        recursive: bool = True,
        with_key: bool = False,
        with_parent: bool = False,
        prefix: str | None = None,
        predicate: Callable[[Any], bool] = _anything,
        seen: set[int] | None = None,
    ) -> Iterator[Any]:
        """Visit the tensors and modules below this one, in alphabetical order of attributes, each once.

        Args:
            recursive: go into submodules too.
            with_key: yield dotted names with the objects.
            with_parent: yield the modules that hold the objects, too.
            prefix: goes before the names.
            predicate: which objects are yielded; it does not stop the walk.
            seen: ids of what is not visited again; grows.
        """
        if seen is None:
            seen = {id(self)}
        before = f"{prefix}." if prefix is not None else ""
        attributes = vars(self)
        for attribute in sorted(attributes):
            for key, leaf in expand(attribute, attributes[attribute]):
                if id(leaf) in seen:
                    continue
                seen.add(id(leaf))
                if predicate(leaf):
                    if with_key:
                        yield (before + key, leaf, self) if with_parent else (before + key, leaf)
                    else:
                        yield (leaf, self) if with_parent else leaf
                if recursive and is_module(leaf):
                    yield from leaf._flatten(
                        with_key=with_key, with_parent=with_parent, prefix=before + key, predicate=predicate, seen=seen
                    )

    def parameters(self, recursive: bool = True, **kwargs: Any) -> Iterator[Parameter]:
        """The parameters of this module.

        Args:
            recursive: those of submodules too. Default: True

        Example:
            >>> [p.shape for p in M.Linear(3, 2).parameters()]
            [(2,), (2, 3)]
        """
        return self._flatten(predicate=_is_parameter, recursive=recursive, **_without_requires_grad(kwargs))

    def named_parameters(
        self, prefix: str | None = None, recursive: bool = True, **kwargs: Any
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters of this module with their dotted names.

        Args:
            prefix: goes before the names.
            recursive: those of submodules too. Default: True

        Example:
            >>> [name for name, _ in M.Sequential(M.Linear(3, 2), M.ReLU()).named_parameters("net")]
            ['net.0.bias', 'net.0.weight']
        """
        kwargs = _without_requires_grad(kwargs)
        return self._flatten(with_key=True, prefix=prefix, predicate=_is_parameter, recursive=recursive, **kwargs)

    def buffers(self, recursive: bool = True, **kwargs: Any) -> Iterator[Tensor]:
        """The tensors of this module that are not parameters.

        Args:
            recursive: those of submodules too. Default: True
        """
        return self._flatten(predicate=_is_buffer, recursive=recursive, **kwargs)

    def named_buffers(
        self, prefix: str | None = None, recursive: bool = True, **kwargs: Any
    ) -> Iterator[tuple[str, Tensor]]:
        """The tensors of this module that are not parameters, with their dotted names.

        Args:
            prefix: goes before the names.
            recursive: those of submodules too. Default: True
        """
        return self._flatten(with_key=True, prefix=prefix, predicate=_is_buffer, recursive=recursive, **kwargs)

    def tensors(self, recursive: bool = True, **kwargs: Any) -> Iterator[Tensor]:
        """The parameters and buffers of this module.

        Args:
            recursive: those of submodules too. Default: True
        """
        return self._flatten(predicate=_is_tensor, recursive=recursive, **kwargs)

    def named_tensors(
        self, prefix: str | None = None, recursive: bool = True, **kwargs: Any
    ) -> Iterator[tuple[str, Tensor]]:
        """The parameters and buffers of this module with their dotted names.

        Args:
            prefix: goes before the names.
            recursive: those of submodules too. Default: True
        """
        return self._flatten(with_key=True, prefix=prefix, predicate=_is_tensor, recursive=recursive, **kwargs)

    def children(self, **kwargs: Any) -> Iterator[Module]:
        """The submodules that are attributes of this module, or stand in its lists, tuples and dicts."""
        return self._flatten(predicate=is_module, recursive=False, **kwargs)

    def named_children(self, **kwargs: Any) -> Iterator[tuple[str, Module]]:
        """The same with their names.

        Example:
            >>> [name for name, _ in M.Sequential(M.Linear(3, 2), M.ReLU()).named_children()]
            ['0', '1']
        """
        return self._flatten(with_key=True, predicate=is_module, recursive=False, **kwargs)

    def modules(self, **kwargs: Any) -> Iterator[Module]:
        """This module and all modules below it."""
        yield (self, None) if kwargs.get("with_parent") else self  # type: ignore[misc]
        yield from self._flatten(predicate=is_module, **kwargs)

    def named_modules(self, prefix: str | None = None, **kwargs: Any) -> Iterator[tuple[str, Module]]:
        """This module and all modules below it, with their dotted names; its own is ``prefix`` or empty.

        Args:
            prefix: goes before the names.
        """
        own = prefix or ""
        yield (own, self, None) if kwargs.get("with_parent") else (own, self)  # type: ignore[misc]
        yield from self._flatten(with_key=True, prefix=prefix, predicate=is_module, **kwargs)

    def apply(self, fn: Callable[[Module], Any]) -> None:
        """Call ``fn`` with this module and with each below it.

        Args:
            fn: what to do with a module.

        Example:
            >>> net = M.Sequential(M.Dropout(0.1), M.Sequential(M.Dropout(0.2)))
            >>> def halve(module):
            ...     if isinstance(module, M.Dropout):
            ...         module.drop_prob /= 2
            >>> net.apply(halve)
            >>> net[0].drop_prob, net[1][0].drop_prob
            (0.05, 0.1)
        """
        for module in self.modules():
            fn(module)

    def train(self, mode: bool = True, recursive: bool = True) -> None:
        """Set ``training``, which dropout and batch normalisation go by.

        Args:
            mode: the new value. Default: True
            recursive: set it in the modules below, too. Default: True
        """
        if not recursive:
            self.training = mode
            return
        for module in self.modules():
            module.train(mode, recursive=False)  # not the attribute: a subclass may have its own train()

    def eval(self) -> None:
        """Set ``training`` to False, here and below."""
        self.train(False)

    def compile(self, *example: Any, **keywords: Any) -> Any:
        """Call this module once with everything that it runs compiled now; see :func:`megengine.graph.compile`.

        Args:
            example: arguments of its ``forward``.
            keywords: keyword arguments of it.

        Returns:
            What the module returns.

        Example:
            >>> M.Linear(3, 2).compile(Tensor([[1.0, 2.0, 3.0]])).shape
            (1, 2)
        """
        return compile(self, *example, **keywords)

    def disable_quantize(self, value: bool = True) -> None:
        """Leave this module and those below it out of quantization.

        Args:
            value: False takes them in again. Default: True
        """
        for module in self.modules():
            module.quantize_disabled = value

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to zero.

        Deprecated in MegEngine since 1.0: use ``optimizer.clear_grad()``.
        """
        warnings.warn("Module.zero_grad is deprecated: use Optimizer.clear_grad", DeprecationWarning, stacklevel=2)
        grads = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        reset_together(grads, [zeros_like(grad) for grad in grads])

    def replace_param(self, params: dict[int, Parameter], start_pos: int, seen: set[int] | None = None) -> int:
        """Put other parameters in the place of this module's, by their position in the alphabetical walk.

        Deprecated in MegEngine since 1.0.

        Args:
            params: the new parameters by position; positions not in it keep theirs.
            start_pos: position of this module's first parameter.
            seen: ids of what is not visited again; grows.

        Returns:
            how many parameters were passed.

        Raises:
            AssertionError: shapes differ.
        """
        warnings.warn("Module.replace_param is deprecated: assign the attributes", DeprecationWarning, stacklevel=2)
        return self._replace_param(params, start_pos, {id(self)} if seen is None else seen)

    def _replace_param(self, params: dict[int, Parameter], start: int, seen: set[int]) -> int:
        passed = 0
        attributes = vars(self)
        for key in sorted(attributes):
            value = attributes[key]
            if not isinstance(value, (Parameter, Module)) or id(value) in seen:
                continue
            seen.add(id(value))
            if isinstance(value, Module):
                passed += value._replace_param(params, start + passed, seen)
                continue
            new = params.get(start + passed)
            if new is not None:
                if new.shape != value.shape:
                    raise AssertionError(f"parameter {key} has shape {value.shape}, its replacement {new.shape}")
                attributes[key] = new
            passed += 1
        return passed

    def state_dict(
        self, rst: OrderedDict[str, Any] | None = None, prefix: str = "", keep_var: bool = False
    ) -> OrderedDict[str, Any]:
        """All parameters and buffers by their dotted names: a module's own first, then those of its children.

        A tensor that several modules share is listed under each. Normalisation layers list theirs flattened.

        Args:
            rst: dictionary to add to; a new one by default.
            prefix: goes before the names.
            keep_var: give the tensors themselves. Default: False, copies as NumPy arrays

        Example:
            >>> state = M.Linear(3, 2).state_dict()
            >>> {name: value.shape for name, value in state.items()}
            {'bias': (2,), 'weight': (2, 3)}
        """
        if rst is None:
            with exclusive:  # another thread's step comes before all of it or after
                return Module.state_dict(self, OrderedDict(), prefix, keep_var)
        for key, tensor in self.named_tensors(recursive=False):
            if prefix + key in rst:
                raise AssertionError(f"two states are called {prefix + key}")
            value = tensor if keep_var else tensor.numpy()
            rst[prefix + key] = value.reshape(-1) if self._flat_state else value
        for key, module in self.named_children():
            module.state_dict(rst, f"{prefix}{key}.", keep_var)
        return rst

    def _state_dict(
        self, rst: OrderedDict[Any, Any] | None = None, prefix: str = "", keep_var: bool = False
    ) -> OrderedDict[Any, Any]:
        """:meth:`state_dict` by pairs of a module's class and a tensor's name, with the tensors' own shapes.

        Programs that load weights of other layouts read it.
        """
        if rst is None:
            rst = OrderedDict()
        for name, module in self.named_modules(prefix.removesuffix(".")):
            for key, tensor in module.named_tensors(recursive=False):
                rst[(type(module), f"{name}.{key}".removeprefix("."))] = tensor if keep_var else tensor.numpy()
        return rst

    def load_state_dict(
        self, state_dict: dict[str, Any] | Callable[[str, Tensor], np.ndarray | None], strict: bool = True
    ) -> None:
        """Give parameters and buffers the values of a :meth:`state_dict`, in place; their dtypes become those of the arrays.

        Nothing is changed if something does not fit.

        Args:
            state_dict: arrays by dotted name, or a function of name and tensor that returns an array. None leaves a tensor as
                it is and counts as missing.
            strict: names must match exactly; otherwise what is missing or unused is only logged. Default: True

        Raises:
            KeyError: ``strict`` and names are missing or unused.
            ValueError: a shape differs, or ``state_dict`` is neither a dict nor callable.
            AssertionError: a value is not a NumPy array.

        Example:
            >>> net = M.Linear(2, 1)
            >>> net.load_state_dict({"weight": np.ones((1, 2), "float32"), "bias": np.zeros(1, "float32")})
            >>> net(Tensor([[1.0, 2.0]])).numpy()
            array([[3.]], dtype=float32)
        """
        load_state(self, state_dict, strict)
        flush_before()

    def __setattr__(self, name: str, value: Any) -> None:
        modules = self.__dict__.get("_modules")
        if isinstance(value, _NUMBERS) and isinstance(self.__dict__.get(name), Parameter):
            kind = {np.ndarray: "an array", list: "a list"}.get(type(value), "a number")
            warn_once(
                "replaced",
                f"{name!r} was a Parameter and is {kind} now, which is neither trained nor saved; write {name}[...] = ...",
            )
        holder = is_module(value) or isinstance(value, CONTAINERS)
        if name != "_modules":
            if modules is None and (holder or isinstance(value, Tensor)):
                what = "parameter" if isinstance(value, Tensor) else "module"
                raise AttributeError(f"cannot assign {what} {name!r} before Module.__init__() call")
            if modules is not None and holder != (name in modules):
                (modules.append if holder else modules.remove)(name)
            if holder or isinstance(value, Tensor):
                prefix = self.__dict__.get("_name") or self.__dict__.get("name")
                for key, leaf in expand(name, value):
                    assign_names(prefix, key, leaf)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if hasattr(type(self), name):
            return object.__getattribute__(self, name)  # a property failed: its own error
        if name in _OF_EVERY_MODULE and "_modules" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}.__init__() has not called super().__init__()")
        raise no_attribute(self, name, NETWORK)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in self._modules:
            self._modules.remove(name)

    def _shown_call(self) -> tuple[Callable[..., Any], str]:
        return self, self._name or type(self).__name__

    def summary(self, *inputs: Any, **kwargs: Any) -> str:
        """The layers in the order of their calls, with the shapes of their outputs and their parameters, as a table.

        MegEngine does not have it; :func:`megengine.utils.module_stats.module_stats` counts operations, too.

        Args:
            inputs: arguments of the module; a tuple of ints stands for a float32 tensor of that shape.
            kwargs: its keyword arguments.

        Example:
            >>> print(M.Sequential(M.Conv2d(3, 8, 3), M.ReLU()).summary((1, 3, 6, 6)))
            layer       type        output        parameters
            ----------  ----------  ------------  ----------
            Sequential  Sequential  (1, 8, 4, 4)
              0         Conv2d      (1, 8, 4, 4)         224
              1         ReLU        (1, 8, 4, 4)
            224 parameters, 896 bytes
        """
        return summary(self, *inputs, **kwargs)

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_short_name" not in state:  # pickled by an early MegEngine
            state["_short_name"] = state.get("_name")
            state["_name"] = None
        self.__dict__.update(state)

    def _module_info_string(self) -> str:
        """What stands in the parentheses of the representation."""
        return ""

    def __repr__(self) -> str:
        info = self._module_info_string()
        lines = info.split("\n") if info else []
        children = [
            f"({key}): {leaf!r}".replace("\n", "\n  ")
            for name in self._modules
            for key, leaf in expand(name, self.__dict__[name])
            if is_module(leaf)
        ]
        if len(lines) == 1 and not children:
            return f"{type(self).__name__}({info})"
        body = "".join(f"\n  {line}" for line in [*lines, *children])
        return f"{type(self).__name__}({body}\n)" if body else f"{type(self).__name__}()"
