"""Rules of JAX's primitives: element by element, shapes, reductions and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..package import OnnxError
from .graph import Graph
from .jaxprs import dtype_of, primitive

_END, _START = np.iinfo(np.int64).max, np.iinfo(np.int64).min
_SAME = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "max": "Max", "min": "Min", "neg": "Neg", "exp": "Exp", "log": "Log",
    "sqrt": "Sqrt", "tanh": "Tanh", "logistic": "Sigmoid", "sin": "Sin", "cos": "Cos", "erf": "Erf", "abs": "Abs", "sign": "Sign",
    "floor": "Floor", "ceil": "Ceil", "pow": "Pow", "eq": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater",
    "ge": "GreaterOrEqual", "stop_gradient": "Identity", "copy": "Identity", "copy_p": "Identity", "square": "",
}  # fmt: skip


@primitive(*_SAME)
def _same(g: Graph, e: Any, inputs: list[str]) -> str:
    if e.primitive.name == "square":
        return g.op("Mul", inputs[0], inputs[0])
    return g.op(_SAME[e.primitive.name], *inputs)


@primitive("optimization_barrier")
def _as_they_are(g: Graph, e: Any, inputs: list[str]) -> list[str]:
    return inputs


@primitive("ne")
def _ne(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.op("Not", g.op("Equal", *inputs))


@primitive("and", "or", "not", "xor")
def _logical(g: Graph, e: Any, inputs: list[str]) -> str:
    if e.invars[0].aval.dtype != np.bool_:
        raise OnnxError("bits of integers have no form there")
    return g.op({"and": "And", "or": "Or", "not": "Not", "xor": "Xor"}[e.primitive.name], *inputs)


@primitive("rsqrt")
def _rsqrt(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.op("Reciprocal", g.op("Sqrt", inputs[0]))


@primitive("log1p")
def _log1p(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.op("Log", g.op("Add", inputs[0], g.like(1, dtype_of(e))))


@primitive("exp2")
def _exp2(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.op("Pow", g.like(2, dtype_of(e)), inputs[0])


@primitive("integer_pow")
def _integer_pow(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.op("Pow", inputs[0], g.like(e.params["y"], dtype_of(e)))


@primitive("rem")
def _rem(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.op("Mod", *inputs, fmod=1)


@primitive("is_finite")
def _is_finite(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.op("Less", g.op("Abs", inputs[0]), g.like(np.inf, e.invars[0].aval.dtype))


@primitive("round")
def _round(g: Graph, e: Any, inputs: list[str]) -> str:
    if int(e.params["rounding_method"]) == 1:
        return g.op("Round", inputs[0])
    size = g.op("Floor", g.op("Add", g.op("Abs", inputs[0]), g.like(0.5, dtype_of(e))))
    return g.op("Mul", g.op("Sign", inputs[0]), size)


@primitive("clamp")
def _clamp(g: Graph, e: Any, inputs: list[str]) -> str:
    low, x, high = inputs
    return g.op("Min", g.op("Max", x, low), high)


@primitive("select_n")
def _select(g: Graph, e: Any, inputs: list[str]) -> str:
    which, first, *rest = inputs
    if e.invars[0].aval.dtype != np.bool_ or len(rest) != 1:
        raise OnnxError("a choice by an integer has no form there")
    if dtype_of(e) == np.bool_:
        return g.op("Or", g.op("And", which, rest[0]), g.op("And", g.op("Not", which), first))
    return g.op("Where", which, rest[0], first)


@primitive("convert_element_type")
def _convert(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.cast(inputs[0], dtype_of(e))


@primitive("broadcast_in_dim")
def _broadcast(g: Graph, e: Any, inputs: list[str]) -> str:
    shape, places = e.params["shape"], e.params["broadcast_dimensions"]
    sizes = [1] * len(shape)
    for axis, size in zip(places, e.invars[0].aval.shape, strict=True):
        sizes[axis] = size
    x = g.reshape(inputs[0], sizes) if tuple(sizes) != e.invars[0].aval.shape else inputs[0]
    return g.op("Expand", x, g.ints(*shape)) if tuple(sizes) != tuple(shape) else x


@primitive("reshape", "squeeze", "expand_dims")
def _reshape(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.reshape(inputs[0], e.outvars[0].aval.shape)


@primitive("transpose")
def _transpose(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.op("Transpose", inputs[0], perm=list(e.params["permutation"]))


@primitive("slice")
def _slice(g: Graph, e: Any, inputs: list[str]) -> str:
    starts, ends = e.params["start_indices"], e.params["limit_indices"]
    return g.slice(inputs[0], starts, ends, range(len(starts)), e.params["strides"])


@primitive("rev")
def _rev(g: Graph, e: Any, inputs: list[str]) -> str:
    axes = e.params["dimensions"]
    return g.slice(inputs[0], [_END] * len(axes), [_START] * len(axes), axes, [-1] * len(axes))


@primitive("concatenate")
def _concatenate(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.op("Concat", *inputs, axis=e.params["dimension"])


@primitive("stack")
def _stack(g: Graph, e: Any, inputs: list[str]) -> str:
    axis = e.params["axis"]
    return g.op("Concat", *(g.unsqueeze(x, axis) for x in inputs), axis=axis)


@primitive("pad")
def _pad(g: Graph, e: Any, inputs: list[str]) -> str:
    widths = e.params["padding_config"]
    if any(inner for *_, inner in widths):
        raise OnnxError("padding between elements has no form there")
    return g.op("Pad", inputs[0], g.ints(*(w[0] for w in widths), *(w[1] for w in widths)), inputs[1])


@primitive("iota")
def _iota(g: Graph, e: Any, inputs: list[str]) -> str:
    shape, axis = e.params["shape"], e.params["dimension"]
    wide = [1] * len(shape)
    wide[axis] = -1
    return g.const(np.broadcast_to(np.arange(shape[axis], dtype=dtype_of(e)).reshape(wide), shape))


_REDUCED = {
    "reduce_sum": "ReduceSum",
    "reduce_max": "ReduceMax",
    "reduce_min": "ReduceMin",
    "reduce_prod": "ReduceProd",
}


@primitive(*_REDUCED, "reduce_and", "reduce_or")
def _reduce(g: Graph, e: Any, inputs: list[str]) -> str:
    axes, name = list(e.params["axes"]), e.primitive.name
    if name in _REDUCED:
        return g.reduce(_REDUCED[name], inputs[0], axes, False)
    found = g.reduce("ReduceMin" if name == "reduce_and" else "ReduceMax", g.cast(inputs[0], np.int32), axes, False)
    return g.cast(found, np.bool_)


@primitive("cumsum")
def _cumsum(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.op("CumSum", inputs[0], g.const(np.array(e.params["axis"], np.int64)), reverse=int(e.params["reverse"]))


@primitive("dot_general")
def _dot_general(g: Graph, e: Any, inputs: list[str]) -> str:
    (inner, batch), letters = e.params["dimension_numbers"], iter("abcdefghijklmnopqrstuvwxyz")
    names: list[dict[int, str]] = [{}, {}]
    for pairs in (batch, inner):
        for a, b in zip(*pairs, strict=True):
            names[0][a] = names[1][b] = next(letters)
    for side, var in enumerate(e.invars):
        for axis in range(len(var.aval.shape)):
            names[side].setdefault(axis, next(letters))
    words = ["".join(names[side][k] for k in range(len(e.invars[side].aval.shape))) for side in (0, 1)]
    rest = ["".join(names[s][k] for k in range(len(words[s])) if k not in (*batch[s], *inner[s])) for s in (0, 1)]
    result = "".join(names[0][k] for k in batch[0]) + rest[0] + rest[1]
    return g.op("Einsum", *inputs, equation=f"{words[0]},{words[1]}->{result}")


@primitive("convolve")
def _convolve(g: Graph, e: Any, inputs: list[str]) -> str:
    p = e.params
    return g.op(
        "Conv", *inputs, strides=list(p["stride"]), pads=[*p["padding"], *p["padding"]], dilations=list(p["dilation"]),
        group=p["groups"],
    )  # fmt: skip
