"""Zero initialisation: all hidden units stay equal, so the layer is no wider than one unit.

    python examples/zero_init.py

Units that start equal compute the same value and receive the same gradient, at every step. With relu and zeros everywhere not
even that happens: the gradient itself is zero, and only the last bias learns. The same network learns from random numbers.
"""

from __future__ import annotations

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine.autodiff import GradManager
from megengine.optimizer import SGD

UNITS = 16


class Net(M.Module):
    def __init__(self, activation: str) -> None:
        super().__init__()
        self.activation = getattr(F, activation)
        self.fc = M.Linear(8, UNITS)
        self.classifier = M.Linear(UNITS, 4)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        return self.classifier(self.activation(self.fc(x)))


def make_data(count: int = 512) -> tuple[mge.Tensor, mge.Tensor]:
    """Points whose class is the quadrant of their first two coordinates."""
    points = np.random.default_rng(0).normal(size=(count, 8)).astype("float32")
    return mge.Tensor(points), mge.Tensor((points[:, 0] > 0) * 2 + (points[:, 1] > 0), dtype="int32")


def train(model: Net, steps: int = 300, lr: float = 0.5) -> float:
    """Returns the accuracy on the training points."""
    x, y = make_data()
    gm = GradManager().attach(model.parameters())
    optimizer = SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        with gm:
            gm.backward(F.nn.cross_entropy(model(x), y))
        optimizer.step().clear_grad()
    return (F.argmax(model(x), axis=1) == y).astype("float32").mean().item()


def main() -> None:
    mge.random.seed(0)
    for init in ("zero", "random"):
        for activation in ("sigmoid", "relu"):
            model = Net(activation)
            if init == "zero":
                for parameter in model.parameters():
                    M.init.zeros_(parameter)
            accuracy = train(model)
            different = len(np.unique(model.fc.weight.numpy().round(4), axis=0))  # libraries round columns differently
            moved = "moved" if np.any(model.fc.weight.numpy()) else "still zero"
            print(
                f"{init:6} init, {activation:7}: {different:2} different hidden units of {UNITS}"
                f" (weights {moved}), accuracy {accuracy:.3f}"
            )


if __name__ == "__main__":
    main()
