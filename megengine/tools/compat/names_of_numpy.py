"""Names that NumPy 1.23 had and NumPy 2 does not."""

from __future__ import annotations

import sys
from importlib import import_module

from .table import Library, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

NUMPY = Library("numpy", "NumPy", "np.")

NUMPY.builtin("1.24", int="int", float="float", complex="complex", object="object", str="str", bool="bool")
NUMPY.builtin("1.24", long="int", unicode="str")

NUMPY.same(
    "1.24", bool8="bool_", int0="intp", uint0="uintp", object0="object_", str0="str_", bytes0="bytes_", void0="void"
)
NUMPY.same(
    "2.0", float_="float64", complex_="complex128", cfloat="complex128", singlecomplex="complex64", string_="bytes_"
)
NUMPY.same("2.0", unicode_="str_", longfloat="longdouble", longcomplex="clongdouble", clongfloat="clongdouble")
NUMPY.same("2.0", Inf="inf", Infinity="inf", infty="inf", PINF="inf", NaN="nan", NAN="nan")
NUMPY.value("2.0", "-np.inf", NINF=float("-inf"))
NUMPY.value("2.0", "{value!r}", NZERO=-0.0, PZERO=0.0)
NUMPY.same("2.0", product="prod", cumproduct="cumprod", sometrue="any", alltrue="all", round_="round", mat="asmatrix")
NUMPY.same("2.4", trapz="trapezoid")
NUMPY.same("2.0", AxisError="exceptions.AxisError", ComplexWarning="exceptions.ComplexWarning")
NUMPY.same("2.0", RankWarning="exceptions.RankWarning", TooHardError="exceptions.TooHardError")
NUMPY.same("2.0", VisibleDeprecationWarning="exceptions.VisibleDeprecationWarning")
NUMPY.same("2.0", ModuleDeprecationWarning="exceptions.ModuleDeprecationWarning")
NUMPY.same(
    "2.0", DataSource="lib.npyio.DataSource", byte_bounds="lib.array_utils.byte_bounds", chararray="char.chararray"
)
NUMPY.same("2.0", compare_chararrays="char.compare_chararrays", format_parser="rec.format_parser")
NUMPY.same("1.24", typeDict="sctypeDict")
NUMPY.same(
    "2.0", add_docstring="lib.add_docstring", add_newdoc="lib.add_newdoc", tracemalloc_domain="lib.tracemalloc_domain"
)
NUMPY.same("2.0", matrixlib="_core", add_newdoc_ufunc="_core._multiarray_umath._add_newdoc_ufunc")
NUMPY.value("2.0", "{value!r}", ALLOW_THREADS=1, BUFSIZE=8192, CLIP=0, WRAP=1, RAISE=2, MAXDIMS=32)
NUMPY.value(
    "2.0",
    "{value!r}",
    MAY_SHARE_BOUNDS=0,
    MAY_SHARE_EXACT=-1,
    UFUNC_BUFSIZE_DEFAULT=8192,
    UFUNC_PYVALS_NAME="UFUNC_PYVALS",
)
NUMPY.value(
    "2.0", "np.errstate", ERR_IGNORE=0, ERR_WARN=1, ERR_RAISE=2, ERR_CALL=3, ERR_PRINT=4, ERR_LOG=5, ERR_DEFAULT=521
)
NUMPY.value(
    "2.0", "np.errstate", FPE_DIVIDEBYZERO=1, FPE_OVERFLOW=2, FPE_UNDERFLOW=4, FPE_INVALID=8, FLOATING_POINT_SUPPORT=1
)
NUMPY.value("2.0", "np.errstate", SHIFT_DIVIDEBYZERO=0, SHIFT_OVERFLOW=3, SHIFT_UNDERFLOW=6, SHIFT_INVALID=9)
NUMPY.value("2.0", "{value!r}", numarray="removed", oldnumeric="removed", kernel_version=(0, 0), use_hugepage=1)

for _name in ("math", "os", "sys", "warnings"):
    NUMPY.add(_name, "1.25", f"import {_name}", lambda *_, _name=_name: import_module(_name))


def np() -> ModuleType:
    """NumPy as it is today."""
    return sys.modules["numpy"]


@NUMPY.function("asscalar", "1.23", "array.item()")
def asscalar(a: Any) -> Any:
    return a.item()


@NUMPY.function("alen", "1.23", "len(array)")
def alen(a: Any) -> int:
    try:
        return len(a)
    except TypeError:
        return len(np().array(a, ndmin=1))


@NUMPY.function("rank", "1.18", "np.ndim")
def rank(a: Any) -> int:
    return np().ndim(a)


@NUMPY.function("loads", "1.23", "pickle.loads")
def loads(*args: Any, **kwargs: Any) -> Any:
    return import_module("pickle").loads(*args, **kwargs)


@NUMPY.function("in1d", "2.4", "np.isin")
def in1d(ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False, **kwargs: Any) -> Any:
    return np().isin(np().asarray(ar1).ravel(), ar2, assume_unique=assume_unique, invert=invert, **kwargs)


@NUMPY.function("row_stack", "2.5", "np.vstack")
def row_stack(tup: Any, **kwargs: Any) -> Any:
    return np().vstack(tup, **kwargs)


@NUMPY.function("msort", "2.0", "np.sort(array, axis=0)")
def msort(a: Any) -> Any:
    return np().sort(a, axis=0)


@NUMPY.function("asfarray", "2.0", "np.asarray(array, dtype=float)")
def asfarray(a: Any, dtype: Any = None) -> Any:
    kind = np().float64 if dtype is None or not np().issubdtype(dtype, np().inexact) else dtype
    return np().asarray(a, dtype=kind)


@NUMPY.function("fastCopyAndTranspose", "2.0", "array.T.copy()")
def fast_copy_and_transpose(a: Any) -> Any:
    return np().asarray(a).T.copy()


@NUMPY.function("disp", "2.0", "print")
def disp(mesg: Any, device: Any = None, linefeed: bool = True) -> None:
    device = sys.stdout if device is None else device
    device.write(f"{mesg}\n" if linefeed else f"{mesg}")
    device.flush()


@NUMPY.function("source", "2.0", "inspect.getsource")
def source(object: Any, output: Any = None) -> None:
    inspect = import_module("inspect")
    output = sys.stdout if output is None else output
    try:
        text = f"In file: {inspect.getsourcefile(object)}\n\n{inspect.getsource(object)}\n"
    except (OSError, TypeError):
        text = "Not available for this object.\n"
    output.write(text)


@NUMPY.function("who", "2.0", "a loop over vars()")
def who(vardict: dict[str, Any] | None = None) -> None:
    if vardict is None:
        vardict = sys._getframe(1).f_globals
    rows = [
        (n, "x".join(map(str, a.shape)), a.nbytes, a.dtype.name)
        for n, a in vardict.items()
        if isinstance(a, np().ndarray)
    ]
    if rows:
        print(f"\n{'Name':<13}   {'Shape':<13}   {'Bytes':<13}   Type\n{'=' * 57}\n")
        for name, shape, size, kind in rows:
            print(f"{name:<13}   {shape:<13}   {size:<13}   {kind}")
        print(f"\nUpper bound on total bytes  =       {sum(row[2] for row in rows)}")


@NUMPY.function("lookfor", "2.0", "the search of NumPy's documentation")
def lookfor(
    what: str, module: Any = None, import_modules: bool = True, regenerate: bool = False, output: Any = None
) -> None:
    names = [n for n in dir(np()) if what.lower() in (getattr(np().__dict__.get(n), "__doc__", None) or "").lower()]
    text = f"Search results for '{what}'\n" + "-" * (21 + len(what)) + "\n" + "".join(f"numpy.{n}\n" for n in names)
    print(text, file=output)


@NUMPY.function("safe_eval", "2.0", "ast.literal_eval")
def safe_eval(source: str) -> Any:
    return import_module("ast").literal_eval(source)


@NUMPY.function("recfromtxt", "2.0", "np.genfromtxt")
def recfromtxt(fname: Any, **kwargs: Any) -> Any:
    kwargs.setdefault("dtype", None)
    usemask = kwargs.get("usemask", False)
    output = np().genfromtxt(fname, **kwargs)
    return output.view(np().ma.mrecords.MaskedRecords if usemask else np().recarray)


@NUMPY.function("recfromcsv", "2.0", 'np.genfromtxt(file, delimiter=",", names=True, dtype=None)')
def recfromcsv(fname: Any, **kwargs: Any) -> Any:
    for name, value in {"case_sensitive": "lower", "names": True, "delimiter": ",", "dtype": None}.items():
        kwargs.setdefault(name, value)
    return recfromtxt(fname, **kwargs)


@NUMPY.function("deprecate", "2.0", "warnings.warn(..., DeprecationWarning)")
def deprecate(*args: Any, **kwargs: Any) -> Any:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        wraps = import_module("functools").wraps
        old = kwargs.get("old_name") or function.__name__
        message = f"`{old}` is deprecated" + (
            f", use `{kwargs['new_name']}` instead!" if kwargs.get("new_name") else "!"
        )
        message += f"\n{kwargs['message']}" if kwargs.get("message") else ""

        @wraps(function)
        def wrapped(*a: Any, **k: Any) -> Any:
            import_module("warnings").warn(message, DeprecationWarning, stacklevel=2)
            return function(*a, **k)

        return wrapped

    return decorate(args[0]) if args else decorate


@NUMPY.function("deprecate_with_doc", "2.0", "warnings.warn(..., DeprecationWarning)")
def deprecate_with_doc(msg: str) -> Any:
    return deprecate(message=msg)


@NUMPY.function("get_array_wrap", "2.0", "array.__array_wrap__")
def get_array_wrap(*args: Any) -> Any:
    wrappers = [
        (getattr(x, "__array_priority__", 0), -i, x.__array_wrap__)
        for i, x in enumerate(args)
        if hasattr(x, "__array_wrap__")
    ]
    return max(wrappers)[-1] if wrappers else None


@NUMPY.function("geterrobj", "2.0", "np.geterr")
def geterrobj() -> list[Any]:
    codes = {"ignore": 0, "warn": 1, "raise": 2, "call": 3, "print": 4, "log": 5}
    err = np().geterr()
    mask = sum(codes[err[kind]] << shift for kind, shift in (("divide", 0), ("over", 3), ("under", 6), ("invalid", 9)))
    return [np().getbufsize(), mask, np().geterrcall()]


@NUMPY.function("seterrobj", "2.0", "np.seterr")
def seterrobj(errobj: Any) -> None:
    names = ("ignore", "warn", "raise", "call", "print", "log")
    size, mask, function = errobj
    np().setbufsize(size)
    kinds = {
        kind: names[mask >> shift & 7] for kind, shift in (("divide", 0), ("over", 3), ("under", 6), ("invalid", 9))
    }
    np().seterr(**kinds)
    np().seterrcall(function)


@NUMPY.function("set_string_function", "2.0", "np.set_printoptions")
def set_string_function(f: Any, repr: bool = True) -> None:
    if f is None:
        np().set_printoptions(override_repr=None)
    elif repr:
        np().set_printoptions(override_repr=f)
    else:
        raise NotImplementedError("np.set_string_function(f, repr=False) has no equivalent in NumPy 2: print f(array)")


@NUMPY.function("set_numeric_ops", "2.0", "the ufuncs themselves")
def set_numeric_ops(**ops: Any) -> dict[str, Any]:
    if ops:
        raise NotImplementedError("np.set_numeric_ops cannot replace an operation of NumPy 2")
    names = "add subtract multiply divide remainder power square reciprocal sqrt negative positive absolute invert left_shift"
    names += " right_shift bitwise_and bitwise_or bitwise_xor less less_equal equal not_equal greater_equal greater floor_divide"
    names += " true_divide logical_or logical_and floor ceil maximum minimum rint conjugate matmul clip"
    return {name: getattr(np(), name) for name in names.split()} | {"_ones_like": np()._core.umath._ones_like}


# A module's own module of submodules; each name that it lacks is that of numpy, or of where NumPy keeps it today.
_LIB = (
    "arraypad arraysetops arrayterator function_base histograms index_tricks nanfunctions npyio polynomial shape_base"
)
_LIB_MODULES = f"{_LIB} stride_tricks twodim_base type_check ufunclike utils".split()
_CORE_MODULES = [
    "_exceptions",
    "arrayprint",
    "defchararray",
    "einsumfunc",
    "fromnumeric",
    "function_base",
    "getlimits",
    "multiarray",
]
_CORE_MODULES += ["numeric", "numerictypes", "overrides", "records", "shape_base", "umath"]


def _elsewhere(module: ModuleType, name: str) -> tuple[Any, str]:
    """What ``np.lib.NAME`` or ``np.core.NAME`` was, and what to write instead."""
    short = module.__name__.rpartition(".")[2]
    entry = find(f"numpy.{name}")
    if name in vars(np()) and (entry is None or entry.kind == "call"):
        return vars(np())[name], f"np.{name}"
    if entry is not None and entry.old is not None:
        return entry.old(np()), entry.instead
    for place in (
        f"numpy.lib._{short}_impl",
        f"numpy._core.{short}",
        "numpy.lib._utils_impl",
        "numpy._core.multiarray",
        f"numpy.{short}",
    ):
        try:
            return getattr(import_module(place), name), f"{place}.{name}, which is private"
        except (ImportError, AttributeError):
            continue
    raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}", name=name, obj=module)


def _facade(module: ModuleType) -> None:
    """Fills a module that is gone with a look-up of each name where it is today."""
    vars(module)["__getattr__"] = lambda name: _elsewhere(module, name)[0]


LIB = Library("numpy.lib", "NumPy", "np.lib.")
LIB.add("*", "2.0", "the same name in np", _elsewhere)
for _name in _LIB_MODULES:
    _library = Library(f"numpy.lib.{_name}", "NumPy", f"np.lib.{_name}.")
    if _name in ("npyio", "stride_tricks"):
        _library.add("*", "2.0", "the same name in np", _elsewhere)
    else:
        _library.short = f"np.lib.{_name}"
        _library.add("", "2.0", "the same name in np", _facade)

CORE = Library("numpy.core", "NumPy", "np.core.")
CORE.add("*", "2.0", "the same name in np", _elsewhere)
for _name in _CORE_MODULES:
    Library(f"numpy.core.{_name}", "NumPy", f"np.core.{_name}.").add("*", "2.0", "the same name in np", _elsewhere)


def _umath_tests(module: ModuleType) -> None:
    vars(module).update(
        inner1d=lambda a, b: np().einsum("...i,...i->...", a, b),
        matrix_multiply=lambda a, b: np().matmul(a, b),
        innerwt=lambda a, b, w: np().einsum("...i,...i,...i->...", a, b, w),
    )


Library("numpy.core.umath_tests", "NumPy", "np.core.umath_tests").add("", "1.22", "np.einsum, or @", _umath_tests)


def _as_text(s: Any) -> str:
    return s.decode("latin1") if isinstance(s, bytes) else str(s)


def _compat(module: ModuleType) -> None:
    vars(module).update(
        long=int, unicode=str, basestring=str, integer_types=(int,), strchar="U", asstr=_as_text, asunicode=_as_text,
        asbytes=lambda s: s if isinstance(s, bytes) else str(s).encode("latin1"), sixu=lambda s: s,
        open_latin1=lambda filename, mode="r": import_module("io").open(filename, mode, encoding="iso-8859-1"),
        isfileobj=lambda f: isinstance(f, import_module("io").IOBase), getexception=lambda: sys.exc_info()[1],
        Path=import_module("pathlib").Path, os_PathLike=import_module("os").PathLike, os_fspath=import_module("os").fspath,
        pickle=import_module("pickle"),
    )  # fmt: skip


Library("numpy.compat", "NumPy", "np.compat").add("", "2.0", "plain Python 3", _compat)

TESTING = Library("numpy.testing", "NumPy", "np.testing.")
TESTING.lost("2.0", "use pytest", "Tester", "dec", "raises", "run_module_suite")
NUMPY.lost("1.25", "use pytest", "Tester")
NUMPY.lost("1.26", "use setuptools", "distutils")

LINALG = Library("numpy.linalg", "NumPy", "np.linalg.")
LINALG.add("linalg", "2.0", "np.linalg", lambda module: module)
FFT = Library("numpy.fft", "NumPy", "np.fft.")
FFT.add("helper", "2.0", "np.fft", lambda module: module)


@NUMPY.function("ndarray.ptp", "2.0", "np.ptp(array)")
def ptp(self: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    return np().ptp(self, axis=axis, out=out, keepdims=keepdims)


@NUMPY.function("ndarray.itemset", "2.0", "array[index] = value")
def itemset(self: Any, *args: Any) -> None:
    *index, value = args
    if not index:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        self[(0,) * self.ndim] = value
    elif len(index) == 1 and not isinstance(index[0], tuple):
        self.flat[index[0]] = value
    else:
        self[index[0] if len(index) == 1 else tuple(index)] = value


@NUMPY.function("ndarray.newbyteorder", "2.0", "array.view(array.dtype.newbyteorder(order))")
def newbyteorder(self: Any, new_order: str = "S", /) -> Any:
    return self.view(self.dtype.newbyteorder(new_order))


@NUMPY.function("ndarray.tostring", "2.3", "array.tobytes()")
def tostring(self: Any, order: str = "C") -> bytes:
    return self.tobytes(order)


NUMPY.add("generic.ptp", "2.0", "0", lambda *_: lambda self, *a, **k: self.dtype.type(0))
NUMPY.add("generic.tostring", "2.3", "scalar.tobytes()", lambda *_: lambda self, *a, **k: self.tobytes())
NUMPY.add(
    "generic.newbyteorder",
    "2.0",
    "scalar.view(dtype)",
    lambda *_: lambda self, o="S", /: self.view(self.dtype.newbyteorder(o)),
)
