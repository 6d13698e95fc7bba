"""Operators that no file of `tests/golden/dumps.tar.xz` has, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from megengine.graph.exchange import GraphFileError
from megengine.network.conversion import to_model
from megengine.network.mge.building import Builder
from megengine.network.mge.container import Container, Operator
from megengine.network.mge.dtypes import FileDtype, Kept
from megengine.network.mge.schema import Param
from megengine.network.running import Runnable
from megengine.tensor import Tensor

FLOAT = FileDtype("float32")
X = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2) % 5 - 2


def operator(kind: str, params: list[Param], inputs: list[int], **rest: Any) -> Operator:
    return Operator(kind, "", params, inputs, dtype=FileDtype(""), **rest)


def run(op: Operator, *others: Any) -> Any:
    """What an operator makes of an input ``X`` and of constants."""
    builder = Builder()
    builder.add(operator("Host2DeviceCopy", [], [], tensors=[Kept("x", X.shape, FLOAT, None)]))
    for other in others:
        held = Kept("", other.shape, FileDtype(other.dtype.name), other)
        builder.add(operator("SharedDeviceTensor", [], [], tensors=[held]))
    builder.add(op)
    model = to_model(builder.outputs(Container([], [(1 + len(others), "y")], None)), builder.inputs)
    return Runnable(model)([Tensor(X) for _ in model.function.inputs])[0].numpy()


CASES: dict[str, tuple[Param, list[Any], Any]] = {
    "Copy": (Param("Empty", {}), [], X),
    "VirtualDep": (Param("Empty", {}), [np.float32([1, 2])], X),
    "Fill": (Param("Fill", {"value": 2.5}), [np.int32([2, 3])], np.full((2, 3), 2.5)),
    "FillLike": (Param("Fill", {"value": 2.5}), [], np.full(X.shape, 2.5)),
    "Flip": (Param("Flip", {"vertical": True, "horizontal": False}), [], X[:, ::-1]),
    "RelayoutFormat": (Param("RelayoutFormat", {"mode": "NCHW_NHWC"}), [], X.transpose(0, 2, 3, 1)),
    "MaskedFill": (Param("Fill", {"value": 9.0}), [X > 0], np.where(X > 0, 9, X)),
    "Where": (Param("Empty", {}), [], None),
    "NonZero": (Param("Empty", {}), [], np.stack(np.nonzero(X))),
    "Cross": (Param("Cross", {"axisa": 1, "axisb": 1, "axisc": 1}), [X[::-1].copy()], np.cross(X, X[::-1], axis=1)),
}


@pytest.mark.parametrize("kind", CASES)
def test_numbers(kind: str) -> None:
    param, others, expected = CASES[kind]
    inputs = [0, *range(1, 1 + len(others))]
    if kind == "Where":
        others, inputs, expected = [X > 0, X * 2], [1, 0, 2], np.where(X > 0, X, X * 2)
    if kind == "Fill":
        inputs = [1]
    np.testing.assert_allclose(run(operator(kind, [param], inputs), *others), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (operator("UniformRNG", [], [0]), "UniformRNG is an operator that megengine-xla does not read"),
        (operator("RelayoutFormat", [Param("RelayoutFormat", {"mode": "NCHW_NCHW88"})], [0]), "the mode NCHW_NCHW88"),
        (operator("ElemwiseMultiType", [Param("ElemwiseMultiType", {"mode": "QADD"})], [0, 0]), "QADD"),
        (operator("Reshape", [Param("OptionalAxisV1", {"axis": 7})], [0, 0]), "a shape that depends on numbers"),
        (operator("Softmax", [], [0]), "without its parameters, Softmax"),
        (operator("Dimshuffle", [Param("Dimshuffle", {"pattern": [0, 1]})], [0]), "Dimshuffle cannot be read"),
        (operator("Copy", [], [7]), "reads variable 7 before it is computed"),
    ],
)
def test_what_is_not_read_is_named(op: Operator, message: str) -> None:
    with pytest.raises(GraphFileError, match=message):
        run(op)
