"""Ops without a rule of their own, by what JAX makes of them: a rule for each of its primitives, at sizes that are fixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..package import OnnxError
from .graph import Graph

Primitive = Callable[[Graph, Any, list[str]], "str | list[str]"]
PRIMITIVES: dict[str, Primitive] = {}
STEPS = 256  # of a loop, which is written out
_END, _START = np.iinfo(np.int64).max, np.iinfo(np.int64).min


def primitive(*names: str) -> Callable[[Primitive], Primitive]:
    """Declare the decorated function as the rule of primitives."""

    def declare(function: Primitive) -> Primitive:
        PRIMITIVES.update(dict.fromkeys(names, function))
        return function

    return declare


def decomposed(g: Graph, closed: Any, inputs: Sequence[str]) -> list[str]:
    """What a jaxpr computes of these values.

    Raises:
        OnnxError: it has a primitive without a rule.
    """
    return _run(g, closed.jaxpr, [g.const(np.asarray(c)) for c in closed.consts], inputs)


def _run(g: Graph, jaxpr: Any, constants: Sequence[str], inputs: Sequence[str]) -> list[str]:
    env: dict[Any, str] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *inputs), strict=True))

    def read(atom: Any) -> str:
        return g.const(np.asarray(atom.val, atom.aval.dtype)) if hasattr(atom, "val") else env[atom]

    for equation in jaxpr.eqns:
        found = PRIMITIVES.get(equation.primitive.name)
        if found is None:
            raise OnnxError(f"{equation.primitive.name} of JAX, which it is made of, has no form there")
        made = found(g, equation, [read(a) for a in equation.invars])
        env.update(zip(equation.outvars, [made] if isinstance(made, str) else made, strict=True))
    return [read(a) for a in jaxpr.outvars]


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
    return g.op("Log", g.op("Add", inputs[0], g.like(1, _dtype(e))))


@primitive("exp2")
def _exp2(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.op("Pow", g.like(2, _dtype(e)), inputs[0])


@primitive("integer_pow")
def _integer_pow(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.op("Pow", inputs[0], g.like(e.params["y"], _dtype(e)))


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
    size = g.op("Floor", g.op("Add", g.op("Abs", inputs[0]), g.like(0.5, _dtype(e))))
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
    if _dtype(e) == np.bool_:
        return g.op("Or", g.op("And", which, rest[0]), g.op("And", g.op("Not", which), first))
    return g.op("Where", which, rest[0], first)


@primitive("convert_element_type")
def _convert(g: Graph, e: Any, inputs: list[str]) -> str:
    return g.cast(inputs[0], _dtype(e))


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
    return g.const(np.broadcast_to(np.arange(shape[axis], dtype=_dtype(e)).reshape(wide), shape))


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


@primitive("dynamic_slice")
def _dynamic_slice(g: Graph, e: Any, inputs: list[str]) -> str:
    x, *starts = inputs
    shape, sizes = e.invars[0].aval.shape, e.params["slice_sizes"]
    most = g.ints(*(n - s for n, s in zip(shape, sizes, strict=True)))
    vector = g.op("Concat", *(g.unsqueeze(g.cast(s, np.int64), 0) for s in starts), axis=0) if len(starts) > 1 else (
        g.unsqueeze(g.cast(starts[0], np.int64), 0)
    )  # fmt: skip
    first = g.op("Max", g.op("Min", vector, most), g.ints(*[0] * len(sizes)))
    return g.slice(x, first, g.op("Add", first, g.ints(*sizes)), range(len(sizes)))


class _Places:
    """The places in a flat array that a gather reads, or a scatter writes.

    Args:
        shape: of the array.
        windows: sizes of the windows.
        dims: of what is read or written, which are within windows.
        missing: of the array, of which windows have none.
        mapped: of the array, that the columns of indices are of.
        batched: of the array and of the indices, which go together.
    """

    def __init__(
        self, g: Graph, indices: str, index_shape: Any, shape: Any, windows: Any, out_shape: Any, dims: Any, missing: Any,
        mapped: Any, batched: tuple[Any, Any],
    ) -> None:  # fmt: skip
        self.g, self.rank = g, len(out_shape)
        outer = [k for k in range(self.rank) if k not in dims]
        strides = np.cumprod([1, *shape[:0:-1]])[::-1]
        inner = iter(dims)
        fixed, parts, self.inside = np.zeros((1,) * self.rank, np.int64), [], ""
        wide = [out_shape[k] if k in outer else 1 for k in range(self.rank)]
        for d, size in enumerate(shape):
            if d in mapped:
                column = g.op("Gather", g.cast(indices, np.int64), g.const(np.array(list(mapped).index(d))), axis=-1)
                start = g.reshape(column, wide)
                most = size - windows[d]
                clipped = g.op("Max", g.op("Min", start, g.const(np.array(most))), g.const(np.array(0)))
                self._and(g.op("Equal", start, clipped))
                parts.append(g.op("Mul", clipped, g.const(np.array(int(strides[d])))))
            if d in batched[0]:
                place = list(batched[1])[list(batched[0]).index(d)]
                fixed = fixed + self._along(outer[place], size) * int(strides[d])
            elif d not in missing:
                fixed = fixed + self._along(next(inner), windows[d]) * int(strides[d])
        total = g.const(fixed)
        for part in parts:
            total = g.op("Add", total, part)
        self.places = g.op("Expand", total, g.ints(*out_shape))

    def _along(self, axis: int, size: int) -> np.ndarray:
        wide = [1] * self.rank
        wide[axis] = -1
        return np.arange(size, dtype=np.int64).reshape(wide)

    def _and(self, mask: str) -> None:
        self.inside = self.g.op("And", self.inside, mask) if self.inside else mask


def _is(mode: Any, name: str) -> bool:
    return name in str(mode).upper()


@primitive("gather")
def _gather(g: Graph, e: Any, inputs: list[str]) -> str:
    d, p = e.params["dimension_numbers"], e.params
    x, index = (v.aval for v in e.invars)
    out = e.outvars[0].aval
    missing = (*d.collapsed_slice_dims, *d.operand_batching_dims)
    batched = d.operand_batching_dims, d.start_indices_batching_dims
    where = _Places(
        g, inputs[1], index.shape, x.shape, p["slice_sizes"], out.shape, d.offset_dims, missing, d.start_index_map, batched
    )  # fmt: skip
    found = g.op("Gather", g.op("Reshape", inputs[0], g.ints(-1)), where.places, axis=0)
    if not _is(p["mode"], "FILL") or not where.inside:
        return found
    fill = p["fill_value"]
    if fill is None:
        fill = (
            np.nan
            if np.dtype(out.dtype).kind == "f"
            else np.iinfo(out.dtype).min
            if np.dtype(out.dtype).kind == "i"
            else 1
        )
    return g.op("Where", where.inside, found, g.like(fill, out.dtype))


@primitive("scatter", "scatter-add")
def _scatter(g: Graph, e: Any, inputs: list[str]) -> str:
    """What lies outside goes to one more element, which is then cut off."""
    if g.opset < 16:
        raise OnnxError("it needs opset 16")
    d, p = e.params["dimension_numbers"], e.params
    x, index, updates = (v.aval for v in e.invars)
    missing = (*d.inserted_window_dims, *d.operand_batching_dims)
    sizes = iter(updates.shape[k] for k in d.update_window_dims)
    windows = [1 if k in missing else next(sizes) for k in range(len(x.shape))]
    batched = d.operand_batching_dims, d.scatter_indices_batching_dims
    where = _Places(
        g, inputs[1], index.shape, x.shape, windows, updates.shape, d.update_window_dims, missing, d.scatter_dims_to_operand_dims,
        batched,
    )  # fmt: skip
    total = int(np.prod(x.shape))
    places = where.places
    if where.inside and not _is(p["mode"], "CLIP"):
        places = g.op("Where", where.inside, places, g.const(np.array(total)))
    flat = g.op("Concat", g.op("Reshape", inputs[0], g.ints(-1)), g.const(np.zeros(1, x.dtype)), axis=0)
    rows = [g.op("Reshape", v, g.ints(-1)) for v in (places, inputs[2])]
    reduction = "add" if e.primitive.name == "scatter-add" else "none"
    return g.reshape(
        g.slice(g.op("ScatterElements", flat, *rows, axis=0, reduction=reduction), [0], [total], [0]), x.shape
    )


@primitive("jit", "pjit", "custom_jvp_call", "custom_vjp_call", "remat2", "checkpoint", "closed_call", "core_call")
def _call(g: Graph, e: Any, inputs: list[str]) -> list[str]:
    inner = next(e.params[k] for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if k in e.params)
    return decomposed(g, inner, inputs) if hasattr(inner, "consts") else _run(g, inner, (), inputs)


@primitive("scan")
def _scan(g: Graph, e: Any, inputs: list[str]) -> list[str]:
    """Written out step by step."""
    p = e.params
    length, fixed, carried = p["length"], p["num_consts"], p["num_carry"]
    if length > STEPS:
        raise OnnxError(f"a loop of {length} steps would be written out")
    constants, state, rows = inputs[:fixed], inputs[fixed : fixed + carried], inputs[fixed + carried :]
    collected: list[tuple[int, list[str]]] = []
    for k in range(length)[:: -1 if p["reverse"] else 1]:
        now = [g.op("Gather", r, g.const(np.array(k)), axis=0) for r in rows]
        results = decomposed(g, p["jaxpr"], [*constants, *state, *now])
        state = results[:carried]
        collected.append((k, results[carried:]))
    columns = zip(*(values for _, values in sorted(collected)), strict=True)
    return [*state, *(g.op("Concat", *(g.unsqueeze(v, 0) for v in column), axis=0) for column in columns)]


def _dtype(e: Any) -> np.dtype:
    return np.dtype(e.outvars[0].aval.dtype)
