"""Where MegEngine loads operators written in C++ against its own headers: here it says how to have one of one's own instead."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["load", "unload"]

INSTEAD = (
    "operators in C++ are compiled against MegEngine's own headers, which are not here; write the operator as a function of "
    "JAX, or call the C or C++ code from one, as docs/custom-operators.md shows"
)


def load(lib_path: Any) -> NoReturn:
    """Refuse a library of operators for MegEngine.

    Raises:
        NotImplementedError: always; it says what to write instead.

    Example:
        >>> from megengine.core.ops import custom
        >>> custom.load("ops.so")
        Traceback (most recent call last):
        NotImplementedError: custom.load('ops.so'): operators in C++ are compiled against ... docs/custom-operators.md shows
    """
    raise NotImplementedError(f"custom.load({str(lib_path)!r}): {INSTEAD}")


def unload(lib_path: Any) -> NoReturn:
    """Refuse as :func:`load` does, which cannot have loaded it."""
    raise NotImplementedError(f"custom.unload({str(lib_path)!r}): {INSTEAD}")


def __getattr__(name: str) -> Any:
    raise AttributeError(f"there is no operator {name!r}: {INSTEAD}", name=name)
