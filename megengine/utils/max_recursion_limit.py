"""A higher recursion limit for a while."""

from __future__ import annotations

import resource
import sys
import threading


class AlternativeRecursionLimit:
    """Context manager that sets Python's recursion limit and lifts that of the stack of new threads; may be nested.

    Nothing in this package recurses deeply; it is for programs that do, say when they pickle long chains of objects.

    Args:
        new_py_limit: the recursion limit inside.

    Example:
        >>> from megengine.utils.max_recursion_limit import AlternativeRecursionLimit
        >>> import sys
        >>> before = sys.getrecursionlimit()
        >>> with AlternativeRecursionLimit(12345):
        ...     print(sys.getrecursionlimit())
        12345
        >>> sys.getrecursionlimit() == before
        True
    """

    def __init__(self, new_py_limit: int) -> None:
        self.new_py_limit = new_py_limit
        self._lock = threading.Lock()
        self._depth = 0
        self._before = (0, (0, 0))

    def __enter__(self) -> None:
        with self._lock:
            if self._depth == 0:
                self._before = sys.getrecursionlimit(), resource.getrlimit(resource.RLIMIT_STACK)
                hard = self._before[1][1]
                resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))
                sys.setrecursionlimit(self.new_py_limit)
            self._depth += 1

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                sys.setrecursionlimit(self._before[0])
                resource.setrlimit(resource.RLIMIT_STACK, self._before[1])


_highest = AlternativeRecursionLimit(2**31 - 1)


def max_recursion_limit() -> AlternativeRecursionLimit:
    """The highest recursion limit inside a ``with`` block.

    Example:
        >>> from megengine.utils.max_recursion_limit import max_recursion_limit
        >>> import sys
        >>> with max_recursion_limit():
        ...     print(sys.getrecursionlimit() == 2**31 - 1)
        True
    """
    return _highest
