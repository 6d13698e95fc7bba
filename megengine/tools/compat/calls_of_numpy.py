"""Calls that NumPy 1.23 took and NumPy 2 refuses, or answers otherwise."""

from __future__ import annotations

import ast
import sys

from .names_of_numpy import NUMPY, np
from .table import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Used = Callable[..., None]


def has(*names: str) -> Callable[[ast.Call], bool]:
    """Whether a call gives one of these keyword arguments."""
    return lambda call: any(keyword.arg in names for keyword in call.keywords)


def says(name: str, value: object) -> Callable[[ast.Call], bool]:
    """Whether a call gives a keyword argument this very value."""
    return lambda call: any(
        k.arg == name and isinstance(k.value, ast.Constant) and k.value.value is value for k in call.keywords
    )


def lacks(name: str, position: int) -> Callable[[ast.Call], bool]:
    """Whether a call gives an argument neither by keyword nor by position."""
    return lambda call: len(call.args) <= position and not any(k.arg in (name, None) for k in call.keywords)


def gives_generator(call: ast.Call) -> bool:
    """Whether the first argument is a generator, or a map or filter."""
    first = call.args[0] if call.args else None
    return isinstance(first, ast.GeneratorExp) or (
        isinstance(first, ast.Call) and isinstance(first.func, ast.Name) and first.func.id in ("map", "filter", "zip")
    )


def ragged(values: Any) -> Any:
    """The array of objects that NumPy 1.23 made of lists of different lengths, or None if ``values`` is no such thing."""
    if not isinstance(values, list | tuple) or not values:
        return None
    parts = [np().shape(v) if isinstance(v, np().ndarray) else _shape(v) for v in values]
    common = _common(parts)
    if len(common) > 0 and any(isinstance(v, np().ndarray) for v in values):
        raise ValueError(
            f"could not broadcast input array from shape {parts[0]} into shape {common}".replace(", ", ",")
        )
    array = np().empty((len(values), *common), dtype=object)
    for index in np().ndindex(array.shape):
        element = values
        for i in index:
            element = element[i]
        array[index] = element
    return array


def _shape(value: Any) -> tuple[int, ...]:
    if isinstance(value, np().ndarray):
        return value.shape
    if not isinstance(value, list | tuple):
        return ()
    return (len(value), *_common([_shape(v) for v in value]))


def _common(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    shared = []
    for sizes in zip(*shapes, strict=False):
        if len(set(sizes)) > 1:
            break
        shared.append(sizes[0])
    return tuple(shared)


def _is_ragged(error: ValueError) -> bool:
    return "inhomogeneous" in str(error)


def _warn_ragged() -> None:
    import warnings

    text = "lists of different lengths make an array of objects, which dtype=object says"
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(__file__.rpartition("/")[0]):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, np().exceptions.VisibleDeprecationWarning, stacklevel=level)


def converting(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    """``np.array`` and its kin: lists of different lengths, ``copy=False``, numbers that wrap around."""

    def convert(object: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("copy", True) is False:
            kwargs["copy"] = None
            used("(copy=False)", "np.asarray")
        try:
            return present(object, dtype, *args, **kwargs)
        except OverflowError:
            if dtype is None or np().dtype(dtype).kind not in "iu":
                raise
            used("(numbers out of range, dtype)", "np.asarray(numbers).astype(dtype)")
            return present(present(object).astype(dtype), dtype, *args, **kwargs)
        except ValueError as error:
            if dtype is not None or not _is_ragged(error):
                raise
            array = ragged(object)
            if array is None:
                raise
            used("(lists of different lengths)", "dtype=object")
            _warn_ragged()
            return array

    return convert


NUMPY.call("array", "2.0", "dtype=object for ragged lists; np.asarray for copy=False", says("copy", False))(converting)
for _name in ("asarray", "asanyarray"):
    NUMPY.call(_name, "1.24", "dtype=object for ragged lists")(converting)


def _saving(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    """Saves lists of different lengths as the array of objects that they were."""

    def whole(value: Any) -> Any:
        try:
            return np().asanyarray(value)
        except ValueError as error:
            array = ragged(value) if _is_ragged(error) else None
            if array is None:
                raise
            used("(lists of different lengths)")
            return array

    def save(file: Any, *args: Any, **kwargs: Any) -> Any:
        keep = ("allow_pickle", "fix_imports")
        named = {k: v if k in keep else whole(v) for k, v in kwargs.items()}
        return present(
            file, *([whole(args[0]), *args[1:]] if present.__name__ == "save" else map(whole, args)), **named
        )

    return save


for _name in ("save", "savez", "savez_compressed"):
    NUMPY.call(_name, "1.24", "np.array(list, dtype=object) for ragged lists")(_saving)


def _of_ragged(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def function(a: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return present(a, *args, **kwargs)
        except ValueError as error:
            array = ragged(a) if _is_ragged(error) else None
            if array is None:
                raise
            used("(lists of different lengths)")
            return present(array, *args, **kwargs)

    return function


for _name in ("shape", "size", "ndim", "mean", "concatenate", "sort", "argsort", "max", "min", "copy"):
    if _name != "concatenate":
        NUMPY.call(_name, "1.24", "np.array(list, dtype=object) for ragged lists")(_of_ragged)
RANDOM = Library("numpy.random", "NumPy", "np.random.")
for _name in ("choice", "permutation"):
    RANDOM.call(_name, "1.24", "np.array(list, dtype=object) for ragged lists")(_of_ragged)


@NUMPY.call("fromstring", "2.3", "np.frombuffer(text, dtype).copy()", lacks("sep", 3))
def _fromstring(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def fromstring(string: Any, dtype: Any = float, count: int = -1, *, sep: str = "", like: Any = None) -> Any:
        if sep != "":
            return present(string, dtype, count, sep=sep)
        used("(binary)")
        data = string.encode("latin1") if isinstance(string, str) else string
        if count < 0 and len(data) % np().dtype(dtype).itemsize:
            raise ValueError("string size must be a multiple of element size")
        return np().frombuffer(data, dtype=dtype, count=count).copy() if len(data) else np().empty(0, dtype)

    return fromstring


def _generator(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def stack(arrays: Any, *args: Any, **kwargs: Any) -> Any:
        if hasattr(arrays, "__next__"):
            used("(a generator)")
            arrays = list(arrays)
        return present(arrays, *args, **kwargs)

    return stack


for _name in ("vstack", "hstack", "dstack", "stack", "column_stack"):
    NUMPY.call(_name, "1.24", f"np.{_name}(list(...))", gives_generator)(_generator)


@NUMPY.call("sum", "2.4", "sum(...)", gives_generator)
def _sum(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def total(a: Any, *args: Any, **kwargs: Any) -> Any:
        if hasattr(a, "gi_frame"):
            used("(a generator)")
            return sum(a)
        return present(a, *args, **kwargs)

    return total


@NUMPY.call("reshape", "2.4", "shape=", has("newshape"))
def _reshape(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def reshape(a: Any, *args: Any, **kwargs: Any) -> Any:
        if "newshape" in kwargs:
            used("(newshape=)")
            kwargs["shape"] = kwargs.pop("newshape")
        return present(a, *args, **kwargs)

    return reshape


def _interpolation(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def quantile(*args: Any, **kwargs: Any) -> Any:
        if "interpolation" in kwargs:
            used("(interpolation=)")
            kwargs["method"] = kwargs.pop("interpolation")
        return present(*args, **kwargs)

    return quantile


for _name in ("percentile", "quantile", "nanpercentile", "nanquantile"):
    NUMPY.call(_name, "2.4", "method=", has("interpolation"))(_interpolation)


def _normed(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def histogram(*args: Any, **kwargs: Any) -> Any:
        if "normed" in kwargs:
            used("(normed=)")
            normed = kwargs.pop("normed")
            kwargs.setdefault("density", normed)
        return present(*args, **kwargs)

    return histogram


for _name in ("histogram", "histogram2d", "histogramdd"):
    NUMPY.call(_name, "1.24", "density=", has("normed"))(_normed)


@NUMPY.call("unique", "2.0", "inverse.reshape(-1) where a flat inverse is wanted")
def _unique(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def unique(
        ar: Any,
        return_index: bool = False,
        return_inverse: bool = False,
        return_counts: bool = False,
        axis: Any = None,
        **more: Any,
    ) -> Any:
        found = present(ar, return_index, return_inverse, return_counts, axis, **more)
        place = 1 + bool(return_index)
        if return_inverse and found[place].ndim != 1:
            used("(return_inverse=True)")
            found = (*found[:place], found[place].reshape(-1), *found[place + 1 :])
        return found

    return unique


@NUMPY.call("nonzero", "2.1", "np.atleast_1d(array).nonzero()")
def _nonzero(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def nonzero(a: Any) -> Any:
        if np().ndim(a) == 0:
            used("(a number)")
            a = np().atleast_1d(a)
        return present(a)

    return nonzero


@NUMPY.call("full", "2.0", "np.asarray(value).astype(dtype)")
def _full(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def full(shape: Any, fill_value: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
        try:
            return present(shape, fill_value, dtype, *args, **kwargs)
        except OverflowError:
            if dtype is None or np().dtype(dtype).kind not in "iu":
                raise
            used("(number out of range, dtype)")
            return present(shape, np().asarray(fill_value).astype(dtype), dtype, *args, **kwargs)

    return full


@NUMPY.call("arange", "2.4", "array.item() for an array of one element")
def _arange(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def arange(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(a, np().ndarray) and a.ndim and a.size == 1 for a in args):
            used("(array of one element)", "array.item()")
            args = tuple(a.item() if isinstance(a, np().ndarray) and a.size == 1 else a for a in args)
        return present(*args, **kwargs)

    return arange


LINALG = Library("numpy.linalg", "NumPy", "np.linalg.")


@LINALG.call("solve", "2.0", "b[..., None] for a stack of vectors")
def _solve(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def solve(a: Any, b: Any) -> Any:
        if np().ndim(b) > 1 and np().ndim(b) == np().ndim(a) - 1:
            used("(a, stack of vectors)")
            return present(a, np().asarray(b)[..., None])[..., 0]
        return present(a, b)

    return solve
