"""An old program that asks for what has gone, one expression at a time, and prints what it was told.

`answers_numpy_1_23.json` is its output under MegEngine 1.13's Python 3.10 and NumPy 1.23: `python answers.py > answers_numpy_1_23.json`.
It must print the same under `mge run`.
"""

import io  # noqa: F401
import json
import math  # noqa: F401
import warnings

import numpy as np

warnings.simplefilter("ignore")

ALIASES = [
    "int",
    "float",
    "complex",
    "object",
    "str",
    "bool",
    "long",
    "unicode",
    "bool8",
    "int0",
    "uint0",
    "object0",
    "str0",
    "bytes0",
    "void0",
    "float_",
    "complex_",
    "cfloat",
    "singlecomplex",
    "string_",
    "unicode_",
    "longfloat",
    "longcomplex",
    "clongfloat",
    "Inf",
    "Infinity",
    "infty",
    "PINF",
    "NaN",
    "NAN",
    "NINF",
    "NZERO",
    "PZERO",
    "AxisError",
    "ComplexWarning",
    "RankWarning",
    "TooHardError",
    "VisibleDeprecationWarning",
    "ALLOW_THREADS",
    "BUFSIZE",
    "CLIP",
    "WRAP",
    "RAISE",
    "MAXDIMS",
    "MAY_SHARE_BOUNDS",
    "MAY_SHARE_EXACT",
    "UFUNC_BUFSIZE_DEFAULT",
    "UFUNC_PYVALS_NAME",
    "ERR_IGNORE",
    "ERR_WARN",
    "ERR_RAISE",
    "ERR_CALL",
    "ERR_PRINT",
    "ERR_LOG",
    "ERR_DEFAULT",
    "FPE_DIVIDEBYZERO",
    "FPE_OVERFLOW",
    "FPE_UNDERFLOW",
    "FPE_INVALID",
    "FLOATING_POINT_SUPPORT",
    "SHIFT_DIVIDEBYZERO",
    "SHIFT_OVERFLOW",
    "SHIFT_UNDERFLOW",
    "SHIFT_INVALID",
]

EXPRESSIONS = """
np.product([2, 3, 4])
np.product([[2, 3], [4, 5]], axis=1)
np.cumproduct([2, 3, 4])
np.sometrue([0, 0, 1])
np.alltrue([[0, 1], [1, 1]], axis=0)
np.round_([1.26, 2.5], 1)
np.in1d([[1, 2], [3, 4]], [2, 4])
np.in1d([1, 2, 3], [2], invert=True)
np.row_stack([[1, 2], [3, 4]])
np.trapz([1, 2, 4], dx=2)
np.trapz([1, 2, 4], [0, 1, 3])
np.msort([[3, 1], [2, 5]])
np.mat([[1, 2], [3, 4]]) * np.mat([[1], [1]])
np.asfarray([1, 2]).dtype
np.asfarray([1, 2], dtype='int').dtype
np.asfarray([1, 2], dtype=np.float32).dtype
np.fastCopyAndTranspose([[1, 2], [3, 4]])
np.find_common_type([np.float32], [np.int64, np.float64])
np.find_common_type([np.float32, np.int64], [])
np.find_common_type([], [np.int64, np.complex64])
np.find_common_type([np.int16], [np.float64])
np.obj2sctype(np.array([1.0, 2.0]))
np.obj2sctype('f4')
np.obj2sctype(int)
np.obj2sctype([1, 2], default=3)
np.issctype(np.int32), np.issctype(list), np.issctype(1.1), np.issctype(np.dtype('str'))
np.issubclass_(np.int32, int), np.issubclass_(np.float64, float), np.issubclass_(3, int)
np.issubsctype('S8', str), np.issubsctype(np.array([1]), int), np.issubsctype(np.array([1.0]), float)
np.sctype2char(np.float32), np.sctype2char(np.array([1.0])), np.sctype2char(int)
np.maximum_sctype(np.uint8), np.maximum_sctype('i4'), np.maximum_sctype(np.bool_), np.maximum_sctype(float) is np.longdouble
sorted(np.sctypes), [t.__name__ for t in np.sctypes['int']], [t.__name__ for t in np.sctypes['uint']], len(np.sctypes['float'])
np.nbytes[np.float32], np.nbytes[np.int8], np.nbytes[np.complex128]
np.cast[np.float32]([1, 2]), np.cast['int']([1.7, 2.2])
np.typeDict['float32'], np.typeDict is np.sctypeDict
np.safe_eval('[1, (2, 3)]')
np.math.sqrt(2), np.math is math
np.byte_bounds(np.zeros(4, np.uint8))[1] - np.byte_bounds(np.zeros(4, np.uint8))[0] > 0
np.compare_chararrays(np.array(['a']), np.array(['b']), '<', True)
np.get_array_wrap(np.array([1])) is not None
np.geterrobj()
sorted(np.set_numeric_ops())[:3]
np.recfromtxt(io.BytesIO(b'1 2\\n3 4'))['f0']
np.recfromcsv(io.BytesIO(b'A,B\\n1,2\\n3,4')).b
np.deprecate(len)([1, 2])
np.finfo(np.float).eps, np.iinfo(np.int).max
np.arange(5, dtype=np.int).dtype, np.zeros(2, np.float).dtype, np.zeros(2, np.bool).dtype, np.zeros(1, np.complex).dtype
isinstance(True, np.bool), isinstance(3, np.int), isinstance('a', np.str), type(np.float(3)), np.bool(3)
np.array([1, 2, 3]).ptp(), np.array([[1, 5], [2, 9]]).ptp(axis=0)
np.arange(4, dtype=np.uint8).tostring(), np.uint8(3).tostring()
np.array([1, 2], dtype='<u2').newbyteorder()
np.array([1, 2], dtype='<u2').newbyteorder('B').dtype
(lambda a: (a.itemset(1, 9), a.itemset((0,), 7), a))(np.array([1, 2, 3]))[2]
np.lib.pad([1], 1, 'constant'), np.lib.stride_tricks.as_strided(np.arange(3), (2,), (8,))
np.lib.arraysetops.union1d([1], [2]), np.lib.function_base.percentile([1, 2, 3], 50), np.lib.index_tricks.r_[1, 2]
np.core.multiarray.arange(2), np.core.numeric.ones(2), np.core.fromnumeric.sum([1, 2]), np.core.umath.add(1, 2)
np.core.defchararray.upper(np.array(['a'])), np.core.numerictypes.float32, np.core.records.fromarrays([[1, 2]], names='a').a
np.core.Inf, np.core.product([2, 3]), np.compat.long, np.compat.asbytes('a')
np.linalg.linalg.norm([3, 4]), np.fft.helper.fftshift([1, 2])
np.dtype('float_'), np.dtype('complex_'), np.dtype('string_'), np.dtype('unicode_'), np.dtype('singlecomplex'), np.zeros(1, 'float_')
int(np.array([3.7])), float(np.array([[2]])), complex(np.array([1.5]))
'%d %.2f' % (np.array([3.7]), np.array([3.14159]))
math.sqrt(np.array([4.0])), list(map(int, [np.array([1]), np.array([2.5])])), math.floor(np.array([2.5]))
(lambda x: (x.__setitem__(0, np.array([5.0])), x))(np.zeros(3))[1]
(lambda x: (x.__setitem__((0, 1), np.array([[5.0]])), x))(np.zeros((2, 2)))[1]
(lambda x: (x.__setitem__(0, 300), x.__setitem__(1, -1), x))(np.zeros(2, np.uint8))[2]
np.array([[1, 2], [3]])
np.array([[[1, 2], [3]], [[4], [5]]])
np.array([np.zeros(2), np.zeros(3)])
np.array([[1, 2], 3])
np.array([])
np.asarray([[1], [2, 3]]), np.asanyarray(([1], (2, 3)))
np.array([[1, 2], [3]], dtype=object)
np.shape([[1], [2, 3]]), np.size([[1], [2, 3]]), np.ndim([[1], [2, 3]])
np.array([1, 2], copy=False)
(lambda a: np.array(a, copy=False) is a)(np.zeros(2))
np.array([-1, 300], dtype=np.uint8), np.asarray([256], np.uint8), np.full(2, 300, np.uint8), np.full(2, -1, dtype='uint16')
np.fromstring(b'\\x01\\x02\\x03\\x04', dtype=np.uint8), np.fromstring(b'\\x01\\x02\\x03\\x04', '<u2', 1), np.fromstring('1 2', sep=' ')
np.fromstring('ab', dtype=np.uint8)
(lambda a: (a.__setitem__(0, 7), a))(np.fromstring(b'ab', np.uint8))[1]
np.sum(i for i in range(4)), np.vstack(np.ones(2) for _ in range(2)), np.hstack(map(np.array, [[1], [2]])), np.stack(iter([[1], [2]]))
np.reshape(np.arange(4), newshape=(2, 2))
np.percentile([1, 2, 3], 40, interpolation='nearest'), np.quantile([1, 2, 3], 0.4, interpolation='lower')
np.histogram([1, 2, 2, 3], bins=2, normed=True)[0]
np.unique([[1, 2], [2, 1]], return_inverse=True)[1], np.unique([3, 1], return_index=True, return_inverse=True, return_counts=True)
bool(np.array([])), not np.zeros((0, 3))
np.nonzero(np.array(3)), np.arange(np.array([3])), np.arange(0, np.array([3]), 1)
np.linalg.solve(np.stack([np.eye(2)] * 2), np.ones((2, 2)))
str([np.float32(0.5), np.int64(3), np.bool_(True), np.float64(0.1)]), repr(np.str_('a'))
""".strip().splitlines()


# What a number beside an array, and beside a number, makes of the precision.
KINDS = "bool_ uint8 int8 uint16 int32 int64 uint64 float16 float32 float64 complex64".split()
NUMBERS = "1 -1 300 70000 2.5 1e10 1e300 (1+2j) np.float64(2) np.float32(2) np.int64(-3) np.int64(300) np.uint8(200) np.array(2.0)".split()
FORMS = ["np.array([1,2],np.{0}) {1} {2}", "{2} {1} np.array([1,2],np.{0})", "np.{0}(1) {1} {2}", "{2} {1} np.{0}(1)"]
FORMS += ["np.maximum(np.array([1,2],np.{0}), {2})", "np.where(True, {2}, np.array([1,2],np.{0}))"]


def arithmetic(kind, operation, form):
    """The precisions of a form of arithmetic with each number."""
    found = []
    for number in NUMBERS:
        try:
            result = np.asarray(eval(form.format(kind, operation, number)))
            found.append("%s:%s" % (result.dtype.str[1:], result.ravel()[0]))
        except Exception as error:
            found.append(type(error).__name__)
    return " ".join(found)


def show(value):
    """A value as text that says its type, dtype and content."""
    if isinstance(value, np.ndarray):
        return "array(%s, %s, %s)" % (value.dtype.str, value.shape, [show(v) for v in value.ravel().tolist()])
    if isinstance(value, (list, tuple)):
        return "%s(%s)" % (type(value).__name__, ", ".join(show(v) for v in value))
    if isinstance(value, type):
        return "class " + {"bool": "bool_", "str": "str_", "bytes": "bytes_", "object": "object_", "clongdouble": "complex256",
                           "longdouble": "float128"}.get(value.__name__, value.__name__)  # fmt: skip
    if isinstance(value, np.dtype):
        return "dtype " + value.str
    kind = {"bool_": "bool"}.get(type(value).__name__, type(value).__name__)
    return "%s %r" % (kind, value.item() if isinstance(value, np.generic) else value)


def main():
    answers = {}
    for expression in ["np." + name for name in ALIASES] + EXPRESSIONS:
        try:
            answers[expression] = show(eval(expression))
        except Exception as error:
            answers[expression] = "%s: %s" % (type(error).__name__, error)
    for kind in KINDS:
        for form in FORMS:
            for operation in ["+", "-", "*", "/", "//", "%", "<<", "&"] if "{1}" in form else ["+"]:
                answers[form.format(kind, operation, "number")] = arithmetic(kind, operation, form)
    print(json.dumps(answers, indent=0))


if __name__ == "__main__":
    main()
