"""From a :class:`~.model.Model` to the bytes of a file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...ops.sized import FROM_NUMBERS
from ...version import __version__
from ..ir import AnyEquation, Equation, Scalar, Var
from .attributes import dtype_text, encoded
from .model import FORMAT, VERSION, GraphFileError, Model
from .table import written
from .weights import pack

_OLD = (1980, 1, 1, 0, 0, 0)  # the same graph gives the same bytes


def encode(model: Model) -> bytes:
    """The bytes of a file.

    Raises:
        GraphFileError: an op, an attribute or the metadata has no form there.
    """
    function = model.function
    numbers = {var: k for k, var in enumerate(_variables(model))}
    keys = _weight_names(list(function.constants))
    entries: dict[str, str | bytes] = {
        "graph.jsonl": "".join(json.dumps(line, allow_nan=False) + "\n" for line in _lines(model, numbers, keys)),
        "metadata.json": _json("metadata", model.metadata),
        "weights.safetensors": pack({keys[var]: np.asarray(array) for var, array in function.constants.items()}),
    }
    for k, test in enumerate(model.tests):
        entries[f"tests/{k}.safetensors"] = pack(test)
    length = 0
    while True:  # the first entry says how long the file is, so that it can be read out of a longer one
        data = _zipped({"format.json": _front(length, _version(model)), **entries})
        if len(data) == length:
            return data
        length = len(data)


def _version(model: Model) -> int:
    """The first version that has all ops of a model, so that older readers take what they can."""
    sized = any(isinstance(e, Equation) and e.op in FROM_NUMBERS for e in model.function.equations)
    return VERSION if sized else 1


def _front(length: int, version: int) -> str:
    return json.dumps(
        {"format": FORMAT, "version": version, "bytes": f"{length:016d}", "writer": f"megengine-xla {__version__}"}
    )


def _zipped(entries: dict[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _OLD), data)
    return file.getvalue()


def _json(what: str, value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise GraphFileError(
            f"{what} can hold what JSON can: strings, numbers, lists and dictionaries ({error})"
        ) from error


def _variables(model: Model) -> Iterator[Var]:
    yield from model.function.inputs
    yield from model.function.constants
    for equation in model.function.equations:
        yield from equation.outputs


def _weight_names(constants: list[Var]) -> dict[Var, str]:
    """A name in the weights for each constant: its own where no other has it."""
    found: dict[str, Var] = {}
    for k, var in enumerate(constants):
        name = var.name if var.name and var.name not in found else f"constant.{k}"
        found[name] = var
    return {var: name for name, var in found.items()}


def _lines(model: Model, numbers: dict[Var, int], keys: dict[Var, str]) -> Iterator[dict[str, Any]]:
    function = model.function
    for var in function.inputs:
        yield {"input": numbers[var], **_described(var)}
    for var in function.constants:
        yield {"constant": numbers[var], **_described(var), "weight": keys[var]}
    place: dict[AnyEquation, int] = {}
    for k, equation in enumerate(function.equations):
        place[equation] = k
        yield {**_equation(equation, numbers, place, model), **_where(equation, model)}
    yield {"outputs": [numbers[var] for var in function.outputs]}


def _described(var: Var) -> dict[str, Any]:
    found = {"name": var.name, "shape": list(var.aval.shape), "dtype": dtype_text(var.aval.dtype)}
    return found if var.aval.format == "default" else {**found, "format": var.aval.format}


def _equation(
    equation: AnyEquation, numbers: dict[Var, int], place: dict[AnyEquation, int], model: Model
) -> dict[str, Any]:
    outputs = [{"id": numbers[v], **_described(v)} for v in equation.outputs]
    if not isinstance(equation, Equation):
        return {
            "gradient of": place[equation.of],
            "linearised": equation.linearised,
            "wrt": equation.wrt,
            "cotangents": [None if c is None else numbers[c] for c in equation.cotangents],
            "outputs": outputs,
        }
    name, casts = written(equation)
    attributes = {key: encoded(value) for key, value in equation.attributes.items()}
    inputs = [_operand(v, numbers, model) for v in equation.inputs]
    line: dict[str, Any] = {"op": name, "attributes": attributes, "inputs": inputs, "outputs": outputs}
    if casts is not None:
        line["casts"] = [None if c is None else dtype_text(np.dtype(c)) for c in casts]
    return line


def _operand(operand: Var | Scalar, numbers: dict[Var, int], model: Model) -> Any:
    if isinstance(operand, Var):
        return numbers[operand]
    if operand.kind == "f":
        return {"float": encoded(float(model.floats[operand.number]))}
    number = int(model.ints[operand.number])
    return {"bool": bool(number)} if operand.kind == "b" else {"int": number}


def _where(equation: AnyEquation, model: Model) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if name := model.names.get(equation):
        found["name"] = name
    if equation.scope:
        found["scope"] = list(equation.scope)
    if equation.source:
        found["source"] = equation.source
    return found
