"""The base classes of optimizers: parameter groups, state, and the step."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np

from .. import graph
from .._help.describe import plural, settings
from ..functional import zeros_like
from ..graph.partition import follow
from ..graph.source import warn_once
from ..tensor import Parameter, Tensor
from .idle import Progress


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required: Any = _Required()
"""Default of an option that every parameter group has to give."""

# What people write in groups for options of other names; names of the program's own are kept as they are.
_MISSPELT = {
    **dict.fromkeys(("learning_rate", "learning-rate", "lrate", "rate"), "lr"),
    **dict.fromkeys(("decay", "wd", "weightdecay", "weight-decay", "l2"), "weight_decay"),
    "beta": "betas", "epsilon": "eps", "mom": "momentum",
}


class Optimizer(graph.CopiedWhole, metaclass=ABCMeta):
    """Base class of optimizers. A subclass writes ``_create_state(group)`` and ``_updates(group)``.

    Each group in ``param_groups`` is a dict with the list ``"params"`` and the options of these parameters, which may be changed
    at any time. State lies in ``_state[param][name]``; ``_add_state`` makes it.

    Args:
        params: a Parameter, an iterable of them, a group (dict with ``"params"`` and options), or an iterable of groups.
        defaults: options of groups that do not give their own.

    Raises:
        TypeError: something in ``params`` is not a Parameter.
        ValueError: no parameters, or a required option is missing.
        AssertionError: a parameter is in two groups.

    Example:
        >>> class SignDescent(megengine.optimizer.Optimizer):
        ...     def __init__(self, params, lr):
        ...         super().__init__(params, {"lr": lr})
        ...     def _create_state(self, group):
        ...         pass
        ...     def _updates(self, group):
        ...         for param in group["params"]:
        ...             param -= group["lr"] * F.sign(param.grad)
        >>> param = megengine.Parameter([1.0, 2.0])
        >>> param.grad = Tensor([0.3, -0.3])
        >>> optimizer = SignDescent([param], lr=0.5).step()
        >>> param.numpy()
        array([0.5, 2.5], dtype=float32)
    """

    _is_optimizer = True

    def __init__(
        self, params: Iterable[Parameter] | Iterable[dict[str, Any]] | dict[str, Any], defaults: dict[str, Any]
    ) -> None:
        self._state: dict[Parameter, dict[str, Tensor]] = {}
        self._defaults = defaults
        self._ready = False
        self._progress = Progress()
        self.param_groups: list[dict[str, Any]] = []
        for group in _as_groups(params):
            self.add_param_group(group)
        for group in self.param_groups:
            self._create_state(group)
        self._ready = True
        graph.flush_before()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize further parameters, for example of layers that were frozen so far.

        Args:
            param_group: dict with ``"params"``, a Parameter or an iterable of them, and options; options not given get their
                defaults.

        Raises:
            AssertionError: not a dict, or a parameter is in another group already.
            KeyError: no ``"params"``.
            TypeError: one of them is not a Parameter.
            ValueError: a required option is missing.

        Example:
            >>> optimizer = megengine.optimizer.SGD(megengine.Parameter([1.0]), lr=0.1)
            >>> optimizer.add_param_group({"params": megengine.Parameter([2.0]), "lr": 0.01})
            >>> [group["lr"] for group in optimizer.param_groups]
            [0.1, 0.01]
        """
        if not isinstance(param_group, dict):
            raise AssertionError(f"param group must be a dict, got {type(param_group)}")
        if "params" not in param_group:
            raise KeyError("params")
        for name in param_group.keys() - self._defaults.keys():
            if (meant := _MISSPELT.get(name)) in self._defaults:
                warn_once(name, f"{type(self).__name__} has no option {name!r}, which is not used: write {meant!r}")
        params = param_group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        for param in params:
            if not isinstance(param, Parameter):
                hint = ": pass net.parameters()" if hasattr(param, "parameters") else ""
                raise TypeError(f"optimizer can only optimize Parameters, but one of the params is {type(param)}{hint}")
        known = {id(param) for group in self.param_groups for param in group["params"]}
        if not known.isdisjoint(map(id, params)):
            raise AssertionError("some parameters appear in more than one parameter group")
        for name, default in self._defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        param_group["params"] = params
        self.param_groups.append(param_group)
        if self._ready:
            self._create_state(param_group)

    def _add_state(self, param: Parameter, state_name: str, initializer: Any = None) -> None:
        """Give a parameter a state tensor.

        Args:
            param: the parameter.
            state_name: name of the state.
            initializer: its first value. Default: float32 zeros of the parameter's shape
        """
        states = self._state.setdefault(param, {})
        if state_name in states:
            raise AssertionError(f"parameter {param.name or tuple(param.shape)} has a state {state_name!r} already")
        if initializer is None:
            initializer = np.zeros(param.shape, np.float32)
        states[state_name] = Tensor(initializer, device=param.device)

    def __repr__(self) -> str:
        lines = [_group_text(group) for group in vars(self).get("param_groups", ())]
        if len(lines) == 1:
            return f"{type(self).__name__}({lines[0]})"
        groups = "".join(f"\n  group {number}: {line}" for number, line in enumerate(lines))
        return f"{type(self).__name__}({groups}\n)"

    @abstractmethod
    def _create_state(self, param_group: dict[str, Any]) -> None:
        """Make the first state of a group's parameters with ``_add_state``."""

    @abstractmethod
    def _updates(self, param_group: dict[str, Any]) -> None:
        """Change a group's parameters and their state by the gradients ``param.grad``, of which some may be None."""

    def step(self) -> Self:
        """Change all parameters that have a gradient, and run what is pending.

        Returns:
            this optimizer, so that one can write ``optimizer.step().clear_grad()``.

        Example:
            >>> param = megengine.Parameter([1.0])
            >>> param.grad = Tensor([2.0])
            >>> megengine.optimizer.SGD(param, lr=0.1).step().clear_grad()
            >>> param.numpy()
            array([0.8], dtype=float32)
        """
        graph.note_hyperparameters(self.param_groups)
        with graph.exclusive:
            graph.begin_step()
            graph.together(self._update_all)
            graph.end_step()
        return self

    def _update_all(self) -> None:
        for group in self.param_groups:
            if isinstance(group["params"], set):
                raise TypeError("the parameters of a group are a set, whose order differs from run to run: use a list")
        idle = not self._has_gradient()
        before = [param._value for param in self._get_params()] if idle else []
        for group in self.param_groups:
            self._updates(group)
        if not idle:
            self._progress.trained(self)
        elif all(param._value is value for param, value in zip(self._get_params(), before, strict=True)):
            self._progress.idle(self._get_params())

    def _has_gradient(self) -> bool:
        """Whether any parameter has one; usually the first."""
        for group in self.param_groups:
            for param in group["params"]:
                if param._grad is not None:
                    return True
        return False

    def clear_grad(self) -> None:
        """Set the gradients of all parameters to None."""
        graph.together(self._drop_gradients)
        graph.gradients_cleared()

    def _drop_gradients(self) -> None:
        for group in self.param_groups:
            for param in group["params"]:
                param.grad = None

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to zero.

        Deprecated in MegEngine since 1.0: use :meth:`clear_grad`.
        """
        warnings.warn("Optimizer.zero_grad is deprecated: use clear_grad", DeprecationWarning, stacklevel=2)
        grads = [param.grad for param in self._get_params() if param.grad is not None]
        graph.reset_together(grads, [zeros_like(grad) for grad in grads])

    def _get_params(self) -> list[Parameter]:
        return [param for group in self.param_groups for param in group["params"]]

    def _numbers(self) -> dict[Parameter, int]:
        """The parameters' numbers in a state dict."""
        numbers: dict[Parameter, int] = {}
        for param in self._get_params():
            numbers.setdefault(param, len(numbers))
        return numbers

    def state_dict(self, keep_var: bool = False) -> dict[str, Any]:
        """The options of all groups, and the state of all parameters by number.

        Args:
            keep_var: give state as tensors. Default: False, copies as NumPy arrays

        Example:
            >>> optimizer = megengine.optimizer.SGD(megengine.Parameter([1.0]), lr=0.1, momentum=0.9)
            >>> optimizer.state_dict()["param_groups"]
            [{'lr': 0.1, 'momentum': 0.9, 'weight_decay': 0.0, 'params': [0]}]
            >>> optimizer.state_dict()["state"]
            {0: {'momentum_buffer': array([0.], dtype=float32)}}
        """
        with graph.exclusive:  # another thread's step comes before all of it or after
            return self._state_dict(keep_var)

    def _state_dict(self, keep_var: bool) -> dict[str, Any]:
        numbers = self._numbers()
        groups = []
        for group in self.param_groups:
            saved = {name: value for name, value in group.items() if name != "params"}
            saved["params"] = [numbers[param] for param in group["params"]]
            groups.append(saved)
        state = {
            numbers[param]: {name: value if keep_var else value.numpy() for name, value in states.items()}
            for param, states in self._state.items()
            if param in numbers
        }
        return {"param_groups": groups, "state": state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state_dict`. Nothing is changed if it does not fit.

        Args:
            state: what ``state_dict`` returned for an optimizer of the same kind on parameters of the same shapes.

        Raises:
            ValueError: groups, their sizes, options or state differ from those here.
            KeyError, TypeError: not an optimizer's state dict.

        Example:
            >>> old = megengine.optimizer.SGD(megengine.Parameter([1.0]), lr=0.1)
            >>> new = megengine.optimizer.SGD(megengine.Parameter([1.0]), lr=0.5)
            >>> new.load_state_dict(old.state_dict())
            >>> new.param_groups[0]["lr"]
            0.1
        """
        _check_state(type(self).__name__, state)
        saved_groups = state["param_groups"]
        _check_groups(self.param_groups, saved_groups)
        new_state = self._converted_state(state["state"], saved_groups)
        options = [{name: value for name, value in saved.items() if name != "params"} for saved in saved_groups]
        updates = [(group.update, new) for group, new in zip(self.param_groups, options, strict=True)]
        graph.call_together([*updates, (setattr, self, "_state", new_state)])

    def _converted_state(
        self, saved_state: dict[int, dict[str, Any]], saved_groups: list[dict[str, Any]]
    ) -> dict[Parameter, dict[str, Tensor]]:
        """Saved state as tensors, checked against the parameters and what state they have now."""
        owners: dict[int, Parameter] = {}
        for group, saved in zip(self.param_groups, saved_groups, strict=True):
            for param, number in zip(group["params"], saved["params"], strict=True):
                if owners.setdefault(number, param) is not param:
                    raise ValueError(f"loaded state dict: parameter {number} is in two places")
        unknown = sorted(saved_state.keys() - owners.keys())
        if unknown:
            raise ValueError(f"loaded state dict has state for parameters {unknown} that no group lists")
        for group in saved_groups:
            lacking = [number for number in group["params"] if number not in saved_state]
            if lacking and len(lacking) < len(group["params"]):
                raise ValueError(f"loaded state dict has no state for parameters {lacking} of a group that has some")
        new_state: dict[Parameter, dict[str, Tensor]] = {}
        for number, states in saved_state.items():
            param = owners[number]
            new_state[param] = {
                name: value.detach() if isinstance(value, Tensor) else Tensor(value, device=param.device)
                for name, value in states.items()
            }
            for name, value in new_state[param].items():
                here = self._state.get(param, {}).get(name)
                if here is not None and here.shape != value.shape:
                    raise ValueError(
                        f"loaded state dict: {name} of parameter {number} has shape {value.shape}, here {here.shape}"
                    )
                follow(value, (param if here is None else here)._value)
        return new_state

    def backward(self, loss: Any) -> None:
        """MegEngine's first interface, gone since 1.0.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("use autodiff.GradManager instead")

    def bcast_param(self) -> None:
        """MegEngine's first interface, gone since 1.0.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("use distributed.bcast_list_ instead")


def _group_text(group: dict[str, Any]) -> str:
    """A group in the representation of its optimizer."""
    params = list(group["params"])
    numbers = sum(int(param.size) for param in params)
    options = settings({name: value for name, value in group.items() if name != "params"})
    return f"{plural(len(params), 'parameter')} of {plural(numbers, 'number')}, {options}".removesuffix(", ")


def _as_groups(params: Any) -> list[dict[str, Any]]:
    """What a user gives as parameters, as a list of groups."""
    if isinstance(params, Tensor | dict):
        params = [params]
    if not isinstance(params, Iterable):
        raise TypeError(f"params of an optimizer should be a Parameter, a dict, or an Iterable of them, got {params!r}")
    items = list(params)
    if not items:
        raise ValueError("optimizer got an empty parameter list")
    kinds = {isinstance(item, dict) for item in items}
    if len(kinds) > 1:
        raise TypeError(
            "types of params argument given to the optimizer should be the same: all Parameters, or all dicts"
        )
    return items if kinds == {True} else [{"params": items}]


def _check_state(name: str, state: Any) -> None:
    """Refuse what is no optimizer's state dict, and say what of it may be one."""
    if not isinstance(state, Mapping):
        raise TypeError(f"{name}.load_state_dict takes what state_dict() returned, not a {type(state).__name__}")
    if "param_groups" in state and "state" in state:
        return
    inner = [key for key, value in state.items() if isinstance(value, Mapping) and "param_groups" in value]
    hint = f"; the dict holds one further in: pass its [{inner[0]!r}]" if inner else ""
    keys = ", ".join(map(repr, list(state)[:4])) + (", ..." if len(state) > 4 else "")
    raise KeyError(
        f"{name}.load_state_dict takes what state_dict() returned, with 'param_groups' and 'state', not a dict of {keys}{hint}"
    )


def _check_groups(groups: list[dict[str, Any]], saved_groups: list[dict[str, Any]]) -> None:
    if len(groups) != len(saved_groups):
        raise ValueError(f"loaded state dict has {len(saved_groups)} parameter groups, the optimizer has {len(groups)}")
    for position, (group, saved) in enumerate(zip(groups, saved_groups, strict=True)):
        if len(group["params"]) != len(saved["params"]):
            raise ValueError(
                f"group {position} of the loaded state dict has {len(saved['params'])} parameters, here {len(group['params'])}"
            )
        if group.keys() != saved.keys():
            raise ValueError(
                f"group {position} of the loaded state dict has options {sorted(saved)}, here {sorted(group)}"
            )
