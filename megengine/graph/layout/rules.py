"""How equations are computed with the channels behind; None where they are better computed in the order of their dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from ...ops import kernel_product
from ...ops.composite import PLAIN
from ...ops.onednn import custom_call
from ...ops.onednn.convolution import Convolution
from ...ops.timed import wanted
from .arrays import Laid, moved, place
from .pending import Pending, per_channel

Rule = Callable[[Any, list[Laid]], Sequence[Laid] | None]
LEAST = 3  # dimensions: N, C and a size

NORMALIZATIONS = ["normalize_batch", "normalize_batch_gradient"]
CONVOLUTIONS = ["convolve", "convolve_input_gradient", "convolve_kernel_gradient", "convolve_integers"]
ELEMENTWISE = [
    "abs",
    "add",
    "add_any",
    "and",
    "atan2",
    "bitcast_convert_type",
    "cbrt",
    "ceil",
    "clamp",
    "convert_element_type",
    "copy",
    "copy_p",
    "cos",
    "cosh",
    "div",
    "eq",
    "erf",
    "erf_inv",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "gelu",
    "gelu_and_slope",
    "ge",
    "gt",
    "integer_pow",
    "is_finite",
    "le",
    "log",
    "log1p",
    "logistic",
    "lt",
    "max",
    "min",
    "mul",
    "ne",
    "neg",
    "nextafter",
    "not",
    "or",
    "pow",
    "reduce_precision",
    "rem",
    "round",
    "rsqrt",
    "select_n",
    "shift_left",
    "shift_right_arithmetic",
    "shift_right_logical",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "sub",
    "tan",
    "tanh",
    "xor",
]


def _better_behind(operands: Sequence[Laid]) -> bool:
    """Whether there are fewer bytes to move if an equation is computed with the channels behind."""
    return any(o.is_behind for o in operands) and sum(o.moves(True) for o in operands) <= sum(
        o.moves(False) for o in operands
    )


def _bound(eqn: Any, arrays: Sequence[Any], **params: Any) -> list[Laid]:
    results = eqn.primitive.bind(*arrays, **{**eqn.params, **params})
    return [Laid(behind=r) for r in (results if eqn.primitive.multiple_results else [results])]


def elementwise(eqn: Any, operands: list[Laid]) -> Sequence[Laid] | None:
    """Operands have the result's dimensions, some of which may be of size 1, or none."""
    shape = eqn.outvars[0].aval.shape
    whole = [o for o in operands if o.shape]
    if len(shape) < LEAST or any(len(o.shape) != len(shape) for o in whole) or not _better_behind(whole):
        return None
    return _bound(eqn, [o.behind if o.shape else o.front for o in operands])


def convolution(eqn: Any, operands: list[Laid]) -> Sequence[Laid] | None:
    """By oneDNN, in the layout that it is fastest in."""
    if eqn.primitive.name == "convolve_integers":
        of: Any = custom_call.integer_convolution(**eqn.params)
    else:
        of = custom_call.convolution(eqn.primitive.name, operands[0].dtype, **eqn.params)
    if of is None:
        return None
    if _by_product(of, operands):
        x, ct = operands
        settings = {name: eqn.params[name] for name in ("kernel_shape", "stride", "padding", "dilation")}
        return [Laid(kernel_product.kernel_gradient(x.behind, ct.behind, **settings))]
    lasts = of.arrays()[1]
    arrays = [o.behind if last else o.front for o, last in zip(operands, lasts, strict=False)]
    kept = None
    if isinstance(of, Convolution) and operands[0].dtype == jnp.float32:
        kept = operands[of.kernel_at()].kept
        if of.kind == "convolve" and of.y_last:
            return [Pending(of, arrays, kept)]
    result = custom_call.call(of, *arrays, kept=kept)
    return [Laid(behind=result) if lasts[-1] else Laid(result)]


def _by_product(of: Any, operands: list[Laid]) -> bool:
    """Whether it is a kernel's gradient that takes less time as a product of matrices; what is measured decides by itself."""
    if not isinstance(of, Convolution) or of.kind != "convolve_kernel_gradient" or wanted():
        return False
    settings: Any = {"stride": of.stride, "padding": of.padding, "dilation": of.dilation, "groups": of.groups}
    found = kernel_product.better(x_shape=of.x_shape, kernel_shape=of.kernel_shape, **settings)
    return found and all(o.dtype == jnp.float32 for o in operands)


def normalization(eqn: Any, operands: list[Laid]) -> Sequence[Laid] | None:
    """Of batches, and its gradient."""
    whole = [o for o in operands if len(o.shape) > 1]
    if len(operands[0].shape) < LEAST or not _better_behind(whole):
        return None
    arrays = [o.behind if len(o.shape) > 1 else o.front for o in operands]
    first, *rest = PLAIN[eqn.primitive.name](*arrays, axis=-1, **eqn.params)
    return [Laid(behind=first), *map(Laid, rest)]


def reduction(eqn: Any, operands: list[Laid]) -> Sequence[Laid] | None:
    """Over some of the dimensions: the others stay as they are where they can."""
    (x,), axes = operands, eqn.params["axes"]
    many = len(x.shape)
    if many < LEAST or not x.is_behind:
        return None
    result = eqn.primitive.bind(x.behind, **{**eqn.params, "axes": tuple(sorted(place(a, many) for a in axes))})
    left = [k for k in range(many) if k not in axes]
    if left[:2] == [0, 1]:
        return [Laid(behind=result) if len(left) >= LEAST else Laid(result)]
    # Without the batch, or without the channels, it is an array of another kind.
    order = [k for k in moved(range(many)) if k not in axes]
    return [Laid(lax.transpose(result, [order.index(k) for k in left]))]


def padding(eqn: Any, operands: list[Laid]) -> Sequence[Laid] | None:
    x, value = operands
    if len(x.shape) < LEAST or not x.is_behind:
        return None
    return _bound(eqn, [x.behind, value.front], padding_config=moved(eqn.params["padding_config"]))


def slicing(eqn: Any, operands: list[Laid]) -> Sequence[Laid] | None:
    (x,) = operands
    if len(x.shape) < LEAST or not x.is_behind:
        return None
    given = {name: eqn.params[name] for name in ("start_indices", "limit_indices", "strides")}
    return _bound(eqn, [x.behind], **{name: v if v is None else moved(v) for name, v in given.items()})


def concatenation(eqn: Any, operands: list[Laid]) -> Sequence[Laid] | None:
    many = len(operands[0].shape)
    if many < LEAST or not _better_behind(operands):
        return None
    return _bound(eqn, [o.behind for o in operands], dimension=place(eqn.params["dimension"], many))


def broadcast(eqn: Any, operands: list[Laid]) -> Sequence[Laid] | None:
    """What is read several times is made where it is read; new dimensions among the sizes leave the layout as it is."""
    x, *sizes = operands
    shape, dimensions = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    if sizes:
        return None
    if not x.is_behind:
        made = eqn.primitive.bind(x.front, **eqn.params)
        laid = Laid(made, free=jnp.size(made) > jnp.size(x.front))
        laid.channels = per_channel(x, shape, dimensions)
        return [laid]
    if dimensions[:2] != (0, 1):
        return None
    many = len(shape)
    to = tuple(place(dimensions[k], many) for k in moved(range(len(x.shape))))
    return _bound(eqn, [x.behind], shape=moved(shape), broadcast_dimensions=to)


def reshaping(eqn: Any, operands: list[Laid]) -> Sequence[Laid] | None:
    """Of sizes among themselves."""
    x, shape = operands[0], eqn.outvars[0].aval.shape
    if x.kept is not None and len(operands) == 1:
        laid = Laid(jnp.reshape(x.front, shape))
        laid.kept = x.kept
        return [laid]
    if not x.is_behind or len(shape) < LEAST or shape[:2] != x.shape[:2] or len(operands) > 1:
        return None
    return [Laid(behind=jnp.reshape(x.behind, moved(shape)))]


def windows(eqn: Any, operands: list[Laid]) -> Sequence[Laid] | None:
    (x,) = operands
    if len(x.shape) < LEAST or not x.is_behind:
        return None
    names = "window_dimensions", "window_strides", "padding", "base_dilation", "window_dilation"
    return _bound(eqn, [x.behind], **{name: moved(eqn.params[name]) for name in names})


RULES: dict[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE, elementwise),
    **dict.fromkeys(CONVOLUTIONS, convolution),
    **dict.fromkeys(NORMALIZATIONS, normalization),
    **dict.fromkeys(("reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or"), reduction),
    **dict.fromkeys(("reduce_window_sum", "reduce_window_max", "reduce_window_min"), windows),
    **dict.fromkeys(("reshape", "squeeze"), reshaping),
    "pad": padding,
    "slice": slicing,
    "concatenate": concatenation,
    "broadcast_in_dim": broadcast,
}
