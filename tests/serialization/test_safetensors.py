"""safetensors files, both ways."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import megengine as mge
import megengine.module as M
from megengine import Parameter, Tensor
from megengine.serialization import CheckpointError

safetensors = pytest.importorskip("safetensors.numpy")

STATE = {
    "float32": np.arange(6, dtype="float32").reshape(2, 3), "float16": np.ones(3, "float16"), "int64": np.arange(3),
    "bool": np.array([True, False]), "scalar": np.array(2.5), "empty": np.zeros((0, 2), "int8"),
    "bfloat16": np.arange(4).astype(ml_dtypes.bfloat16), "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(10)[::3], "big_endian": np.arange(3, dtype=">i4"), "complex64": np.array([1j], "complex64"),
    "float8": np.arange(3).astype(ml_dtypes.float8_e4m3fn),
}  # fmt: skip


@pytest.mark.parametrize("given", ["path", "file", "bytes"])
def test_there_and_back(given: str, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    mge.save(STATE, path)
    if given == "path":
        loaded = mge.load(path)
    else:
        with open(path, "rb") as file:
            loaded = mge.load(file if given == "file" else io.BytesIO(file.read()))
    assert loaded.keys() == STATE.keys()
    for name, array in STATE.items():
        assert loaded[name].dtype == array.dtype.newbyteorder("=") and loaded[name].shape == array.shape, name
        np.testing.assert_array_equal(loaded[name], array, err_msg=name)
        loaded[name][...] = 0  # they can be written


def test_others_read_ours_and_the_other_way_round(tmp_path: Path) -> None:
    net = M.Linear(3, 2)
    mge.save(net.state_dict(), str(tmp_path / "x.safetensors"))
    np.testing.assert_array_equal(safetensors.load_file(tmp_path / "x.safetensors")["weight"], net.weight.numpy())
    safetensors.save_file({"weight": np.ones((2, 3), "f4"), "bias": np.zeros(2, "f4")}, tmp_path / "theirs.bin")
    net.load_state_dict(mge.load(tmp_path / "theirs.bin"))
    assert net(Tensor([[1.0, 2.0, 3.0]])).numpy().tolist() == [[6, 6]]


def test_tensors_and_parameters_come_back_as_arrays(tmp_path: Path) -> None:
    mge.save({"x": Tensor([1.5], dtype="bfloat16"), "y": Parameter([[2]])}, tmp_path / "x.safetensors")
    loaded = mge.load(tmp_path / "x.safetensors")
    assert loaded["x"].dtype == ml_dtypes.bfloat16 and loaded["x"] == 1.5 and loaded["y"].tolist() == [[2]]


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ([np.zeros(3)], "not a list"),
        ({"a": {"b": np.zeros(3)}}, "'a' is a dict"),
        ({"epoch": 3}, "'epoch' is a int"),
        ({3: np.zeros(3)}, "not 3"),
        ({"a": np.array(["x"])}, "no dtype for 'a'"),
        ({"a": np.zeros(1, "complex128")}, "no dtype for 'a'"),
        ({"q": np.zeros(1, np.dtype("i1", metadata={"mgb_dtype": {"name": "QuantizedS8"}}))}, "no dtype for 'q'"),
    ],
)
def test_what_it_cannot_hold(state: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        mge.save(state, tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    mge.save(STATE, path)
    data = path.read_bytes()
    for kept in (20, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:kept])
        with pytest.raises(CheckpointError, match=r"cannot load .*x\.safetensors"):
            mge.load(path)
        with pytest.raises(CheckpointError, match="cannot load"):
            mge.load(io.BytesIO(data[:kept]))


def test_an_unfinished_write_leaves_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    mge.save({"a": np.zeros(3)}, path)

    def fails(*args: Any, **options: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(safetensors, "save_file", fails)
    with pytest.raises(OSError, match="disk full"):
        mge.save({"a": np.ones(3)}, path)
    assert mge.load(path)["a"].tolist() == [0, 0, 0] and len(list(tmp_path.iterdir())) == 1


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    mge.save({"a": np.zeros(3)}, path)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for call in (lambda: mge.load(path), lambda: mge.save({"a": np.ones(1)}, path)):
        with pytest.raises(ImportError, match=r"megengine-xla\[safetensors\]"):
            call()
