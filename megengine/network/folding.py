"""Batch norms folded into the convolutions before them, whose weights and biases are constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..graph.exchange import Model
from ..graph.infer import infer
from ..graph.ir import AnyEquation, Equation, Function, Var
from ..graph.value import aval

_CONVOLUTIONS = ("conv", "conv3d")


def folded(model: Model) -> Model:
    """The same model with ``batch_norm(conv(x))`` as one convolution wherever nothing else reads that convolution.

    With :math:`s = \\gamma / \\sqrt{\\sigma^2 + \\epsilon}` its weight is :math:`w s` and its bias :math:`(b - \\mu) s + \\beta`.
    """
    function = model.function
    users, producer = function.users(), function.producer()
    constants = dict(function.constants)
    instead: dict[AnyEquation, Equation] = {}
    for norm in function.equations:
        if isinstance(norm, Equation) and norm.name == "batch_norm":
            conv = producer.get(norm.inputs[0])  # type: ignore[arg-type]
            if _folds(norm, conv, function, users):
                instead[norm] = _convolution(norm, conv, constants)  # type: ignore[arg-type]
    if not instead:
        return model
    equations = [instead.get(e, e) for e in function.equations if not _is_folded(e, instead)]
    read = {v for e in equations for v in e.reads()} | set(function.outputs)
    held = {var: array for var, array in constants.items() if var in read}
    names = {instead.get(e, e): name for e, name in model.names.items()}
    return replace(model, function=function.having(equations=equations, constants=held), names=names)


def _folds(norm: Equation, conv: Any, function: Function, users: Mapping[Var, list[AnyEquation]]) -> bool:
    """Whether a batch norm is of a convolution that only it reads, and all but the convolution's input are float32 constants."""
    if not isinstance(conv, Equation) or conv.name not in _CONVOLUTIONS:
        return False
    parameters = (*conv.inputs[1:], *norm.inputs[1:])
    held = [isinstance(v, Var) and v in function.constants and v.aval.dtype == np.float32 for v in parameters]
    (result,) = conv.outputs
    return all(held) and users[result] == [norm] and result not in function.outputs and _is_plain(conv, norm)


def _is_plain(conv: Equation, norm: Equation) -> bool:
    return all(s is None for s in (*conv.signature.casts, *norm.signature.casts))


def _is_folded(equation: AnyEquation, instead: Mapping[AnyEquation, Equation]) -> bool:
    folded_inputs = {norm.inputs[0] for norm in instead if isinstance(norm, Equation)}
    return isinstance(equation, Equation) and equation.name in _CONVOLUTIONS and equation.outputs[0] in folded_inputs


def _convolution(norm: Equation, conv: Equation, constants: dict[Var, Any]) -> Equation:
    x, weight, *biases = conv.inputs
    assert isinstance(x, Var) and isinstance(weight, Var)
    gamma, beta, mean, variance = (np.asarray(constants[v], np.float64).reshape(-1) for v in norm.reads()[1:])
    scale = gamma / np.sqrt(variance + norm.attributes["eps"])
    held = np.asarray(constants[weight], np.float64)
    # Of a grouped convolution the output channels are the first two axes.
    channels = held.shape[:2] if held.ndim > x.aval.ndim else held.shape[:1]
    scaled = held * scale.reshape(*channels, *[1] * (held.ndim - len(channels)))
    before = np.asarray(constants[biases[0]], np.float64).reshape(-1) if biases else 0.0  # type: ignore[index]
    shift = ((before - mean) * scale + beta).reshape(1, -1, *[1] * (x.aval.ndim - 2))
    name = weight.name.removesuffix("weight")
    new_weight = Var(weight.aval, weight.name)
    new_bias = Var(aval(shift.shape, np.dtype(np.float32)), f"{name}bias" if name != weight.name else "")
    constants[new_weight], constants[new_bias] = scaled.astype(np.float32), shift.astype(np.float32)
    inputs = (x, new_weight, new_bias)
    signature = infer(conv.op, conv.signature.attrs, tuple(v.aval for v in inputs))
    return Equation(signature, inputs, norm.outputs, conv.number, conv.source, conv.scope)
