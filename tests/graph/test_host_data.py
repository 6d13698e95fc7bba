"""Host data of every dtype and layout: the same numbers, or an error at once; never a tensor that cannot be read."""

from __future__ import annotations

import array as python_array
import decimal
import fractions
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor
from megengine.graph.errors import ArgumentError, RangeError

DTYPES = ["f2", "f4", "f8", "g", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8", "c16", "G"]
X = np.float32([1.5, -2, 3])


class Arraylike:
    """As pandas and PyTorch have them."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.data, dtype)


class Exporting:
    """What only speaks DLPack."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data

    def __dlpack__(self, **kwargs: Any) -> Any:
        return self.data.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return self.data.__dlpack_device__()


class Floating:
    def __float__(self) -> float:
        return 2.5


class Indexing:
    def __index__(self) -> int:
        return 2


def tensor_dtype(dtype: np.dtype) -> np.dtype:
    """What a tensor of this data has."""
    wide = {"f": "f4", "i": "i4", "u": "i4", "c": "c8"}.get(dtype.kind, "?")
    return dtype.newbyteorder("=") if dtype.itemsize < 4 or dtype.str[1:] in ("f4", "i4", "c8") else np.dtype(wide)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_arrays_of_every_dtype_and_byte_order(data: Any) -> None:
    code = data.draw(st.sampled_from(DTYPES))
    dtype = np.dtype(code) if code in "gG?" else np.dtype(data.draw(st.sampled_from("<>")) + code)
    base = np.dtype("f8") if code == "g" else np.dtype("c16") if code == "G" else dtype.newbyteorder("=")
    shape = data.draw(array_shapes(min_dims=0, max_dims=3, max_side=3))
    options = {"allow_subnormal": False} if base.kind in "fc" else {}
    values = data.draw(arrays(base, shape, elements=_elements(base, options)))
    given_ = values.astype(dtype)
    if given_.ndim:
        given_ = data.draw(
            st.sampled_from([given_, given_[::-1], given_.T, np.asfortranarray(given_), given_[..., ::2]])
        )
    wanted = tensor_dtype(dtype)
    fits = wanted.kind not in "iu" or dtype.itemsize < 4 or all(-(2**31) <= v < 2**31 for v in given_.ravel().tolist())
    if not fits:
        with pytest.raises(OverflowError, match="int32"):
            Tensor(given_)
        return
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found, right = Tensor(given_), given_.astype(wanted)
    assert (found.dtype, found.shape) == (wanted, given_.shape)
    np.testing.assert_array_equal(found.numpy(), right)
    np.testing.assert_array_equal(F.concat([found.reshape(-1), found.reshape(-1)]).numpy(), np.tile(right.ravel(), 2))


def _elements(dtype: np.dtype, options: dict[str, bool]) -> Any:
    from hypothesis.extra.numpy import from_dtype

    return from_dtype(dtype, allow_nan=False, **options) if dtype.kind in "fc" else from_dtype(dtype)


GOOD: dict[str, tuple[Any, Any]] = {
    "big-endian": (X.astype(">f8"), X),
    "longdouble": (X.astype("longdouble"), X),
    "clongdouble": (X.astype("clongdouble"), X.astype("complex64")),
    "objects": (np.array([1, 2.5, True], object), np.float32([1, 2.5, 1])),
    "read-only": (np.broadcast_to(X, (2, 3)), np.stack([X, X])),
    "reversed": (X[::-1], X[::-1]),
    "0-d": (np.array(2.5), np.float32(2.5)),
    "matrix": (np.ones((1, 2)).view(np.matrix), np.float32([[1, 1]])),
    "unmasked": (np.ma.array([1.0, 2.0]), np.float32([1, 2])),
    "memoryview": (memoryview(X), X),
    "array": (python_array.array("d", [1, 2]), np.float32([1, 2])),
    "bytearray": (bytearray(b"ab"), np.uint8([97, 98])),
    "range": (range(3), np.int32([0, 1, 2])),
    "arraylike": (Arraylike([1.0, 2.0]), np.float32([1, 2])),
    "big-endian arraylike": (Arraylike(X.astype(">f4")), X),
    "dlpack": (Exporting(X), X),
    "list of arrays": ([X.astype("f8"), X.astype(">f4")], np.stack([X, X])),
    "list of tensors": ([Tensor(X), Tensor(X)], np.stack([X, X])),
    "uint32": (np.array([1, 2**31 - 1], "uint32"), np.int32([1, 2**31 - 1])),
    "bfloat16": (X.astype(ml_dtypes.bfloat16), X.astype(ml_dtypes.bfloat16)),
    "numpy scalars": ([np.float64(1), np.int64(2)], np.float32([1, 2])),
    "longdouble scalar": (np.longdouble(2.5), np.float32(2.5)),
}
BAD: dict[str, tuple[Any, str]] = {
    "none": (None, "None"),
    "text": ("a", "str 'a'"),
    "texts": (np.array(["a", "b"]), "dtype <U1"),
    "bytes": (b"ab", "bytes"),
    "dates": (np.zeros(2, "M8[s]"), "datetime64"),
    "spans": (np.zeros(2, "m8[s]"), "timedelta64"),
    "structured": (np.zeros(2, [("a", "f4")]), "'a'"),
    "void": (np.zeros(2, "V4"), "V4"),
    "mixed objects": (np.array([1, "a"], object), "str 'a'"),
    "ragged": ([[1, 2], [3]], "lengths"),
    "set": ({1, 2}, "set"),
    "dict": ({}, "dict"),
    "generator": ((k for k in range(3)), "generator"),
    "function": (print, "builtin"),
    "ellipsis": (..., "ellipsis"),
    "masked": (np.ma.array([1.0, 2.0], mask=[False, True]), "masked"),
    "float8": (X.astype(ml_dtypes.float8_e4m3fn), "float8"),
    "int4": (np.array([1, 2], ml_dtypes.int4), "int4"),
    "int64": (np.array([1, 2**40, 3]), "1099511627776"),
    "uint32": (np.array([2**31] * 3, "uint32"), "2147483648"),
    "uint64": (np.array([2**64 - 1] * 3, "uint64"), "18446744073709551615"),
    "big-endian int64": (np.array([-(2**40)] * 3, ">i8"), "-1099511627776"),
    "huge": ([2**70] * 3, str(2**70)),
    "arraylike of text": (Arraylike(["a"]), "Arraylike"),
    "list with None": ([1, None], "None"),
}


@pytest.mark.parametrize("name", GOOD)
def test_converted(name: str) -> None:
    data, wanted = GOOD[name]
    for make in (Tensor, mge.tensor, Parameter):
        found = make(data)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found.numpy(), wanted)


ENTRIES: dict[str, Callable[[Any], Any]] = {
    "tensor": mge.tensor,
    "parameter": Parameter,
    "operand": lambda d: Tensor(X) * d,
    "reflected": lambda d: F.sub(d, Tensor(X)),
    "function": lambda d: F.maximum(Tensor(X), d),
    "unary": lambda d: F.exp(d),
    "matmul": lambda d: F.matmul(Tensor(X), d),
    "reflected matmul": lambda d: d @ Tensor(np.eye(3, dtype="f4")),
    "concat": lambda d: F.concat([Tensor(X), d]),
    "where": lambda d: F.where(Tensor(X) > 0, Tensor(X), d),
    "full": lambda d: F.full((3,), d),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("name", BAD)
def test_refused_at_once_or_readable(entry: str, name: str) -> None:
    """Beside a float32 tensor, wide integers are good numbers; whatever comes to be can be read."""
    data, text = BAD[name]
    floats = "int64" in name or name in ("uint32", "uint64") or name == "huge"
    try:
        made = ENTRIES[entry](data)
    except (ArgumentError, RuntimeError) as error:
        assert isinstance(error, ArgumentError), error
        assert text in str(error), error
        assert traceback.extract_tb(error.__traceback__)[0].filename == __file__
    else:
        assert floats and entry not in ("tensor", "parameter", "full", "unary"), (entry, name)
        assert made.numpy().dtype == np.float32


@pytest.mark.parametrize("name", [*BAD])
def test_a_refused_assignment_changes_nothing(name: str) -> None:
    data, _ = BAD[name]
    if name in ("int64", "uint64", "big-endian int64", "huge", "uint32"):
        x = Tensor(np.int32([1, 2]))
    else:
        x = Tensor(np.float32([1, 2]))
    for write in (
        lambda: x.__setitem__(0, data),
        lambda: x.__setitem__(slice(None), data),
        lambda: x.__setitem__(..., data),
        lambda: x.set_value(data),
    ):
        with pytest.raises((TypeError, OverflowError)):
            write()
    assert x.tolist() == [1, 2]


@pytest.mark.parametrize("name", GOOD)
def test_assigned(name: str) -> None:
    data, wanted = GOOD[name]
    if wanted.dtype.kind == "c":
        data, wanted = X.astype("clongdouble"), X
    x = Tensor(np.float32([0]))
    x[...] = data
    np.testing.assert_array_equal(x.numpy(), wanted.astype("float32"))
    y = Tensor(np.zeros(wanted.shape, "float32"))
    if y.ndim:
        y[:] = data
        np.testing.assert_array_equal(y.numpy(), wanted.astype("float32"))


def test_a_state_dict_of_odd_arrays() -> None:
    net = M.Linear(2, 1)
    net.load_state_dict({"weight": np.array([[1, 2]], ">f8"), "bias": np.array([3], "longdouble")})
    assert net(Tensor([[1.0, 1.0]])).tolist() == [[6]]
    before = net.state_dict()
    for odd in (np.zeros((1, 2), "M8[s]"), np.array([["a", "b"]]), np.array([[1, None]], object)):
        with pytest.raises(TypeError, match="weight"):
            net.load_state_dict({"bias": np.zeros(1, "f4"), "weight": odd})
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_complex_numbers_lose_no_imaginary_part() -> None:
    assert Tensor(np.array([1 + 0j]), dtype="float32").tolist() == [1]
    with pytest.raises(ArgumentError, match="imag"):
        Tensor(np.array([1 + 2j]), dtype="float32")


def test_explicit_narrow_dtypes_wrap_as_in_the_reference() -> None:
    assert Tensor([300, -1], dtype="uint8").tolist() == Tensor([300.7, -1.2], dtype="uint8").tolist() == [44, 255]
    for bad in ([2**40], [np.nan], [np.inf], [-1e20]):
        with pytest.raises(RangeError):
            Tensor(bad, dtype="uint8")


def test_overflow_of_floats_is_said_once_at_the_line() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(3):
            x = Tensor(np.array([1e300, np.inf, 1.0]))
        h = Tensor([7e4, np.inf], dtype="float16")
        b = Tensor([-1e39, 1.0], dtype="bfloat16")
    assert (x.tolist(), h.tolist(), b.tolist()) == ([np.inf, np.inf, 1], [np.inf, np.inf], [-np.inf, 1])
    assert [(str(w.message)[:8], w.category, w.filename) for w in seen] == [
        ("1e+300 i", RuntimeWarning, __file__),
        ("70000.0 ", RuntimeWarning, __file__),
        ("-1e+39 i", RuntimeWarning, __file__),
    ]


@pytest.mark.parametrize("number", [Floating(), decimal.Decimal("2.5"), fractions.Fraction(5, 2)])
def test_objects_that_are_numbers_are_operands(number: Any) -> None:
    assert (Tensor([2.0]) * number).tolist() == (number * Tensor([2.0])).tolist() == [5]
    assert (Tensor([2]) * number).dtype == np.float32
    assert (Tensor([2]) * Indexing()).dtype == np.int32


def test_a_tensor_does_not_change_with_its_array() -> None:
    for dtype in ("f4", "f8", ">f4", "i8"):
        source = np.ones(2, dtype)
        x, y = Tensor(source), Tensor([1, 1]) * source
        source[:] = 7
        assert x.tolist() == y.tolist() == [1, 1]
