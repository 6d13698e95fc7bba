"""Graph files: what is written is read again, and whatever is wrong with a file is told."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor
from megengine.graph.device import resolve
from megengine.graph.exchange import GraphFileError, Model, decode, encode, writing
from megengine.graph.exchange.attributes import decoded, encoded
from megengine.graph.exchange.table import by_name
from megengine.graph.exchange.weights import pack, unpack
from megengine.graph.infer import infer
from megengine.graph.ir import Equation, Function, Scalar, Var
from megengine.graph.value import aval
from megengine.jit import trace
from megengine.ops import elemwise, index
from megengine.ops.op import Op
from megengine.ops.quantized import Key

FLOAT = np.dtype(np.float32)


def small() -> bytes:
    weight = Tensor(np.eye(2, dtype=np.float32))
    function = trace(lambda x: F.relu(x @ weight)[:, 0:1] * 2.0, symbolic=True, capture_as_const=True)
    function(Tensor(np.ones((3, 2), np.float32)))
    file = io.BytesIO()
    function.dump(file, keep_opr_name=True, user_info={"a": 1})
    return file.getvalue()


def test_function_with_numbers_and_constants() -> None:
    x, w = Var(aval((2, 3), FLOAT), "x"), Var(aval((3,), FLOAT), "w")
    add = infer(elemwise.add, (), (x.aval, w.aval))
    y = Var(add.avals[0])
    mul = infer(elemwise.mul, (), (y.aval, "i"))
    z = Var(mul.avals[0], "z")
    equations = [
        Equation(add, (x, w), (y,), source="a.py:3", scope=("net", "fc")),
        Equation(mul, (y, Scalar("i", 1)), (z,)),
    ]
    constants = {w: np.float32([1, 2, 3])}
    function = Function([x], equations, [z, y], 0, 2, constants=constants, device=resolve(None)).verify()
    model = decode(encode(Model(function, ints=[5, 7], names={equations[1]: "scale"}, metadata={"k": [1, None]})))
    read = model.function.verify()
    assert str(read).replace("i0", "i1") == str(function)  # numbers that nothing reads are not kept
    assert model.ints == [7] and model.metadata == {"k": [1, None]} and model.names == {read.equations[1]: "scale"}
    assert (read.equations[0].source, read.equations[0].scope) == ("a.py:3", ("net", "fc"))
    (held,) = read.constants.values()
    np.testing.assert_array_equal(held, [1, 2, 3])


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 2.5, float("inf"), "text", (), (1, (2.0, "a")), slice(None, 2, -1), Ellipsis, np.dtype("int32"),
        np.dtype("bfloat16"), np.float32(0.25), np.int32(-7), 1 + 2j, Key("QuantizedS8", 0.5, 0), (slice(1, None), None, ...),
    ],
    ids=repr,
)  # fmt: skip
def test_attributes(value: Any) -> None:
    again = decoded(json.loads(json.dumps(encoded(value), allow_nan=False)))
    assert again == value and type(again) is type(value)


def test_attributes_without_a_form_are_refused() -> None:
    with pytest.raises(GraphFileError, match="type object cannot be kept"):
        encoded(object())
    with pytest.raises(GraphFileError, match="kind 'lambda'"):
        decoded({"lambda": "x"})


@pytest.mark.parametrize(
    "name", ["float32", "float16", "bfloat16", "int32", "int16", "int8", "uint8", "uint16", "bool", "complex64"]
)
def test_weights_of_each_dtype(name: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(np.dtype(name))
    arrays = {"a": array, "empty": np.zeros((0, 2), np.float32), "scalar": np.float32(3)}
    read = unpack(pack(arrays))
    assert list(read) == list(arrays)
    for key, value in arrays.items():
        assert read[key].dtype == value.dtype and read[key].shape == value.shape
        np.testing.assert_array_equal(read[key], value)


def test_every_op_of_the_table_has_a_name_of_its_own() -> None:
    ops = by_name()
    assert len(ops) > 150 and ops["getitem"] is index.getitem
    assert all(op.name == name for name, op in ops.items())


def test_an_op_that_is_not_of_the_table_is_refused() -> None:
    x = Var(aval((2,), FLOAT))
    own = Op("mine", lambda a: a + 1)
    signature = infer(own, (), (x.aval,))
    y = Var(signature.avals[0])
    with pytest.raises(GraphFileError, match="mine .* is no op of the table"):
        encode(Model(Function([x], [Equation(signature, (x,), (y,))], [y])))


def test_every_changed_byte_is_told_or_changes_nothing() -> None:
    whole = small()
    expected = str(decode(whole).function)
    told = 0
    for place in range(len(whole)):
        changed = whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]
        try:
            assert str(decode(changed).function) == expected
        except GraphFileError:
            told += 1
    assert told > len(whole) / 2


def test_every_cut_is_told() -> None:
    whole = small()
    for length in range(0, len(whole), 7):
        with pytest.raises(GraphFileError):
            decode(whole[:length])
    assert str(decode(whole + b"more").function) == str(decode(whole).function)


def repacked(change: Any, **settings: Any) -> bytes:
    """A file whose graph was changed by hand."""
    archive = zipfile.ZipFile(io.BytesIO(small()))
    entries = {n: archive.read(n) for n in archive.namelist() if n != "format.json"}
    entries["graph.jsonl"] = change(entries["graph.jsonl"])
    length = len(writing._zipped({"format.json": writing._front(0, 1), **entries}))
    return writing._zipped({"format.json": writing._front(length, 1), **entries})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"op": "relu"', b'"op": "relu9"', "op 'relu9', which this version does not have"),
        (b'"attributes": {}', b'"attributes": {"slope": 1}', "no attribute 'slope'"),
        (b'{"outputs": [', b'{"returns": [', "a line of a kind"),
        (b'"dtype": "float32"', b'"dtype": "float33"', "float33"),
        (b'"shape": [3, 1]', b'"shape": [3, 9]', "damaged"),
        (b'{"outputs": [', b'{"outputs": [99, ', "damaged"),
    ],
)
def test_what_a_newer_version_may_write(old: bytes, new: bytes, message: str) -> None:
    with pytest.raises(GraphFileError, match=message):
        decode(repacked(lambda text: text.replace(old, new)))


def test_compressed_files_are_refused() -> None:
    archive = zipfile.ZipFile(io.BytesIO(small()))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in archive.namelist():
            packed.writestr(
                name, archive.read(name), zipfile.ZIP_STORED if name == "format.json" else zipfile.ZIP_DEFLATED
            )
    data = file.getvalue()
    with pytest.raises(GraphFileError, match="truncated|compressed"):
        decode(data)
    padded = data.replace(b'"bytes": "%016d"' % len(small()), b'"bytes": "%016d"' % len(data))
    with pytest.raises(GraphFileError):
        decode(padded)
