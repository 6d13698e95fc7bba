"""Normalisation over the last dimensions, and its gradients, by oneDNN where it is there."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...ops.onednn import layer
from .rules import Equation, Run, rule


# Arrays of no dimensions: NumPy takes longer for scalars.
def _mean(x: Any, axes: tuple[int, ...], count: Any) -> Any:
    total = np.add.reduce(x, axes, keepdims=True)
    total /= count
    return total


@rule("normalize_layer")
def normalized(eqn: Equation) -> Run:
    trailing, eps = eqn.params["trailing"], eqn.params["eps"]
    axes, small = tuple(range(-trailing, 0)), np.array(eps, np.float32)

    def run(x: Any, *affine: Any) -> Any:
        width = prod(x.shape[-trailing:])
        if x.size >= layer.WORTH_A_CALL:
            found = layer.normalized(x, width, eps, *affine)
            if found is not None:
                y, *statistics = found
                shape = (*x.shape[:-trailing], *[1] * trailing)
                return [y, *[s.reshape(shape) for s in statistics]]
        count = np.array(width, np.float32)
        mean = _mean(x, axes, count)
        y = x - mean
        var = _mean(y * y, axes, count)
        y /= np.sqrt(var + small)
        if affine:
            y *= affine[0]
            y += affine[1]
        return y, mean, var

    return run


@rule("normalize_layer_gradient", "normalize_layer_gradients")
def gradients(eqn: Equation) -> Run:
    trailing, eps = eqn.params["trailing"], eqn.params["eps"]
    axes, small = tuple(range(-trailing, 0)), np.array(eps, np.float32)
    before = tuple(range(eqn.invars[0].aval.ndim - trailing))

    def run(x: Any, mean: Any, var: Any, ct: Any, *weight: Any) -> Any:
        width = prod(x.shape[-trailing:])
        if x.size >= layer.WORTH_A_CALL:
            found = layer.gradients(x, mean, var, ct, width, eps, *weight)
            if found is not None:
                dx, *of_affine = found
                return [dx, *[p.reshape(weight[0].shape) for p in of_affine]]
        count, deviation, of_affine = np.array(width, np.float32), np.sqrt(var + small), []
        normal = x - mean
        normal /= deviation
        product = normal * ct
        if weight:
            of_affine = [np.add.reduce(a, before, keepdims=True) for a in (product, ct)]
            product *= weight[0]
            ct = ct * weight[0]
        normal *= _mean(product, axes, count)
        dx = ct - _mean(ct, axes, count)
        dx -= normal
        dx /= deviation
        return [dx, *of_affine]

    return run
