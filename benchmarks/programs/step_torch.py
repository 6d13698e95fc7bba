"""A training step of the tutorial's network in PyTorch, eager."""

from __future__ import annotations

import torch
from blocks import serve
from network import CLASSES, FEATURES, HIDDEN, LR, batches, first_losses, weights
from torch import nn


class NN(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(FEATURES, HIDDEN)
        self.classifier = nn.Linear(HIDDEN, CLASSES)
        for layer, weight in zip((self.fc, self.classifier), weights(), strict=True):
            layer.weight.data = torch.from_numpy(weight)
            layer.bias.data.zero_()

    def forward(self, x):
        return self.classifier(torch.relu(self.fc(x)))


model = NN()
optimizer = torch.optim.SGD(model.parameters(), lr=LR)
criterion = nn.CrossEntropyLoss()
source = batches()


def step():
    image, label = next(source)
    optimizer.zero_grad()
    loss = criterion(model(torch.from_numpy(image)), torch.from_numpy(label).long())
    loss.backward()
    optimizer.step()
    return loss.item()


serve(step, first_losses(step))
