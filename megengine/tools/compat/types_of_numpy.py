"""NumPy's functions about scalar types, as they were in NumPy 1.23."""

from __future__ import annotations

import sys

from .names_of_numpy import NUMPY, np

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SIZES = {
    "int": ("int8", "int16", "int32", "int64"),
    "uint": ("uint8", "uint16", "uint32", "uint64"),
    "float": ("float16", "float32", "float64", "longdouble"),
    "complex": ("complex64", "complex128", "clongdouble"),
}


def _sctypes(*_: Any) -> dict[str, list[type]]:
    found = {kind: [getattr(np(), name) for name in names] for kind, names in SIZES.items()}
    return found | {"others": [bool, object, bytes, str, np().void]}


NUMPY.add("sctypes", "2.0", "the types by name", _sctypes)


def _scalar_types() -> list[type]:
    kinds = [*np().typecodes["All"]]
    return [np().dtype(code).type for code in kinds]


NUMPY.add(
    "nbytes", "2.0", "np.dtype(type).itemsize", lambda *_: {kind: np().dtype(kind).itemsize for kind in _scalar_types()}
)


class _Cast(dict):  # type: ignore[type-arg]
    """``np.cast[dtype](values)``."""

    def __getitem__(self, key: Any) -> Any:
        return dict.__getitem__(self, obj2sctype(key))


def _cast(*_: Any) -> _Cast:
    return _Cast({kind: lambda x, k=kind: np().asarray(x).astype(k, copy=False) for kind in _scalar_types()})


NUMPY.add("cast", "2.0", "np.asarray(values, dtype)", _cast)


@NUMPY.function("obj2sctype", "2.0", "np.dtype(obj).type")
def obj2sctype(rep: Any, default: Any = None) -> Any:
    if isinstance(rep, type) and issubclass(rep, np().generic):
        return rep
    if isinstance(rep, np().ndarray):
        return rep.dtype.type
    try:
        return np().dtype(rep).type
    except Exception:  # whatever is no type has the default, as it had
        return default


@NUMPY.function("issctype", "2.0", "isinstance(np.dtype(obj).type, type)")
def issctype(rep: Any) -> bool:
    if not isinstance(rep, type | np().dtype):
        return False
    kind = obj2sctype(rep)
    return kind is not None and kind is not np().object_


@NUMPY.function("sctype2char", "2.0", "np.dtype(obj).char")
def sctype2char(sctype: Any) -> str:
    kind = obj2sctype(sctype)
    if kind is None:
        raise ValueError("unrecognized type")
    return np().dtype(kind).char


@NUMPY.function("maximum_sctype", "2.0", "the widest type by name")
def maximum_sctype(t: Any) -> Any:
    kind = obj2sctype(t)
    if kind is None:
        return t
    bases = {"i": "int64", "u": "uint64", "f": "longdouble", "c": "clongdouble"}
    name = bases.get(np().dtype(kind).kind)
    return kind if name is None else getattr(np(), name)


@NUMPY.function("issubclass_", "2.0", "issubclass")
def issubclass_(arg1: Any, arg2: Any) -> bool:
    try:
        return issubclass(arg1, arg2)
    except TypeError:
        return False


@NUMPY.function("issubsctype", "2.0", "np.issubdtype")
def issubsctype(arg1: Any, arg2: Any) -> bool:
    return issubclass(obj2sctype(arg1), obj2sctype(arg2))


@NUMPY.function("find_common_type", "2.0", "np.result_type, or np.promote_types")
def find_common_type(array_types: Any, scalar_types: Any) -> Any:
    order = "?bhilqpBHILQPefdgFDGO"
    kinds = {"b": 0, "u": 1, "i": 2, "f": 3, "c": 4}
    arrays, scalars = ([np().dtype(t) for t in types] for types in (array_types, scalar_types))

    def widest(types: list[Any]) -> Any:
        for char in order[order.index(max(types, key=lambda t: order.index(t.char)).char) :] if types else "":
            if all(np().can_cast(t, char) for t in types):
                return np().dtype(char)
        return None

    of_arrays, of_scalars = widest(arrays), widest(scalars)
    if of_arrays is None or of_scalars is None:
        return of_scalars if of_arrays is None else of_arrays
    try:
        return of_scalars if kinds[of_scalars.kind] > kinds[of_arrays.kind] else of_arrays
    except KeyError:
        return None


class MachAr:
    """The parameters of float64's arithmetic, as NumPy 1.23's class found them by trying."""

    def __init__(self, *_: Any, **__: Any) -> None:
        info = np().finfo(np().float64)
        self.ibeta, self.it, self.machep, self.negep = 2, 52, info.machep, info.negep
        self.iexp, self.minexp, self.maxexp, self.irnd, self.ngrd = info.iexp, info.minexp, info.maxexp, 5, 0
        self.eps = self.epsilon = info.eps
        self.epsneg, self.tiny, self.xmin, self.huge, self.xmax = info.epsneg, info.tiny, info.tiny, info.max, info.max
        self.precision, self.resolution, self.title = info.precision, info.resolution, "Python floating point number"
        self.smallest_normal, self.smallest_subnormal = info.smallest_normal, info.smallest_subnormal


NUMPY.add("MachAr", "1.24", "np.finfo(float)", lambda *_: MachAr)

# What dtype strings meant; np.dtype looks them up in the dictionary that is filled here.
STRINGS = {
    "float_": "float64",
    "complex_": "complex128",
    "cfloat": "complex128",
    "singlecomplex": "complex64",
    "longfloat": "longdouble",
    "longcomplex": "clongdouble",
    "clongfloat": "clongdouble",
    "string_": "bytes_",
    "unicode_": "str_",
}


def understand_strings() -> None:
    """Has ``np.dtype("float_")`` and the like mean what they did, for the whole process: NumPy keeps one dictionary."""
    types = sys.modules["numpy"].sctypeDict
    for old, today in STRINGS.items():
        types.setdefault(old, getattr(np(), today))
