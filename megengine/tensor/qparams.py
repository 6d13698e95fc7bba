"""What is known about a tensor's quantisation."""

from __future__ import annotations

from enum import Enum
from typing import Any


class QuantMode(Enum):
    """Whether a quantised dtype has a zero point; the names are spelt as in MegEngine.

    Example:
        >>> [mode.name for mode in megengine.quantization.QuantMode]
        ['SYMMERTIC', 'ASYMMERTIC']
    """

    SYMMERTIC = 1
    ASYMMERTIC = 2


class QParams:
    """Mode, dtype, scale and zero point of a tensor's quantisation.

    Attributes:
        mode: a :class:`QuantMode`.
        dtype_meta: kind of the dtype, or None.
        scale: a tensor, or None.
        zero_point: a tensor, or None.

    Example:
        >>> megengine.Tensor([1.0]).qparams
        QParams(mode=QuantMode.SYMMERTIC, dtype_meta=None, scale=None, zero_point=None)
    """

    __slots__ = ("mode", "dtype_meta", "scale", "zero_point")

    def __init__(self, mode: QuantMode | None, dtype_meta: Any, scale: Any, zero_point: Any) -> None:
        self.mode = mode
        self.dtype_meta = dtype_meta
        self.scale = scale
        self.zero_point = zero_point

    def update(self, qparams: QParams) -> None:
        """Take over everything from another one."""
        for name in self.__slots__:
            setattr(self, name, getattr(qparams, name))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QParams) or self.__slots__ != other.__slots__:
            return False
        return all(bool(getattr(self, name) == getattr(other, name)) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"QParams({', '.join(f'{name}={getattr(self, name)}' for name in self.__slots__)})"
