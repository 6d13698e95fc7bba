"""A training step of the tutorial's network, for this package and for real MegEngine: ``step_megengine.py eager|trace|skip``.

``skip`` skips the body of the traced function; real MegEngine cannot do so here, since the model is no argument of it.
"""

from __future__ import annotations

import sys

from blocks import serve
from network import CLASSES, FEATURES, HIDDEN, LR, batches, first_losses, weights

import megengine
import megengine.functional as F
import megengine.module as M
from megengine.autodiff import GradManager
from megengine.jit import trace
from megengine.optimizer import SGD


class NN(M.Module):
    def __init__(self):
        super().__init__()
        self.fc = M.Linear(FEATURES, HIDDEN)
        self.classifier = M.Linear(HIDDEN, CLASSES)
        for layer, weight in zip((self.fc, self.classifier), weights(), strict=True):
            layer.weight[...] = megengine.Tensor(weight)

    def forward(self, x):
        return self.classifier(F.nn.relu(self.fc(x)))


def make_step(how):
    """A function that trains on the next batch and returns the loss as a number."""
    model = NN()
    gm = GradManager().attach(model.parameters())
    optimizer = SGD(model.parameters(), lr=LR)
    source = batches()

    def train(image, label):
        with gm:
            loss = F.nn.cross_entropy(model(image), label)
            gm.backward(loss)
            optimizer.step().clear_grad()
        return loss

    if how != "eager":
        train = trace(train, symbolic=True, without_host=how == "skip")

    def step():
        image, label = next(source)
        return train(megengine.Tensor(image), megengine.Tensor(label)).item()

    return step


if __name__ == "__main__":
    step = make_step(sys.argv[1])
    serve(step, first_losses(step))
