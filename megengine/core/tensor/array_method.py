"""The parts that MegEngine's tensor methods are made of; programs make functions of their own from them."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ... import functional as F
from ...tensor import Tensor
from ..ops import builtin
from ..ops.opdef import apply
from .utils import _normalize_axis

__all__ = ["ArrayMethodMixin"]

_ElwMod = builtin.Elemwise.Mode


class ArrayMethodMixin(abc.ABC):
    """What a tensor is an instance of: for ``isinstance``."""


ArrayMethodMixin.register(Tensor)


def _elwise_apply(args: Sequence[Any], mode: str) -> Tensor:
    return apply(builtin.Elemwise(mode), *args)[0]


def _elwise(*args: Any, mode: str) -> Tensor:
    """An element-wise operator by its mode.

    Example:
        >>> from megengine.core.tensor.array_method import _elwise
        >>> _elwise(Tensor([1.0, -2.0]), mode="abs")
        Tensor([1. 2.], device=xpux:0)
    """
    return _elwise_apply(args, mode)


def _elemwise_multi_type(*args: Any, mode: str, **settings: Any) -> Tensor:
    return apply(builtin.ElemwiseMultiType(mode=mode, **settings), *args)[0]


def _matmul(
    inp1: Tensor, inp2: Tensor, transpose_a: bool = False, transpose_b: bool = False, compute_mode: str = "default"
) -> Tensor:
    if not (inp1.ndim and inp2.ndim):
        raise AssertionError(f"_matmul takes vectors, matrices or batches, not the shapes {inp1.shape}, {inp2.shape}")
    return F.matmul(inp1, inp2, transpose_a, transpose_b, compute_mode)


def _unary_elwise(mode: str) -> Callable[[Any], Tensor]:
    return lambda self: _elwise(self, mode=mode)


def _binary_elwise(mode: str, rev: bool = False) -> Callable[[Any, Any], Tensor]:
    return lambda self, value: _elwise(value, self, mode=mode) if rev else _elwise(self, value, mode=mode)


def _reduce(mode: str) -> Callable[..., Tensor]:
    """The method for a mode of Reduce.

    Example:
        >>> from megengine.core.tensor.array_method import _reduce
        >>> _reduce("max")(Tensor([[1.0, 4.0], [3.0, 2.0]]), axis=1)
        Tensor([4. 3.], device=xpux:0)
    """

    def f(self: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
        if axis is None:
            if keepdims:
                raise AssertionError("can not set axis=None and keepdims=True")
            return apply(builtin.Reduce(mode=mode), self)[0]
        if not isinstance(axis, Iterable):
            return apply(builtin.Reduce(mode=mode, axis=axis, keepdim=keepdims), self)[0]
        data = self
        for one in _normalize_axis(self.ndim, axis, reverse=True):  # type: ignore[union-attr]
            (data,) = apply(builtin.Reduce(mode=mode, axis=one, keepdim=keepdims), data)
        return data

    return f


def _inplace(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def g(self: Any, value: Any) -> Any:
        result = f(self, value)
        if result is NotImplemented:
            raise NotImplementedError(f"no result for {type(value).__name__}")
        self._reset(result)
        return self

    return g


def _expand_args(args: Sequence[Any]) -> Any:
    """What ``f(1, 2)`` and ``f((1, 2))`` have in common."""
    return args[0] if len(args) == 1 and isinstance(args[0], (Sequence, Tensor, np.ndarray)) else args
