"""Arithmetic, comparisons, mathematical functions and activations."""

from __future__ import annotations

import math

import numpy as np

from .graph import Graph
from .rules import RULES, Call, rule

_BINARY = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow", "maximum": "Max", "minimum": "Min",
           "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}  # fmt: skip
_UNARY = {
    "neg": "Neg", "abs": "Abs", "sign": "Sign", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "sin": "Sin", "cos": "Cos",
    "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh",
    "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "erf": "Erf", "logical_not": "Not", "copy": "Identity",
    "relabel": "Identity", "sigmoid": "Sigmoid", "softplus": "Softplus",
}  # fmt: skip
_COMPARED = {"less": "Less", "less_equal": "LessOrEqual", "greater": "Greater", "greater_equal": "GreaterOrEqual"}

for _name, _kind in _BINARY.items():
    RULES[_name] = lambda g, e, kind=_kind: g.op(kind, *e.inputs)  # type: ignore[misc]
for _name, _kind in _UNARY.items():
    RULES[_name] = lambda g, e, kind=_kind: g.op(kind, e.x)  # type: ignore[misc]


@rule(*_COMPARED)
def _compare(g: Graph, e: Call) -> str:
    x, y = (g.cast(v, np.int32) if e.dtype == np.bool_ else v for v in e.inputs)
    return g.op(_COMPARED[e.name], x, y)


@rule("equal")
def _equal(g: Graph, e: Call) -> str:
    return g.op("Equal", *e.inputs)


@rule("not_equal")
def _not_equal(g: Graph, e: Call) -> str:
    return g.op("Not", g.op("Equal", *e.inputs))


@rule("floor_div")
def _floor_div(g: Graph, e: Call) -> str:
    x, y = e.inputs
    if e.is_float:
        return g.op("Floor", g.op("Div", x, y))
    return g.op("Div", g.op("Sub", x, g.op("Mod", x, y)), y)  # Mod has the divisor's sign


@rule("mod")
def _mod(g: Graph, e: Call) -> str:
    return g.op("Mod", *e.inputs, fmod=int(e.is_float))


@rule("pow_fixed")
def _pow_fixed(g: Graph, e: Call) -> str:
    exponent = e["exponent"]
    if exponent == 2:
        return g.op("Mul", e.x, e.x)
    return g.op("Pow", e.x, g.like(exponent, e.dtype))


@rule("logaddexp")
def _logaddexp(g: Graph, e: Call) -> str:
    apart = g.op("Abs", g.op("Sub", *e.inputs))
    return g.op("Add", g.op("Max", *e.inputs), g.op("Softplus", g.op("Neg", apart)))


@rule("atan2")
def _atan2(g: Graph, e: Call) -> str:
    y, x = e.inputs
    zero, pi, half = (g.like(v, e.dtype) for v in (0, math.pi, math.pi / 2))
    turned = g.op("Where", g.op("Less", y, zero), g.op("Neg", pi), pi)
    angle = g.op("Atan", g.op("Div", y, x))
    angle = g.op("Where", g.op("Less", x, zero), g.op("Add", angle, turned), angle)
    return g.op("Where", g.op("Equal", x, zero), g.op("Mul", g.op("Sign", y), half), angle)


@rule("left_shift")
def _left_shift(g: Graph, e: Call) -> str:
    return g.cast(g.op("BitShift", *(g.cast(v, np.uint32) for v in e.inputs), direction="LEFT"), e.dtype)


@rule("right_shift")
def _right_shift(g: Graph, e: Call) -> str:
    x, y = (g.cast(v, np.int32) for v in e.inputs)
    negative = g.op("Less", x, g.like(0, np.int32))
    flipped = g.op("Sub", g.like(-1, np.int32), x)  # ~x, which is not negative where x is
    bits = g.cast(g.op("Where", negative, flipped, x), np.uint32)
    moved = g.cast(g.op("BitShift", bits, g.cast(y, np.uint32), direction="RIGHT"), np.int32)
    return g.cast(g.op("Where", negative, g.op("Sub", g.like(-1, np.int32), moved), moved), e.dtype)


@rule("square")
def _square(g: Graph, e: Call) -> str:
    return g.op("Mul", e.x, e.x)


@rule("round")
def _round(g: Graph, e: Call) -> str:
    """Half away from zero; adding a half first would misround the number just under it."""
    return nearest(g, e.x, e.dtype) if e.is_float else g.op("Identity", e.x)


def nearest(g: Graph, x: str, dtype: np.dtype) -> str:
    """The nearest whole number."""
    size = g.op("Abs", x)
    whole = g.op("Floor", size)
    up = g.cast(g.op("GreaterOrEqual", g.op("Sub", size, whole), g.like(0.5, dtype)), dtype)
    return g.op("Mul", g.op("Sign", x), g.op("Add", whole, up))


@rule("floor")
def _floor(g: Graph, e: Call) -> str:
    return g.op("Floor" if e.is_float else "Identity", e.x)


@rule("ceil")
def _ceil(g: Graph, e: Call) -> str:
    return g.op("Ceil" if e.is_float else "Identity", e.x)


@rule("expm1")
def _expm1(g: Graph, e: Call) -> str:
    """``tanh(x / 2) (exp(x) + 1)``, which keeps the digits of small numbers."""
    half = g.op("Tanh", g.op("Mul", e.x, g.like(0.5, e.dtype)))
    return g.op("Mul", half, g.op("Add", g.op("Exp", e.x), g.like(1, e.dtype)))


@rule("log1p")
def _log1p(g: Graph, e: Call) -> str:
    """``log(u) x / (u - 1)`` with ``u = 1 + x`` rounded: the errors cancel (Kahan)."""
    one = g.like(1, e.dtype)
    u = g.op("Add", e.x, one)
    quotient = g.op("Mul", g.op("Log", u), g.op("Div", e.x, g.op("Sub", u, one)))
    exact = g.op("Or", g.op("Equal", u, one), g.op("Equal", u, g.like(np.inf, e.dtype)))
    return g.op("Where", exact, e.x, quotient)


@rule("erfc")
def _erfc(g: Graph, e: Call) -> str:
    return g.op("Sub", g.like(1, e.dtype), g.op("Erf", e.x))


@rule("erfinv")
def _erfinv(g: Graph, e: Call) -> str:
    one = g.like(1, e.dtype)
    return _inverse_error(g, e, e.x, g.op("Mul", g.op("Sub", one, e.x), g.op("Add", one, e.x)))


@rule("erfcinv")
def _erfcinv(g: Graph, e: Call) -> str:
    return _inverse_error(
        g, e, g.op("Sub", g.like(1, e.dtype), e.x), g.op("Mul", e.x, g.op("Sub", g.like(2, e.dtype), e.x))
    )


_CENTRAL = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
            0.246640727, 1.50140941)  # fmt: skip
_TAIL = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
         1.00167406, 2.83297682)  # fmt: skip


def _inverse_error(g: Graph, e: Call, x: str, left: str) -> str:
    """The inverse error function of ``x``, ``left`` being ``1 - x * x`` (Giles, Approximating the erfinv function, 2010)."""
    w = g.op("Neg", g.op("Log", left))

    def polynomial(at: str, coefficients: tuple[float, ...]) -> str:
        value = g.like(coefficients[0], e.dtype)
        for c in coefficients[1:]:
            value = g.op("Add", g.op("Mul", value, at), g.like(c, e.dtype))
        return value

    central = polynomial(g.op("Sub", w, g.like(2.5, e.dtype)), _CENTRAL)
    tail = polynomial(g.op("Sub", g.op("Sqrt", w), g.like(3, e.dtype)), _TAIL)
    factor = g.op("Where", g.op("Less", w, g.like(5, e.dtype)), central, tail)
    ends = g.op("Equal", left, g.like(0, e.dtype))
    infinite = g.op("Mul", g.op("Sign", x), g.like(np.inf, e.dtype))
    return g.op("Where", ends, infinite, g.op("Mul", factor, x))


@rule("isnan")
def _isnan(g: Graph, e: Call) -> str:
    return g.op("IsNaN", e.x if e.is_float else g.cast(e.x, np.float32))


@rule("isinf")
def _isinf(g: Graph, e: Call) -> str:
    return g.op("IsInf", e.x if e.dtype == np.float32 else g.cast(e.x, np.float32))


@rule("clip")
def _clip(g: Graph, e: Call) -> str:
    x, low, high = e.inputs
    if all(v in g.known and g.known[v].size == 1 for v in (low, high)) and g.known[low] <= g.known[high]:
        if not any(e.shapes[1:]):
            return g.op("Clip", x, low, high)
    bounded = g.op("Where", g.op("Greater", x, high), high, x)  # bounds may cross: no minimum and maximum
    return g.op("Where", g.op("Less", x, low), low, bounded)


@rule("where")
def _where(g: Graph, e: Call) -> str:
    if e.out_dtype == np.bool_:  # for which onnxruntime has no Where
        mask, x, y = e.inputs
        return g.op("Or", g.op("And", mask, x), g.op("And", g.op("Not", mask), y))
    return g.op("Where", *e.inputs)


@rule("cast")
def _cast(g: Graph, e: Call) -> str:
    target, x = np.dtype(e["dtype"]), e.x
    if target == e.dtype:
        return x if x in g.known else g.op("Identity", x)
    if e.is_float and target.kind in "iu" and target.itemsize < 4:
        x = g.cast(x, np.int32)  # out of range they wrap
    return g.cast(x, target)


@rule("silu")
def _silu(g: Graph, e: Call) -> str:
    return g.op("Mul", e.x, g.op("Sigmoid", e.x))


@rule("gelu")
def _gelu(g: Graph, e: Call) -> str:
    if g.opset >= 20:
        return g.op("Gelu", e.x)
    half = g.op("Mul", e.x, g.like(0.5, e.dtype))
    error = g.op("Erf", g.op("Mul", e.x, g.like(math.sqrt(0.5), e.dtype)))
    return g.op("Mul", half, g.op("Add", error, g.like(1, e.dtype)))


@rule("relu")
def _relu(g: Graph, e: Call) -> str:
    return g.op("Relu", e.x) if e.is_float else g.op("Max", e.x, g.like(0, e.dtype))


@rule("relu6")
def _relu6(g: Graph, e: Call) -> str:
    return g.op("Clip", e.x, g.like(0, e.dtype), g.like(6, e.dtype))


@rule("hsigmoid")
def _hsigmoid(g: Graph, e: Call) -> str:
    return g.op("HardSigmoid", e.x, alpha=1 / 6, beta=0.5)


@rule("hswish")
def _hswish(g: Graph, e: Call) -> str:
    return (
        g.op("HardSwish", e.x) if g.opset >= 14 else g.op("Mul", e.x, g.op("HardSigmoid", e.x, alpha=1 / 6, beta=0.5))
    )


@rule("prelu")
def _prelu(g: Graph, e: Call) -> str:
    if e.is_float and e.out_shape == e.shape:
        return g.op("PRelu", *e.inputs)
    return g.op("Where", g.op("Greater", e.x, g.like(0, e.dtype)), e.x, g.op("Mul", *e.inputs))


@rule("logsigmoid")
def _logsigmoid(g: Graph, e: Call) -> str:
    return g.op("Neg", g.op("Softplus", g.op("Neg", e.x)))


@rule("softmax")
def _softmax(g: Graph, e: Call) -> str:
    axes = e["axis"]
    if isinstance(axes, int) or len(axes) == 1:
        return g.op("Softmax", e.x, axis=axes if isinstance(axes, int) else axes[0])
    shifted = g.op("Exp", g.op("Sub", e.x, g.reduce("ReduceMax", e.x, axes, True)))
    return g.op("Div", shifted, g.reduce("ReduceSum", shifted, axes, True))


@rule("logsoftmax")
def _logsoftmax(g: Graph, e: Call) -> str:
    axes = e["axis"]
    if isinstance(axes, int) or len(axes) == 1:
        return g.op("LogSoftmax", e.x, axis=axes if isinstance(axes, int) else axes[0])
    return g.op("Sub", e.x, g.reduce("ReduceLogSumExp", e.x, axes, True))
