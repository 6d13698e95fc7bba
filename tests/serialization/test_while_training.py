"""What is saved while another thread trains is of one step, and a full disk says which file it could not take."""

from __future__ import annotations

import copy
import errno
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.module as M
from megengine import Parameter
from megengine._support import files
from megengine.autodiff import GradManager
from megengine.optimizer import SGD


class Steps(M.Module):
    """All parameters hold the same number, which each step lowers by one."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [Parameter(np.zeros((32, 32))) for _ in range(12)]

    def forward(self) -> mge.Tensor:
        return sum(part.sum() for part in self.parts)


def _in_memory(net: Steps, folder: Path) -> set[float]:
    file = io.BytesIO()
    mge.save(net, file)
    return {float(p.numpy()[0, 0]) for p in mge.load(io.BytesIO(file.getvalue()), allow=[Steps]).parts}


def _in_a_file(net: Steps, folder: Path) -> set[float]:
    mge.save(net, folder / "net.mge")
    return {float(p.numpy()[0, 0]) for p in mge.load(folder / "net.mge", allow=[Steps]).parts}


@pytest.mark.parametrize(
    "numbers",
    [
        lambda net, folder: {float(v[0, 0]) for v in net.state_dict().values()},
        lambda net, folder: {float(p.numpy()[0, 0]) for p in copy.deepcopy(net).parts},
        _in_memory,
        _in_a_file,
    ],
    ids=["state_dict", "deepcopy", "in memory", "in a file"],
)
def test_what_is_saved_is_of_one_step(numbers: Callable[[Steps, Path], set[float]], tmp_path: Path) -> None:
    net, saved = Steps(), threading.Event()
    manager, optimizer = GradManager().attach(net.parameters()), SGD(net.parameters(), lr=1.0)
    found: list[set[float]] = []

    def save() -> None:
        try:
            while len({n for numbers in found for n in numbers}) < 4:
                found.append(numbers(net, tmp_path))
        finally:
            saved.set()

    thread = threading.Thread(target=save)
    thread.start()
    while not saved.is_set():
        with manager:
            manager.backward(net())
        optimizer.step().clear_grad()
    thread.join()
    assert len(found) >= 4 and all(len(numbers) == 1 for numbers in found)


@pytest.mark.parametrize(
    "copied", [lambda o: o.state_dict()["state"], lambda o: copy.deepcopy(o)._state], ids=["state_dict", "deepcopy"]
)
def test_the_state_of_an_optimizer_is_of_one_step(copied: Callable[[SGD], dict[Any, Any]]) -> None:
    param = [Parameter(np.zeros(4)) for _ in range(8)]
    optimizer = SGD(param, lr=1.0, momentum=1.0)
    for p in param:
        p.grad = mge.Tensor(np.ones(4))
    ended, found = threading.Event(), []

    def train() -> None:
        while not ended.is_set():
            optimizer.step()

    thread = threading.Thread(target=train)
    thread.start()
    try:
        while len({n for numbers in found for n in numbers}) < 4:
            found.append({float(s["momentum_buffer"][0]) for s in copied(optimizer).values()})
    finally:
        ended.set()
        thread.join()
    assert all(len(numbers) == 1 for numbers in found)


@pytest.mark.parametrize("name", ["a.mge", "a.safetensors"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_a_full_disk_names_the_file_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    if name.endswith(".safetensors"):
        pytest.importorskip("safetensors")
    path = tmp_path / name
    mge.save({"x": np.zeros(9)}, path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match=f"cannot save to .*{name}: {os.strerror(code)}") as caught:
        mge.save({"x": np.ones(9)}, path)
    assert caught.value.errno == code
    monkeypatch.undo()
    assert path.read_bytes() == before and os.listdir(tmp_path) == [name]


def test_an_error_of_safetensors_is_one_of_the_system(tmp_path: Path) -> None:
    package = pytest.importorskip("safetensors")

    def full(arrays: object, name: str, metadata: object) -> None:
        raise package.SafetensorError("Error while serializing: I/O error: File too large (os error 27)")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("safetensors.numpy.save_file", full)
        with pytest.raises(OSError, match=r"cannot save to .*a.safetensors: File too large"):
            mge.save({"x": np.ones(9)}, tmp_path / "a.safetensors")
    assert os.listdir(tmp_path) == []
