"""What MegEngine's ``optimize_for_inference`` asks for, where it means something here.

``enable_io16xc32`` and ``enable_ioc16`` keep values in float16, ``enable_fuse_conv_bias_nonlinearity`` folds batch norms into
convolutions. The others name layouts and fusions of MegEngine's own kernels: XLA chooses layouts and fuses by itself, so they are
accepted, kept in the metadata, and change nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..graph.exchange import Model
from ..graph.infer import infer
from ..graph.ir import AnyEquation, Equation, Var
from ..graph.value import Aval, aval
from ..ops import elemwise
from .folding import folded

_FLOAT32, _FLOAT16 = np.dtype(np.float32), np.dtype(np.float16)
_LAYOUTS = tuple(f"enable_{name}" for name in (
    "hwcd4", "nchw4", "nchw88", "nchw32", "nchw44", "nchw44_dot", "chwn4", "nchw64",
))  # fmt: skip
_HALF = ("enable_io16xc32", "enable_ioc16")
_FUSIONS = (
    "enable_fuse_conv_bias_nonlinearity",
    "enable_fuse_conv_bias_with_z",
    "enable_fuse_preprocess",
    "enable_fuse_grain",
)


def chosen(options: dict[str, Any]) -> dict[str, bool]:
    """The options that are on.

    Raises:
        ValueError: one is unknown.
    """
    known = (*_LAYOUTS, *_HALF, *_FUSIONS)
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(f"unknown options: {unknown}")
    on = {"enable_fuse_grain": True, **options}
    return {name: True for name in known if on.get(name)}


def optimized(model: Model, options: dict[str, Any]) -> tuple[Model, dict[str, bool]]:
    """A model as the options ask, and the options that are on.

    Raises:
        ValueError: an option is unknown.
    """
    found = chosen(options)
    if "enable_fuse_conv_bias_nonlinearity" in found:
        model = folded(model)
    return (in_half(model) if any(name in found for name in _HALF) else model), found


def in_half(model: Model) -> Model:
    """The same model with float16 in place of float32 between its ops; what it takes and gives is float32, as before.

    Raises:
        RuntimeError: it computes gradients.
    """
    return _Half(model).result()


class _Half:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.new: dict[Var, Var] = {}
        self.equations: list[AnyEquation] = []
        self.names: dict[AnyEquation, str] = {}

    def result(self) -> Model:
        function = self.model.function
        for var in function.inputs:
            self.new[var] = self._halved(var)
        constants = {}
        for var, array in function.constants.items():
            known = _halved(var.aval)
            self.new[var] = var if known is var.aval else Var(known, var.name)
            constants[self.new[var]] = np.asarray(array, known.dtype)
        for equation in function.equations:
            if not isinstance(equation, Equation):
                raise RuntimeError("a graph that computes gradients cannot be kept in float16")
            self._add(equation)
        outputs = [self._given(v) for v in function.outputs]
        halved = function.having(equations=self.equations, outputs=outputs, constants=constants)
        return replace(self.model, function=halved, names=self.names)

    def _add(self, equation: Equation) -> None:
        inputs = tuple(self.new[v] if isinstance(v, Var) else v for v in equation.inputs)
        specs = tuple(v.aval if isinstance(v, Var) else v.kind for v in inputs)
        signature = infer(equation.op, equation.signature.attrs, specs)
        outputs = tuple(Var(a, v.name) for a, v in zip(signature.avals, equation.outputs, strict=True))
        where = len(self.equations), equation.source, equation.scope
        made = Equation(signature, inputs, outputs, *where)
        self.equations.append(made)
        if equation in self.model.names:
            self.names[made] = self.model.names[equation]
        self.new.update(zip(equation.outputs, map(self._halved, outputs), strict=True))

    def _halved(self, var: Var) -> Var:
        """The variable in float16."""
        if _halved(var.aval) is var.aval:
            return var
        return self._cast(var, _FLOAT16, var.name if var not in self.model.function.inputs else "")

    def _given(self, var: Var) -> Var:
        """A result, in its own dtype."""
        half = self.new[var]
        if half.aval.dtype == var.aval.dtype:
            return half
        name, half.name = half.name or var.name, ""
        return self._cast(half, var.aval.dtype, name)

    def _cast(self, var: Var, dtype: np.dtype, name: str) -> Var:
        signature = infer(elemwise.cast, elemwise.cast.in_order({"dtype": dtype}), (var.aval,))
        out = Var(signature.avals[0], name)
        self.equations.append(Equation(signature, (var,), (out,), len(self.equations)))
        return out


def _halved(known: Aval) -> Aval:
    return aval(known.shape, _FLOAT16, known.format) if known.is_plain and known.dtype == _FLOAT32 else known
