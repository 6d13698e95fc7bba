"""Folders with the parts of tensors; several devices are in tests/distributed/test_sharding.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine.module as M
from megengine import Tensor
from megengine.core.tensor import dtype
from megengine.optimizer import Adam
from megengine.serialization import CheckpointError, load_sharded, save_sharded


def test_a_state_comes_back(tmp_path: Path) -> None:
    net = M.Sequential(M.Linear(3, 4), M.BatchNorm1d(4))
    optimizer = Adam(net.parameters(), lr=0.1)
    state: dict[str, Any] = {
        "net": net.state_dict(keep_var=True),
        "optimizer": optimizer.state_dict(keep_var=True),
        "other": [1, 2.5, None, "text", True, (np.arange(3), Tensor(np.zeros((0, 2), np.uint8)))],
        7: Tensor(2.0).astype("float16"),
        "half": Tensor([1.0, 2.0]).astype(dtype.bfloat16),
    }
    save_sharded(state, tmp_path / "a" / "b")
    found = load_sharded(tmp_path / "a" / "b")
    assert found["other"][:5] == state["other"][:5] and found["other"][5][0].tolist() == [0, 1, 2]
    assert (found["other"][5][1].shape, found["other"][5][1].dtype) == ((0, 2), np.uint8)
    assert found[7].dtype == np.float16 and found[7].item() == 2 and found["half"].dtype == dtype.bfloat16
    new = M.Sequential(M.Linear(3, 4), M.BatchNorm1d(4))
    new.load_state_dict(found["net"])
    Adam(new.parameters(), lr=0.5).load_state_dict(found["optimizer"])
    for one, two in zip(net.tensors(), new.tensors(), strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_the_old_one_is_there_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_sharded({"x": Tensor([1.0])}, tmp_path)
    with pytest.raises(TypeError, match=r"cannot hold state\['y'\]\[0\], a object"):
        save_sharded({"x": Tensor([2.0]), "y": [object()]}, tmp_path)

    def fails(*_: Any, **__: Any) -> None:
        raise OSError("no space")

    with monkeypatch.context() as full:
        full.setattr("megengine.serialization.sharded.json.dumps", fails)
        with pytest.raises(OSError, match="no space"):
            save_sharded({"x": Tensor([2.0])}, tmp_path)
    assert load_sharded(tmp_path)["x"].item() == 1
    save_sharded({"x": Tensor([3.0])}, tmp_path)
    assert load_sharded(tmp_path)["x"].item() == 3 and len(list(tmp_path.iterdir())) == 2


def test_what_is_no_whole_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_sharded(tmp_path)
    save_sharded({"x": Tensor(np.ones((4, 4), np.float32))}, tmp_path)
    (part,) = tmp_path.glob("part-*")
    index = json.loads((tmp_path / "index.json").read_text())
    data = part.read_bytes()
    for change in (data[:40], data[:-1], b"", None):
        part.unlink() if change is None else part.write_bytes(change)
        with pytest.raises(CheckpointError, match="no whole sharded checkpoint"):
            load_sharded(tmp_path)
    part.write_bytes(data)
    for key, value, words in (("version", 2, "newer release"), ("format", "x", "format is 'x'"), ("tensors", [], "whole")):
        (tmp_path / "index.json").write_text(json.dumps({**index, key: value}))
        with pytest.raises(CheckpointError, match=words):
            load_sharded(tmp_path)
    index["tensors"][0]["pieces"][0][3] = [3, 4]
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="4 elements of a tensor"):
        load_sharded(tmp_path)
