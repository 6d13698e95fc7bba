"""MegEngine's compiled module. Programs take from it the tensors' base class for ``isinstance``, the wait for all computations
when they measure time, the interpreter's switches, and names for parts of a program."""

from ...graph import scopes
from ...graph.run import full_sync
from ...tensor import Tensor
from .. import get_option, set_option

__all__ = ["Tensor", "close", "full_sync", "get_option", "pop_scope", "push_scope", "set_option", "sync"]

# Programs close the interpreter when they end: all that is left to do then is to wait.
sync = close = full_sync


def push_scope(name: str) -> None:
    """Give what is recorded until :func:`pop_scope` a name in pictures and profiles.

    Example:
        >>> from megengine.core._imperative_rt.core2 import pop_scope, push_scope
        >>> with megengine.graph.watch() as seen:
        ...     push_scope("clip")
        ...     x = Tensor([1.0, 2.0]) * 2
        ...     pop_scope("clip")
        ...     y = x.numpy()
        >>> seen[0].scopes
        [('clip',)]
    """
    if scopes.enabled:
        scopes.enter(name)


def pop_scope(name: str) -> None:
    """End what :func:`push_scope` began.

    Raises:
        RuntimeError: another scope is the innermost.

    Example:
        >>> from megengine.core._imperative_rt.core2 import pop_scope, push_scope
        >>> with megengine.graph.watch():
        ...     push_scope("clip")
        ...     try:
        ...         pop_scope("scale")
        ...     except RuntimeError as error:
        ...         print(error)
        ...     pop_scope("clip")
        scope 'scale' cannot end before 'clip'
    """
    if scopes.enabled and scopes.current():
        if scopes.current()[-1] != name:
            raise RuntimeError(f"scope {name!r} cannot end before {scopes.current()[-1]!r}")
        scopes.pop()
