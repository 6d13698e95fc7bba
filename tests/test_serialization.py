"""save and load: what comes back, where it goes, damaged files, files of MegEngine, and writes that fail."""

from __future__ import annotations

import io
import os
import pickle
import stat
import sys
import tempfile
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import megengine as mge
import megengine.module as M
import megengine.optimizer as optim
from megengine import Parameter, Tensor
from megengine.serialization import CheckpointError

CHECKPOINTS = Path(__file__).resolve().parent / "golden" / "checkpoints"

leaves = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=3),
    st.lists(st.floats(-5, 5, width=32), max_size=4).map(lambda v: Tensor(np.array(v, "float32"))),
    st.lists(st.integers(-5, 5), max_size=4).map(lambda v: Parameter(np.array(v, "int32"))),
    st.lists(st.floats(-5, 5), max_size=4).map(np.array),
)
states = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3) | st.tuples(inner)
    ),
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor | np.ndarray):
        return (
            type(a) is type(b)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and np.array_equal(np.asarray(a), np.asarray(b))
        )
    if isinstance(a, dict):
        return type(a) is type(b) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b


@given(state=states, protocol=st.integers(2, pickle.HIGHEST_PROTOCOL))
def test_nested_state_comes_back(state: Any, protocol: int) -> None:
    file = io.BytesIO()
    mge.save(state, file, pickle_protocol=protocol)
    file.seek(0)
    assert same(mge.load(file), state)


@pytest.mark.parametrize("kind", [str, Path])
def test_paths(kind: type, tmp_path: Path) -> None:
    path = kind(tmp_path / "x.mge")
    mge.save({"a": Tensor([1.0]), "b": (None, OrderedDict(c=np.arange(3)))}, path)
    assert same(mge.load(path), {"a": Tensor([1.0]), "b": (None, OrderedDict(c=np.arange(3)))})


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "bfloat16", "int32", "int16", "int8", "uint8", "uint16", "bool"]
)
def test_every_dtype_comes_back(dtype: str, tmp_path: Path) -> None:
    x = Tensor([[0, 1], [1, 3]], dtype=dtype)
    mge.save(x, tmp_path / "x.mge")
    y = mge.load(tmp_path / "x.mge")
    assert y.dtype == x.dtype and np.array_equal(y.numpy(), x.numpy())


def test_several_objects_in_one_file() -> None:
    file = io.BytesIO()
    for i in range(3):
        mge.save(Tensor([i]), file)
    file.seek(0)
    assert [mge.load(file).item() for _ in range(3)] == [0, 1, 2]


def test_pending_tensors_are_computed(tmp_path: Path) -> None:
    x = Tensor([1.0, 2.0])
    for _ in range(10):
        x = x * 1.5 - 0.25
    mge.save({"x": x}, tmp_path / "x.mge")
    np.testing.assert_array_equal(mge.load(tmp_path / "x.mge")["x"].numpy(), x.numpy())


def test_a_module_and_its_optimizer_go_on(tmp_path: Path) -> None:
    net = M.Sequential(M.Linear(3, 4), M.ReLU(), M.Linear(4, 2))
    net[2].weight = Parameter(net[2].weight.numpy())
    net[0].bias = net[0].bias
    optimizer = optim.Adam(net.parameters(), lr=0.1)
    for param in net.parameters():
        param.grad = Tensor(np.ones(param.shape, "float32"))
    optimizer.step()
    mge.save({"net": net, "state": net.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "run.mge")
    loaded = mge.load(tmp_path / "run.mge")
    x = Tensor(np.ones((1, 3), "float32"))
    np.testing.assert_array_equal(loaded["net"](x).numpy(), net(x).numpy())
    assert same(loaded["optimizer"], optimizer.state_dict())
    other = M.Sequential(M.Linear(3, 4), M.ReLU(), M.Linear(4, 2))
    other.load_state_dict(loaded["state"])
    np.testing.assert_array_equal(other(x).numpy(), net(x).numpy())
    optim.Adam(other.parameters(), lr=0.2).load_state_dict(loaded["optimizer"])


def test_shared_tensors_stay_shared() -> None:
    x = Tensor([1.0])
    file = io.BytesIO()
    mge.save([x, x], file)
    file.seek(0)
    a, b = mge.load(file)
    assert a is b


def saved(obj: Any) -> io.BytesIO:
    file = io.BytesIO()
    mge.save(obj, file)
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        (None, ["xpux:0", "cpu0:0"]),
        ("cpu1", ["cpu1:0", "cpu1:0"]),
        ({"cpu0": "cpu1"}, ["xpux:0", "cpu1:0"]),
        ({"cpu0:0": "cpu1", "xpux": "cpu0"}, ["cpu0:0", "cpu1:0"]),
        (lambda name: "cpu1" if name.startswith("xpu") else name, ["cpu1:0", "cpu0:0"]),
    ],
)
def test_devices(location: Any, wanted: list[str]) -> None:
    file = saved([Tensor([1.0]), Parameter([2], device="cpu0"), np.arange(2)])
    loaded = mge.load(file, map_location=location)
    assert [str(t.device) for t in loaded[:2]] == wanted
    assert type(loaded[0]) is Tensor and type(loaded[1]) is Parameter and loaded[1].item() == 2


def test_a_device_that_is_not_here() -> None:
    file = saved(Tensor([1.0, 2.0]))
    data = file.getvalue().replace(b"xpux", b"gpu9")
    with pytest.raises(RuntimeError, match="gpu9") as caught:
        mge.load(io.BytesIO(data))
    assert any("map_location" in note for note in caught.value.__notes__)
    assert mge.load(io.BytesIO(data), map_location={"gpu9": "cpu0"}).numpy().tolist() == [1, 2]
    with pytest.raises(RuntimeError, match="foo"):
        mge.load(io.BytesIO(data), map_location="foo")


@pytest.mark.parametrize("location", [{"foo": "cpu0"}, {"cpu0": 3}, 3])
def test_locations_refused(location: Any) -> None:
    with pytest.raises(AssertionError, match="map_location"):
        mge.load(saved(1), map_location=location)


def test_arguments_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="4 does not support write"):
        mge.save(1, 4)
    with pytest.raises(TypeError, match="got 4"):
        mge.load(4)
    with pytest.raises(FileNotFoundError, match="nosuch"):
        mge.load(tmp_path / "nosuch")
    for protocol in (0, 1):
        with pytest.raises(ValueError, match="protocol 2 or higher"):
            mge.save(Tensor([1.0]), io.BytesIO(), pickle_protocol=protocol)


def test_another_pickle_module() -> None:
    class Module:
        calls: list[str] = []

        @classmethod
        def dump(cls, obj: Any, file: Any, protocol: int) -> None:
            cls.calls.append("dump")
            pickle.dump(obj, file, protocol)

        @classmethod
        def load(cls, file: Any) -> Any:
            cls.calls.append("load")
            return pickle.load(file)

    file = io.BytesIO()
    mge.save(3, file, pickle_module=Module)
    file.seek(0)
    assert mge.load(file, pickle_module=Module) == 3 and Module.calls == ["dump", "load"]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "good.mge"
    mge.save({"w": Tensor(np.arange(1000, dtype="float32")), "n": 3}, path)
    return path


@pytest.mark.parametrize("kept", [0, 1, 10, 100, 1000, 4000, -21, -20, -5, -1])
def test_truncated_files(kept: int, checkpoint: Path) -> None:
    data = checkpoint.read_bytes()
    checkpoint.write_bytes(data[:kept])
    if len(data[:kept]) in (len(data) - 20, len(data) - 5, len(data) - 1):
        assert mge.load(checkpoint)["n"] == 3  # the pickle itself is whole
        return
    with pytest.raises(CheckpointError, match="cannot load .*good.mge"):
        mge.load(checkpoint)


@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_no_flipped_byte_goes_unnoticed(where: float, flip: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flipped.mge"
        mge.save({"w": Tensor(np.arange(50, dtype="float32")), "n": 3}, path)
        data = bytearray(path.read_bytes())
        position = int(where * (len(data) - 20))
        data[position] ^= flip
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match="cannot load .*flipped.mge.*checksum"):
            mge.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"hello world", b"\x80\x04", b"PK\x03\x04abc" * 9, bytes(range(256)), bytes(99)]
)
def test_what_is_no_checkpoint(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.mge"
    path.write_bytes(content)
    for error in (CheckpointError, pickle.UnpicklingError, EOFError):
        with pytest.raises(error, match=r"cannot load .*odd\.mge"):
            mge.load(path)
    with pytest.raises(CheckpointError, match="cannot load"):
        mge.load(io.BytesIO(content))


def test_a_class_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = ModuleType("project")
    monkeypatch.setitem(sys.modules, "project", project)
    exec("class Net: pass", vars(project))
    path = tmp_path / "x.mge"
    mge.save(project.Net(), path)
    del project.Net
    with pytest.raises(AttributeError, match="Net") as caught:
        mge.load(path)
    assert any("x.mge" in note and "class" in note for note in caught.value.__notes__)
    monkeypatch.delitem(sys.modules, "project")
    with pytest.raises(ModuleNotFoundError, match="project"):
        mge.load(path)


def test_an_unfinished_write_leaves_the_file_that_was_there(checkpoint: Path) -> None:
    before = checkpoint.read_bytes()
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        mge.save({"w": Tensor(np.zeros(10**5, "float32")), "bad": lambda: 0}, checkpoint)
    assert checkpoint.read_bytes() == before
    assert os.listdir(checkpoint.parent) == ["good.mge"]


def test_a_replaced_file_keeps_its_mode_and_a_link_its_target(checkpoint: Path) -> None:
    checkpoint.chmod(0o640)
    link = checkpoint.with_name("link.mge")
    link.symlink_to(checkpoint)
    mge.save(5, link)
    assert link.is_symlink() and mge.load(checkpoint) == 5
    assert stat.S_IMODE(checkpoint.stat().st_mode) == 0o640


def test_paths_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="cannot save to .*nosuch"):
        mge.save(1, tmp_path / "nosuch" / "x.mge")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        mge.save(1, tmp_path)
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(PermissionError, match="cannot save to"):
            mge.save(1, tmp_path / "x.mge")
        tmp_path.chmod(0o700)


def test_a_pipe_is_written_directly() -> None:
    mge.save(1, os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_deeply_nested_modules(tmp_path: Path) -> None:
    net: M.Module = M.ReLU()
    for _ in range(60):
        net = M.Sequential(net)
    mge.save(net, tmp_path / "deep.mge")
    assert len(list(mge.load(tmp_path / "deep.mge").modules())) == 61


def test_module_saved_by_megengine() -> None:
    net = mge.load(CHECKPOINTS / "module.mge")
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Linear(in_features=3, out_features=4, bias=True)\n"
        "  (1): ReLU()\n"
        "  (2): Sequential(\n"
        "    (0): Dropout(drop_prob=0.5)\n"
        "    (1): Linear(in_features=4, out_features=2, bias=False)\n"
        "  )\n"
        ")"
    )
    assert not net.training and type(net[0].weight) is Parameter
    weights = [np.arange(p.size, dtype="float32").reshape(p.shape) / 8 - i for i, p in enumerate(net.parameters())]
    x = np.array([[1.0, 2.0, 3.0]], "float32")
    hidden = np.maximum(x @ weights[1].T + weights[0], 0)
    np.testing.assert_allclose(net(Tensor(x)).numpy(), hidden @ weights[2].T, rtol=1e-6)


def test_training_state_saved_by_megengine() -> None:
    state = mge.load(CHECKPOINTS / "training.mge")
    assert state["epoch"] == 3
    net = M.Sequential(M.Linear(3, 4), M.ReLU(), M.Sequential(M.Dropout(0.5), M.Linear(4, 2, bias=False)))
    net.load_state_dict(state["net"])
    optimizer = optim.Adam(net.parameters(), lr=0.5)
    optimizer.load_state_dict(state["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert [s["step"].item() for s in optimizer._state.values()] == [1, 1, 1]
    for tensors in (state["tensors"], mge.load(CHECKPOINTS / "protocol2.mge", map_location="cpu1")):
        ints, parameter, half, flag, empty = tensors
        assert ints.numpy().tolist() == [1, 2, 3] and ints.dtype == np.int32
        assert type(parameter) is Parameter and parameter.numpy().tolist() == [[1.5]]
        assert half.dtype == np.float16 and flag.dtype == np.bool_ and flag.item() is True and empty.shape == (0, 2)
