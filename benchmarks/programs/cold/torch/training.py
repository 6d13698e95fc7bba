"""A training step, and the weights that all contenders have when they are compared."""

from __future__ import annotations

import torch
import torch._dynamo  # the first optimizer imports it, and imports are not timed

from cold.data import weight


def trainer(optimizer, loss_of):
    """A function that does one step of training on its arguments and returns the loss."""

    def train(*batch):
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        return loss.item()

    return train


def fill(model):
    """Give the parameters the values that depend on their names only."""
    if model is None:
        return
    for name, parameter in model.named_parameters():
        parameter.data = torch.from_numpy(weight(name, tuple(parameter.shape)))
