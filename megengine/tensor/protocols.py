"""What Python, NumPy and DLPack ask of a tensor: numbers, arrays, text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph.errors import SizeError
from ..graph.execute import on_device
from ..graph.flushing import evaluate
from ..graph.recorder import thread
from ..graph.value import Value
from .operators import Operators


class Protocols(Operators):
    """Operators, and the conversions to values of the host; they read through ``numpy`` and ``item``."""

    __slots__ = ()

    if TYPE_CHECKING:

        def numpy(self) -> np.ndarray: ...
        def item(self, *args: int) -> Any: ...

    def __contains__(self, item: Any) -> bool:
        found = self == item
        return bool(found.numpy().any()) if isinstance(found, Protocols) else found

    def __bool__(self) -> bool:
        return bool(self._single("bool"))

    def __int__(self) -> int:
        return int(self._single("int"))

    def __index__(self) -> int:
        number = self._single("index")
        if not isinstance(number, int):
            raise TypeError(f"a tensor of dtype {self._value.aval.dtype.name} cannot be an index")
        return int(number)

    def __float__(self) -> float:
        return float(self._single("float"))

    def __complex__(self) -> complex:
        return complex(self._single("complex"))

    def _single(self, use: str) -> Any:
        if self._value.aval.size != 1:
            raise SizeError(f"{use}() of a tensor takes one element, this one has shape {self._value.aval.shape}")
        return self.item()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("the elements of a tensor cannot be had without copying them; leave copy=False out")
        array = self.numpy()
        return array if dtype is None else array.astype(dtype, copy=False)

    def __format__(self, spec: str) -> str:
        return format(self._single("format") if spec else str(self), spec)

    def __repr__(self) -> str:
        with np.printoptions(precision=4, suppress=False):
            text = str(self.numpy())
        dtype = self._value.aval.dtype
        kind = "" if dtype == np.float32 else f", dtype={dtype.name}"
        return f"{type(self).__name__}({text}{kind}, device={self._value.device})"

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self._concrete().__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return self._concrete().__dlpack_device__()

    def _concrete(self) -> Any:
        realize(self._value)
        return on_device(self._value, True)


def realize(value: Value) -> None:
    """Give a value its array, for the host to read."""
    capture = thread.recorder.capture
    if capture is not None:
        capture.reads(value)
    if value.array is None:
        evaluate(value)
