"""Where MegEngine compiles operators written in C++ against its own headers; see :mod:`megengine.core.ops.custom`."""

from __future__ import annotations

from typing import Any, NoReturn

from ..core.ops.custom import INSTEAD

__all__ = ["build", "build_and_load", "load"]


def build(name: str, sources: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """Refuse sources of an operator for MegEngine.

    Raises:
        NotImplementedError: always; it says what to write instead.

    Example:
        >>> from megengine.utils import custom_op_tools
        >>> custom_op_tools.build("my_op", ["my_op.cpp"])
        Traceback (most recent call last):
        NotImplementedError: custom_op_tools of 'my_op': operators in C++ are compiled against ... docs/custom-operators.md shows
    """
    raise NotImplementedError(f"custom_op_tools of {name!r}: {INSTEAD}")


def build_and_load(name: str, sources: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """Refuse as :func:`build` does."""
    build(name, sources)


def load(lib_path: Any) -> NoReturn:
    """Refuse as :func:`megengine.core.ops.custom.load` does."""
    raise NotImplementedError(f"custom_op_tools.load({str(lib_path)!r}): {INSTEAD}")
