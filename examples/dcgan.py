"""A deep convolutional generative adversarial network that draws clothes like those of Fashion-MNIST.

    python examples/dcgan.py [--epochs 5] [--data FOLDER]

Radford, Metz, Chintala, Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks, 2015.
"""

from __future__ import annotations

import argparse

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine.autodiff import GradManager
from megengine.data import DataLoader, RandomSampler
from megengine.data.dataset import FashionMNIST
from megengine.optimizer import Adam


def generator(latent: int = 100, width: int = 128, channels: int = 3, doublings: int = 4) -> M.Sequential:
    """From (N, latent, 1, 1) to images of 4 * 2 ** doublings pixels a side; the defaults are the paper's, for 64."""
    sizes = [width << k for k in reversed(range(doublings))]
    layers: list[M.Module] = [M.ConvTranspose2d(latent, sizes[0], 4, bias=False), M.BatchNorm2d(sizes[0]), M.ReLU()]
    for a, b in zip(sizes, sizes[1:], strict=False):
        layers += [M.ConvTranspose2d(a, b, 4, 2, 1, bias=False), M.BatchNorm2d(b), M.ReLU()]
    return M.Sequential(*layers, M.ConvTranspose2d(sizes[-1], channels, 4, 2, 1, bias=False), Tanh())


def discriminator(width: int = 128, channels: int = 3, doublings: int = 4) -> M.Sequential:
    """From images to the logit, (N, 1, 1, 1), that they are real."""
    sizes = [width << k for k in range(doublings)]
    layers: list[M.Module] = [M.Conv2d(channels, sizes[0], 4, 2, 1, bias=False), M.LeakyReLU(0.2)]
    for a, b in zip(sizes, sizes[1:], strict=False):
        layers += [M.Conv2d(a, b, 4, 2, 1, bias=False), M.BatchNorm2d(b), M.LeakyReLU(0.2)]
    return M.Sequential(*layers, M.Conv2d(sizes[-1], 1, 4, bias=False))


class Tanh(M.Module):
    def forward(self, x: mge.Tensor) -> mge.Tensor:
        return F.tanh(x)


def initialise(network: M.Module) -> M.Module:
    """The paper's weights: normal with a deviation of 0.02, around 1 for the scales of batch norms."""
    for module in network.modules():
        if isinstance(module, (M.Conv2d, M.ConvTranspose2d)):
            M.init.normal_(module.weight, 0, 0.02)
        elif isinstance(module, M.BatchNorm2d):
            M.init.normal_(module.weight, 1, 0.02)
    return network


class Game:
    """Generator and discriminator, which learn in turns."""

    def __init__(self, latent: int = 100, width: int = 32, channels: int = 1, doublings: int = 3, lr: float = 2e-4):
        self.latent = latent
        self.generator = initialise(generator(latent, width, channels, doublings))
        self.discriminator = initialise(discriminator(width, channels, doublings))
        players = (self.generator, self.discriminator)
        self.managers = [GradManager().attach(p.parameters()) for p in players]
        self.optimizers = [Adam(p.parameters(), lr=lr, betas=(0.5, 0.999)) for p in players]

    def draw(self, count: int) -> mge.Tensor:
        return self.generator(mge.random.normal(size=(count, self.latent, 1, 1)))

    def _loss(self, images: mge.Tensor, real: float) -> mge.Tensor:
        logits = self.discriminator(images).reshape(-1)
        return F.loss.binary_cross_entropy(logits, F.full_like(logits, real))

    def step(self, image: np.ndarray) -> tuple[float, float]:
        """One move of each, from images (N, C, H, W) between -1 and 1; returns the losses of generator and discriminator."""
        real = mge.Tensor(image)
        with self.managers[1] as gm:
            fake = self.draw(len(image)).detach()
            against = self._loss(real, 1.0) + self._loss(fake, 0.0)
            gm.backward(against)
        self.optimizers[1].step().clear_grad()
        with self.managers[0] as gm:
            loss = self._loss(self.draw(len(image)), 1.0)
            gm.backward(loss)
        self.optimizers[0].step().clear_grad()
        return loss.item(), against.item()


def padded(image: np.ndarray) -> np.ndarray:
    """Images (N, 28, 28, 1) of bytes as (N, 1, 32, 32) between -1 and 1."""
    return np.pad(image[..., 0] / np.float32(127.5) - 1, ((0, 0), (2, 2), (2, 2)), constant_values=-1)[:, None]


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a DCGAN on Fashion-MNIST.")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--data", help="folder with the four files of the data set")
    options = parser.parse_args()
    data = FashionMNIST(options.data, train=True)
    loader = DataLoader(data, RandomSampler(data, batch_size=128, drop_last=True))
    game = Game()
    for epoch in range(options.epochs):
        losses = np.mean([game.step(padded(image)) for image, _ in loader], 0)
        print(f"epoch {epoch}: generator {losses[0]:.3f}, discriminator {losses[1]:.3f}")
    shades = np.array(list(" .:-=+*#%@"))
    for row in ((game.draw(1).numpy()[0, 0, ::2] + 1) * 4.99).astype(int):
        print("".join(shades[row]))


if __name__ == "__main__":
    main()
