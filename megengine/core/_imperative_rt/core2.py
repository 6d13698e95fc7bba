"""MegEngine's compiled module. Programs take from it ``apply`` for single operators, the tensors' base class for ``isinstance``,
the wait for all computations when they measure time, the interpreter's switches, and names for parts of a program."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import config, functional
from ...graph import scopes
from ...graph.device import Device, resolve
from ...graph.errors import TraceError
from ...graph.flushing import full_sync
from ...ops import promote
from ...tensor import Tensor
from .. import get_option, set_option
from ..ops.opdef import apply
from ..tensor.amp import _get_amp_dtype_autocast, _get_amp_high_prec_dtype, _get_amp_low_prec_dtype
from ..tensor.utils import make_shape_tuple

__all__ = [
    "AsyncError", "Const", "Tensor", "TensorWeakRef", "TraceError", "apply", "close", "config_async_level", "create_complex",
    "dtype_promotion", "full_sync", "get_async_level", "get_auto_format_convert", "get_device", "get_imag",
    "get_option", "get_real", "make_shape_tuple", "pop_scope", "push_scope", "set_auto_format_convert", "set_option",
    "sync", "_get_amp_dtype_autocast", "_get_amp_high_prec_dtype", "_get_amp_low_prec_dtype",
]  # fmt: skip

# Programs close the interpreter when they end: all that is left to do then is to wait.
sync = close = full_sync
create_complex, get_real, get_imag = functional.complex, functional.real, functional.imag


def push_scope(name: str) -> None:
    """Give what is recorded until :func:`pop_scope` a name in pictures and profiles.

    Example:
        >>> from megengine.core._imperative_rt.core2 import pop_scope, push_scope
        >>> with megengine.graph.watch() as seen:
        ...     push_scope("clip")
        ...     x = Tensor([1.0, 2.0]) * 2
        ...     pop_scope("clip")
        ...     y = x.numpy()
        >>> [equation.scope for equation in seen[0].function.equations]
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
        scopes.leave(scopes.current()[:-1])


class AsyncError(RuntimeError):
    """What MegEngine raises for operations that fail after they were called; errors here are those of the operations."""


class TensorWeakRef:
    """A weak reference to a tensor; calling it gives the tensor, or None."""

    def __init__(self, tensor: Tensor) -> None:
        self._reference = weakref.ref(tensor)

    def __call__(self) -> Tensor | None:
        return self._reference()


def Const(value: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of a constant: functions copied from MegEngine's own make theirs so.

    Example:
        >>> from megengine.core._imperative_rt.core2 import Const
        >>> Const(1, "float32", "xpux")
        Tensor(1.0, device=xpux:0)
    """
    return Tensor(value, dtype=dtype, device=device)


def dtype_promotion(*operands: Any) -> np.dtype:
    """The dtype that operands meet in: tensors, numbers, arrays, or one sequence of them.

    Example:
        >>> from megengine.core._imperative_rt.core2 import dtype_promotion
        >>> dtype_promotion([Tensor([1]), Tensor([1.5])])
        dtype('float32')
    """
    given = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    plain = {bool: "b", int: "i", float: "f"}
    return promote.common(
        "dtype_promotion",
        [plain.get(type(v)) or np.asarray(v).dtype if not isinstance(v, Tensor) else v.dtype for v in given],
    )


def get_device(operands: Any) -> Device:
    """The device of the first tensor of a sequence, or the default device.

    Example:
        >>> from megengine.core._imperative_rt.core2 import get_device
        >>> get_device([1, Tensor([1.0], device="cpu0")]) == "cpu0"
        True
    """
    for operand in operands if isinstance(operands, Sequence) else [operands]:
        if isinstance(operand, Tensor):
            return operand.device
    return resolve(None)


def config_async_level(level: int) -> None:
    """Set ``config.async_level``, where programs of MegEngine 1.0 set it."""
    config.async_level = level


def get_async_level() -> int:
    """``config.async_level``."""
    return config.async_level


def set_auto_format_convert(option: bool) -> None:
    """Set ``config._auto_format_convert``."""
    config._auto_format_convert = option  # type: ignore[attr-defined]


def get_auto_format_convert() -> bool:
    """``config._auto_format_convert``."""
    return bool(config._auto_format_convert)  # type: ignore[attr-defined]
