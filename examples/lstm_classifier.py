"""An LSTM that reads the images of Fashion-MNIST row by row and then names the class.

    python examples/lstm_classifier.py [--epochs 3] [--data FOLDER]

Hochreiter, Schmidhuber, Long Short-Term Memory, 1997.
"""

from __future__ import annotations

import argparse

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine.autodiff import GradManager
from megengine.data import DataLoader, RandomSampler, SequentialSampler
from megengine.data.dataset import FashionMNIST
from megengine.optimizer import Adam


class Classifier(M.Module):
    """Scores of the classes after the last of the rows (N, T, features)."""

    def __init__(self, features: int = 28, hidden: int = 128, layers: int = 1, classes: int = 10) -> None:
        super().__init__()
        self.lstm = M.LSTM(features, hidden, layers, batch_first=True)
        self.head = M.Linear(hidden, classes)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        outputs, _ = self.lstm(x)
        return self.head(outputs[:, -1])


def rows(image: np.ndarray) -> mge.Tensor:
    """Images (N, 28, 28, 1) of bytes as 28 steps of 28 numbers from 0 to 1."""
    return mge.Tensor(image.reshape(len(image), 28, 28).astype("float32") / 255)


class Trainer:
    def __init__(self, model: Classifier, lr: float = 1e-3) -> None:
        self.model = model
        self.gm = GradManager().attach(model.parameters())
        self.optimizer = Adam(model.parameters(), lr=lr)

    def step(self, image: np.ndarray, label: np.ndarray) -> float:
        """One update; returns the loss."""
        with self.gm:
            loss = F.nn.cross_entropy(self.model(rows(image)), mge.Tensor(label, dtype="int32"))
            self.gm.backward(loss)
        self.optimizer.step().clear_grad()
        return loss.item()


def accuracy(model: Classifier, loader: DataLoader) -> float:
    right = total = 0
    for image, label in loader:
        right += int((F.argmax(model(rows(image)), 1).numpy() == label).sum())
        total += len(label)
    return right / total


def main() -> None:
    parser = argparse.ArgumentParser(description="Train an LSTM on the rows of Fashion-MNIST.")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--data", help="folder with the four files of the data set")
    options = parser.parse_args()
    train, test = FashionMNIST(options.data, train=True), FashionMNIST(options.data, train=False)
    loader = DataLoader(train, RandomSampler(train, batch_size=128, drop_last=True))
    test_loader = DataLoader(test, SequentialSampler(test, batch_size=500))
    trainer = Trainer(Classifier())
    for epoch in range(options.epochs):
        losses = [trainer.step(image, label) for image, label in loader]
        print(f"epoch {epoch}: loss {np.mean(losses):.3f}, test accuracy {accuracy(trainer.model, test_loader):.3f}")


if __name__ == "__main__":
    main()
