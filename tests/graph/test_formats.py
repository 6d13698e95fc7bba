"""Labels of memory formats: where they go, that numbers and gradients are the same, and what they cost."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor, amp, jit, optimizer
from megengine.autodiff import GradManager
from megengine.graph import counters, infer
from megengine.graph.caches import Cache

RNG = np.random.default_rng(2)


def image(*shape: int) -> Tensor:
    return Tensor(np.float32(RNG.normal(size=shape or (1, 2, 4, 4))), format="nhwc")


def test_results_have_the_label_of_their_operands() -> None:
    x = image()
    plain = F.ones((1, 2, 4, 4))
    kernel = Tensor(np.ones((2, 1, 1, 3, 3), "float32"), format="nhwc")
    for kept in (
        x + 1, plain * x, F.exp(x), x.astype("float16"), x.reshape(1, 4, 2, 4), F.broadcast_to(x, (3, 2, 4, 4)),
        F.concat([x, plain], 1), x[:, :1], F.conv2d(x, kernel, groups=2), F.max_pool2d(x, 2), F.copy(x), x.detach(),
        F.vision.interpolate(x, scale_factor=2), F.batch_norm(x, training=True), x.sum(1, keepdims=True), x.to("cpu0"),
    ):  # fmt: skip
        for each in kept if isinstance(kept, tuple) else (kept,):
            assert each.format == ("nhwc" if each.ndim == 4 else "default")
    for lost in (x.transpose(0, 2, 3, 1), F.nn.pad(x, ((1, 1),)), x.flatten(), F.stack([x, x]), x.sum(1), plain + 1):
        assert lost.format == "default"


def test_a_label_is_set_whether_computed_or_not() -> None:
    x = Tensor(np.ones((1, 1, 2, 2), "float32"))
    pending = x + 1
    for tensor in (x, pending):
        tensor.format = "nchw"
        assert tensor.format == "nchw" and (tensor + 1).format == "nchw"
    assert pending.numpy().sum() == 8 and (pending * x).numpy().sum() == 8
    x[:, :, 0] = 3
    assert x.format == "nchw" and x.numpy().sum() == 8
    x[...] = pending
    x.format = "default"
    assert (x + 1).format == "default"
    with pytest.raises(ValueError, match="format='chw'"):
        x.format = "chw"
    with pytest.raises(ValueError, match="format='chw'"):
        Tensor([1.0], format="chw")


def test_gradients_flow_through_labels() -> None:
    x = Tensor(np.ones((1, 1, 2, 2), "float32"))
    with GradManager().attach(x) as manager:
        y = x * 3
        y.format = "nhwc"
        x.format = "nhwc"
        manager.backward((y * x).sum())
    assert x.grad.numpy().tolist() == np.full((1, 1, 2, 2), 6).tolist()


def trained(net: M.Module, data: list[np.ndarray], label: str, traced: str) -> list[float]:
    sgd = optimizer.SGD(net.parameters(), lr=0.1, momentum=0.9)
    manager = GradManager().attach(net.parameters())

    def step(x: Tensor) -> Tensor:
        with manager:
            loss = (net(x) ** 2).mean()
            manager.backward(loss)
        sgd.step().clear_grad()
        return loss

    run = jit.trace(step, without_host=traced == "without_host") if traced else step
    return [run(Tensor(array, format=label)).item() for array in data]


@pytest.mark.parametrize("traced", ["", "default", "without_host"])
def test_training_a_labelled_network_is_the_same(traced: str) -> None:
    data = [np.float32(RNG.normal(size=(2, 2, 6, 6))) for _ in range(5)]
    net = M.Sequential(M.Conv2d(2, 4, 3), M.BatchNorm2d(4), M.ReLU(), M.Conv2d(4, 1, 1))
    other = copy.deepcopy(net)
    amp.convert_module_format(other)
    plain = trained(net, data, "default", traced)
    labelled = trained(other, data[:3], "nhwc", traced)
    np.testing.assert_allclose(labelled, plain[:3], rtol=1e-5)
    assert {p.format for p in other.parameters()} == {"nhwc"} and {p.format for p in net.parameters()} == {"default"}


@pytest.mark.usefixtures("compiled")
def test_programs_without_labels_infer_nothing_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infer, "inferred", Cache(100))
    x = Tensor(np.ones((1, 1, 2, 3), "float32"))
    (x * 2.5).numpy()
    before = len(infer.inferred)
    (x * 2.5).numpy()
    assert len(infer.inferred) == before
    x.format = "nhwc"
    (x * 2.5).numpy()
    assert len(infer.inferred) == before + 1


@pytest.mark.usefixtures("compiled")
def test_another_label_is_told_as_the_reason_of_a_compilation() -> None:
    for label in ("default", "nhwc"):
        x = Tensor(np.ones((1, 1, 3, 5), "float32"), format=label)
        before = counters.compilations["format"]
        (x * 4 + 2).numpy()
    assert counters.compilations["format"] == before + 1
