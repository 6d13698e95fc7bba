"""Files that are no checkpoints, or parts of some: the error says what they look like and what to do."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor
from megengine.optimizer import SGD, Adam
from megengine.serialization import CheckpointError, RefusedError

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"


def npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.arange(3))
    return out.getvalue()


def npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, a=np.arange(3), b=np.ones(2))
    return out.getvalue()


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return out.getvalue()


def tarred(*names: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            archive.addfile(info, io.BytesIO())
    return out.getvalue()


FILES: dict[str, tuple[bytes, str]] = {
    "page.pkl": (b"<!DOCTYPE html>\n<html><title>404</title></html>", "it is a web page"),
    "late page.mge": (b"\xef\xbb\xbf\r\n  <HTML lang='en'>", "it is a web page"),
    "fragment.pkl": (b"<head><meta charset='utf-8'></head>", "it is a web page"),
    "error.pkl": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "it is an XML document"),
    "answer.pkl": (b"HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\n", "it is a server's answer"),
    "pointer.mge": (LFS, "it is a Git LFS pointer.* run `git lfs install` and `git lfs pull`"),
    "model.onnx": (
        b"\x08\x07\x12\x07pytorch\x1a\x051.9.0:\xde\x01",
        "it is an ONNX model: read it with the onnx package",
    ),
    "renamed.pkl": (b"\x08\x08:\x9a\x02\n\x0b", "it is an ONNX model"),
    "array.npy": (npy(), r"it is a NumPy array \(.npy\): read it with numpy.load"),
    "renamed.mge": (npy(), "it is a NumPy array"),
    "arrays.npz": (npz(), r"it is an archive of NumPy arrays \(.npz\): read it with numpy.load"),
    "model.zip": (
        zipped("model.mge", "readme.md"),
        "it is a zip archive of model.mge, readme.md: unpack it with `unzip",
    ),
    "model.keras": (zipped("config.json", "model.weights.h5"), "it is a Keras model"),
    "model.tar": (tarred("out/model.mge"), "it is a tar archive of out/model.mge: unpack it with `tar xf"),
    "model.tar.gz": (gzip.compress(tarred("model.mge")), "it is compressed with gzip: unpack it with `gunzip"),
    "model.mge.gz": (gzip.compress(pickle.dumps({})), "it is compressed with gzip"),
    "model.bz2": (bz2.compress(b"x"), "it is compressed with bzip2"),
    "model.xz": (lzma.compress(b"x"), "it is compressed with xz"),
    "settings.json": (json.dumps({"lr": 0.1}).encode(), r"it is a JSON file: read it with json.load"),
    "list.json": (b"\n[1, 2]", "it is a JSON file"),
    "graph.mge": (
        b"\x8c\x03\0\0\x1c\0\0\0mgv2\x14\0 \0" + b"\0" * 50,
        r"it is a graph that MegEngine's trace.dump\(\) wrote",
    ),
    "old graph.mge": (b"MGBC" + b"\0" * 60, r"it is a graph that MegEngine's trace.dump\(\) wrote"),
    "tested graph.mge": (b"mgbtest0\x01\0\0\0", r"it is a graph that MegEngine's trace.dump\(\) wrote"),
    "weights.h5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 50, "it is an HDF5 file, such as Keras writes"),
    "model.tflite": (b"\x1c\0\0\0TFL3" + b"\0" * 30, "it is a TensorFlow Lite model"),
    "frozen.pb": (b"\n\x0f\n\x05input\x12\x0bPlaceholder", "it is a file of another framework, by its name"),
    "cat.png": (b"\x89PNG\r\n\x1a\n\0", "it is a picture"),
    "train.py": (b"import megengine as mge\nclass Net: pass\n", "it is a Python program"),
    "model.yaml": (b"model: resnet\nlr: 0.1\n", "it is a text file that begins with 'model: resnet'"),
    "zeros.mge": (bytes(2000), "it begins with zeros only of 2000 bytes.*get it again"),
    "empty.mge": (b"", "the file is empty"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("opened", [False, True], ids=["path", "file"])
def test_what_a_file_looks_like(name: str, opened: bool, tmp_path: Path) -> None:
    content, message = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    if not content and opened:
        message = "truncated, damaged or no checkpoint"
    with pytest.raises(CheckpointError, match=f"(?s)cannot load .*{name}: .*{message}") as caught:
        if opened:
            with open(path, "rb") as file:
                megengine.load(file)
        else:
            megengine.load(str(path))
    assert "allow" not in str(caught.value)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda folder: None, "it is an empty folder"),
        (lambda folder: (folder / "model.mge").touch(), "it is a folder: name a file in it, such as model.mge"),
        (lambda folder: (folder / "saved_model.pb").touch(), "it is a folder, a SavedModel of TensorFlow"),
        (lambda folder: (folder / "notes").touch(), "it is a folder: name a file"),
    ],
)
def test_folders(made: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    made(tmp_path)
    with pytest.raises(IsADirectoryError, match=f"cannot load {tmp_path}: {message}"):
        megengine.load(tmp_path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_parts_of_a_checkpoint(part: float, tmp_path: Path) -> None:
    megengine.save({"weight": Tensor(np.arange(1000, dtype="float32")), "step": 3}, tmp_path / "whole.mge")
    whole = (tmp_path / "whole.mge").read_bytes()
    (tmp_path / "part.mge").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(
        CheckpointError, match=r"part.mge: it begins as a checkpoint of \d+ bytes and ends too early: .* get it again"
    ):
        megengine.load(tmp_path / "part.mge")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("state_dict.pth", "it begins as a zip archive of .* whose end is missing"),
        ("legacy.pth", "it begins as a checkpoint of .* and ends too early"),
    ],
)
def test_parts_of_pytorchs_files(name: str, message: str, tmp_path: Path) -> None:
    whole = (Path(__file__).parent.parent / "golden/checkpoints/pytorch" / name).read_bytes()
    (tmp_path / "whole.bin").write_bytes(whole)  # the name does not matter
    loaded = megengine.load(tmp_path / "whole.bin")
    assert "conv.weight" in loaded.get("model", loaded)
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=f"{name}: {message}"):
        megengine.load(tmp_path / name)


def test_safetensors_under_another_name_and_in_part(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    megengine.save({"w": np.arange(3.0)}, tmp_path / "a.safetensors")
    whole = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.pkl").write_bytes(whole)
    np.testing.assert_array_equal(megengine.load(tmp_path / "a.pkl")["w"], np.arange(3.0))
    (tmp_path / "b.pkl").write_bytes(whole[:-5])
    with pytest.raises(
        CheckpointError, match="b.pkl: truncated, damaged or no safetensors file: if it is one, get it again"
    ):
        megengine.load(tmp_path / "b.pkl")


@pytest.mark.parametrize("protocol", [0, 1, 2, 5])
def test_pickles_of_all_protocols_are_loaded_or_refused_as_such(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"a": [1, 2.5, "x"]}, protocol))
    assert megengine.load(tmp_path / "plain.pkl") == {"a": [1, 2.5, "x"]}
    (tmp_path / "code.pkl").write_bytes(pickle.dumps(io.StringIO, protocol))
    with pytest.raises(RefusedError, match="_io.StringIO|io.StringIO"):
        megengine.load(tmp_path / "code.pkl")


# state dicts


class Net(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = M.Linear(2, 3)
        self.second = M.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.relu(self.first(x)))


def state(prefix: str = "") -> dict[str, Any]:
    return {prefix + key: value + 1 for key, value in Net().state_dict().items()}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (lambda: {"epoch": 3, "state_dict": state()}, KeyError, r"one level further in: pass its \['state_dict'\]"),
        (lambda: {"net": {"ema": state()}}, KeyError, r"pass its \['net'\]\['ema'\]"),
        (lambda: state("module."), KeyError, r"the names in the dict begin with 'module.': take that off"),
        (lambda: M.Linear(2, 3).state_dict(), KeyError, r"the names in the dict lack 'first.': put that before them"),
        (lambda: SGD([Parameter([1.0])], lr=0.1).state_dict(), KeyError, "the dict is the state of an optimizer"),
        (dict, KeyError, r"missing=\['first.bias'"),
        (Net, ValueError, r"must load a dict or callable, got .*Net.*: pass its state_dict\(\)"),
        (lambda: "model.mge", ValueError, r"pass what megengine.load\('model.mge'\) returns"),
        (lambda: list(state().items()), ValueError, "pass a dict of these pairs"),
        (lambda: None, ValueError, "must load a dict or callable"),
        (lambda: {k: Tensor(v) for k, v in state().items()}, AssertionError, r"array, got Tensor; pass its numpy\(\)"),
        (lambda: state() | {"second.bias": np.zeros(5, "float32")}, ValueError, "param `second.bias` shape mismatch"),
        (lambda: state() | {"second.bias": None}, KeyError, r"missing=\['second.bias'\]"),
    ],
)  # fmt: skip
def test_what_is_no_state_dict_of_the_module_changes_nothing(given: Any, error: Any, message: str) -> None:
    net = Net()
    before = {key: value.copy() for key, value in net.state_dict().items()}
    with pytest.raises(error, match=message):
        net.load_state_dict(given())
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_a_mapping_of_another_kind_is_a_state_dict() -> None:
    from types import MappingProxyType

    net = Net()
    wanted = state()
    net.load_state_dict(MappingProxyType(wanted))
    np.testing.assert_array_equal(net.first.weight.numpy(), wanted["first.weight"])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (lambda old: {"epoch": 3, "optimizer": old}, KeyError, r"pass its \['optimizer'\]"),
        (lambda old: state(), KeyError, r"with 'param_groups' and 'state', not a dict of 'first.bias'"),
        (lambda old: {"param_groups": old["param_groups"]}, KeyError, "'param_groups' and 'state'"),
        (lambda old: None, TypeError, "takes what state_dict.* returned, not a NoneType"),
        (lambda old: [old], TypeError, "not a list"),
    ],
)
def test_what_is_no_state_dict_of_the_optimizer_changes_nothing(given: Any, error: Any, message: str) -> None:
    optimizer = Adam([Parameter([1.0, 2.0])], lr=0.1)
    before = pickle.dumps(optimizer.state_dict())
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(given(Adam([Parameter([1.0, 2.0])], lr=0.5).state_dict()))
    assert pickle.dumps(optimizer.state_dict()) == before
