"""The example models have the sizes of their papers, and learn."""

from __future__ import annotations

import numpy as np
import pytest

import megengine as mge
from megengine.autodiff import GradManager
from megengine.module import Module
from megengine.optimizer import SGD

from .test_examples import load

RNG = np.random.default_rng(0)


def count(model: Module) -> int:
    return sum(int(np.prod(p.shape)) for p in model.parameters())


@pytest.mark.parametrize(("name", "parameters"), [("resnet18", 11_689_512), ("resnet50", 25_557_032)])
def test_resnets_have_the_parameters_of_the_paper(name: str, parameters: int) -> None:
    assert count(getattr(load("resnet"), name)()) == parameters


@pytest.mark.parametrize("amp", [False, True])
def test_resnet_learns(amp: bool) -> None:
    module = load("resnet")
    mge.random.seed(0)
    model = module.ResNet(module.BasicBlock, (1, 1), classes=2, small=True)
    gm, optimizer = GradManager().attach(model.parameters()), SGD(model.parameters(), lr=0.05, momentum=0.9)
    label = RNG.integers(0, 2, 8)
    image = RNG.standard_normal((8, 3, 8, 8)) + label[:, None, None, None]
    losses = [module.train_epoch(model, [(image, label)], gm, optimizer, amp) for _ in range(8)]
    assert losses[-1] < 0.5 < losses[0]


def test_gpt2_has_the_parameters_of_the_paper() -> None:
    gpt = load("gpt")

    def parameters(tokens: int, layers: int) -> int:
        return count(gpt.GPT(tokens=tokens, length=1024, width=768, heads=12, layers=layers))

    # The whole one takes half a gigabyte; both numbers count as often as they say.
    small = parameters(1, 1)
    token, layer = parameters(2, 1) - small, parameters(1, 2) - small
    assert small + 50256 * token + 11 * layer == 124_439_808


def test_gpt_learns_a_sequence_and_goes_on_with_it() -> None:
    gpt = load("gpt")
    mge.random.seed(0)
    text = np.tile(np.arange(5, dtype="int32"), 40)
    trainer = gpt.Trainer(gpt.GPT(tokens=5, length=8, width=16, heads=2, layers=1), text, lr=0.02)
    losses = [trainer.step() for _ in range(60)]
    assert losses[0] == pytest.approx(np.log(5), abs=0.1) and losses[-1] < 0.05
    assert gpt.write(trainer.model, text[:3], 12).tolist() == text[:15].tolist()


def test_lstm_learns() -> None:
    module = load("lstm_classifier")
    mge.random.seed(0)
    model = module.Classifier(hidden=16)
    # Four gates, each with a matrix for the input, one for the state, and two biases; MegEngine's cells repeat them.
    assert count(module.Classifier()) - count(module.Classifier().lstm) == 128 * 10 + 10
    assert model.lstm._flatten_weights.size == 4 * 16 * (28 + 16 + 2)
    label = RNG.integers(0, 2, 16)
    image = (RNG.random((16, 28, 28, 1)) * 100 + 100 * label[:, None, None, None]).astype("uint8")
    trainer = module.Trainer(model, lr=0.02)
    losses = [trainer.step(image, label) for _ in range(30)]
    assert losses[-1] < 0.3 < losses[0]


def test_vae_learns() -> None:
    module = load("vae")
    mge.random.seed(0)
    assert count(module.VAE()) == 784 * 500 + 500 + 2 * (500 * 20 + 20) + 20 * 500 + 500 + 500 * 784 + 784
    trainer = module.Trainer(module.VAE(hidden=32, latent=4), lr=0.01)
    image = np.repeat(np.random.default_rng(0).integers(0, 2, (2, 784)) * 255, 8, 0).astype("uint8")
    losses = [trainer.step(image) for _ in range(60)]
    assert losses[0] == pytest.approx(784 * np.log(2), rel=0.1) and losses[-1] < 0.3 * losses[0]
    assert len(module.show(np.ones((2, 784))).splitlines()) == 14


def test_dcgan_has_the_parameters_of_its_sizes_and_plays() -> None:
    module = load("dcgan")
    # Kernels of 4 x 4 over 100-1024-512-256-128-3 channels, and two numbers for each channel of the batch norms.
    widths = [100, 1024, 512, 256, 128, 3]
    kernels = 16 * sum(a * b for a, b in zip(widths, widths[1:], strict=False))
    assert count(module.generator()) == kernels + 2 * (1024 + 512 + 256 + 128)
    assert count(module.discriminator()) == kernels - 16 * 100 * 1024 + 16 * 1024 + 2 * (1024 + 512 + 256)
    mge.random.seed(0)
    game = module.Game(latent=8, width=4, doublings=2, lr=0.01)
    real = np.sign(RNG.standard_normal((1, 1, 16, 16))).astype("float32").repeat(8, 0)
    losses = [game.step(real) for _ in range(15)]
    assert np.isfinite(losses).all() and losses[-1][1] < losses[0][1]
    assert module.padded(np.zeros((2, 28, 28, 1), "uint8")).shape == (2, 1, 32, 32)
