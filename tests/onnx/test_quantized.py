"""Quantised models as ONNX's pairs of ``QuantizeLinear`` and ``DequantizeLinear``, against onnxruntime, and back."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.quantization as Q
from megengine import Tensor, onnx
from megengine.core.tensor.dtype import qint8, qint32, quint4, quint8

package = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
node = package.helper.make_node

FLOAT_ONLY = {"Round", "Floor", "Sign", "Div", "Cast"}  # what rounding is made of where there is no pair for it


class Net(M.Module):
    """Each kind of layer that integers go through."""

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = M.QuantStub(), M.DequantStub()
        self.first, self.deep = M.ConvBnRelu2d(3, 8, 3, padding=1), M.ConvBn2d(8, 8, 3, padding=1, groups=8)
        self.grouped, self.up = M.ConvRelu2d(8, 8, 1, groups=2), M.ConvTranspose2d(8, 4, 2, stride=2)
        self.add, self.join, self.last = M.Elemwise("fuse_add_relu"), M.Concat(), M.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.quant(x))
        x = F.max_pool2d(self.add(self.grouped(self.deep(x)), x), 2)
        x = self.up(x)
        x = self.join([x, x], 1)
        return self.dequant(self.last(F.flatten(F.max_pool2d(x, 4), 1)))


def images(count: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 3, 8, 8)).astype(np.float32)


def observed(config: Q.QConfig = Q.min_max_fakequant_qconfig) -> M.Module:
    mge.random.seed(3)
    net = Q.quantize_qat(Net(), qconfig=config)
    net(Tensor(images()))
    net.eval()
    return net


def run(model: Any, *data: np.ndarray) -> np.ndarray:
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = runtime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, dict(zip([i.name for i in session.get_inputs()], data, strict=True)))[0]


def kinds(model: Any) -> list[str]:
    return [n.op_type for n in model.graph.node]


@pytest.mark.parametrize("integers", [False, True], ids=["trained with rounding", "integers"])
def test_models_go_out_and_come_back(integers: bool) -> None:
    net = observed()
    step = net.last.get_activation_qparams().scale.item()
    net = Q.quantize(net) if integers else net
    net.eval()
    x = images(3, seed=9)
    wanted = net(Tensor(x)).numpy()
    model = onnx.export(net, None, [x], arg_names=["x"])
    assert FLOAT_ONLY.isdisjoint(kinds(model)) and kinds(model).count("QuantizeLinear") >= 8
    makers = {output: n.op_type for n in model.graph.node for output in n.output}
    assert {makers[n.input[0]] for n in model.graph.node if n.op_type == "Relu"} == {"DequantizeLinear"}, "not fused"
    held = {t.name: t for t in model.graph.initializer}
    weights = [t for t in held.values() if len(t.dims) > 1]
    assert len(weights) == 5 and all(t.data_type == package.TensorProto.INT8 for t in weights)
    found = run(model, x)
    assert np.abs(found - wanted).max() < 1.01 * step
    loaded = onnx.load(model)
    assert np.abs(loaded(x).numpy() - found).max() < 1.01 * step
    if integers:
        assert {"first.weight", "first.bias", "last.weight"} <= {name for name, _ in loaded.named_tensors()}
    for again in (onnx.export(loaded, None), onnx.export(loaded, None, [x])):
        assert np.abs(run(again, x) - found).max() < 1.01 * step
    free, more = onnx.export(net, None, [x], dynamic_batch=True), images(7, seed=2)
    assert np.abs(run(free, more) - net(Tensor(more)).numpy()).max() < 1.01 * step


def _asymmetric() -> Q.QConfig:
    observer = partial(Q.MinMaxObserver, mode=Q.QuantMode.ASYMMERTIC, dtype="quint8")
    rounding = partial(Q.FakeQuantize, dtype="quint8")
    return Q.QConfig(observer, observer, rounding, rounding)


@pytest.mark.parametrize(
    "config", [_asymmetric(), Q.ema_lowbit_fakequant_qconfig, Q.tqt_qconfig], ids=["asymmetric", "4 bits", "tqt"]
)
def test_ways_of_rounding_have_pairs(config: Q.QConfig) -> None:
    net = Q.reset_qconfig(observed(), config) if config is Q.tqt_qconfig else observed(config)
    net.eval()
    x = images(3, seed=9)
    model = onnx.export(net, None, [x])
    assert "Floor" not in kinds(model)
    wanted, step = net(Tensor(x)).numpy(), net.last.get_activation_qparams().scale.item()
    apart = np.abs(run(model, x) - wanted) / step
    assert apart.max() < 1.01 and wanted.std() > 0


def test_functions_of_quantised_tensors() -> None:
    rng = np.random.default_rng(0)
    weight = Tensor(rng.uniform(-1, 1, (2, 4, 3, 1, 1)).astype("f4")).astype(qint8(1 / 64))
    bias = Tensor(rng.uniform(-1, 1, (1, 4, 1, 1)).astype("f4")).astype(qint32(1 / 4096))

    def compute(x: Tensor) -> list[Tensor]:
        small = x.astype(qint8(1 / 64))
        images = small.reshape(2, 3, 1, 2)
        products = F.quantized.batch_conv_bias_activation(images, weight, bias, qint8(1 / 16), nonlinear_mode="relu")
        sums = F.matmul(small, small, transpose_b=True)
        other = x.astype(quint8(1 / 32, 100))
        return [
            products.astype("float32"), sums.astype("float32"), sums.astype(qint8(1 / 2)).astype("float32"),
            other.astype("float32"), x.astype(quint4(1 / 4, 7)).astype("float32"), F.relu(small).astype("float32"),
            F.avg_pool2d(small.reshape(2, 1, 2, 3), 2, 1).astype("float32"),
        ]  # fmt: skip

    x = rng.uniform(-1, 1, (2, 6)).astype("f4")
    model = onnx.export(compute, None, [x])
    session = runtime.InferenceSession(model.SerializeToString())
    steps = [1 / 16, 1 / 4096, 1 / 2, 1 / 32, 1 / 4, 1 / 64, 1 / 64]
    for found, want, step in zip(
        session.run(None, {session.get_inputs()[0].name: x}), compute(Tensor(x)), steps, strict=True
    ):
        assert np.abs(found - want.numpy()).max() < 1.01 * step and np.abs(want.numpy()).max() > 2 * step


def test_results_of_32_bits_are_integers_there_too() -> None:
    x = np.float32([-3, -0.3, 0.4, 9])
    model = onnx.export(lambda x: x.astype(qint32(0.5)), None, [x])
    np.testing.assert_array_equal(run(model, x), Tensor(x).astype(qint32(0.5)).numpy())


def operands(*shapes: tuple[int, ...]) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    (first, second), made = shapes, {}
    # Of kernels seven bits: on processors without VNNI onnxruntime sums pairs of products in 16 bits.
    for name, shape, dtype, low, high in (("x", first, "u1", 0, 255), ("w", second, "i1", -64, 63)):
        made[name] = rng.integers(low, high + 1, shape).astype(dtype)
        made[f"{name}_zero"] = np.array(11, dtype)
    return made | {"x_scale": np.float32(0.02), "y_scale": np.float32(0.15), "y_zero": np.array(90, "u1")}


def quantised(kind: str, held: dict[str, Any], inputs: list[str], shape: tuple[int, ...], **attributes: Any) -> Any:
    value = package.helper.make_tensor_value_info
    x = held.pop("x")
    made = package.helper.make_graph(
        [node(kind, inputs, ["y"], **attributes)], "g", [value("x", 2, x.shape)], [value("y", 2, shape)],
        [package.numpy_helper.from_array(np.asarray(a), name) for name, a in held.items()],
    )  # fmt: skip
    model = package.helper.make_model(made, opset_imports=[package.helper.make_opsetid("", 18)])
    model.ir_version = 9
    return model, x


def test_operators_of_integers_are_read() -> None:
    scales = np.linspace(0.005, 0.02, 4).astype("f4")
    conv = operands((2, 3, 6, 6), (4, 3, 3, 3)) | {"w_scale": scales, "bias": np.arange(-200, 200, 100, dtype="i4")}
    conv["w_zero"] = np.zeros(4, "i1")
    product = operands((5, 7), (7, 4)) | {"w_scale": scales}
    product["w_zero"] = np.arange(-2, 2, dtype="i1")
    names = ["x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero"]
    for kind, held, inputs, shape, settings in (
        ("QLinearConv", conv, [*names, "bias"], (2, 4, 3, 3), {"strides": [2, 2], "pads": [1] * 4}),
        ("QLinearMatMul", product, names, (5, 4), {}),
    ):
        model, x = quantised(kind, held, inputs, shape, **settings)
        net, wanted = onnx.load(model), run(model, x).astype(int)
        apart = np.abs(net(x).numpy().astype(int) - wanted)
        assert apart.max() <= 1 and apart.mean() < 0.02 and len(set(wanted.reshape(-1))) > 15
        assert [name for name, t in net.named_tensors() if t.ndim > 1] == ["w"]
        np.testing.assert_array_equal(run(onnx.export(net, None, [x]), x), net(x).numpy())
