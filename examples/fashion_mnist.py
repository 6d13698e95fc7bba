"""The tutorial's network on Fashion-MNIST, as one would write it today.

    python examples/fashion_mnist.py [--epochs 5] [--lr 0.01] [--data FOLDER]

The data set is found, or fetched, by the library. `mge train` does the same with a progress bar, checkpoints and a report.
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
from megengine.data.transform import Normalize
from megengine.optimizer import SGD


class Net(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = M.Linear(28 * 28, 256)
        self.classifier = M.Linear(256, 10)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        return self.classifier(F.relu(self.fc(F.flatten(x, 1))))


def make_loaders(root: str | None, batch_size: int = 64) -> tuple[DataLoader, DataLoader]:
    train, test = FashionMNIST(root, train=True), FashionMNIST(root, train=False)
    images = np.asarray(train.arrays[0])
    transform = Normalize(images.mean(), images.std())
    return (
        DataLoader(train, RandomSampler(train, batch_size=batch_size), transform),
        DataLoader(test, SequentialSampler(test, batch_size=batch_size), transform),
    )


def accuracy(model: Net, loader: DataLoader) -> float:
    right = total = 0
    for image, label in loader:
        answer = F.argmax(model(mge.Tensor(image)), axis=1)
        right += (answer == mge.Tensor(label)).sum().item()
        total += len(label)
    return right / total


def main() -> None:
    parser = argparse.ArgumentParser(description="Train two linear layers on Fashion-MNIST.")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--data", help="folder with the four files of the data set")
    options = parser.parse_args()

    train_loader, test_loader = make_loaders(options.data)
    model = Net()
    gm = GradManager().attach(model.parameters())
    optimizer = SGD(model.parameters(), lr=options.lr)

    for epoch in range(options.epochs):
        losses = []
        for image, label in train_loader:
            with gm:
                loss = F.nn.cross_entropy(model(mge.Tensor(image)), mge.Tensor(label))
                gm.backward(loss)
            optimizer.step().clear_grad()
            losses.append(loss.item())
        print(f"epoch {epoch}: loss {np.mean(losses):.3f}, test accuracy {accuracy(model, test_loader):.3f}")


if __name__ == "__main__":
    main()
