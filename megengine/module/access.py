"""Reaching into modules: parts by dotted names, and the mode for a while."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .module import Module


def part(holder: Any, name: str) -> Any:
    """What one part of a dotted name refers to: an attribute, a position in a list or tuple, or a key of a dict."""
    if isinstance(holder, dict):
        return holder[name]
    if isinstance(holder, (list, tuple)):
        return holder[int(name)]
    return getattr(holder, name)


def access_structure(obj: Any, key: str, callback: Callable[[Any, Any, Any], Any] | None = None) -> Any:
    """What a dotted name refers to, or what ``callback(holder, last part of the name, object)`` says of it.

    Programs that exchange parts of a module import it as ``megengine.module.module._access_structure``.

    Args:
        obj: the module that the name starts from.
        key: the name.
        callback: called at the end; the last part of the name is an int where it is a position.

    Raises:
        AttributeError, IndexError, KeyError: there is no such part.
    """
    before, _, last = key.rpartition(".")
    holder = functools.reduce(part, before.split("."), obj) if before else obj
    found = part(holder, last)
    if callback is None:
        return found
    return callback(holder, int(last) if isinstance(holder, (list, tuple)) else last, found)


def get_expand_structure(obj: Module, key: str) -> Any:
    """What a dotted name of :meth:`~megengine.module.Module.named_modules` or the like refers to.

    Args:
        obj: the module that the name starts from.
        key: attributes, positions in lists and keys of dicts, such as ``"blocks.0.conv"``; empty for the module itself.

    Raises:
        AttributeError: there is no such attribute.
        KeyError: no such key of a dict.
        IndexError: no such position.

    Example:
        >>> from megengine.utils.module_utils import get_expand_structure
        >>> net = M.Sequential(M.Linear(3, 2), M.Sequential(M.ReLU()))
        >>> get_expand_structure(net, "1.0")
        ReLU()
    """
    return functools.reduce(part, key.split(".") if key else (), obj)


def set_expand_structure(obj: Module, key: str, value: Any) -> None:
    """Put something where a dotted name refers to.

    Args:
        obj: the module that the name starts from.
        key: a name as for :func:`get_expand_structure`.
        value: what to put there.

    Example:
        >>> from megengine.utils.module_utils import set_expand_structure
        >>> net = M.Sequential(M.Linear(3, 2), M.ReLU())
        >>> set_expand_structure(net, "1", M.Sigmoid())
        >>> net[1]
        Sigmoid()
    """
    before, _, last = key.rpartition(".")
    holder = get_expand_structure(obj, before)
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list) or (last.isdigit() and hasattr(holder, "__setitem__")):
        holder[int(last)] = value
    else:
        setattr(holder, last, value)


@contextmanager
def set_module_mode_safe(module: Module, training: bool = False) -> Iterator[Module]:
    """Training or evaluation mode inside a ``with`` block; afterwards each part has its own mode again.

    Args:
        module: the module.
        training: the mode. Default: False, evaluation

    Example:
        >>> from megengine.utils.module_utils import set_module_mode_safe
        >>> dropout = M.Dropout(0.5)
        >>> with set_module_mode_safe(dropout):
        ...     print(dropout.training)
        False
        >>> dropout.training
        True
    """
    before = [(each, each.training) for each in module.modules()]
    try:
        for each, _ in before:
            each.train(training, recursive=False)
        yield module
    finally:
        for each, mode in before:
            each.training = mode
