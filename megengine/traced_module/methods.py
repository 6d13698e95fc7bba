"""The methods of tensors that compute: those that tracing sees, and that a file may call."""

from __future__ import annotations

__all__ = ["BINARY", "METHODS", "TENSOR_METHODS", "dunders"]

_TWO_OPERANDS = "add sub mul truediv floordiv mod pow matmul lshift rshift and or xor"
_OTHERS = "lt le gt ge eq ne neg pos abs invert round floor ceil getitem setitem"
_NAMED = "transpose astype reshape _broadcast flatten sum prod min max mean detach to"
_OF_FILES = "__new__ set_value reset_zero"

#: What has a reflected and an in-place form.
BINARY = _TWO_OPERANDS.split()


def dunders(names: str) -> list[str]:
    """Names between double underscores."""
    return [f"__{name}__" for name in names.split()]


METHODS = [f"__{prefix}{name}__" for name in BINARY for prefix in ("", "r", "i")] + dunders(_OTHERS) + _NAMED.split()
TENSOR_METHODS = frozenset([*METHODS, *_OF_FILES.split()])
