"""Helpers of functions that programs define on their own: scalars, shapes, vectors from either, operands made alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...functional import concat
from ...graph import precision
from ...ops import promote
from ...tensor import Tensor
from ...tensor import axes as _axes
from .subgraph import interpret_subgraph, subgraph, subgraph_fn

__all__ = [
    "astensor1d", "cast_tensors", "convert_inputs", "convert_single_value", "get_convert_inputs", "interpret_subgraph",
    "isscalar", "make_shape_tuple", "result_type", "set_convert_inputs", "subgraph", "subgraph_fn",
]  # fmt: skip

_converts = True


def isscalar(x: Any) -> bool:
    """Whether this is a number, or a tensor without dimensions.

    Example:
        >>> from megengine.core.tensor.utils import isscalar
        >>> isscalar(1.0), isscalar(Tensor(1.0)), isscalar(Tensor([1.0]))
        (True, True, False)
    """
    return x.ndim == 0 if isinstance(x, Tensor) else bool(np.isscalar(x))


def make_shape_tuple(shape: Any) -> tuple[int, ...]:
    """A shape from an int, a tensor, or a sequence of these.

    Raises:
        ArgumentError: other entries.

    Example:
        >>> from megengine.core.tensor.utils import make_shape_tuple
        >>> make_shape_tuple([2, Tensor(3)]), make_shape_tuple(Tensor([4, 5]))
        ((2, 3), (4, 5))
    """
    return tuple(_axes.as_shape(shape, "shape"))


def astensor1d(x: Any, *reference: Tensor, dtype: Any = None, device: Any = None) -> Tensor:
    """A vector from a sequence of numbers and tensors; a tensor is returned as it is.

    Args:
        x: the sequence.
        reference: tensors that decide the dtype where ``dtype`` does not, by their promotion with it.
        dtype: default that of the elements.
        device: default that of new tensors.

    Example:
        >>> from megengine.core.tensor.utils import astensor1d
        >>> astensor1d([1, Tensor(2)])
        Tensor([1 2], dtype=int32, device=xpux:0)
    """
    if isinstance(x, Tensor):
        return x
    if isinstance(x, (list, tuple)) and any(isinstance(v, Tensor) for v in x):
        parts = [v if isinstance(v, Tensor) else Tensor(v) for v in x]
        vector = concat(parts, device=device)
        return vector if dtype is None else vector.astype(dtype)
    return Tensor(x, dtype=dtype, device=device)


def get_convert_inputs() -> bool:
    """What :func:`set_convert_inputs` set."""
    return _converts


def set_convert_inputs(flag: bool) -> bool:
    """Whether :func:`convert_inputs` converts; returns what it was. Optimizers of programs turn it off while they step."""
    global _converts
    before, _converts = _converts, bool(flag)
    return before


def convert_single_value(v: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of this value; one that is a tensor keeps its device, and of those only floats take the dtype.

    Example:
        >>> from megengine.core.tensor.utils import convert_single_value
        >>> convert_single_value(2, dtype="float32")
        Tensor(2.0, device=xpux:0)
    """
    if not isinstance(v, Tensor):
        return Tensor(v, dtype=dtype, device=device)
    return v if dtype is None or v.dtype.kind != "f" else v.astype(dtype)


def convert_inputs(*args: Any, device: Any = None) -> tuple[Any, ...]:
    """The operands of an operator as tensors of the dtype that they meet in; None stays.

    Raises:
        RuntimeError: dtypes that do not meet.

    Example:
        >>> from megengine.core.tensor.utils import convert_inputs
        >>> convert_inputs(Tensor([1, 2]), 2.5)
        (Tensor([1. 2.], device=xpux:0), Tensor(2.5, device=xpux:0))
    """
    if not _converts:
        return args
    plain = {bool: "b", int: "i", float: "f"}
    made = [a if a is None or type(a) in plain or isinstance(a, Tensor) else Tensor(a) for a in args]
    kinds = [plain.get(type(a)) or a.dtype for a in made if a is not None]
    dtype = promote.common("convert_inputs", kinds)
    return tuple(
        a if a is None else a.astype(dtype) if isinstance(a, Tensor) else Tensor(a, dtype=dtype, device=device)
        for a in made
    )


def result_type(*args: Any) -> np.dtype:
    """NumPy's common dtype of tensors and dtypes; what is neither counts for nothing.

    Example:
        >>> from megengine.core.tensor.utils import result_type
        >>> result_type(Tensor([1.0]), "float16")
        dtype('float32')
    """
    dtypes = []
    for a in args:
        try:
            dtypes.append(np.dtype(a.dtype if isinstance(a, Tensor) else a))
        except TypeError:
            continue
    return np.result_type(*dtypes)


def _normalize_axis(ndim: int, axis: Any, reverse: bool = False) -> int | list[int]:
    """Axes counted from the front, a list of them sorted."""

    def convert(one: int) -> int:
        if not -ndim <= one < ndim:
            raise AssertionError(f"axis {one} is out of bounds for tensor of dimension {ndim}")
        return one % ndim

    if not isinstance(axis, Iterable):
        return convert(int(axis))
    converted = sorted(map(convert, axis), reverse=reverse)
    if len(set(converted)) != len(converted):
        raise AssertionError(f"axis {axis} contains duplicated indices")
    return converted


def cast_tensors(*args: Tensor | None, promote: bool = False) -> tuple[Tensor | None, ...]:
    """The operands in the low dtype of mixed precision, or in the high one; None stays.

    Example:
        >>> from megengine.core.tensor.utils import cast_tensors
        >>> cast_tensors(Tensor([1.0]), None)
        (Tensor([1.], dtype=float16, device=xpux:0), None)
    """
    dtype = (precision.current().high if promote else precision.current().low).name
    return tuple(None if a is None else a.astype(dtype) for a in args)
