"""XOR: no linear model learns it, one hidden layer does.

    python examples/xor.py

The four points of exclusive or cannot be separated by a line, so the best that a linear model can do is to answer one half
for each of them: it ends at the loss ln 2 = 0.693. Eight hidden units with tanh are enough.
"""

from __future__ import annotations

import math

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine.autodiff import GradManager
from megengine.optimizer import SGD

POINTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
ANSWERS = np.array([0, 1, 1, 0], dtype="int32")


class LinearModel(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.classifier = M.Linear(2, 2)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        return self.classifier(x)


class HiddenLayer(M.Module):
    def __init__(self, units: int = 8) -> None:
        super().__init__()
        self.fc = M.Linear(2, units)
        self.classifier = M.Linear(units, 2)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        return self.classifier(F.tanh(self.fc(x)))


def train(model: M.Module, steps: int = 1000, lr: float = 0.5) -> tuple[float, np.ndarray]:
    """Returns the last loss and the probability of the answer 1 at the four points."""
    x, y = mge.Tensor(POINTS), mge.Tensor(ANSWERS)
    gm = GradManager().attach(model.parameters())
    optimizer = SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        with gm:
            loss = F.nn.cross_entropy(model(x), y)
            gm.backward(loss)
        optimizer.step().clear_grad()
    return loss.item(), F.softmax(model(x), axis=1)[:, 1].numpy()


def main() -> None:
    mge.random.seed(0)
    for model in (LinearModel(), HiddenLayer()):
        loss, probability = train(model)
        print(f"{type(model).__name__}: loss {loss:.4f}")
        for (a, b), answer, p in zip(POINTS.astype(int), ANSWERS, probability, strict=True):
            print(f"  {a} xor {b} = {answer}, probability of 1: {p:.3f}")
        right = ((probability > 0.5) == ANSWERS) & (np.abs(probability - 0.5) > 0.01)
        print(f"  {right.sum()} of 4 answered rightly and surely")
    print(f"ln 2 = {math.log(2):.4f} is the loss of answering one half everywhere.")


if __name__ == "__main__":
    main()
