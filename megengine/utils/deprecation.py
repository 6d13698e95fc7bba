"""Marks functions, and defaults of arguments, that will go away: a call warns at the caller's line."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def deprecated(reason: str = "", version: str = "") -> Callable[[Decorated], Decorated]:
    """Mark a function: calling it gives a ``DeprecationWarning``.

    Args:
        reason: what to use instead.
        version: since when.

    Example:
        >>> import warnings
        >>> from megengine.utils.deprecation import deprecated
        >>> @deprecated(version="1.0", reason="use add")
        ... def plus(x, y):
        ...     return x + y
        >>> with warnings.catch_warnings(record=True) as seen:
        ...     warnings.simplefilter("always")
        ...     plus(1, 2), str(seen[0].message)
        (3, 'plus is deprecated since version 1.0: use add')
    """

    def mark(function: Decorated) -> Decorated:
        since = f" since version {version}" if version else ""
        message = f"{function.__name__} is deprecated{since}" + (f": {reason}" if reason else "")
        return _warning(function, message, DeprecationWarning)

    return mark


def deprecated_func(version: str, origin: str, name: str, tbd: bool) -> Callable[..., Any]:
    """A function of another module, under the name that it had before.

    Args:
        version: since when the old name is deprecated.
        origin: the module where the function is now.
        name: its name there.
        tbd: whether that is to be discussed: then calls do not warn.

    Returns:
        A function that calls it, and gives a ``DeprecationWarning``.

    Raises:
        AttributeError: the module has no such name.

    Example:
        >>> from megengine.utils.deprecation import deprecated_func
        >>> relu = deprecated_func("1.3", "megengine.functional.nn", "relu", True)
        >>> relu(Tensor([-1.0, 1.0]))
        Tensor([0. 1.], device=xpux:0)
    """
    function = getattr(importlib.import_module(origin), name)
    message = f"{name} is deprecated since version {version}: use {origin}.{name}"
    return _warning(function, message, None if tbd else DeprecationWarning)


def deprecated_kwargs_default(version: str, kwargs_name: str, kwargs_pos: int) -> Callable[[Decorated], Decorated]:
    """Mark a function whose argument will have another default: a call that leaves it out gives a ``PendingDeprecationWarning``.

    Args:
        version: when the default changes.
        kwargs_name: the argument.
        kwargs_pos: its position, from 1.

    Example:
        >>> import warnings
        >>> from megengine.utils.deprecation import deprecated_kwargs_default
        >>> @deprecated_kwargs_default("2.0", "scale", 2)
        ... def grow(x, scale=2):
        ...     return x * scale
        >>> with warnings.catch_warnings(record=True) as seen:
        ...     warnings.simplefilter("always")
        ...     grow(1), grow(1, 2), len(seen)
        (2, 2, 1)
    """

    def mark(function: Decorated) -> Decorated:
        message = f"{function.__name__}: the default of {kwargs_name} changes in version {version}; pass it by name"
        left_out = lambda args, kwargs: len(args) < kwargs_pos and kwargs_name not in kwargs  # noqa: E731
        return _warning(function, message, PendingDeprecationWarning, left_out)

    return mark


def _warning(
    function: Any, message: str, category: type[Warning] | None, when: Callable[..., bool] = lambda args, kwargs: True
) -> Any:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if category is not None and when(args, kwargs):
            warnings.warn(message, category, stacklevel=2)
        return function(*args, **kwargs)

    return wrapper
