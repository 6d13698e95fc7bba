"""``trace.dump``: what the last call computed, in a file that a process without its code runs with the same numbers."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor
from megengine.autodiff import GradManager
from megengine.graph.exchange import GraphFileError
from megengine.jit import trace
from megengine.serialization.errors import CheckpointError
from megengine.utils.comp_graph_tools import GraphInference
from megengine.utils.network import Network

RNG = np.random.default_rng(0)


def random(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


class ConvNet(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = M.Conv2d(3, 8, 3, padding=1)
        self.bn = M.BatchNorm2d(8)
        self.fc = M.Linear(8 * 16, 5)

    def forward(self, x: Any) -> Any:
        x = F.max_pool2d(F.relu(self.bn(self.conv(x))), 2)
        return F.softmax(self.fc(F.flatten(x, 1)) * 2.0 + 1, axis=1)


class Mlp(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [M.Linear(4, 8), M.Linear(8, 3)]

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = F.gelu(layer(x))
        return x


class Head(M.Module):
    """Boxes and scores of a grid, as detectors decode them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = M.Conv2d(4, 6, 1)

    def forward(self, x: Any) -> Any:
        n, _, h, w = x.shape
        y = F.transpose(F.reshape(self.conv(x), (n, 6, h * w)), (0, 2, 1))
        ys, xs = np.meshgrid(np.arange(h), np.arange(w), indexing="ij")
        grid = Tensor(np.stack([xs, ys], -1).reshape(1, -1, 2).astype(np.float32))
        center = (y[..., :2] + grid) * 8
        size = F.exp(y[..., 2:4]) * 8
        boxes = F.concat([center - size / 2, center + size / 2], axis=-1)
        scores = F.sigmoid(y[..., 4:5]) * F.sigmoid(y[..., 5:])
        best, places = F.topk(scores[..., 0], 3, descending=True)
        return {"boxes": boxes, "best": best, "places": places, "first": boxes[:, ::2][0, 1:3]}


class Lstm(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = M.LSTM(3, 5, num_layers=2)

    def forward(self, x: Any) -> Any:
        out, (hidden, _) = self.lstm(x)
        return out, hidden


CASES = {"mlp": (Mlp, (6, 4)), "conv": (ConvNet, (2, 3, 8, 8)), "lstm": (Lstm, (4, 2, 3)), "head": (Head, (2, 4, 5, 5))}


def traced(case: str, symbolic: bool = True) -> tuple[Any, np.ndarray, dict[str, np.ndarray]]:
    """A traced network that has been called, the input, and what it gave."""
    make, shape = CASES[case]
    net = make()
    net.eval()
    function = trace(lambda x: net(x), symbolic=symbolic, capture_as_const=True)
    data = random(*shape)
    out = function(Tensor(data))
    if isinstance(out, dict):
        return function, data, {k: v.numpy() for k, v in out.items()}
    outs = out if isinstance(out, tuple) else (out,)
    return function, data, {f"out{k}": v.numpy() for k, v in enumerate(outs)}


def keeping(function: Any) -> Any:
    return trace(function, symbolic=True, capture_as_const=True)


def dumped(function: Any, **settings: Any) -> io.BytesIO:
    file = io.BytesIO()
    function.dump(file, **settings)
    file.seek(0)
    return file


def settings_of(case: str, expected: dict[str, np.ndarray]) -> dict[str, Any]:
    return {"arg_names": ["x"]} if case == "head" else {"arg_names": ["x"], "output_names": list(expected)}


@pytest.mark.parametrize("symbolic", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_round_trip(case: str, symbolic: bool) -> None:
    function, data, expected = traced(case, symbolic)
    file = dumped(function, **settings_of(case, expected))
    got = GraphInference(file).run(data)
    assert set(got) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array)
    file.seek(0)
    again = io.BytesIO()
    Network.load(file).dump(again)
    again.seek(0)
    for name, array in GraphInference(again).run(inp_dict={"x": data}).items():
        np.testing.assert_array_equal(array, expected[name])


def test_fresh_process_without_the_code(tmp_path: Any) -> None:
    function, data, expected = traced("conv")
    path = tmp_path / "net.mge"
    function.dump(str(path), arg_names=["x"], output_names=["y"])
    np.save(tmp_path / "x.npy", data)
    program = (
        "import sys, numpy as np\n"
        "from megengine.utils.comp_graph_tools import GraphInference\n"
        "out = GraphInference('net.mge').run(np.load('x.npy'))\n"
        "np.save('y.npy', out['y'])\n"
        "assert 'test_dump' not in ' '.join(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=120)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected["out0"], rtol=1e-5)  # interpreted, and compiled


def test_other_batch_sizes_than_it_was_traced_with() -> None:
    net = Mlp()
    function = trace(lambda x: net(x), symbolic=True, capture_as_const=True)
    function(Tensor(random(2, 4)))
    graph = GraphInference(dumped(function, output_names=["y"]))
    data = random(7, 4)
    np.testing.assert_allclose(graph.run(data)["y"], net(Tensor(data)).numpy(), rtol=1e-6)


def test_threads_serve_one_dump() -> None:
    function, _, _ = traced("mlp")
    graph = GraphInference(dumped(function, output_names=["y"]))
    batches = [random(6, 4) for _ in range(24)]
    alone = [graph.run(batch)["y"] for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda batch: graph.run(batch)["y"], batches))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_the_file_holds() -> None:
    function, _, _ = traced("mlp")
    archive = zipfile.ZipFile(dumped(function, arg_names=["x"], output_names=["y"], user_info={"epoch": 3}))
    assert archive.namelist() == ["format.json", "graph.jsonl", "metadata.json", "weights.safetensors"]
    lines = [json.loads(line) for line in archive.read("graph.jsonl").decode().splitlines()]
    assert lines[0] == {"input": 0, "name": "x", "shape": [6, 4], "dtype": "float32"}
    assert [line["op"] for line in lines if "op" in line] == ["linear", "gelu", "linear", "gelu"]
    assert lines[-1]["outputs"] == [lines[-2]["outputs"][0]["id"]]
    assert json.loads(archive.read("metadata.json"))["user_info"] == {"epoch": 3}


def test_weights_are_safetensors(tmp_path: Any) -> None:
    numpy_files = pytest.importorskip("safetensors.numpy")
    function, _, _ = traced("mlp")
    weights = zipfile.ZipFile(dumped(function)).read("weights.safetensors")
    held = numpy_files.load(weights)
    assert sorted(held) == ["layers.0.bias", "layers.0.weight", "layers.1.bias", "layers.1.weight"]
    assert held["layers.1.weight"].shape == (3, 8)


def test_damaged_and_newer_files(tmp_path: Any) -> None:
    function, data, _ = traced("mlp")
    whole = dumped(function).getvalue()
    for damaged in (whole[: len(whole) // 2], whole[:20], b"", b"PK\x03\x04" + b"\0" * 100, b"no graph at all" * 20):
        with pytest.raises(GraphFileError):
            GraphInference(io.BytesIO(damaged))
    place = whole.index(b"weights.safetensors") + 200
    flipped = whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :]
    with pytest.raises(GraphFileError, match="damaged"):
        GraphInference(io.BytesIO(flipped))
    newer = whole.replace(b'"version": 1', b'"version": 3', 1)
    with pytest.raises(GraphFileError, match="newer megengine-xla wrote it"):
        GraphInference(io.BytesIO(newer))
    with pytest.raises(GraphFileError, match="damaged"):  # MegEngine's own format
        GraphInference(io.BytesIO(b"\x10\0\0\0\0\0\0\0mgv2" + b"\0" * 64))
    path = tmp_path / "cut.mge"
    path.write_bytes(whole[:-1])
    with pytest.raises(GraphFileError, match="truncated") as error:
        Network.load(str(path))
    assert any("cut.mge" in note for note in error.value.__notes__)


def test_load_says_that_a_graph_is_no_checkpoint(tmp_path: Any) -> None:
    function, _, _ = traced("mlp")
    path = str(tmp_path / "net.mge")
    function.dump(path)
    with pytest.raises(CheckpointError, match="GraphInference"):
        mge.load(path)


def test_shorter_dump_over_a_longer_one_in_the_same_file() -> None:
    longer, _, _ = traced("conv")
    shorter, data, expected = traced("mlp")
    file = dumped(longer)
    shorter.dump(file, output_names=["out0"])
    file.seek(0)
    np.testing.assert_array_equal(GraphInference(file).run(data)["out0"], expected["out0"])


def test_default_names() -> None:
    function = trace(lambda a, b: a + b, symbolic=True, capture_as_const=True)
    function(Tensor([2]), Tensor([4]))
    info = function.dump(io.BytesIO())
    assert (info.nr_opr, info.inputs, info.outputs) == (3, ["arg_0", "arg_1"], ["ADD"])


def test_names_of_modules_and_lines_are_kept_where_asked_for() -> None:
    net = Mlp()
    net.name = "mlp"
    function = trace(lambda x: net(x), symbolic=True, capture_as_const=True)
    function(Tensor(random(2, 4)))
    names = [n.name for n in Network.load(dumped(function, arg_names=["x"], keep_opr_name=True)).all_oprs]
    assert {"mlp.layers.0.MatrixMul", "mlp.layers.0.weight", "mlp.GELU[1]"} <= set(names)
    with_lines = zipfile.ZipFile(dumped(function, keep_opr_name=True)).read("graph.jsonl")
    without = zipfile.ZipFile(dumped(function)).read("graph.jsonl")
    assert b"test_dump.py" in with_lines and b"test_dump.py" not in without


def test_keyword_tensors_are_inputs_by_their_names() -> None:
    function = trace(lambda x, *, scale: x * scale, symbolic=True, capture_as_const=True)
    function(Tensor([1.0, 2.0]), scale=Tensor([3.0, 4.0]))
    file = io.BytesIO()
    assert function.dump(file, arg_names="x", output_names="y").inputs == ["x", "scale"]
    file.seek(0)
    np.testing.assert_array_equal(GraphInference(file).run(np.float32([1, 2]), np.float32([5, 6]))["y"], [5, 12])


def test_checks_of_arguments() -> None:
    plain = trace(lambda x: x * 2, symbolic=True)
    plain(Tensor([1.0]))
    with pytest.raises(ValueError, match="capture_as_const=True"):
        plain.dump(io.BytesIO())
    function = trace(lambda x: {"y": x * 2}, symbolic=True, capture_as_const=True)
    with pytest.raises(ValueError, match="call it first"):
        function.dump(io.BytesIO())
    function(Tensor([1.0]))
    with pytest.raises(TypeError, match="already in dict format"):
        function.dump(io.BytesIO(), output_names=["z"])
    with pytest.raises(ValueError, match="wrong number of arg_names, should be 1"):
        function.dump(io.BytesIO(), arg_names=["a", "b"])
    with pytest.raises(ValueError, match="unknown options"):
        function.dump(io.BytesIO(), enable_everything=True)
    with pytest.raises(GraphFileError, match="metadata"):
        function.dump(io.BytesIO(), user_info={"module": M.Module})
    nothing = trace(lambda x: None, symbolic=True, capture_as_const=True)
    nothing(Tensor([1.0]))
    with pytest.raises(ValueError, match="without return values"):
        nothing.dump(io.BytesIO())


def test_refuses_what_a_file_cannot_hold() -> None:
    norm = M.BatchNorm2d(3)
    train = trace(lambda x: norm(x), symbolic=True, capture_as_const=True)
    train(Tensor(random(2, 3, 4, 4)))
    with pytest.raises(RuntimeError, match="training mode"):
        train.dump(io.BytesIO())

    @trace(symbolic=False, capture_as_const=True)
    def branches(x: Any) -> Any:
        return x * 2 if x.sum().item() > 0 else x * 3

    branches(Tensor([1.0]))
    with pytest.raises(RuntimeError, match=r"reads the value of a tensor .* \(.*test_dump.py:\d+\)"):
        branches.dump(io.BytesIO())


def test_an_error_inside_leaves_the_call_before() -> None:
    def function(x: Any) -> Any:
        if x.shape[0] == 2:
            raise KeyError("two")
        return x * 2

    traced = trace(function, symbolic=True, capture_as_const=True)
    traced(Tensor([1.0]))
    with pytest.raises(KeyError):
        traced(Tensor([1.0, 2.0]))
    assert (Tensor([1.0]) + 1).item() == 2
    assert GraphInference(dumped(traced, output_names="y")).run(np.float32([4]))["y"] == [8]


def test_a_traced_function_inside_another_and_gradients_through_a_kept_call() -> None:
    weight = Parameter(np.ones((2, 2), np.float32))
    inner = trace(lambda x: F.relu(x @ weight), symbolic=True, capture_as_const=True)
    outer = trace(lambda x: inner(x) + 1, symbolic=True, capture_as_const=True)
    outer(Tensor(np.ones((3, 2), np.float32)))
    got = GraphInference(dumped(outer, output_names="y")).run(np.ones((1, 2), np.float32))
    np.testing.assert_array_equal(got["y"], [[3, 3]])
    manager = GradManager().attach([weight])
    with manager:
        manager.backward(inner(Tensor(np.ones((3, 2), np.float32))).sum())
    np.testing.assert_array_equal(weight.grad.numpy(), np.full((2, 2), 3))


def test_the_call_itself_is_as_it_was() -> None:
    weight = Parameter([2.0, 3.0])
    function = trace(lambda x: x * weight, symbolic=True, capture_as_const=True)
    x = Tensor([1.0, 1.0])
    np.testing.assert_array_equal(function(x).numpy(), [2, 3])
    weight[...] = Tensor([5.0, 7.0])
    np.testing.assert_array_equal(function(x).numpy(), [5, 7])
    file = dumped(function, output_names="y")
    np.testing.assert_array_equal(GraphInference(file).run(x.numpy())["y"], [5, 7])


def test_values_known_from_before_and_moved_ones() -> None:
    table = Tensor([1.0, 2.0]) + 1  # pending when the call begins

    @trace(symbolic=True, capture_as_const=True)
    def function(x: Any) -> Any:
        return (x + table).to("cpu0") * 2

    function(Tensor([1.0, 1.0]))
    got = GraphInference(dumped(function, output_names="y")).run(np.float32([10, 20]))["y"]
    np.testing.assert_array_equal(got, [24, 46])


def test_gradients() -> None:
    manager = GradManager()
    weight = Parameter(random(3, 4))
    manager.attach([weight])

    @trace(symbolic=True, capture_as_const=True)
    def function(x: Any) -> Any:
        with manager:
            y = F.tanh(x * weight)
            manager.backward(y.sum())
        return y, weight.grad

    function(Tensor(random(3, 4)))
    data = random(3, 4)
    got = GraphInference(dumped(function, output_names=["y", "grad"])).run(data)
    expected = data * (1 - np.tanh(data * weight.numpy()) ** 2)
    np.testing.assert_allclose(got["grad"], expected, rtol=1e-4, atol=1e-6)


def test_half_precision_is_asked_for() -> None:
    function, data, expected = traced("mlp")
    got = GraphInference(dumped(function, output_names=["y"], enable_io16xc32=True)).run(data)["y"]
    assert got.dtype == np.float32 and np.array_equal(got, got.astype(np.float16))
    np.testing.assert_allclose(got, expected["out0"], atol=2e-2)


@pytest.mark.parametrize("option", ["enable_io16xc32", "enable_ioc16"])
def test_half_precision_leaves_results_their_dtypes(option: str) -> None:
    """Those of MegEngine 1.13, and its numbers, which are exact in float16."""
    function = keeping(
        lambda x: (F.matmul(x, x) * 100, x * 1, (x * 10).astype("int32"), (x + 1).astype("float16"), F.relu(x - 1))
    )
    data = np.arange(9, dtype=np.float32).reshape(3, 3) / 8
    function(Tensor(data))
    names = ["product", "same", "whole", "half", "relu"]
    got = GraphInference(dumped(function, output_names=names, **{option: True})).run(data)
    assert [got[name].dtype.name for name in names] == ["float32", "float32", "int32", "float16", "float32"]
    np.testing.assert_array_equal(got["product"][0], [23.4375, 28.125, 32.8125])


def test_quantised_values() -> None:
    from megengine.core.tensor.dtype import qint8

    function = trace(lambda x: x.astype(qint8(0.5)), symbolic=True, capture_as_const=True)
    x = Tensor([0.4, 1.1, -3.0])
    y = function(x).numpy()
    got = GraphInference(dumped(function, output_names="y")).run(x.numpy())["y"]
    np.testing.assert_array_equal(got, y)
    assert got.dtype.metadata == y.dtype.metadata


def test_mixed_precision_casts_are_kept() -> None:
    layer = M.Linear(4, 3)

    @trace(symbolic=True, capture_as_const=True)
    def function(x: Any) -> Any:
        with mge.amp.autocast():
            return layer(x)

    x = Tensor(random(2, 4))
    y = function(x)
    got = GraphInference(dumped(function, output_names="y")).run(x.numpy())["y"]
    assert got.dtype == y.dtype == np.float16
    np.testing.assert_array_equal(got, y.numpy())


def test_test_data_are_embedded_with_their_results(tmp_path: Any) -> None:
    function, data, expected = traced("mlp")
    np.save(tmp_path / "x.npy", data)
    specs = [f"x:{tmp_path / 'x.npy'}", "#rand(0, 1)"]
    archive = zipfile.ZipFile(dumped(function, arg_names="x", output_names="y", input_data=specs))
    assert {"tests/0.safetensors", "tests/1.safetensors"} <= set(archive.namelist())
    from megengine.graph.exchange import decode

    assert archive.fp is not None
    archive.fp.seek(0)
    first, second = decode(archive.fp.read()).tests
    np.testing.assert_array_equal(first["y:expect"], expected["out0"])
    assert second["x"].shape == data.shape and 0 <= second["x"].min() <= second["x"].max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_test_data_may_be_pictures(tmp_path: Any, channels: int) -> None:
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (6, 5, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "x.png"), picture)
    function = trace(lambda x: x * 2, symbolic=True, capture_as_const=True)
    function(Tensor(np.zeros((1, channels, 3, 4), np.float32)))
    file = dumped(function, arg_names="x", output_names="y", input_data=f"x:{tmp_path / 'x.png'}", resize_input=True)
    from megengine.graph.exchange import decode

    (test,) = decode(file.read()).tests
    expected = cv2.imread(str(tmp_path / "x.png"), cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR)
    expected = cv2.resize(expected, (4, 3)).reshape(3, 4, channels).transpose(2, 0, 1)[np.newaxis]
    np.testing.assert_array_equal(test["x"], expected)
    np.testing.assert_array_equal(test["y:expect"], expected * 2.0)


def test_a_file_takes_the_place_of_an_old_one_or_is_appended(tmp_path: Any) -> None:
    function, data, expected = traced("mlp")
    path = str(tmp_path / "net.mge")
    function.dump(path, output_names="y")
    size = (tmp_path / "net.mge").stat().st_size
    function.dump(path, output_names="y")
    assert (tmp_path / "net.mge").stat().st_size == size
    function.dump(path, output_names="y", append=True)
    assert (tmp_path / "net.mge").stat().st_size == 2 * size
    np.testing.assert_array_equal(GraphInference(path).run(data)["y"], expected["out0"])
    assert [p.name for p in tmp_path.iterdir()] == ["net.mge"]


def test_inputs_of_one_name_are_numbered_as_in_megengine() -> None:
    """By ``arg_names``, by an argument's own name that a keyword has, too, and by those of tensors."""
    x, y = Tensor([1.0, 2.0]), Tensor([10.0, 10.0])
    twice, keyword = keeping(lambda a, b: a * 2 - b), keeping(lambda a, *, k: a * 2 - k)
    twice(x, y), keyword(x, k=y)
    named = keeping(lambda a, b: a * 2 - b)
    x.name = y.name = "q"
    named(x, y)
    for function, names, expected in ((twice, ["n", "n"], "n"), (keyword, ["k"], "k"), (named, None, "q")):
        file = io.BytesIO()
        info = function.dump(file, arg_names=names, output_names="out")
        assert info.inputs == [f"{expected}[0]", f"{expected}[1]"]
        file.seek(0)
        result = GraphInference(file).run(x.numpy(), y.numpy())["out"]
        np.testing.assert_array_equal(result, [-8.0, -6.0])


@pytest.mark.parametrize(
    ("options", "names"),
    [({"output_names": ["o", "o"]}, ["o[0]", "o[1]"]), ({"keep_var_name": 0}, ["unnamed0", "unnamed1"])],
)
def test_no_result_is_lost_by_its_name(options: dict[str, Any], names: list[str]) -> None:
    function, file = keeping(lambda x: (x + 1, x * 2)), io.BytesIO()
    function(Tensor([3.0]))
    assert function.dump(file, arg_names="x", **options).outputs == names
    file.seek(0)
    results = GraphInference(file).run(np.float32([3.0]))
    assert {name: array.tolist() for name, array in results.items()} == dict(zip(names, ([4.0], [6.0]), strict=True))


def test_inputs_that_no_result_depends_on_may_be_left_out() -> None:
    """MegEngine's graphs do not have them."""
    function, file = keeping(lambda x, y: y + 1), io.BytesIO()
    function(Tensor([1.0, 2.0]), Tensor([3.0]))
    assert function.dump(file, arg_names=["x", "y"], output_names="out").inputs == ["x", "y"]
    file.seek(0)
    graph, y = GraphInference(file), np.float32([5.0])
    for result in (graph.run(y, y), graph.run(inp_dict={"y": y}), graph.run(inp_dict={"x": y, "y": y})):
        assert result["out"].tolist() == [6.0]
    with pytest.raises(AssertionError, match=r"expects inputs \['x', 'y'\], but gets inputs \['x'\]"):
        graph.run(y)
