"""How many floating point operations a jaxpr takes: a multiplication and an addition count as two."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from math import prod
from typing import Any

import jax

from ...ops.composite import PLAIN

# What only moves or names numbers, or looks at their types.
# fmt: off
FREE = frozenset([
    "reshape", "broadcast_in_dim", "transpose", "slice", "dynamic_slice", "dynamic_update_slice", "concatenate", "gather",
    "scatter", "pad", "rev", "squeeze", "expand_dims", "copy", "copy_p", "convert_element_type", "bitcast_convert_type", "iota",
    "stop_gradient", "device_put", "optimization_barrier", "split", "random_bits", "random_wrap", "random_unwrap", "random_seed",
])
REDUCTIONS = frozenset([
    "reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or", "reduce_xor", "argmax", "argmin",
    "cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp", "scatter-add", "scatter-mul", "scatter-min", "scatter-max",
])
# fmt: on


def operations(jaxpr: Any) -> int:
    """The operations of a jaxpr, those of inner ones too; a ``while`` counts once, as its length is not known.

    Args:
        jaxpr: a ``jax.extend.core.Jaxpr``.
    """
    return sum(map(_of_equation, jaxpr.eqns))


def _of_equation(equation: Any) -> int:
    name, params = equation.primitive.name, equation.params
    inner = [operations(j) for j in _inner(params.values())]
    if inner:
        if name == "cond":
            return max(inner)
        return sum(inner) * int(params["length"] if name == "scan" else 1)
    out = equation.outvars[0].aval if equation.outvars else None
    if name in FREE or out is None:
        return 0
    operands = [v.aval for v in equation.invars]
    if name == "dot_general":
        ((contracted, _), _) = params["dimension_numbers"]
        return 2 * out.size * prod(operands[0].shape[k] for k in contracted)
    if name == "conv_general_dilated":
        kernel = operands[1]
        per_result = kernel.size // kernel.shape[params["dimension_numbers"].rhs_spec[0]]
        return 2 * out.size * per_result // prod(params["lhs_dilation"])
    if name.startswith("convolve"):
        return _of_convolution(name, operands, out, params["kernel_shape"])
    if name in PLAIN:
        shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in operands]
        return operations(jax.make_jaxpr(partial(PLAIN[name], **params))(*shapes).jaxpr)
    if name in REDUCTIONS:
        return int(operands[0].size)
    if name.startswith(("reduce_window", "select_and_")):
        return int(out.size) * prod(params.get("window_dimensions", ()))
    if name == "sort":
        return int(out.size) * max(1, (out.shape[params["dimension"]] - 1).bit_length())
    return max(int(v.aval.size) for v in equation.outvars)


def _of_convolution(name: str, operands: list[Any], out: Any, kernel_shape: tuple[int, ...]) -> int:
    """Of a convolution or of one of its gradients: each pairs every result of the forward with its window."""
    results = operands[-1] if name in ("convolve_input_gradient", "convolve_kernel_gradient") else out
    return int(2 * results.size * prod(kernel_shape[1:]))


def _inner(values: Iterable[Any]) -> list[Any]:
    found = []
    for value in values:
        for one in value if isinstance(value, (tuple, list)) else (value,):
            one = getattr(one, "jaxpr", one)
            if hasattr(one, "eqns"):
                found.append(one)
    return found
