"""Numbers and NumPy data beside tensors: ints that a dtype does not hold, 64-bit scalars and arrays, odd layouts, and what is kept."""

from __future__ import annotations

from ..spec import Refused, Wrong, array, bools, case, f16, f32, given, i32

FAR = ["2**31 - 1", "2**31", "2**32", "2**40", "2**63", "-2**31", "-2**31 - 1", "-2**32 + 1", "-2**40", "1e30", "1e39"]
RANGE = ("OverflowError",)
# np.float64 and its like are refused by the reference.
WIDE = ["np.sqrt(2)", "np.float64(0.5)", "np.longdouble(2)", "np.array([1.0, 2.0, 4.0])", "np.array(2.5)", "np.array([[3.0]])"]
WIDE_INTS = ["np.int64(3)", "np.uint64(3)", "np.uint32(3)", "np.array([1, 2, 3])", "np.array(2)", "np.array([1, 2, 3], 'uint32')"]


def wide(template: str, right: str, data: list[str]) -> list[Refused]:
    """The template for every operand; what is right is NumPy's answer for the template ``right``."""
    return [Refused(template % d, right % d) for d in data]


def lost(*exprs: tuple[str, str]) -> list[Wrong]:
    """Expressions whose int wraps around in the reference, with what is right."""
    return [Wrong(e, "the int wraps around", right=r) for e, r in exprs]


def refused(*exprs: str) -> list[Wrong]:
    """Expressions whose numbers the dtype does not hold, which the reference lets pass."""
    return [Wrong(e, "the number wraps around", raises=RANGE) for e in exprs]


CASES = [
    case(
        "far_scalars",
        [t % n for t in ("x * (%s)", "(%s) - x", "x < (%s)", "F.maximum(x, %s)", "F.full_like(x, %s)") for n in FAR]
        + ["F.clip(x, -2**40, 2**40)", "F.softmax(x + (1 - m) * (-2**32 + 1))", "x / 2**33", "x ** 2**3"]
        + ["h + 2**31", "h * 1e5", "F.clip(h, -2**33, 2**33)"]
        + ["F.nn.pad(x, ((1, 1),), 'constant', 2**32)"],
        x=f32(3),
        h=f16(3),
        m=given([1.0, 0.0, 1.0]),
    ),
    case(
        "far_ints",
        ["n * 2**32", "n + 2**31", "n - (-2**31 - 1)", "n * (2**31 - 1)", "2**40 - n"]
        + lost(
            ("n < 2**31", "n < 2**31"),
            ("n == 2**32", "n == 2**32"),
            ("n > -2**40", "n > -(2**40)"),
            ("2**40 >= n", "2**40 >= n"),
            ("n / 2**32", "np.float32(n / 2**32)"),
            ("n ** 2**31", "np.float32([0, 1, np.inf])"),
            ("F.clip(n, -2**40, 2**40)", "n"),
            ("F.minimum(n, 2**40)", "n"),
            ("F.maximum(n, -2**40)", "n"),
            ("b * 2**32", "b * np.float32(2**32)"),
            ("Tensor([2**32, 1.5])", "np.float32([2**32, 1.5])"),
            ("Tensor(2**40, dtype='float32')", "np.float32(2**40)"),
            ("Tensor([2**40], dtype='float32')", "np.float32([2**40])"),
            ("F.full((2,), 2**40, dtype='float32')", "np.full(2, 2**40, 'float32')"),
            ("F.linspace(0, 2**32, 3)", "np.linspace(0, 2**32, 3, dtype='float32')"),
            ("F.arange(2**40, 2**40 + 2**20, 2**19)", "np.arange(2**40, 2**40 + 2**20, 2**19).astype('float32')"),
            ("y = Tensor(x); y[0] = 2**40; y", "np.float32([2**40, *x[1:]])"),
            ("y = Tensor(x); y[...] = 2**40; y", "np.float32(2**40)"),
        )
        + refused(
            "Tensor(2**31)",
            "Tensor([2**40])",
            "Tensor([2**40], dtype='int32')",
            "Tensor(np.array([2**40]))",
            "Tensor(np.array([-2**31 - 1]), dtype='int32')",
            "Parameter(2**32)",
            "F.full((2,), 2**40)",
            "F.full_like(n, 2**40)",
            "F.maximum(n, 2**40)",
            "F.minimum(n, -2**40)",
            "F.add(2**40, 1)",
            "y = Tensor(n); y[0] = 2**40; y",
            "y = Tensor(n); y[:] = np.array([2**40]); y",
            "y = Tensor(n); y[...] = 2**40; y",
            "n * [2**40, 1, 1]",
            "Tensor([1e30], dtype='int32')",
            "Tensor([nan], dtype='int32')",
            "F.full((2,), nan, dtype='int32')",
            "F.full_like(n, 1e30)",
            "y = Tensor(n); y[0] = nan; y",
            "F.nn.pad(n, ((1, 1),), constant_value=nan)",
            "F.nn.pad(n, ((1, 1),), constant_value=1e10)",
            "y = Tensor(n); M.init.fill_(y, nan); y",
            "y = Tensor(n); M.init.fill_(y, 2**31); y",
        ),
        n=given([0, 1, 2**31 - 1], "int32"),
        x=f32(3),
        b=bools(3),
    ),
    case(
        "narrow_ints",
        ["u + 300", "u * 300", "u - 300", "F.clip(u, 0, 255)", "F.full_like(u, 300)"]
        + ["y = Tensor(u); y[0] = -1; y", "Tensor([300, -1], dtype='uint8')", "F.minimum(u, 255)"]
        + ["y = Tensor(u); M.init.fill_(y, %s); y" % n for n in ("300", "-1", "300.5")]
        + ["F.nn.pad(u, ((1, 1),), constant_value=%s)" % n for n in ("300", "-1", "300.5")]
        + lost(
            ("u > -1", "u > -1"),
            ("u < 256", "u < 256"),
            ("u < 300", "u < 300"),
            ("u == 300", "u == 300"),
            ("u == -1", "u == -1"),
            ("F.clip(u, -1, 256)", "u"),
            ("F.maximum(u, -1)", "u"),
            ("F.minimum(u, 256)", "u"),
            ("u / 300", "np.float32(u / 300)"),
            ("300 / u", "np.float32(300 / u)"),
        )
        + refused("F.maximum(u, 300)", "F.minimum(u, -1)", "u // 300", "u % 300"),
        u=given([1, 44, 255], "uint8"),
    ),
    case(
        "wide_scalars_and_arrays",
        [r for op in "+-*/" for r in wide("x %s %%s" % op, "np.float32(x %s %%s)" % op, WIDE)]
        + [r for op in "+-*/" for r in wide("%%s %s x" % op, "np.float32(%%s %s x)" % op, WIDE)]
        + wide("n * %s", "np.float32(n * %s)", WIDE)
        + wide("h * %s", "np.float16(h * np.float16(%s))", WIDE)
        + wide("b * %s", "np.float32(b * %s)", WIDE)
        + wide("x < %s", "x < %s", WIDE)
        + wide("F.maximum(x, %s)", "np.float32(np.maximum(x, %s))", WIDE),
        x=f32(3, low=1, high=4),
        n=i32(3),
        h=f16(3),
        b=bools(3),
    ),
    case(
        "wide_ints",
        ["x * %s" % d for d in WIDE_INTS]
        + ["h + %s" % d for d in WIDE_INTS]
        + [r for op in "+-*" for r in wide("n %s %%s" % op, "np.int32(n %s %%s)" % op, WIDE_INTS)]
        + wide("u + %s", "np.uint8(u + %s)", WIDE_INTS)
        + wide("%s < n", "%s < n", WIDE_INTS)
        + wide("b * %s", "np.float32(b * %s)", WIDE_INTS)
        + ["x * np.array([2**40, 1, 1])", "x * [2**40, 1, 1]", "x * np.int64(2**40)"],
        x=f32(3),
        h=f16(3),
        n=i32(3),
        u=given([1, 2, 3], "uint8"),
        b=bools(3),
    ),
    case(
        "wide_ints_lost_errors",
        ["n * np.array([2**40, 1, 1])", "u + np.array([300, 1, 1])"],
        n=i32(3),
        u=given([1, 2, 3], "uint8"),
    ),
    case(
        "python_protocols",
        [
            Refused("'%.3f' % x.sum() == format(x.sum(), '.3f')", "True"),
            "'{}'.format(x)",
            Refused("x == None", "False"),
            Refused("x != None", "True"),
            Refused("None == x", "False"),
            "x in [None, x][1:]",
            Refused("2.0 in Tensor([1.0, 2.0])", "True"),
            Refused("3.0 in Tensor([1.0, 2.0])", "False"),
            Refused("round(Tensor(2.3456), 2)", "np.float32(2.35)"),
            "round(Tensor([2.5, -2.5]))",
            Refused("divmod(Tensor([7.0, -7.0]), 2)", "divmod(np.float32([7, -7]), np.float32(2))"),
            Refused("divmod(Tensor([7, -7]), 2)", "divmod(np.int32([7, -7]), np.int32(2))"),
            Refused("divmod(7, Tensor([2.0, -2.0]))", "divmod(np.float32(7), np.float32([2, -2]))"),
            Refused("__import__('math').trunc(Tensor(-2.5))", "np.float32(-2)"),
            "__import__('math').floor(Tensor(-2.5))",
            "len(x)",
            "[*x]",
            "list(reversed(x))",
            "list(zip(x, x))",
            "sum(x)",
            "max(x)",
            "min(x)",
            "sorted(x)",
            "first, *rest = x; rest",
            "complex(x.sum())",
            "x * __import__('decimal').Decimal('1.5')",
            "x * __import__('fractions').Fraction(1, 2)",
        ],
        x=f32(3),
    ),
    case(
        "beside_tensors",
        [
            Refused("F.concat([x, a])", "np.concatenate([x, a])"),
            Refused("F.concat([a, x])", "np.concatenate([a, x])"),
            Refused("F.concat([x, a.astype('float64'), [1.0, 2.0]])", "np.concatenate([x, a, [1, 2]])"),
            Refused("F.concat([x, 1.0])", "np.concatenate([x, [1.0]])"),
            Refused("F.stack([x, a, a.astype('float64')])", "np.stack([x, a, a])"),
            Refused("F.where(x > 0, x, a)", "np.where(x > 0, x, a)"),
            Refused("F.where(x > 0, x, 0.0)", "np.where(x > 0, x, np.float32(0))"),
            Refused("F.where(np.array([True, False, True]), x, y)", "np.where([True, False, True], x, y)"),
            Refused("F.where([True, False, True], x, y)", "np.where([True, False, True], x, y)"),
            Refused("x @ a", "x @ a"),
            Refused("a.astype('float64') @ x", "a @ x"),
            "F.gather(x, 0, np.array([2, 0]))",
            "F.clip(x, a, a)",
            "F.maximum(x, a)",
        ],
        x=f32(3),
        y=f32(3),
        a=array(f32(3)),
    ),
    case(
        "numpy_functions",
        [
            "np.sqrt(p)",
            "np.isnan(p)",
            "np.concatenate([p, p])",
            "np.stack([p, p])",
            "np.asarray([p, p])",
            "np.array(p, dtype='float64')",
            "float(np.float64(p[0]))",
            "np.add(a, p)",
            "np.dot(p, p)",
            "np.where(a > 2, p, p)",
            "a += p; a",
            "b = a; a += p; b",
            "a *= p; type(a).__name__",
            "np.testing.assert_allclose(p, p.numpy())",
            "np.reshape(p, (3, 1))",
            Refused("np.sum(p)", "p.sum()"),
            Refused("np.mean(p)", "p.mean()"),
            Refused("np.max(p)", "p.max()"),
            Refused("np.min(p, 0)", "p.min()"),
            Refused("np.prod(p, axis=0)", "p.prod()"),
            Refused("np.sum(p.reshape(1, 3), axis=1, keepdims=True)", "p.sum().reshape(1, 1)"),
            Refused("np.transpose(p.reshape(1, 3))", "p.reshape(3, 1)"),
        ],
        p=f32(3, low=1, high=4),
        a=array(f32(3)),
    ),
    case(
        "layouts",
        [
            Wrong("Tensor(x.astype('>f4'))", "the byte order is ignored", right="x"),
            "Tensor(x.astype('>f8'))",
            Wrong("Tensor(np.arange(3, dtype='>i4'))", "the byte order is ignored", right="np.arange(3, dtype='int32')"),
            Wrong("Tensor(np.arange(3, dtype='>u2'))", "the byte order is ignored", right="np.arange(3, dtype='uint16')"),
            Refused("Tensor(x.astype('longdouble'))", "x"),
            Refused("Tensor(x.astype('complex128'))", "x.astype('complex64')"),
            Refused("Tensor(np.array([1, 2.5], object))", "np.float32([1, 2.5])"),
            Refused("Tensor(np.array([5], 'uint32'))", "np.int32([5])"),
            Refused("Tensor(np.array([5], 'uint64'))", "np.int32([5])"),
            "Tensor(np.array(['a', 1], object))",
            "Tensor(np.zeros(2, 'M8[s]'))",
            "Tensor(np.zeros(2, 'm8[s]'))",
            "Tensor(np.zeros(2, [('a', 'f4')]))",
            "Tensor(np.zeros(2, 'S3'))",
            "Tensor({1, 2})",
            "Tensor(slice(1))",
            "Tensor(b'abc')",
            "Tensor(memoryview(x))",
            "Tensor(bytearray(b'abc'))",
            "Tensor(np.matrix([[1.0, 2.0]]))",
            "Tensor(np.ma.array([1.0, 2.0]))",
            Wrong("Tensor(np.ma.array([1.0, 2.0], mask=[0, 1]))", "the mask is ignored", raises=("ValueError",)),
            "Tensor(x[::-1])",
            "Tensor(x[::2])",
            "Tensor(np.float32(2.5))",
            "Tensor(np.array([x, x]))",
            "t = Tensor([0.0]); t[...] = x.astype('>f8'); t",
            "t = Tensor([0.0, 0.0, 0.0]); t[:] = x.astype('>f8'); t",
            Refused("t = Tensor([0.0]); t[...] = x.astype('longdouble'); t", "x"),
        ],
        x=array(f32(3)),
    ),
    case(
        "nothing",
        [
            Wrong(e, "makes an empty tensor of nothing", raises=("TypeError",))
            for e in ("mge.tensor(None)", "Tensor(None)", "Parameter(None)", "t = Tensor([1.0]); t[...] = None; t")
        ]
        + ["Tensor()", "Tensor([])", "Tensor(())"],
    ),
    case(
        "history",
        ["Tensor(x * 2) * x", "Parameter(x) * x", "mge.tensor(x, dtype='float32') * x", "mge.tensor([x, x]) * x"]
        + ["y = Tensor([0.0]); y[...] = x * x; y", "y = Parameter([0.0]); y[...] = x * x; y", "x.to('cpu0') * 2"]
        + ["F.copy(x) * 2", "x.astype('float16') * 2", "x.astype('float32') * 2", "F.stack([x, x])", "Tensor(x.detach()) * x"]
        + ["y = Tensor([0.0, 0.0, 0.0]); y[:] = x; y * x", "y = Tensor([0.0]); y.set_value(x * 3); y"]
        + ["__import__('copy').deepcopy(x) * x", "Parameter(Tensor(Parameter(x))) * x"],
        x=f32(3),
        grad=True,
    ),
]
