"""Result dtypes and values of every operator over pairs of dtypes, Python scalars and NumPy scalars."""

from __future__ import annotations

from ..spec import Refused, Wrong, case, given

DTYPES = {"f32": "float32", "f16": "float16", "i32": "int32", "i16": "int16", "i8": "int8", "u8": "uint8", "b": "bool"}
LEFT = {"a_" + k: given([1, 0, 1] if k == "b" else [7, 2, 5], d) for k, d in DTYPES.items()}
RIGHT = {"b_" + k: given([1, 1, 0] if k == "b" else [2, 3, 1], d) for k, d in DTYPES.items()}
# Division by zero among integers is not defined: bool divisors are all true.
DIVISOR = {**RIGHT, "b_b": given([1, 1, 1], "bool")}

OPERATORS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "lshift": "<<",
    "rshift": ">>",
    "and": "&",
    "or": "|",
    "xor": "^",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
}
FUNCTIONS = ["maximum", "minimum", "logaddexp", "atan2", "floor_div", "logical_and", "logical_or", "logical_xor"]
DIVIDES = {"truediv", "floordiv", "mod", "floor_div"}
SCALARS = ["2", "2.0", "True"]
NUMBERS = [name for name in LEFT if name != "a_b"]
NUMPY_SCALARS = [
    "np.float32(2)",
    "np.float16(2)",
    "np.float64(2)",
    "np.int32(2)",
    "np.int64(2)",
    "np.int8(2)",
    "np.bool_(True)",
]


def pairs(template: str) -> list[str]:
    """The template for every pair of inputs."""
    return [template.format(left, right) for left in LEFT for right in RIGHT]


def scalar(expr: str) -> str | Refused:
    """The expression; among bools the reference refuses ``&``, ``|`` and ``^`` with a Python bool."""
    left, operator, right = expr.split()
    both_bools = {left, right} in ({"a_b", "True"}, {"b_b", "True"})
    return Refused(expr, expr) if operator in "&|^" and both_bools else expr


def wide(expr: str) -> str | Refused:
    """The expression; what is of 64 bits the reference refuses as an operand, beside some tensors or all."""
    return Refused(expr, expr) if "64" in expr else expr


def operands(name: str) -> dict:
    return {**LEFT, **(DIVISOR if name in DIVIDES else RIGHT)}


CASES = [case("tensor_" + n, pairs("{} %s {}" % op), **operands(n)) for n, op in OPERATORS.items()]
CASES += [case("tensor_" + n, pairs("F.%s({}, {})" % n), **operands(n)) for n in FUNCTIONS]
CASES += [
    case(
        "scalar_" + n,
        [scalar("%s %s %s" % (a, op, s)) for a in LEFT for s in SCALARS]
        + [scalar("%s %s %s" % (s, op, a)) for a in RIGHT for s in SCALARS],
        **operands(n),
    )
    for n, op in OPERATORS.items()
]
CASES += [
    case(
        "numpy_scalar_" + n,
        [wide("%s %s %s" % (a, op, s)) for a in LEFT for s in NUMPY_SCALARS]
        + [wide("%s %s %s" % (s, op, a)) for a in ("b_f32", "b_i32", "b_f16") for s in NUMPY_SCALARS],
        **operands(n),
    )
    for n, op in {"add": "+", "truediv": "/", "lt": "<"}.items()
]
CASES += [
    case(
        "arrays",
        [
            wide("%s %s np.array([2, 3, 1], dtype='%s')" % (a, op, d))
            for a in LEFT
            for op in "+<"
            for d in (*DTYPES.values(), "int64", "float64")
        ]
        + [
            wide("np.array([2, 3, 1], dtype='%s') + %s" % (d, a))
            for a in LEFT
            for d in ("float32", "int32", "int64", "float64")
        ],
        **LEFT,
    ),
    case(
        "lists",
        ["%s * %s" % (a, other) for a in NUMBERS for other in ("[2, 3, 1]", "[True, False, True]")]
        + ["[2, 3, 1] - %s" % a for a in NUMBERS]
        + ["%s * [2.5, 3, 1]" % a for a in ("a_f32", "a_f16")]
        + [
            Wrong("%s * [2.5, 3, 1]" % a, "the numbers lose their fractions", right="%s * np.float32([2.5, 3, 1])" % a)
            for a in ("a_i32", "a_i16", "a_i8", "a_u8")
        ]
        + [
            Wrong(
                "%s * (2, 3, 1)" % a, "only the first number of a tuple is used", right="%s * np.array([2, 3, 1])" % a
            )
            for a in NUMBERS
        ]
        + [
            Refused("a_b * [2, 3, 1]", "a_b * np.float32([2, 3, 1])"),
            Refused("a_b * [2.5, 3, 1]", "a_b * np.float32([2.5, 3, 1])"),
            Refused("[2, 3, 1] - a_b", "np.float32([2, 3, 1]) - a_b"),
            "a_b * [True, False, True]",
        ],
        **LEFT,
    ),
    case(
        "zero_dim",
        [
            "%s %s %s" % (a, op, s)
            for a in ("a_f32", "a_f16", "a_i32", "a_i8", "a_b")
            for op in "+*"
            for s in ("s_f32", "s_f16", "s_i32", "s_i8", "s_b")
        ],
        s_f32=given(2, "float32"),
        s_f16=given(2, "float16"),
        s_i32=given(2, "int32"),
        s_i8=given(2, "int8"),
        s_b=given(True, "bool"),
        **LEFT,
    ),
    case(
        "wrap",
        [
            "a + 300",
            "a - 300",
            "a * 100",
            "a + 100",
            "a * a",
            "-a",
            "u + 300",
            "u - 20",
            "u * 100",
            "-u",
            "u + u",
            "a + 2.5",
            "u * 2.5",
            "a + 1e10",
            Wrong("a // 300", "the divisor wraps around", raises=("OverflowError",)),
            Wrong("a % 300", "the divisor wraps around", raises=("OverflowError",)),
            "w + 2147483647",
            "w * 65536",
            "w + 2**31",
            "w - 2**31 - 1",
            "w + 2**40",
            Wrong("a == 300", "the number wraps around", right="a == 300"),
            Wrong("u == -1", "the number wraps around", right="u == -1"),
            Wrong("u < -1", "the number wraps around", right="u < -1"),
            Wrong("a < 1000", "the number wraps around", right="a < 1000"),
            "w == 2.5",
            "w < 2.5",
            "w == 2.0",
            "a << 6",
            "a >> 1",
            "w >> 3",
            "w << 31",
        ],
        a=given([100, -100, 7], "int8"),
        u=given([200, 3, 255], "uint8"),
        w=given([2000000000, -3, 2], "int32"),
    ),
    case("three", ["F.clip(%s, 2, 5)" % a for a in LEFT] + ["F.clip(%s, 1.5, 5.5)" % a for a in LEFT], **LEFT),
    case("unary", [form % a for form in ("-%s", "+%s", "~%s", "abs(%s)", "round(%s)") for a in LEFT], **LEFT),
]
