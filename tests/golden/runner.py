"""Evaluates golden cases with whichever ``megengine`` is importable, and turns what comes out into plain records."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from typing import Any

import numpy as np

from .spec import Array, Case, text


def namespace() -> dict[str, Any]:
    """What an expression may name."""
    import megengine
    import megengine.autodiff as autodiff
    import megengine.functional as F
    import megengine.module as M
    import megengine.optimizer as optim

    def ramp(shape: Any, scale: float = 0.125) -> np.ndarray:
        """Fixed float32 values of a shape: distinct signs and sizes, exact in float16."""
        count = int(np.prod(shape))
        return (((np.arange(count) * 5) % 11 - 4) * scale).astype(np.float32).reshape(shape)

    def filled(module: Any) -> Any:
        """Give every parameter of a module fixed values."""
        for _, p in module.named_parameters():
            p[...] = megengine.Tensor(ramp(p.shape))
        return module

    return {
        "mge": megengine,
        "megengine": megengine,
        "F": F,
        "M": M,
        "Tensor": megengine.Tensor,
        "Parameter": megengine.Parameter,
        "GradManager": autodiff.GradManager,
        "Function": autodiff.Function,
        "autodiff": autodiff,
        "optim": optim,
        "np": np,
        "nan": float("nan"),
        "inf": float("inf"),
        "ramp": ramp,
        "filled": filled,
        "__name__": "golden",
    }


def evaluate(source: str, names: dict[str, Any]) -> Any:
    """Run ``source``; its value is that of the last statement, None where that is no expression."""
    tree = ast.parse(textwrap.dedent(source).strip())
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<case>", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "<case>", "eval"), names)


def tensors(value: Any) -> list[Any]:
    """Every Tensor in a structure, in order."""
    from megengine import Tensor

    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [t for item in value for t in tensors(item)]
    if isinstance(value, dict):
        return [t for item in value.values() for t in tensors(item)]
    return []


def upstream(shape: Any) -> np.ndarray:
    """The fixed ``dy`` of an output: exact in float16, no two neighbours alike."""
    count = int(np.prod(shape))
    return (((np.arange(count) * 7) % 13 - 5) / 8.0).astype(np.float32).reshape(shape)


def used(case: Case, source: str) -> dict[str, Array]:
    """The inputs that an expression names."""
    words = set(re.findall(r"\w+", source))
    return {name: spec for name, spec in case.inputs.items() if name in words}


class Attempt:
    """One expression, evaluated but not yet read."""

    def __init__(self, case: Case, source: str, names: dict[str, Any]):
        self.value: Any = None
        self.grads: dict[str, Any] | None = None
        self.error: Exception | None = None
        self.grad_error: Exception | None = None
        device = names["mge"].get_default_device()
        try:
            self._run(case, source, dict(names))
        finally:
            names["mge"].set_default_device(device)

    def _run(self, case: Case, source: str, names: dict[str, Any]) -> None:
        from megengine import Parameter, Tensor

        make = {"tensor": Tensor, "parameter": Parameter, "array": lambda a: a}
        specs = used(case, source)
        arrays = case.build(specs)
        inputs = {name: make[spec.kind](arrays[name]) for name, spec in specs.items()}
        names.update(inputs)
        wanted = {
            name: inputs[name]
            for name, spec in specs.items()
            if case.grad and spec.kind != "array" and spec.dtype.startswith("float")
        }
        if not wanted:
            try:
                self.value = evaluate(source, names)
            except Exception as error:
                self.error = error
            return
        manager = names["GradManager"]().attach(list(wanted.values()))
        with manager:
            try:
                self.value = evaluate(source, names)
            except Exception as error:
                self.error = error
                return
            ys = [t for t in tensors(self.value) if np.dtype(t.dtype).kind == "f"]
            try:
                manager.backward(ys, [Tensor(upstream(t.shape).astype(t.dtype)) for t in ys])
            except Exception as error:
                self.grad_error = error
                return
        self.grads = {name: tensor.grad for name, tensor in wanted.items()}

    def record(self) -> dict[str, Any]:
        """Read everything: a JSON-able record."""
        if self.error is None:
            try:
                result = {"value": encode(self.value)}
            except Exception as error:
                self.error = error
        if self.error is not None:
            return {"error": describe(self.error)}
        if self.grads is not None:
            try:
                result["grads"] = {name: encode(grad) for name, grad in self.grads.items()}
            except Exception as error:
                self.grad_error = error
        if self.grad_error is not None:
            result["grad_error"] = describe(self.grad_error)
        return result


def describe(error: Exception) -> dict[str, Any]:
    """An exception as class name and the built-in classes that it is."""
    import builtins

    return {
        "class": type(error).__name__,
        "builtins": [c.__name__ for c in type(error).__mro__ if getattr(builtins, c.__name__, None) is c],
    }


def encode(value: Any) -> Any:
    """A value as JSON-able data: what it is, its dtype and shape, and what is in it."""
    if isinstance(value, np.ndarray):
        return encode_array("ndarray", value)
    if isinstance(value, np.dtype):
        return {"is": "dtype", "name": value.name}
    if isinstance(value, np.generic):
        return encode_array("scalar", np.asarray(value))
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return {"is": type(value).__name__, "items": [encode(v) for v in value]}
    if isinstance(value, dict):
        return {
            "is": type(value).__name__,
            "keys": [encode(k) for k in value],
            "items": [encode(v) for v in value.values()],
        }
    if isinstance(value, type):
        return {"is": "type", "name": value.__name__}
    if any(c.__name__ == "Tensor" for c in type(value).__mro__):
        return encode_array(type(value).__name__, value.numpy())
    return {"is": type(value).__name__}


def encode_array(kind: str, array: np.ndarray) -> dict[str, Any]:
    """An array as kind, dtype, shape and its flat values; floats in the shortest form that reads back the same."""
    flat = array.ravel()
    if array.dtype.kind == "f":
        values: list[Any] = [float(np.format_float_scientific(v, unique=True)) for v in flat]
    elif array.dtype.kind == "c":
        values = [[float(v.real), float(v.imag)] for v in flat]
    elif array.dtype.kind in "OUS":
        values = [str(v) for v in flat]
    else:
        values = flat.tolist()
    return {"is": kind, "dtype": array.dtype.name, "shape": list(array.shape), "values": values}


def run(case: Case, *, together: bool = True) -> dict[str, dict[str, Any]]:
    """Evaluate every expression of a case and return its records by source.

    ``together`` evaluates all before reading any, which lets a lazy engine compile them as one.
    """
    names = namespace()
    records: dict[str, dict[str, Any]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if together:
            attempts = {text(e): Attempt(case, text(e), names) for e in case.exprs}
            return {source: attempt.record() for source, attempt in attempts.items()}
        for expr in case.exprs:
            records[text(expr)] = Attempt(case, text(expr), names).record()
    return records
