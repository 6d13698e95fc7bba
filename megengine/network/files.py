"""Networks in files: read, written, and what MegEngine tells of a file that it wrote."""

from __future__ import annotations

import collections
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._support.files import replacing
from ..graph.exchange import GraphFileError, Model, decode, encode
from ..graph.ir import Equation
from .naming import tell_apart

CompGraphDumpResult = collections.namedtuple(
    "CompGraphDumpResult",
    ["nr_opr", "tot_bytes", "tensor_value_bytes", "content_hash", "inputs", "outputs", "params"],
)


def read(file: Any) -> Model:
    """The graph in a file, given by its path or open at its beginning.

    Raises:
        GraphFileError: it is no graph, is damaged, or was written by a newer version.
        OSError: it cannot be read.
    """
    if isinstance(file, (str, os.PathLike)):
        with open(file, "rb") as opened:
            return _decoded(opened.read(), os.fspath(file))
    data = file.read()
    return _decoded(data, getattr(file, "name", ""))


def _decoded(data: bytes, name: Any) -> Model:
    try:
        model = _model(data)
    except GraphFileError as error:
        if name:
            error.add_note(f"in the file {name}")
        raise
    tell_apart(model.function)
    return model


def _model(data: bytes) -> Model:
    if data[:2] == b"PK":
        return decode(data)
    from . import mge  # only who reads MegEngine's files waits for its operators

    return mge.load(data) if mge.is_mge(data[:16]) else decode(data)


def write(model: Model, file: Any, append: bool = False) -> tuple[int, str]:
    """Write a graph to a path, where it takes the place of an old file at once, or to an open file; its length and hash."""
    data = encode(model)
    if not isinstance(file, (str, os.PathLike)):
        file.write(data)
    elif append:
        with open(file, "ab") as opened:
            opened.write(data)
    else:
        with replacing(os.fspath(file)) as opened:
            opened.write(data)
    return len(data), hashlib.sha256(data).hexdigest()


def info(model: Model, length: int, digest: str) -> Any:
    """What MegEngine tells of a graph that was written."""
    function = model.function
    numbers = {o for e in function.equations if isinstance(e, Equation) for o in e.inputs if isinstance(o, tuple)}
    count = len(function.inputs) + len(function.constants) + len(function.equations) + len(numbers)
    weights = sum(np.asarray(a).nbytes for a in function.constants.values())
    inputs, outputs = [v.name for v in function.inputs], [v.name for v in function.outputs]
    params = [v.name for v in function.constants if v.name]
    return CompGraphDumpResult(count, length, weights, int(digest[:16], 16), inputs, outputs, params)


def strip_info(model: Model, file: Any, digest: str, append: bool) -> None:
    """Write, as JSON, which ops and dtypes a graph uses, for who builds a runtime with those only."""
    used: dict[str, Any] = {
        "opr_types": sorted({e.name for e in model.function.equations}),
        "dtypes": sorted({v.aval.dtype.name for e in model.function.equations for v in e.outputs}),
    }
    if isinstance(file, (str, os.PathLike)):
        before = ""
        if append and os.path.exists(file):
            with open(file) as opened:
                before = opened.read()
        with replacing(os.fspath(file)) as target:
            target.write(json.dumps({**_joined(before, used), "hash": digest}).encode())
        return
    before = file.read() if append else ""
    file.seek(0)
    file.truncate()
    file.write(json.dumps({**_joined(before, used), "hash": digest}))


def _joined(before: str, used: Mapping[str, Any]) -> dict[str, Any]:
    known = json.loads(before) if before.strip() else {}
    return {key: sorted({*known.get(key, ()), *values}) for key, values in used.items()}


def strip_names(model: Model, keep_var_name: int, keep_opr_name: bool, keep_param_name: bool) -> None:
    """Leave out the names that are not asked for; those of inputs stay, and outputs are numbered.

    Args:
        model: the graph; it is changed.
        keep_var_name: 0 for no names of variables, 1 for those of outputs and parameters, 2 for all.
        keep_opr_name: also names and source lines of operators.
        keep_param_name: names of parameters in any case.
    """
    function = model.function
    outputs = set(function.outputs)
    for equation in function.equations:
        for var in equation.outputs:
            if keep_var_name < (1 if var in outputs else 2):
                var.name = ""
        if not keep_opr_name:
            equation.source, equation.scope = "", ()
    if keep_var_name < 1 and not keep_param_name:
        for var in function.constants:
            var.name = ""
    if not keep_opr_name:
        model.names = {}
    tell_apart(function)
