"""The arguments of a call in their one form."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["convert_kwargs_to_args"]


def convert_kwargs_to_args(
    argspecs: Any, args: Sequence[Any], kwargs: Mapping[str, Any], is_bounded: bool = False
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call in their one form: what has a position by position, defaults filled in.

    Args:
        argspecs: the function, or its ``FullArgSpec``.
        args: positional arguments.
        kwargs: keyword arguments.
        is_bounded: the function is a method and ``args`` are without its ``self``.

    Raises:
        TypeError: the function cannot be called so.
    """
    spec, name = _spec(argspecs)
    positional = spec.args[1:] if is_bounded or inspect.ismethod(argspecs) else spec.args
    repeated = set(positional[: len(args)]) & set(kwargs)
    if repeated:
        raise TypeError(f"{name} got multiple values for argument {', '.join(sorted(repeated))}")
    by_position = list(args)
    defaults = dict(zip(reversed(spec.args), reversed(spec.defaults or ()), strict=False))
    for parameter in positional[len(args) :]:
        if parameter not in kwargs and parameter not in defaults:
            raise TypeError(f"{name} missing required positional argument: {parameter}")
        by_position.append(kwargs.get(parameter, defaults.get(parameter)))
    by_name = {}
    for parameter in spec.kwonlyargs:
        if parameter not in kwargs and parameter not in (spec.kwonlydefaults or {}):
            raise TypeError(f"{name} missing required keyword-only argument: {parameter}")
        by_name[parameter] = kwargs[parameter] if parameter in kwargs else (spec.kwonlydefaults or {})[parameter]
    for key, value in kwargs.items():
        if key not in positional and key not in by_name:
            if spec.varkw is None:
                raise TypeError(f"{name} got an unexpected keyword argument {key}")
            by_name[key] = value
    return tuple(by_position), by_name


def _spec(function: Any) -> tuple[inspect.FullArgSpec, str]:
    if isinstance(function, inspect.FullArgSpec):
        return function, "function"
    unwrapped: Callable[..., Any] = inspect.unwrap(function)
    return inspect.getfullargspec(unwrapped), unwrapped.__qualname__
