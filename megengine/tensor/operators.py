"""Python's operators on tensors."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from ..graph.apply import apply
from ..graph.errors import ArgumentError
from ..graph.host_data import as_constant
from ..graph.value import Handle
from ..ops import elemwise as ops
from ..ops import linalg
from ..ops.op import Op

_FIXED_EXPONENTS = (2, 3, 4, 0.5, -1)


def power(x: Any, y: Any) -> Any:
    """``x ** y``; the few exponents that have their own instruction are part of the structure, others are arguments."""
    if isinstance(y, np.generic) and y.dtype.itemsize == 8 and y.dtype.kind in "iuf":  # as the Python number
        y = y.item()
    if type(y) in (int, float) and y in _FIXED_EXPONENTS:
        return apply(ops.pow_fixed, x, exponent=y)
    return apply(ops.pow, x, y)


def matmul(x: Any, y: Any, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    """Matrix product; numbers are not matrices."""
    if not isinstance(x, Handle):
        x = _matrix(x, y)
    if not isinstance(y, Handle):
        y = _matrix(y, x)
    vectors = x._value.aval.ndim == y._value.aval.ndim == 1
    return apply(linalg.inner if vectors else linalg.matmul, x, y, transpose_a=transpose_a, transpose_b=transpose_b)


def _matrix(data: Any, other: Any) -> Any:
    found = as_constant(data, (other,))
    if not found._value.aval.ndim:
        raise ArgumentError(f"matmul takes tensors, not {data!r}")
    return found


def _require_bools(name: str, x: Any, y: Any = True) -> Any:
    """The second operand, as a tensor or a bool."""
    if not isinstance(y, Handle | bool):
        y = as_constant(y, (x,))
    for operand in (x, y):
        if isinstance(operand, Handle) and operand._value.aval.dtype != np.bool_:
            raise ArgumentError(f"{name} takes bool tensors, not {operand._value.aval.dtype}")
    return y


def _binary(op: Op) -> tuple[Any, Any, Any]:
    def forward(self: Any, other: Any) -> Any:
        return apply(op, self, other)

    def reflected(self: Any, other: Any) -> Any:
        return apply(op, other, self)

    return forward, reflected, _in_place(forward)


def _in_place(forward: Any) -> Any:
    def assign(self: Any, other: Any) -> Any:
        self._reset(forward(self, other))
        return self

    return assign


def _dividing(op: Op) -> tuple[Any, Any, Any]:
    """As :func:`_binary`, of ops that integers do not have with 0."""

    def forward(self: Any, other: Any) -> Any:
        return divided(op, self, other)

    def reflected(self: Any, other: Any) -> Any:
        return apply(op, other, self)

    return forward, reflected, _in_place(forward)


def divided(op: Op, x: Any, y: Any) -> Any:
    """The quotient or remainder of numbers.

    Raises:
        ZeroDivisionError: a tensor of integers by the number 0.
    """
    if type(y) is int and not y and isinstance(x, Handle) and x._value.aval.dtype.kind in "iu":
        raise ZeroDivisionError(f"{op.name}: a tensor of dtype {x._value.aval.dtype.name} cannot be divided by 0")
    return apply(op, x, y)


def _logical(op: Op) -> tuple[Any, Any, Any]:
    def forward(self: Any, other: Any) -> Any:
        return apply(op, self, _require_bools(op.name, self, other))

    def reflected(self: Any, other: Any) -> Any:
        return forward(self, other)

    return forward, reflected, _in_place(forward)


def _equality(op: Op, without_value: bool) -> Any:
    def compare(self: Any, other: Any) -> Any:
        return without_value if other is None else apply(op, self, other)

    return compare


def _divmod(x: Any, y: Any) -> tuple[Any, Any]:
    """Quotient rounded down and the remainder that belongs to it, which has the divisor's sign."""
    remainder = divided(ops.mod, x, y)  # C's for floats
    if remainder._value.aval.is_float:
        other_sign = apply(ops.less, apply(ops.mul, remainder, y), 0)
        remainder = apply(ops.where, other_sign, apply(ops.add, remainder, y), remainder)
    exact = apply(ops.div, apply(ops.sub, x, remainder), y)
    whole = apply(ops.round, exact) if exact.dtype == remainder.dtype else apply(ops.floor_div, x, y)
    return whole, remainder


# NumPy's functions that are methods here, and keep the gradient.
_METHODS = {
    np.sum: "sum", np.prod: "prod", np.max: "max", np.min: "min", np.amax: "max", np.amin: "min", np.mean: "mean",
    np.reshape: "reshape", np.transpose: "transpose",
}  # fmt: skip

# NumPy's functions that make a tensor of a tensor, and the dtypes of arrays that become one.
_KEEPING = {
    np.take, np.repeat, np.swapaxes, np.squeeze, np.clip, np.cumsum, np.cumprod, np.round, np.around, np.insert, np.delete,
}  # fmt: skip
_PLAIN = {np.dtype(name) for name in ("float32", "float16", "int32", "int16", "int8", "uint16", "uint8", "bool")}

# What a ufunc with a tensor on its right is to the tensor.
_REFLECTED = {
    "add": "__radd__", "subtract": "__rsub__", "multiply": "__rmul__", "divide": "__rtruediv__", "true_divide": "__rtruediv__",
    "floor_divide": "__rfloordiv__", "remainder": "__rmod__", "power": "__rpow__", "matmul": "__rmatmul__",
    "left_shift": "__rlshift__", "right_shift": "__rrshift__", "bitwise_and": "__rand__", "bitwise_or": "__ror__",
    "bitwise_xor": "__rxor__", "equal": "__eq__", "not_equal": "__ne__", "less": "__gt__", "less_equal": "__ge__",
    "greater": "__lt__", "greater_equal": "__le__", "divmod": "__rdivmod__",
}  # fmt: skip


def _on_host(x: Any) -> Any:
    return x.numpy() if isinstance(x, Handle) else x  # type: ignore[attr-defined]


class Operators(Handle):
    """Handle with Python's operators; each records one op."""

    __slots__ = ()
    __array_priority__ = 1001

    __add__, __radd__, __iadd__ = _binary(ops.add)
    __sub__, __rsub__, __isub__ = _binary(ops.sub)
    __mul__, __rmul__, __imul__ = _binary(ops.mul)
    __truediv__, __rtruediv__, __itruediv__ = _binary(ops.div)
    __floordiv__, __rfloordiv__, __ifloordiv__ = _dividing(ops.floor_div)
    __mod__, __rmod__, __imod__ = _dividing(ops.mod)
    __lshift__, __rlshift__, __ilshift__ = _binary(ops.left_shift)
    __rshift__, __rrshift__, __irshift__ = _binary(ops.right_shift)
    __and__, __rand__, __iand__ = _logical(ops.logical_and)
    __or__, __ror__, __ior__ = _logical(ops.logical_or)
    __xor__, __rxor__, __ixor__ = _logical(ops.logical_xor)

    __eq__ = _equality(ops.equal, False)
    __ne__ = _equality(ops.not_equal, True)
    __lt__, _, _ = _binary(ops.less)
    __le__, _, _ = _binary(ops.less_equal)
    __gt__, _, _ = _binary(ops.greater)
    __ge__, _, _ = _binary(ops.greater_equal)
    del _

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """``array + tensor`` is a tensor operation; other NumPy functions run on the host and give a tensor."""
        reflected = _REFLECTED.get(ufunc.__name__)
        if reflected is not None and method == "__call__" and len(inputs) == 2 and inputs[1] is self:
            # ``array += tensor`` names the array as the output: it becomes a tensor, as in the reference.
            if not kwargs or (kwargs.keys() == {"out"} and kwargs["out"][0] is inputs[0] is not self):
                return getattr(self, reflected)(inputs[0])
        out = kwargs.get("out", ())
        if any(isinstance(x, Handle) for x in out):
            raise TypeError(f"numpy.{ufunc.__name__}: out= must be an array, not a tensor, which takes values as in x[...] = y")
        kwargs = {name: _on_host(x) for name, x in kwargs.items()}
        result = getattr(ufunc, method)(*map(_on_host, inputs), **kwargs)
        if out or not isinstance(result, np.ndarray | np.generic | tuple):
            return result
        if isinstance(result, tuple):
            return tuple([type(self)(x, device=self._value.device) for x in result])  # type: ignore[call-arg]
        return type(self)(result, device=self._value.device)  # type: ignore[call-arg]

    def __array_function__(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """``numpy.sum(tensor)`` and its like are methods; others do as with what converts to an array."""
        name = _METHODS.get(func)
        if name is not None:
            x, *rest = args
            if isinstance(x, Handle) and len(rest) < 2 and kwargs.keys() <= {"axis", "keepdims"}:
                return getattr(x, name)(*rest, **kwargs)
            args = tuple(map(_on_host, args))
        result = func._implementation(*args, **kwargs)
        if func in _KEEPING and args and args[0] is self and isinstance(result, np.ndarray) and result.dtype in _PLAIN:
            return result if result is kwargs.get("out") else type(self)(result, device=self._value.device)  # type: ignore[call-arg]
        return result

    def __divmod__(self, other: Any) -> Any:
        return _divmod(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return _divmod(other, self)

    def __pow__(self, other: Any) -> Any:
        return power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return apply(ops.pow, other, self)

    def __ipow__(self, other: Any) -> Any:
        self._reset(power(self, other))  # type: ignore[attr-defined]
        return self

    def __matmul__(self, other: Any) -> Any:
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return matmul(other, self)

    def __imatmul__(self, other: Any) -> Any:
        self._reset(self @ other)  # type: ignore[attr-defined]
        return self

    def __neg__(self) -> Any:
        return apply(ops.neg, self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return apply(ops.abs, self)

    def __invert__(self) -> Any:
        _require_bools("logical_not", self)
        return apply(ops.logical_not, self)

    def __round__(self, ndigits: Any = None) -> Any:
        """Halves away from zero, as :func:`megengine.functional.round`."""
        digits = 0 if ndigits is None else index(ndigits)
        whole = not self._value.aval.is_float
        if digits == 0 or (whole and digits > 0):
            return apply(ops.round, self)
        scale = 10 ** abs(digits)
        if whole:
            size, half = apply(ops.abs, self), scale // 2
            return (size + half) // scale * scale * apply(ops.sign, self)
        if digits > 0:
            return apply(ops.round, self * scale) / scale
        return apply(ops.round, self / scale) * scale

    def __floor__(self) -> Any:
        return apply(ops.floor, self)

    def __ceil__(self) -> Any:
        return apply(ops.ceil, self)

    def __trunc__(self) -> Any:
        return apply(ops.where, self < 0, apply(ops.ceil, self), apply(ops.floor, self))

    def __hash__(self) -> int:
        return id(self)
