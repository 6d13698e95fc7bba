"""Optimizers that treat each parameter by itself: they declare state, options and an update, and this applies them."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..graph.scalars import Shared
from ..ops.op import picker
from ..tensor import Parameter, Tensor
from .optimizer import Optimizer


class HyperparameterError(ValueError, AssertionError):
    """A hyperparameter is out of its range (MegEngine raises now the one, now the other of the two bases)."""


def check_number(what: str, value: Any) -> None:
    """Refuse what is not one number.

    Raises:
        TypeError: it is not.
    """
    held = isinstance(value, np.ndarray | Tensor) and value.size == 1
    if not (held or isinstance(value, int | float | np.generic)):
        raise TypeError(f"{what} must be a number, not {value!r}")


def check_pair(what: str, value: Any) -> None:
    """Refuse what is not two numbers.

    Raises:
        TypeError: it is not.
        IndexError: it is fewer than two.
    """
    if isinstance(value, str) or np.ndim(value) != 1 or len(value) > 2:
        raise TypeError(f"{what} must be two numbers, not {value!r}")
    if len(value) < 2:
        raise IndexError(f"{what} must be two numbers, not {value!r}")
    for position, one in enumerate(value):
        check_number(f"{what} at index {position}", one)


class Option(NamedTuple):
    """The range of an option: ``0 <= value <= most`` and ``value < below``, also of both of a pair.

    Attributes:
        what: how errors name it.
        most: largest value.
        below: bound that no value reaches.
        pair: it is a sequence of two numbers.
    """

    what: str
    most: float = math.inf
    below: float = math.inf
    pair: bool = False

    def check(self, value: Any) -> None:
        """Refuse a value out of range.

        Raises:
            HyperparameterError: it is out of range, or NaN.
            TypeError: it is not a number, or not two.
            IndexError: it is fewer than two.
        """
        if self.pair:
            check_pair(f"the {self.what}", value)
            for position, one in enumerate(value):
                self._replace(what=f"{self.what} at index {position}", pair=False).check(one)
            return
        check_number(f"the {self.what}", value)
        if not (0 <= value <= self.most and value < self.below):
            raise HyperparameterError(f"Invalid {self.what}: {value}")


class ParameterwiseOptimizer(Optimizer):
    """An optimizer that treats each parameter by itself.

    A subclass declares its options and their ranges in ``_options``, the state of a parameter in ``_state_at_start``, and in
    ``_update`` what one step makes of both.

    Args:
        params: the parameters, or groups of them.
        options: the options of groups that do not give their own.

    Raises:
        ValueError: an option is out of its range.

    Example:
        >>> from megengine.optimizer.parameterwise import Option, ParameterwiseOptimizer
        >>> class Signum(ParameterwiseOptimizer):
        ...     _options = {"lr": Option("learning rate"), "beta": Option("beta", below=1)}
        ...     _state_at_start = {"mean": None}
        ...     def __init__(self, params, lr, beta=0.9):
        ...         super().__init__(params, {"lr": lr, "beta": beta})
        ...     def _update(self, param, grad, state, options):
        ...         mean = options["beta"] * state[0] + (1 - options["beta"]) * grad
        ...         return param - options["lr"] * F.sign(mean), mean
        >>> param = megengine.Parameter([1.0, 2.0])
        >>> param.grad = Tensor([0.3, -0.3])
        >>> Signum([param], lr=0.5).step().clear_grad()
        >>> param.numpy()
        array([0.5, 2.5], dtype=float32)
    """

    _options: ClassVar[Mapping[str, Option]] = {}
    # None stands for float32 zeros of the parameter's shape; a function is called with the parameter.
    _state_at_start: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self, params: Iterable[Parameter] | Iterable[dict[str, Any]] | dict[str, Any], options: dict[str, Any]
    ) -> None:
        for name, option in self._options.items():
            option.check(options[name])
        super().__init__(params, options)

    @abstractmethod
    def _update(self, param: Parameter, grad: Tensor, state: tuple[Tensor, ...], options: dict[str, Any]) -> Any:
        """The new parameter, followed by its new state if there is some, from the options of the parameter's group."""

    def _create_state(self, param_group: dict[str, Any]) -> None:
        for param in param_group["params"]:
            self._init_state(param)

    def _init_state(self, param: Parameter) -> None:
        for name, first in self._state_at_start.items():
            self._add_state(param, name, initializer=first(param) if callable(first) else first)

    def _state_names(self, options: dict[str, Any]) -> tuple[str, ...]:
        """The state that a step with these options needs; default all."""
        return tuple(self._state_at_start)

    def _without_state(self, param: Parameter) -> dict[str, Tensor]:
        """What to do about a parameter whose state is missing, as after a state dict without it."""
        raise KeyError(f"{type(self).__name__} has no state of parameter {param.name or tuple(param.shape)}")

    def _number(self, name: str, value: Any) -> Any:
        """An option as something to calculate with: a float is one that a graph has once, for all parameters; tensors stay."""
        option = self._options.get(name)
        if option is not None and option.pair:
            if type(value) is not tuple or [*map(type, value)] != [float, float]:
                check_pair(f"{name} of a param group", value)
            return tuple([Shared(one) for one in value])
        if type(value) is float:
            return Shared(value)
        if option is not None:
            check_number(f"{name} of a param group", value)
        number = value.item() if isinstance(value, np.generic | np.ndarray) and value.size == 1 else value
        return Shared(number) if type(number) is float else number

    def _updates(self, param_group: dict[str, Any]) -> None:
        options = {name: self._number(name, value) for name, value in param_group.items() if name != "params"}
        names = self._state_names(options)
        pick = picker(names)
        for param in param_group["params"]:
            grad = param.grad
            if grad is None:
                continue
            if not names:
                param._reset(self._update(param, grad, (), options))
                continue
            states = self._state.get(param) or self._without_state(param)
            state = pick(states)
            new, *after = self._update(param, grad, state, options)
            param._reset(new)
            for held, value in zip(state, after, strict=True):
                held._reset(value)
