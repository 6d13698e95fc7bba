"""Checkpoints: whole, damaged, or something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import megengine
from megengine.tools.errors import UserError
from megengine.tools.train.checkpoint import Checkpoint, find_checkpoint


@pytest.fixture
def checkpoint() -> Checkpoint:
    weight = np.arange(6, dtype="float32").reshape(2, 3)
    optimizer = {"param_groups": [{"lr": 0.1, "params": [0]}], "state": {0: {"momentum_buffer": weight * 2}}}
    return Checkpoint(
        2,
        {"model": "mlp", "hidden": [4]},
        {"fc.weight": weight},
        optimizer,
        {"steps": [(0, 0, 1.5, 0.5)], "epochs": []},
    )


def test_what_was_saved_is_loaded(tmp_path: Path, checkpoint: Checkpoint) -> None:
    checkpoint.save(tmp_path / "checkpoint.mge")
    loaded = Checkpoint.load(find_checkpoint(str(tmp_path)))
    np.testing.assert_array_equal(loaded.model["fc.weight"], checkpoint.model["fc.weight"])
    np.testing.assert_array_equal(
        loaded.optimizer["state"][0]["momentum_buffer"], checkpoint.optimizer["state"][0]["momentum_buffer"]
    )
    assert (loaded.epochs_done, loaded.options, loaded.history) == (2, checkpoint.options, checkpoint.history)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_file_is_refused(tmp_path: Path, checkpoint: Checkpoint, share: float) -> None:
    path = tmp_path / "checkpoint.mge"
    checkpoint.save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match=r"checkpoint\.mge is damaged"):
        Checkpoint.load(path)


def test_any_changed_byte_of_the_arrays_is_noticed(tmp_path: Path, checkpoint: Checkpoint) -> None:
    path = tmp_path / "checkpoint.mge"
    checkpoint.save(path)
    data = bytearray(path.read_bytes())
    place = bytes(data).find(checkpoint.model["fc.weight"].tobytes())
    assert place > 0
    data[place + 9] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"checkpoint\.mge is damaged"):
        Checkpoint.load(path)


@pytest.mark.parametrize("content", [b"hello", b"\x80\x04N.", bytes(100)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.mge"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"checkpoint\.mge"):
        Checkpoint.load(path)


def test_a_saved_state_dict_is_not_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "model.mge"
    megengine.save({"fc.weight": np.zeros(3)}, str(path))
    with pytest.raises(UserError, match="not a checkpoint of this version"):
        Checkpoint.load(path)


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no checkpoint .*checkpoint\.mge"):
        find_checkpoint(str(tmp_path))
    with pytest.raises(UserError, match="nowhere"):
        find_checkpoint(str(tmp_path / "nowhere"))
