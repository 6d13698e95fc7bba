"""save and load: what comes back, where it goes, and damaged files."""

from __future__ import annotations

import io
import pickle
import sys
import tempfile
import threading
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
from megengine.core.tensor.dtype import qint8
from megengine.ops.quantized import BUILTIN
from megengine.serialization import CheckpointError, RefusedError, dmap, reading

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
        ("cpux", ["cpux:0", "cpux:0"]),
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


def test_dmap_is_a_map_location_for_a_block() -> None:
    file = saved([Tensor([1.0]), Parameter([2], device="cpu0")])
    with dmap(lambda name: "cpu1"):
        assert [t.device for t in mge.load(file)] == ["cpu1", "cpu1"]
        file.seek(0)
        assert mge.load(file, map_location="cpu2")[0].device == "cpu2"
    file.seek(0)
    assert mge.load(file)[0].device == "xpux"


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
    calls: list[str] = []

    class Module(ModuleType):
        Unpickler = pickle.Unpickler

        def dump(self, obj: Any, file: Any, protocol: int) -> None:
            calls.append(f"dump {protocol}")
            pickle.dump(obj, file, protocol)

        def load(self, file: Any) -> Any:
            calls.append("load")
            return pickle.load(file)

    other = Module("other")
    file = io.BytesIO()
    mge.save(Tensor([3]), file, pickle_module=other, pickle_protocol=3)
    file.seek(0)
    with pytest.raises(RefusedError, match="pickle_module=other .*allow='all'"):
        mge.load(file, pickle_module=other)
    assert mge.load(file, pickle_module=other, allow="all").item() == 3 and calls == ["dump 3", "load"]
    file.seek(0)
    assert mge.load(file, "cpu1", other, allow="all").device == "cpu1"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "good.mge"
    mge.save({"w": Tensor(np.arange(1000, dtype="float32")), "n": 3}, path)
    return path


@pytest.mark.parametrize("kept", [0, 1, 10, 100, 1000, 4000, -25, -24, -5, -1])
def test_truncated_files(kept: int, checkpoint: Path) -> None:
    data = checkpoint.read_bytes()
    checkpoint.write_bytes(data[:kept])
    if len(data[:kept]) in (len(data) - 24, len(data) - 5, len(data) - 1):
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
        position = int(where * (len(data) - 24))
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
        mge.load(path, allow=["project.Net"])
    assert any("class" in note for note in caught.value.__notes__) and any("x.mge" in n for n in caught.value.__notes__)
    monkeypatch.delitem(sys.modules, "project")
    with pytest.raises(ModuleNotFoundError, match="project"):
        mge.load(path, allow="all")


def test_deeply_nested_modules(tmp_path: Path) -> None:
    net: M.Module = M.ReLU()
    for _ in range(60):
        net = M.Sequential(net)
    mge.save(net, tmp_path / "deep.mge")
    assert len(list(mge.load(tmp_path / "deep.mge").modules())) == 61


ARRAYS = {
    "strided": np.arange(10)[::2],
    "fortran": np.asfortranarray(np.arange(600.0).reshape(20, 30)),
    "transposed": np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
    "big_endian": np.arange(300, dtype=">f4"),
    "empty": np.zeros((0, 3)),
    "scalar": np.array(2.5),
    "bool": np.array([True, False]),
    "complex": np.arange(400) * 1j,
    "dates": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "times": np.array([1, 2], "m8[25s]"),
    "text": np.array(["ab", "c"] * 300),
    "bytes": np.array([b"ab", b""]),
    "record": np.array([(1, 2.5, [3, 4])] * 40, [("a", "i4"), ("b", ">f8"), ("c", "u1", (2,))]),
    "objects": np.array([[1, "a"], [None, 2.5]], object),
    "no_items": np.zeros(3, "S0"),
    "large": np.arange(10**5, dtype="int16"),
}


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_array_comes_back(protocol: int, tmp_path: Path) -> None:
    mge.save(ARRAYS, tmp_path / "x.mge", pickle_protocol=protocol)
    with open(tmp_path / "x.mge", "rb") as file:
        plainly = pickle.load(file)
    for loaded in (mge.load(tmp_path / "x.mge"), plainly, mge.load(io.BytesIO(pickle.dumps(ARRAYS, protocol)))):
        for name, array in ARRAYS.items():
            found = loaded[name]
            # NumPy's own loading gives this machine's byte order.
            wanted = array.dtype.newbyteorder("=") if loaded is plainly and array.dtype == ">f4" else array.dtype
            assert found.dtype == wanted and found.shape == array.shape, name
            np.testing.assert_array_equal(found, array, err_msg=name)
        assert loaded["fortran"].flags.f_contiguous


def test_loaded_arrays_are_separate_and_can_be_written(tmp_path: Path) -> None:
    x = np.arange(1000.0)
    mge.save([x, x, x.copy(), Tensor(np.arange(1000.0)), b"p" * 3000], tmp_path / "x.mge")
    first, again, other, tensor, blob = mge.load(tmp_path / "x.mge")
    assert first is again and blob == b"p" * 3000
    first[:] = -1
    assert other[-1] == 999 and tensor.numpy()[-1] == 999


def test_an_array_in_a_file_twice_is_not_shared_with_a_tensor() -> None:
    x = np.arange(400, dtype="float32")

    class Reduced:
        def __reduce__(self) -> Any:
            return Tensor, (x, np.dtype("float32"), "xpux")

    for items in ([x, Reduced()], [Reduced(), x]):
        loaded = mge.load(io.BytesIO(pickle.dumps(items)))
        array, tensor = sorted(loaded, key=lambda item: isinstance(item, Tensor))
        array[:] = -1
        assert tensor.numpy()[5] == 5


def test_numpy_scalars_and_generator_state() -> None:
    state = np.random.RandomState(3).get_state()
    items = [np.float32(0.1), np.int64(-3), np.bool_(True), np.float16(2), np.complex64(1j), np.str_("a"), state]
    loaded = mge.load(saved(items))
    assert [type(i) for i in loaded] == [type(i) for i in items] and loaded[:-1] == items[:-1]
    drawn = np.random.RandomState()
    drawn.set_state(loaded[-1])
    assert drawn.rand() == np.random.RandomState(3).rand()


def test_random_streams_go_on() -> None:
    rng = mge.random.RNG(seed=3)
    rng.normal(size=(5,))
    rng.permutation(4)
    again = mge.load(saved(rng))
    np.testing.assert_array_equal(again.normal(size=(5,)).numpy(), rng.normal(size=(5,)).numpy())
    np.testing.assert_array_equal(again.permutation(9).numpy(), rng.permutation(9).numpy())


def test_optimizers_and_their_schedules_go_on() -> None:
    def step(optimizer: optim.Optimizer, param: Parameter) -> list[float]:
        param.grad = Tensor([0.5])
        optimizer.step().clear_grad()
        return param.numpy().tolist()

    param = Parameter([1.0])
    schedule = optim.MultiStepLR(optim.SGD([param], lr=0.1, momentum=0.9), [2])
    step(schedule.optimizer, param)
    schedule.step()
    loaded = mge.load(saved(schedule))
    same_param = loaded.optimizer.param_groups[0]["params"][0]
    for _ in range(3):
        assert step(loaded.optimizer, same_param) == step(schedule.optimizer, param)
        loaded.step()
        schedule.step()


def test_quantized_tensors_and_parameters_of_quantization() -> None:
    x = Tensor([0.5, -1.0]).astype(qint8(0.25))
    x.qparams.scale = Tensor(0.25)
    x.qparams.dtype_meta = BUILTIN["qint8"]
    y = mge.load(saved(x))
    assert y.dtype.metadata == x.dtype.metadata and y.numpy().tolist() == [2, -4]
    assert y.qparams == x.qparams and y.qparams.dtype_meta is not None


@pytest.mark.parametrize("size", [30, 70_000])
def test_damage_in_a_large_array(size: int, tmp_path: Path) -> None:
    path = tmp_path / "x.mge"
    mge.save({"w": np.arange(size, dtype="float32"), "n": 3}, path)
    data = path.read_bytes()
    at = data.index(np.float32(17).tobytes() + np.float32(18).tobytes())
    path.write_bytes(data[:at] + b"\x01" + data[at + 1 :])
    with pytest.raises(CheckpointError, match=r"cannot load .*x\.mge.*checksum"):
        mge.load(path)


def test_a_huge_length_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.mge"
    path.write_bytes(b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b"abc")
    with pytest.raises(CheckpointError, match="truncated"):
        mge.load(path)


def test_large_files_are_read_ahead_by_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_AHEAD", 1 << 17)
    monkeypatch.setattr(reading, "_PIECE", 1 << 16)
    monkeypatch.setattr(reading, "_THREADS", 2)
    state = {str(i): np.random.default_rng(i).random(40_000 + i) for i in range(5)}
    mge.save(state, tmp_path / "x.mge")
    assert same(mge.load(tmp_path / "x.mge"), state)
    data = bytearray((tmp_path / "x.mge").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "x.mge").write_bytes(data)
    with pytest.raises(CheckpointError, match="checksum"):
        mge.load(tmp_path / "x.mge")
    assert not [t for t in threading.enumerate() if t.name.startswith("megengine-load")]
