"""Models in ONNX, made by ``onnx.helper``, as modules: computed, trained, written again."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor, onnx
from megengine.autodiff import GradManager
from megengine.jit import trace
from megengine.optimizer import SGD

package = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def value(name: str, *shape: Any, kind: int = 1) -> Any:
    return package.helper.make_tensor_value_info(name, kind, shape)


def graph(nodes: list[Any], inputs: list[Any], outputs: list[Any], opset: int = 18, **weights: np.ndarray) -> Any:
    """A checked model; dots in names of weights are written as two underscores."""
    held = [package.numpy_helper.from_array(a, k.replace("__", ".")) for k, a in weights.items()]
    made = package.helper.make_graph(nodes, "test", inputs, outputs, held)
    ids = [package.helper.make_opsetid("", opset)]
    model = package.helper.make_model(made, opset_imports=ids, ir_version=package.helper.find_min_ir_version_for(ids))
    package.checker.check_model(model, full_check=True)
    return model


def run(model: Any, *data: np.ndarray) -> list[np.ndarray]:
    """What onnxruntime makes of it."""
    session = runtime.InferenceSession(model.SerializeToString())
    return session.run(None, dict(zip([i.name for i in session.get_inputs()], data, strict=True)))


def network() -> Any:
    """A convolution, a batch norm, a reshape that reads the batch's size, and a linear layer."""
    node = package.helper.make_node
    nodes = [
        node("Conv", ["x", "body.conv.weight", "body.conv.bias"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        node("BatchNormalization", ["c", "body.bn.weight", "body.bn.bias", "body.bn.mean", "body.bn.var"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("GlobalAveragePool", ["r"], ["p"]),
        node("Shape", ["p"], ["s"]),
        node("Gather", ["s", "zero"], ["first"]),
        node("Concat", ["first", "rest"], ["target"], axis=0),
        node("Reshape", ["p", "target"], ["f"]),
        node("Gemm", ["f", "head.weight", "head.bias"], ["y"], transB=1),
    ]
    return graph(
        nodes, [value("x", "batch", 3, 8, 8)], [value("y", "batch", 2)],
        body__conv__weight=normal(4, 3, 3, 3), body__conv__bias=normal(4), body__bn__weight=np.float32([1, 2, 3, 4]),
        body__bn__bias=normal(4), body__bn__mean=normal(4), body__bn__var=np.float32([1, 2, 3, 4]), head__weight=normal(2, 4),
        head__bias=normal(2), zero=np.array([0]), rest=np.array([-1]),
    )  # fmt: skip


def test_same_numbers_names_and_modes() -> None:
    model = network()
    net = onnx.load(model)
    x = normal(2, 3, 8, 8)
    np.testing.assert_allclose(net(x).numpy(), run(model, x)[0], 1e-5, 1e-5)
    assert {n for n, _ in net.named_parameters()} == {
        "body.conv.weight", "body.conv.bias", "body.bn.weight", "body.bn.bias", "head.weight", "head.bias"
    }  # fmt: skip
    assert {n for n, _ in net.named_buffers()} == {"body.bn.mean", "body.bn.var"}
    assert not net.training and (net.input_names, net.output_names) == (["x"], ["y"])
    before = net.body.bn.mean.numpy()
    net.train()
    trained = net(Tensor(x)).numpy()
    c = F.conv2d(Tensor(x), net.body.conv.weight, F.reshape(net.body.conv.bias, (1, -1, 1, 1)), padding=1).numpy()
    np.testing.assert_allclose(net.body.bn.mean.numpy(), 0.9 * before + 0.1 * c.mean((0, 2, 3)), 1e-4, 1e-5)
    net.eval()
    assert np.abs(net(x).numpy() - trained).max() > 1e-3


def test_fine_tuned_and_taken_away_again() -> None:
    net = onnx.load(network())
    x, labels = normal(4, 3, 8, 8), Tensor(np.int32([0, 1, 1, 0]))
    gm, optimizer = GradManager().attach(net.parameters()), SGD(net.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        with gm:
            loss = F.nn.cross_entropy(net(Tensor(x)), labels)
            gm.backward(loss)
        optimizer.step().clear_grad()
        losses.append(loss.item())
    assert losses[2] < losses[1] < losses[0]
    file = io.BytesIO()
    onnx.export(net, file, [x], dynamic_batch=True, arg_names=["x"])
    again = package.load_from_string(file.getvalue())
    few = normal(3, 3, 8, 8)
    np.testing.assert_allclose(run(again, few)[0], net(few).numpy(), 1e-5, 1e-5)
    assert {n for n, _ in net.named_parameters()} <= {t.name for t in again.graph.initializer}


def test_written_as_it_was_read_with_new_weights() -> None:
    net = onnx.load(network())
    net.head.weight *= 2
    again = onnx.export(net, None)
    assert [n.op_type for n in again.graph.node] == [n.op_type for n in network().graph.node]
    few = normal(3, 3, 8, 8)
    np.testing.assert_allclose(run(again, few)[0], net(few).numpy(), 1e-5, 1e-5)


def test_copies_and_pickles_compute_the_same() -> None:
    net, x = onnx.load(network()), normal(2, 3, 8, 8)
    wanted = net(x).numpy()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(other(x).numpy(), wanted)
        other.head.weight *= 2
        assert np.abs(other(x).numpy() - wanted).max() > 1e-3
    np.testing.assert_array_equal(net(x).numpy(), wanted)


def test_a_loop_and_a_branch() -> None:
    node, true = package.helper.make_node, package.helper.make_tensor("t", 9, [], [True])
    body = package.helper.make_graph(
        [node("Add", ["a", "step"], ["b"]), node("Identity", ["go"], ["on"]), node("Identity", ["b"], ["out"])],
        "body",
        [value("i", kind=7), value("go", kind=9), value("a", 2)],
        [value("on", kind=9), value("b", 2), value("out", 2)],
    )
    plus = package.helper.make_graph([node("Neg", ["last"], ["z"])], "plus", [], [value("z", 2)])
    minus = package.helper.make_graph([node("Identity", ["last"], ["z"])], "minus", [], [value("z", 2)])
    nodes = [
        node("Constant", [], ["go0"], value=true),
        node("Loop", ["count", "go0", "x"], ["last", "all"], body=body),
        node("ReduceSum", ["last"], ["total"], keepdims=0),
        node("Less", ["total", "zero"], ["negative"]),
        node("If", ["negative"], ["y"], then_branch=plus, else_branch=minus),
    ]
    model = graph(
        nodes, [value("x", 2)], [value("y", 2), value("all", "n", 2)],
        count=np.array(3), step=np.float32([1, -2]), zero=np.float32(0),
    )  # fmt: skip
    for x in (np.float32([1, 2]), np.float32([10, 2])):
        for found, want in zip(onnx.load(model)(x), run(model, x), strict=True):
            np.testing.assert_allclose(found.numpy(), want)


def test_boxes_are_chosen() -> None:
    names = ["boxes", "scores", "most", "overlap", "lowest"]
    model = graph(
        [package.helper.make_node("NonMaxSuppression", names, ["y"])],
        [value("boxes", 1, 40, 4), value("scores", 1, 2, 40)], [value("y", "n", 3, kind=7)],
        most=np.array([5]), overlap=np.float32([0.4]), lowest=np.float32([0.2]),
    )  # fmt: skip
    corners = RNG.uniform(0, 1, (1, 40, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + RNG.uniform(0.1, 0.5, (1, 40, 2)).astype(np.float32)], 2)
    scores = RNG.uniform(0, 1, (1, 2, 40)).astype(np.float32)
    np.testing.assert_array_equal(onnx.load(model)(boxes, scores).numpy(), run(model, boxes, scores)[0])


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers(kind: str) -> None:
    gates, hidden = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind], 3
    model = graph(
        [package.helper.make_node(kind, ["x", "w", "r", "b"], ["y"], hidden_size=hidden, direction="bidirectional")],
        [value("x", 5, 2, 4)], [value("y", 5, 2, 2, hidden)],
        w=normal(2, gates * hidden, 4), r=normal(2, gates * hidden, hidden), b=normal(2, 2 * gates * hidden),
    )  # fmt: skip
    x = normal(5, 2, 4)
    np.testing.assert_allclose(onnx.load(model)(x).numpy(), run(model, x)[0], 1e-5, 1e-5)


def test_operators_that_are_functions_are_written_out() -> None:
    model = graph(
        [package.helper.make_node("MeanVarianceNormalization", ["x"], ["y"], axes=[0, 2, 3])],
        [value("x", 2, 3, 4, 4)],
        [value("y", 2, 3, 4, 4)],
    )
    x = normal(2, 3, 4, 4)
    np.testing.assert_allclose(onnx.load(model)(x).numpy(), run(model, x)[0], 1e-4, 1e-4)


def test_it_can_be_traced() -> None:
    net = onnx.load(network())
    x = normal(2, 3, 8, 8)
    traced = trace(net, symbolic=True)
    np.testing.assert_allclose(traced(Tensor(x)).numpy(), net(x).numpy(), 1e-5, 1e-5)


def test_what_cannot_be_read_is_told(tmp_path: Any) -> None:
    file = tmp_path / "damaged.onnx"
    file.write_bytes(network().SerializeToString()[:200])
    with pytest.raises(onnx.OnnxError, match="no ONNX model"):
        onnx.load(file)
    with pytest.raises(FileNotFoundError):
        onnx.load(tmp_path / "none.onnx")
    model = graph([package.helper.make_node("Det", ["x"], ["y"])], [value("x", 2, 2)], [value("y")])
    with pytest.raises(onnx.OnnxError, match="no rules for the operators Det"):
        onnx.load(model)
    with pytest.raises(TypeError, match=r"takes inputs \['x'\]"):
        onnx.load(network())(normal(1, 3, 8, 8), normal(1))


def test_names_that_are_no_paths() -> None:
    node = package.helper.make_node
    model = graph(
        [node("Add", ["x", "a"], ["t"]), node("Add", ["t", "a.b"], ["u"]), node("Add", ["u", "forward"], ["y"])],
        [value("x", 2)], [value("y", 2)], a=normal(2), a__b=normal(2), forward=normal(2),
    )  # fmt: skip
    net = onnx.load(model)
    assert len(list(net.parameters())) == 3
    x = normal(2)
    np.testing.assert_allclose(net(x).numpy(), run(model, x)[0], 1e-6)
    assert isinstance(net, M.Module) and net.state_dict().keys() == {n for n, _ in net.named_tensors()}
