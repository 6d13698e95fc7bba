"""PyTorch's files are read without PyTorch, which wrote them (tests/golden/record_pytorch.py)."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.module as M
from megengine.serialization import CheckpointError, RefusedError

FILES = Path(__file__).resolve().parent.parent / "golden" / "checkpoints" / "pytorch"
EXPECTED = json.loads((FILES / "expected.json").read_text())


def leaves(item: Any, path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(item, np.ndarray):
        yield path, item
    elif isinstance(item, dict | list | tuple):
        for key, value in item.items() if isinstance(item, dict) else enumerate(item):
            yield from leaves(value, f"{path}.{key}" if path else str(key))


@pytest.mark.parametrize("name", EXPECTED)
def test_tensors_of_pytorch(name: str) -> None:
    found = dict(leaves(mge.load(FILES / name)))
    expected = EXPECTED[name]
    assert found.keys() == expected.keys()
    for key, array in found.items():
        parts = np.stack([array.real, array.imag], -1) if array.dtype.kind == "c" else array
        assert array.dtype.name == expected[key]["dtype"] and list(array.shape) == expected[key]["shape"], key
        wanted = np.reshape(expected[key]["value"], parts.shape)
        np.testing.assert_array_equal(parts.astype("float64"), wanted, err_msg=key)


def test_pytorch_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert mge.load(FILES / "tensor.pt").shape == (3,)
    assert mge.load(io.BytesIO((FILES / "legacy.pth").read_bytes()))["epoch"] == 3


@pytest.mark.parametrize("name", ["views.pt", "legacy_views.pt"])
def test_views_share_memory(name: str) -> None:
    loaded = mge.load(FILES / name)
    loaded["base"][1, 2] = 77
    assert loaded["row"][2] == loaded["column"][1] == loaded["transposed"][2, 1] == loaded["again"][1, 2] == 77


@pytest.mark.parametrize("name", ["checkpoint.pt", "legacy.pth"])
def test_a_state_dict_of_pytorch_goes_into_modules(name: str) -> None:
    checkpoint = mge.load(FILES / name)
    assert checkpoint["epoch"] == 3 and checkpoint["size"] == (1, 2)
    linear = M.Linear(2, 2)
    linear.load_state_dict({key: checkpoint["model"][f"fc.{key}"] for key in ("weight", "bias")})
    np.testing.assert_array_equal(linear.weight.numpy(), EXPECTED[name]["model.fc.weight"]["value"])
    assert checkpoint["optimizer"]["param_groups"][0]["lr"] == 0.1


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("module.pt", RefusedError, r"torch\.nn\.modules\.linear\.Linear.*state_dict"),
        ("sparse.pt", RefusedError, "_rebuild_sparse_tensor"),
        ("torchscript.pt", CheckpointError, "TorchScript"),
    ],
)
def test_what_only_pytorch_reads(name: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=f"cannot load .*{name}.*{told}"):
        mge.load(FILES / name)


@pytest.mark.parametrize("name", ["state_dict.pth", "legacy.pth"])
def test_damaged_files_of_pytorch(name: str, tmp_path: Path) -> None:
    data = (FILES / name).read_bytes()
    path = tmp_path / name
    for kept in range(20, len(data) - 1, 97):
        path.write_bytes(data[:kept])
        with pytest.raises(CheckpointError, match=f"cannot load .*{name}"):
            mge.load(path)


def test_a_flipped_bit_in_a_tensor(tmp_path: Path) -> None:
    data = bytearray((FILES / "tensor.pt").read_bytes())
    data[data.index(np.float32(-0.625).tobytes())] ^= 1
    path = tmp_path / "x.pt"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"x\.pt.*checksum"):
        mge.load(path)


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match="it is a zip archive of readme.txt: unpack it"):
        mge.load(tmp_path / "x.zip")


def rewritten(change: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> io.BytesIO:
    """The file of one tensor, with the bytes of some members replaced."""
    file = io.BytesIO()
    with zipfile.ZipFile(FILES / "tensor.pt") as old, zipfile.ZipFile(file, "w", compression) as new:
        for info in old.infolist():
            new.writestr(info.filename, change.get(info.filename.partition("/")[2], old.read(info)))
    file.seek(0)
    return file


def test_archives_that_were_packed_again() -> None:
    assert mge.load(rewritten({}, zipfile.ZIP_DEFLATED)).tolist() == [-0.625, 0.25, -0.25]


def test_big_endian_storages() -> None:
    data = np.array([1, 2, 3], ">f4").tobytes()
    assert mge.load(rewritten({"byteorder": b"big", "data/0": data})).tolist() == [1, 2, 3]


def test_a_view_beyond_its_storage() -> None:
    with pytest.raises(CheckpointError, match="shorter than 3"):
        mge.load(rewritten({"data/0": bytes(8)}))
    with zipfile.ZipFile(FILES / "tensor.pt") as archive:
        pickled = archive.read("tensor/data.pkl")
    sizes = b"K\x00K\x03\x85"  # offset 0, shape (3,)
    assert sizes in pickled
    with pytest.raises(CheckpointError, match="beyond its storage"):
        mge.load(rewritten({"data.pkl": pickled.replace(sizes, b"K\x01K\x03\x85")}))


def test_attacks_in_files_of_pytorch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RefusedError, match=r"os\.system"):
        mge.load(rewritten({"data.pkl": b"cos\nsystem\n(X\x0d\x00\x00\x00touch touchedtR."}))
    assert not (tmp_path / "touched").exists()
