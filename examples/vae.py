"""A variational autoencoder of Fashion-MNIST.

    python examples/vae.py [--epochs 5] [--data FOLDER]

Kingma, Welling, Auto-Encoding Variational Bayes, 2013: 500 hidden units, here with 20 latent numbers.
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


class VAE(M.Module):
    """Logits of the pixels, and the mean and log variance of the latent numbers, from pixels (N, 784) between 0 and 1."""

    def __init__(self, pixels: int = 784, hidden: int = 500, latent: int = 20) -> None:
        super().__init__()
        self.encoder = M.Linear(pixels, hidden)
        self.mean, self.log_variance = M.Linear(hidden, latent), M.Linear(hidden, latent)
        self.decoder = M.Sequential(M.Linear(latent, hidden), M.ReLU(), M.Linear(hidden, pixels))

    def forward(self, x: mge.Tensor) -> tuple[mge.Tensor, mge.Tensor, mge.Tensor]:
        h = F.relu(self.encoder(x))
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + F.exp(0.5 * log_variance) * mge.random.normal(size=mean.shape)
        return self.decoder(z), mean, log_variance


def negative_elbo(logits: mge.Tensor, x: mge.Tensor, mean: mge.Tensor, log_variance: mge.Tensor) -> mge.Tensor:
    """Nats an image: what the decoder gets wrong, and how far the latent numbers are from a standard normal."""
    reconstruction = F.loss.binary_cross_entropy(logits, x, reduction="sum")
    divergence = -0.5 * F.sum(1 + log_variance - mean * mean - F.exp(log_variance))
    return (reconstruction + divergence) / x.shape[0]


class Trainer:
    def __init__(self, model: VAE, lr: float = 1e-3) -> None:
        self.model = model
        self.gm = GradManager().attach(model.parameters())
        self.optimizer = Adam(model.parameters(), lr=lr)

    def step(self, image: np.ndarray) -> float:
        """One update from images of bytes; returns the negative evidence lower bound, nats an image."""
        x = mge.Tensor(image.reshape(len(image), -1).astype("float32") / 255)
        with self.gm:
            logits, mean, log_variance = self.model(x)
            loss = negative_elbo(logits, x, mean, log_variance)
            self.gm.backward(loss)
        self.optimizer.step().clear_grad()
        return loss.item()


def show(images: np.ndarray) -> str:
    """Images (N, 784) between 0 and 1 side by side, in characters."""
    shades = np.array(list(" .:-=+*#%@"))
    pictures = (images.reshape(-1, 28, 28)[:, ::2] * 9.99).astype(int)
    return "\n".join("".join(shades[np.concatenate(row)]) for row in zip(*pictures, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a variational autoencoder on Fashion-MNIST.")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--data", help="folder with the four files of the data set")
    options = parser.parse_args()
    data = FashionMNIST(options.data, train=True)
    loader = DataLoader(data, RandomSampler(data, batch_size=128, drop_last=True))
    trainer = Trainer(VAE())
    for epoch in range(options.epochs):
        losses = [trainer.step(image) for image, _ in loader]
        print(f"epoch {epoch}: {np.mean(losses):.1f} nats an image")
    print(show(F.sigmoid(trainer.model.decoder(mge.random.normal(size=(4, 20)))).numpy()))


if __name__ == "__main__":
    main()
