"""A training step, and the weights that all contenders have when they are compared."""

from __future__ import annotations

import numpy as np

import megengine
from cold.data import weight
from megengine.autodiff import GradManager


def trainer(model, optimizer, loss_of):
    """A function that does one step of training on its arguments and returns the loss."""
    gm = GradManager().attach(model.parameters())

    def train(*batch):
        with gm:
            loss = loss_of(*batch)
            gm.backward(loss)
        optimizer.step().clear_grad()
        return loss.item()

    return train


def fill(model):
    """Give the parameters the values that depend on their names only."""
    if model is None:
        return
    for name, parameter in model.named_parameters():
        if name.endswith("lstm._flatten_weights"):
            lstm = name.rpartition(".")[0]
            fill_lstm(parameter, lstm, *(getattr(model.lstm, size) for size in ("input_size", "hidden_size")))
        elif ".cells" not in name:
            parameter[...] = megengine.Tensor(weight(name, tuple(parameter.shape)))


def fill_lstm(parameter, name, inputs, hidden):
    """The one parameter of an LSTM of one layer: all matrices, then all biases, rows below one another."""
    shapes = {"weight_ih": (4 * hidden, inputs), "weight_hh": (4 * hidden, hidden)}
    shapes |= {"bias_ih": (4 * hidden,), "bias_hh": (4 * hidden,)}
    parts = [weight(f"{name}.{part}_l0", shape).ravel() for part, shape in shapes.items()]
    parameter[...] = megengine.Tensor(np.concatenate(parts).reshape(parameter.shape))
