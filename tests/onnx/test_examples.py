"""The models of ``examples/`` in onnxruntime, with a free batch, and read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import megengine.module as M
from examples import dcgan, fashion_mnist, gpt, lstm_classifier, resnet, vae, xor, zero_init
from megengine import Tensor, onnx
from megengine.jit.models import leaves

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


MODELS: dict[str, tuple[Callable[[], M.Module], np.ndarray]] = {
    "generator": (lambda: dcgan.generator(8, 8), normal(2, 8, 1, 1)),
    "discriminator": (lambda: dcgan.discriminator(8), normal(2, 3, 64, 64)),
    "fashion_mnist": (fashion_mnist.Net, normal(3, 1, 28, 28)),
    "gpt": (lambda: gpt.GPT(17, 12, 16, 2, 2), RNG.integers(0, 17, (2, 9)).astype(np.int32)),
    "lstm_classifier": (lambda: lstm_classifier.Classifier(hidden=16), normal(3, 28, 28)),
    "resnet18": (lambda: resnet.resnet18(10, small=True), normal(2, 3, 32, 32)),
    "vae": (vae.VAE, normal(2, 784)),
    "xor": (xor.LinearModel, normal(4, 2)),
    "xor_hidden": (xor.HiddenLayer, normal(4, 2)),
    "zero_init": (lambda: zero_init.Net("tanh"), normal(4, 8)),
}


def results(found: Any) -> list[np.ndarray]:
    return [t.numpy() for _, t in leaves(found, "")]


@pytest.mark.parametrize("name", MODELS)
def test_same_numbers(name: str) -> None:
    make, x = MODELS[name]
    net = make()
    net.eval()
    model = onnx.export(net, None, [x], dynamic_batch=True, arg_names=["x"])
    batch = np.concatenate([x, x[:1]])
    drawn = name == "vae"  # its first result is of random numbers, the others are their mean and variance
    wanted = results(net(Tensor(batch)))[drawn:]
    given = runtime.InferenceSession(model.SerializeToString()).run(None, {"x": batch})
    free = [v.type.tensor_type.shape.dim[0].dim_param for v in (*model.graph.input, *model.graph.output)]
    assert free == ["batch"] * (2 + 2 * drawn)
    for found, want in zip(given[drawn:], wanted, strict=True):
        np.testing.assert_allclose(found, want, 1e-4, 1e-5)
    held = {t.name for t in model.graph.initializer}
    names = {n for n, _ in net.named_tensors() if not n.startswith("lstm.cells")}  # parts of one parameter
    assert names <= held
    loaded = onnx.load(model)
    assert names <= {n for n, _ in loaded.named_tensors()}
    for found, want in zip(results(loaded(batch))[drawn:], wanted, strict=True):
        np.testing.assert_allclose(found, want, 1e-4, 1e-5)
    assert not drawn or np.abs(loaded(batch)[0].numpy() - loaded(batch)[0].numpy()).max() > 1e-3
