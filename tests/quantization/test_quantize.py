"""Models through quantization: trained with rounding, of integers, in both tiers, traced, saved, dumped and loaded."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.quantization as Q
from megengine import Tensor, graph
from megengine.core.tensor.dtype import get_scale, is_quantize
from megengine.jit import trace
from megengine.module import qat, quantized
from megengine.utils.comp_graph_tools import GraphInference
from megengine.utils.network import Network


class Small(M.Module):
    """A network with each kind of layer that images go through."""

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = M.QuantStub(), M.DequantStub()
        self.first = M.ConvBnRelu2d(3, 8, 3, padding=1)
        self.deep = M.ConvBn2d(8, 8, 3, padding=1, groups=8)
        self.add = M.Elemwise("fuse_add_relu")
        self.up = M.ConvTransposeBnRelu2d(8, 4, 2, stride=2)
        self.join = M.Concat()
        self.last = M.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.quant(x))
        x = F.max_pool2d(self.add(self.deep(x), x), 2)
        x = self.up(x)
        x = self.join([x, x], 1)
        x = F.flatten(F.adaptive_max_pool2d(x, 1), 1)
        return self.dequant(self.last(x))


def images(count: int = 4, seed: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(seed).standard_normal((count, 3, 8, 8)).astype(np.float32))


def observed(**settings: Any) -> M.Module:
    """A model for training that has seen some images, in evaluation."""
    mge.random.seed(3)
    net = Q.quantize_qat(Small(), **settings)
    for seed in range(3):
        net(images(seed=seed))
    net.eval()
    return net


@pytest.fixture(scope="module")
def pair() -> tuple[M.Module, M.Module]:
    """A model for training, and that of integers."""
    net = observed(qconfig=Q.min_max_fakequant_qconfig)
    integers = Q.quantize(net, inplace=False)
    integers.eval()
    return net, integers


def test_every_layer_becomes_one_of_integers(pair: tuple[M.Module, M.Module]) -> None:
    net, integers = pair
    parts = [name for name, part in net.named_children() if isinstance(part, qat.QATModule)]
    assert parts == ["add", "deep", "dequant", "first", "join", "last", "quant", "up"]
    for name in parts:
        assert type(getattr(integers, name)).__name__ == type(getattr(net, name)).__name__
        assert isinstance(getattr(integers, name), quantized.QuantizedModule)
    assert is_quantize(integers.first.weight.dtype)
    assert get_scale(integers.first.weight.dtype) == net.first.get_weight_qparams().scale.item()
    sizes = [sum(p.numpy().nbytes for name, p in n.named_parameters() if name.endswith("weight")) for n in pair]
    assert sizes[1] < sizes[0] / 3.5


def test_integers_answer_as_the_rounded_model(pair: tuple[M.Module, M.Module]) -> None:
    net, integers = pair
    step = net.last.get_activation_qparams().scale.item()
    for seed in range(3):
        apart = np.abs(net(images(seed=seed)).numpy() - integers(images(seed=seed)).numpy()) / step
        assert apart.max() < 1.5 and np.mean(apart > 0.5) < 0.1


def test_both_tiers_and_traces_agree_to_the_last_bit(pair: tuple[M.Module, M.Module]) -> None:
    _, integers = pair
    x = images(3, seed=9)
    results = []
    for tier in ("host", "compiled"):
        with graph.tier(tier):
            results.append(integers(x).numpy())
    traced = trace(integers.forward, symbolic=True, capture_as_const=True)
    results += [traced(x).numpy(), traced(x).numpy()]
    for found in results[1:]:
        np.testing.assert_array_equal(found, results[0])


def test_dumped_and_loaded(pair: tuple[M.Module, M.Module]) -> None:
    _, integers = pair
    x = images(3, seed=9)
    wanted = integers(x).numpy()
    function = trace(lambda x: integers(x), symbolic=True, capture_as_const=True)
    function(x)
    file = io.BytesIO()
    function.dump(file, arg_names=["data"], output_names=["scores"])
    file.seek(0)
    found = GraphInference(file).run(x.numpy())["scores"]
    np.testing.assert_array_equal(found, wanted)
    file.seek(0)
    again = io.BytesIO()
    Network.load(file).dump(again)
    again.seek(0)
    np.testing.assert_array_equal(next(iter(GraphInference(again).run(x.numpy()).values())), wanted)


def test_state_is_saved_and_loaded(pair: tuple[M.Module, M.Module], tmp_path: Any) -> None:
    net, integers = pair
    mge.save(integers.state_dict(), f"{tmp_path}/int8.pkl")
    fresh = Q.quantize(observed(qconfig=Q.min_max_fakequant_qconfig))
    fresh.first.weight = mge.Parameter(np.zeros_like(fresh.first.weight.numpy()))
    fresh.load_state_dict(mge.load(f"{tmp_path}/int8.pkl"))
    fresh.eval()
    np.testing.assert_array_equal(fresh(images()).numpy(), integers(images()).numpy())
    mge.save(net.state_dict(), f"{tmp_path}/qat.pkl")
    assert float(mge.load(f"{tmp_path}/qat.pkl")["first.act_observer.max_val"]) > 0


def test_training_learns_through_the_rounding() -> None:
    mge.random.seed(5)
    net = Q.quantize_qat(Small())
    labels = Tensor(np.arange(4) % 3, dtype="int32")
    manager = mge.autodiff.GradManager().attach(net.parameters())
    optimizer = mge.optimizer.Adam(net.parameters(), lr=0.02)
    losses = []
    for _ in range(25):
        with manager:
            loss = F.loss.cross_entropy(net(images()), labels)
            manager.backward(loss)
        optimizer.step().clear_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    net.eval()
    integers = Q.quantize(net, inplace=False)
    integers.eval()
    assert np.argmax(integers(images()).numpy(), 1).tolist() == np.argmax(net(images()).numpy(), 1).tolist()


@pytest.mark.parametrize(
    "config", [Q.tqt_qconfig, Q.QConfig(*[None] * 2, *[partial(Q.LSQ, dtype="qint8")] * 2)], ids=["tqt", "lsq"]
)
def test_learned_steps_have_gradients(config: Q.QConfig) -> None:
    net = Q.reset_qconfig(observed(qconfig=Q.min_max_fakequant_qconfig), config)
    net.train()
    steps = [p for name, p in net.named_parameters() if "fake_quant" in name and "join.weight" not in name]
    assert len(steps) == 11
    manager = mge.autodiff.GradManager().attach(steps)
    with manager:
        manager.backward((net(images()) ** 2).sum())
    assert sum(bool(p.grad.numpy() != 0) for p in steps) >= 10


def test_own_classes_and_what_is_left_out() -> None:
    class Own(M.Conv2d):
        pass

    class OwnQat(qat.Conv2d):
        pass

    net = M.Sequential(M.QuantStub(), Own(3, 4, 1), M.Conv2d(4, 4, 1))
    with pytest.raises(KeyError, match=r"Own is a subclass .* mapping="):
        Q.quantize_qat(net, inplace=False)
    net[2].disable_quantize()
    made = Q.quantize_qat(net, mapping={Own: OwnQat})
    assert [type(part) for part in made] == [qat.QuantStub, OwnQat, M.Conv2d]
    Q.quantize_qat(made)
    assert type(made[1]) is OwnQat
    with pytest.raises(KeyError, match="OwnQat"):
        Q.quantize(made, inplace=False)
    assert type(Q.quantize(made, mapping={OwnQat: quantized.Conv2d})[1]) is quantized.Conv2d


def test_a_configuration_without_its_name(caplog: pytest.LogCaptureFixture) -> None:
    net = Q.quantize_qat(M.Sequential(M.QuantStub()), Q.min_max_fakequant_qconfig)
    assert isinstance(net[0].act_observer, Q.ExponentialMovingAverageObserver)
    with pytest.raises(AssertionError, match="must be a QConfig"):
        Q.quantize_qat(net, qconfig=Q.MinMaxObserver)
    with pytest.raises(ValueError, match="must not receive observer instance"):
        Q.QConfig(Q.MinMaxObserver(), None, None, None)


def test_integer_layers_are_for_inference() -> None:
    net = Q.quantize(observed(qconfig=Q.min_max_fakequant_qconfig))
    net.train()
    with pytest.raises(ValueError, match="only support inference"):
        net(images())


def test_both_ways_of_folding_the_normalisation() -> None:
    """The batch's own statistics folded, and normalising behind the layer, are the same without rounding."""
    layer = qat.ConvBn2d(3, 4, 3)
    x = images()
    near = layer.calc_conv_bn_qat(x).numpy()
    var = layer.bn.running_var.numpy()
    layer.bn.reset_running_stats()
    exact = layer.calc_conv_bn_qat(x, approx=False).numpy()
    np.testing.assert_allclose(exact, near, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer.bn.running_var.numpy(), var, rtol=1e-4)


@pytest.mark.parametrize("number", [0.0, 1.5, -2.0])
def test_a_histogram_of_equal_numbers(number: float) -> None:
    """Such as a layer gives whose units are dead; MegEngine fails."""
    same, others = np.full((2, 3), number, np.float32), np.float32([-3.0, -1.0, 2.0, 5.0])
    observer, usual = Q.HistogramObserver(), Q.MinMaxObserver()
    for x in (same, same):
        observer(Tensor(x))
        usual(Tensor(x))
        assert observer.get_qparams().scale.item() == usual.get_qparams().scale.item()
    observer(Tensor(others))
    wanted, _ = np.histogram(np.concatenate([same.ravel(), same.ravel(), others]), observer.bins, (-3, 5))
    np.testing.assert_array_equal(observer.histogram.numpy(), wanted)
    assert 0 < observer.get_qparams().scale.item() <= 5 / 127.5 * 1.001
