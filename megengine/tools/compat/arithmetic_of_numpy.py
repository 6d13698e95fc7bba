"""Arithmetic of NumPy 1.23, whose precision depends on values: a number does not widen the array that it meets.

In NumPy 2 ``float32_array * np.float64(2)`` is float64, ``np.uint8(200) + 100`` wraps around and ``uint8_array * -1`` is
an error.
In the program's own code the operations, and the functions of two operands, give what they gave.
"""

from __future__ import annotations

import sys

from .graft import put, use_python_slot
from .names_of_numpy import NUMPY, np
from .own import caller, nearest_own
from .table import ENTRIES
from .uses import note
from .values_of_numpy import ARRAY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Used = Callable[..., None]

# The operations of the language, and the function of each.
OPERATIONS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide", "mod": "remainder",
    "pow": "power", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift",
    "rshift": "right_shift",
}  # fmt: skip
FUNCTIONS = "add subtract multiply divide true_divide floor_divide remainder mod fmod power float_power maximum minimum fmax fmin"
FUNCTIONS += " arctan2 hypot logaddexp"
SCALARS = (
    "bool_ int8 int16 int32 int64 longlong uint8 uint16 uint32 uint64 ulonglong float16 float32 float64 longdouble"
)
SCALARS += " complex64 complex128 clongdouble"
CATEGORIES = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 2}
# Functions that took the first of these precisions that holds both operands.
SEARCHED = {
    "floor_divide",
    "remainder",
    "mod",
    "fmod",
    "power",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "left_shift",
    "right_shift",
}
ORDER = "bBhHiIlL"
PLAIN = (bool, int, float, complex)
LARGE = 65504  # the largest number of float16

for _name in ("with_array", "of_numbers"):
    ARRAY.add(_name, "2.0", "float(number), or the precision that is meant", None, "call")


def as_then(a: Any, b: Any, function: str = "") -> tuple[Any, Any, str]:
    """Two operands in the precision in which NumPy 1.23 took them, and the entry; no entry where NumPy 2 does the same."""
    if _surely_the_same(a, b):
        return a, b, ""
    many = [isinstance(x, np().ndarray) and x.ndim > 0 for x in (a, b)]
    if all(many) or not all(type(x) in PLAIN or isinstance(x, (np().generic, np().ndarray)) for x in (a, b)):
        return a, b, ""
    if type(a) in PLAIN and type(b) in PLAIN:
        return a, b, ""
    typed = [x if many[i] else np().asarray(x)[()] for i, x in enumerate((a, b))]
    if any(x.dtype.kind not in CATEGORIES for x in typed):
        return a, b, ""
    if many[0]:
        typed[1] = _beside(typed[0].dtype, typed[1], function)
    elif many[1]:
        typed[0] = _beside(typed[1].dtype, typed[0], function)
    today = _today(a, b)
    if today is not None and today == np().promote_types(typed[0].dtype, typed[1].dtype):
        return a, b, ""
    return typed[0], typed[1], "with_array" if any(many) else "of_numbers"


def _surely_the_same(a: Any, b: Any) -> bool:
    """The operands of nearly all arithmetic, for which nothing has to be worked out."""
    kind, other = type(a), type(b)
    array = np().ndarray
    if kind is array and other is array:
        return a.dtype == b.dtype or bool(a.ndim and b.ndim)
    if other is array:
        a, b, kind, other = b, a, other, kind
    if kind is array:
        if other is float:
            return a.ndim > 0 and (a.dtype.kind not in "fc" or not abs(b) >= LARGE)
        return other is int and a.ndim > 0 and (0 <= b < 128 or (-128 <= b < 0 and a.dtype.kind == "i"))
    return kind is other or (kind in PLAIN and other in PLAIN)


def _beside(dtype: Any, number: Any, function: str) -> Any:
    """A number in the least precision that holds it, if it is of no higher kind than the array that it meets."""
    if CATEGORIES[number.dtype.kind] > CATEGORIES[dtype.kind]:
        return number
    smallest = np().min_scalar_type(number)
    if function in SEARCHED and dtype.kind in "ui" and smallest.kind in "ui":
        for char in ORDER[ORDER.index(dtype.char) :] if dtype.char in ORDER else "":
            if np().can_cast(dtype, char) and np().iinfo(char).min <= number <= np().iinfo(char).max:
                return number.astype(char)
    signed = np().dtype(f"i{smallest.itemsize}") if smallest.kind == "u" else smallest
    if dtype.kind == "i" and signed is not smallest and int(number) <= np().iinfo(signed).max:
        smallest = signed
    return number.astype(smallest)


def _today(a: Any, b: Any) -> Any:
    """The precision of NumPy 2, or None where a number does not fit into it."""
    for number, other in ((a, b), (b, a)):
        dtype = getattr(other, "dtype", None)
        if type(number) is int and dtype is not None and dtype.kind in "ui":
            limits = np().iinfo(dtype)
            if not limits.min <= number <= limits.max:
                return None
    return np().result_type(a, b)


def _note(frame: Any, entry: str) -> None:
    words = {
        "with_array": "an array with a number of another precision",
        "of_numbers": "a NumPy number with a Python number",
    }
    note(ENTRIES[f"{ARRAY.module}.{entry}"], frame, f"arithmetic of {words[entry]}")


def _operation(kind: type, name: str, function: str, reflected: bool) -> None:
    """Replaces one special method of a type of NumPy."""
    method = f"__{'r' * reflected}{name}__"
    present: Callable[..., Any] | None = kind.__dict__.get(method)
    if present is None:
        return

    def operation(self: Any, other: Any, *modulo: Any) -> Any:
        frame = caller()
        if frame is None or modulo:
            return present(self, other, *modulo)
        left, right, entry = as_then(other, self, function) if reflected else as_then(self, other, function)
        if not entry:
            return present(self, other)
        _note(frame, entry)
        return getattr(np(), function)(left, right)

    operation.__name__ = operation.__qualname__ = method
    put(kind, method, operation)


def _arithmetic_of(kind: type) -> None:
    for name, function in OPERATIONS.items():
        for reflected in (False, True):
            _operation(kind, name, function, reflected)
        if f"__{name}__" in kind.__dict__:
            use_python_slot(kind, f"__{name}__", "number", 36)


@ARRAY.after
def of_arrays(module: ModuleType) -> None:
    """Before NumPy makes the classes that inherit from the array."""
    _arithmetic_of(sys.modules[ARRAY.module].ndarray)


@NUMPY.after
def of_numbers(module: ModuleType) -> None:
    """When the types have their names."""
    for kind in dict.fromkeys(vars(module)[name] for name in SCALARS.split()):
        _arithmetic_of(kind)


def _function(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        if len(args) == 2 and "dtype" not in kwargs:
            left, right, entry = as_then(*args, present.__name__)
            if entry:
                _note(nearest_own(sys._getframe(1)), entry)
                args = (left, right)
        return present(*args, **kwargs)

    return function


for _name in FUNCTIONS.split():
    NUMPY.call(_name, "2.0", "numbers of the precision that is meant")(_function)


@NUMPY.call("where", "2.0", "numbers of the precision that is meant")
def _where(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def where(condition: Any, *args: Any) -> Any:
        if len(args) == 2:
            left, right, entry = as_then(*args)
            if entry:
                _note(nearest_own(sys._getframe(1)), entry)
                args = (left, right)
        return present(condition, *args)

    return where
