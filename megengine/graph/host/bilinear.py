"""Convolution and its two gradients, as the engine's primitives: by oneDNN, or each as a convolution of axes of its own."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import numpy as np
from ml_dtypes import bfloat16

from ...ops.candidates import ONEDNN, operands, signature
from ...ops.onednn.convolution import Convolution
from ...ops.onednn.integers import IntegerConvolution
from ...ops.onednn.plan import Plan
from ...ops.timed import CHOICES
from ..options import options
from ..spent import kernel
from .convolution import choose
from .products import exactly, narrowed, wide
from .rules import Equation, Run, rule
from .taps import Axis

# Multiplications that take BLAS as long as oneDNN takes to make a plan ready, which then computes 2 to 4 times as fast.
MANY_SUMS = 1 << 25
MANY_SUMS_OF_GROUPS = 1 << 22
# From so many multiplications on an executable takes about half as long: its arrays stay in the layout that oneDNN likes.
LARGE, SHARE_OF_LARGE = 1 << 27, 0.5
BLAS = "blas"


def _axes(params: dict[str, Any]) -> list[Axis]:
    """Of the forward convolution, one for each dimension."""
    sizes = zip(params["x_shape"][2:], params["kernel_shape"][2:], strict=True)
    settings = zip(params["stride"], params["padding"], params["dilation"], strict=True)
    return [
        Axis(size, window, (size + 2 * pad - (window - 1) * spread - 1) // stride + 1, stride, spread, pad)
        for (size, window), (stride, pad, spread) in zip(sizes, settings, strict=True)
    ]


def _by_channels(x: np.ndarray, groups: int) -> np.ndarray:
    """``(N, G * C, ...)`` as ``(G, N, C, ...)``."""
    return x.reshape(x.shape[0], groups, -1, *x.shape[2:]).swapaxes(0, 1)


def _made(eqn: Equation, depth: int, run: Run) -> Run:
    """What runs it: in the type that sums are taken in, and zeros where there is nothing to be summed."""
    out = eqn.outvars[0].aval
    dtype = np.dtype(out.dtype)
    if not (out.size and all(v.aval.size for v in eqn.invars)):
        return lambda a, b: np.zeros(out.shape, dtype)
    of = Convolution(eqn.primitive.name, **eqn.params)
    single = wide(np.empty(0, dtype), dtype).dtype == np.float32

    def in_its_type(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = exactly(a, b, depth, dtype) if dtype.kind in "iu" else (wide(a, dtype), wide(b, dtype))
        return narrowed(run(a, b), dtype)

    if dtype == bfloat16 and of.worth_it():
        of = of.narrowed()
    if not single or _by_product(of):
        plan, by_rule = None, in_its_type
    elif of.products >= _worth_a_plan(of):
        plan = of.plan()
        by_rule = in_its_type if plan is None else _by_onednn(of, plan, dtype)
    else:
        plan, by_rule = None, _until_it_pays(of, in_its_type, dtype)
    if single and of.worth_it():
        by_rule = _ruled_or_measured(of, by_rule, plan is None, in_its_type, dtype)
    return kernel(by_rule, SHARE_OF_LARGE) if of.products >= LARGE else kernel(by_rule)


def _until_it_pays(of: Convolution, by_blas: Run, dtype: Any) -> Run:
    """What runs a small one by BLAS until all runs took as much as a plan takes, then by oneDNN.

    With a tier that is asked for by name its size alone decides, so that equal runs give equal bits.
    """
    left = _worth_a_plan(of) // max(of.products, 1)
    by_plan: Run | None = None

    def run(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        nonlocal left, by_plan
        if options.tier != "auto":
            return by_blas(a, b)
        if by_plan is None:
            if left > 0:
                left -= 1
                return by_blas(a, b)
            plan = of.plan()
            by_plan = by_blas if plan is None else _by_onednn(of, plan, dtype)
        return by_plan(a, b)

    return run


def _ruled_or_measured(of: Convolution, by_rule: Run, rather_blas: bool, by_blas: Run, dtype: Any) -> Run:
    """What runs it by the rule, or, while that is asked for, by what is measured to be faster."""
    fastest: Run | None = None

    def run(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        nonlocal fastest
        if not options.measured:
            return by_rule(a, b)
        if fastest is None:
            fastest = _measured(of, rather_blas, by_blas, dtype)
        return fastest(a, b)

    return run


def _measured(of: Convolution, rather_blas: bool, by_blas: Run, dtype: Any) -> Run:
    plan = of.plan()
    if plan is None:
        return by_blas
    runs = {BLAS: by_blas, ONEDNN: _by_onednn(of, plan, dtype)}
    order = (BLAS, ONEDNN) if rather_blas else (ONEDNN, BLAS)
    a, b = (x.astype(dtype) for x in operands(of))
    candidates = {name: partial(partial, runs[name], a, b) for name in order}
    return runs[CHOICES.choose(f"host {signature(of)} {dtype}", candidates)]


def _by_product(of: Convolution) -> bool:
    """Whether it is a product of matrices as it is, which BLAS computes as fast."""
    return prod(of.kernel_shape[2:]) == 1 and of.dtype == "float32"


def _worth_a_plan(of: Convolution) -> int:
    """Multiplications that take as long as a plan takes to be made."""
    return MANY_SUMS if of.groups == 1 else MANY_SUMS_OF_GROUPS


def _by_onednn(of: Convolution, plan: Plan, dtype: Any) -> Run:
    """What runs a plan on dense arrays."""
    shape, own = of.arrays()[0][-1], np.dtype(of.dtype)

    def run(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = (np.ascontiguousarray(x, own) for x in (a, b))
        result = np.empty(shape, own)
        plan.run(a.ctypes.data, b.ctypes.data, result.ctypes.data)
        return result.astype(dtype, copy=False)

    return run


@rule("convolve")
def convolve(eqn: Equation) -> Run:
    return _made(eqn, prod(eqn.params["kernel_shape"][1:]), _forward(eqn))


@rule("convolve_integers")
def convolve_integers(eqn: Equation) -> Run:
    """By oneDNN, or in a floating-point type that holds all sums."""
    of = IntegerConvolution(**eqn.params)
    plan = of.plan() if of.worth_it() else None
    depth, run = prod(of.kernel_shape[1:]), _forward(eqn)

    def in_floats(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return narrowed(run(*exactly(x, w, depth, np.dtype(np.int32))), np.dtype(np.int32))

    if plan is None:
        return in_floats
    product = plan.run

    def by_onednn(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        x, w = np.ascontiguousarray(x), np.ascontiguousarray(w)
        y = np.empty(of.y_shape, np.int32)
        product(x.ctypes.data, w.ctypes.data, y.ctypes.data)
        return y

    return by_onednn


def _forward(eqn: Equation) -> Run:
    """A forward convolution of arrays in the type that sums are taken in."""
    groups, kernel = eqn.params["groups"], eqn.params["kernel_shape"]
    axes = _axes(eqn.params)
    algorithm = choose(axes, kernel[1] if groups > 1 else 0, 0)

    def run(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        y = algorithm(_by_channels(x, groups), w.reshape(groups, -1, *w.shape[1:]), axes)
        return y.reshape(-1, *y.shape[2:]).swapaxes(0, 1)

    return run


@rule("convolve_input_gradient")
def convolve_input_gradient(eqn: Equation) -> Run:
    """Each element's shares in the results: a convolution of the cotangent, spread by the strides, with the kernel reversed."""
    groups, kernel = eqn.params["groups"], eqn.params["kernel_shape"]
    axes = [
        Axis(a.count, a.window, a.size, 1, a.spread, (a.window - 1) * a.spread - a.low, a.stride)
        for a in _axes(eqn.params)
    ]
    filters = kernel[0] // groups
    algorithm = choose(axes, filters if groups > 1 else 0, 0)
    reversed_: Any = (..., *(slice(None, None, -1) for _ in axes))

    def run(w: np.ndarray, ct: np.ndarray) -> np.ndarray:
        w = w.reshape(groups, filters, *w.shape[1:]).swapaxes(1, 2)[reversed_]
        y = algorithm(_by_channels(ct, groups), w, axes)
        return y.reshape(-1, *y.shape[2:]).swapaxes(0, 1)

    return _made(eqn, filters * prod(kernel[2:]), run)


@rule("convolve_kernel_gradient")
def convolve_kernel_gradient(eqn: Equation) -> Run:
    """The elements that meet each of the kernel's: a convolution with the cotangent as kernel, summed over the images."""
    groups, kernel, images = eqn.params["groups"], eqn.params["kernel_shape"], eqn.params["x_shape"][0]
    axes = [a.swapped() for a in _axes(eqn.params)]
    algorithm = choose(axes, 0, kernel[1] if groups > 1 else 0)

    def run(x: np.ndarray, ct: np.ndarray) -> np.ndarray:
        y = algorithm(_by_channels(x, groups).swapaxes(1, 2), _by_channels(ct, groups).swapaxes(1, 2), axes)
        return y.reshape(kernel)

    return _made(eqn, images * prod(a.window for a in axes), run)
