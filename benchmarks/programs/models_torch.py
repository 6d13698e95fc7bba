"""Training steps of a perceptron, a transformer, an LSTM and a ResNet in PyTorch, eager: ``models_torch.py TASK``.

With ONE_CORE in the environment it runs on one core, and tells the time that it had it.
"""

from __future__ import annotations

import os
import sys
import time

ONE_CORE = "ONE_CORE" in os.environ
if ONE_CORE:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import torch  # noqa: E402
import torch.nn.functional as tf  # noqa: E402
from blocks import serve  # noqa: E402
from models import LSTM, MLP, RESNET, TRANSFORMER, batches, first_losses, weight  # noqa: E402
from torch import nn  # noqa: E402


class Perceptron(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(MLP["features"], MLP["hidden"])
        self.second = nn.Linear(MLP["hidden"], MLP["hidden"])
        self.last = nn.Linear(MLP["hidden"], MLP["classes"])

    def forward(self, x):
        return self.last(torch.relu(self.second(torch.relu(self.first(x)))))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, mask):
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(2, 3) * (d // self.heads) ** -0.5 + mask
        mixed = torch.softmax(scores, -1) @ v
        x = x + self.out(mixed.permute(0, 2, 1, 3).reshape(n, t, d))
        return x + self.down(tf.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        c = TRANSFORMER
        self.words, self.places = nn.Embedding(c["words"], c["width"]), nn.Embedding(c["length"], c["width"])
        self.blocks = nn.ModuleList([Block(c["width"], c["heads"]) for _ in range(c["layers"])])
        self.norm, self.head = nn.LayerNorm(c["width"]), nn.Linear(c["width"], c["words"])
        self.mask = torch.triu(torch.full((c["length"], c["length"]), -1e9), 1)

    def forward(self, x):
        return self.read(x, self.mask)

    def read(self, x, mask):
        x = self.words(x) + self.places(torch.arange(x.shape[1]))
        for block in self.blocks:
            x = block(x, mask)
        return self.head(self.norm(x)).reshape(-1, TRANSFORMER["words"])


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(LSTM["features"], LSTM["hidden"])
        self.head = nn.Linear(LSTM["hidden"], LSTM["classes"])

    def forward(self, x):
        return self.head(self.lstm(x)[0][-1])


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.projected = inputs != outputs
        if self.projected:
            self.conv3, self.norm3 = nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(y + (self.norm3(self.conv3(x)) if self.projected else x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.pool = (
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.MaxPool2d(3, 2, 1),
        )
        widths = [64] + [64 << k for k, n in enumerate(RESNET["depths"]) for _ in range(n)]
        self.blocks = nn.ModuleList([Residual(a, b, 1 + (a != b)) for a, b in zip(widths, widths[1:], strict=False)])
        self.head = nn.Linear(widths[-1], RESNET["classes"])

    def forward(self, x):
        x = self.pool(torch.relu(self.norm(self.conv(x))))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


def make_step(task):
    """A function that trains on the next batch and returns the loss."""
    model = {"mlp": Perceptron, "transformer": Transformer, "lstm": Recurrent, "resnet": ResNet}[task]()
    for name, parameter in model.named_parameters():
        parameter.data = torch.from_numpy(weight(name, tuple(parameter.shape)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    source = batches(task)

    def step():
        x, y = next(source)
        optimizer.zero_grad()
        loss = tf.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y).long())
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    if ONE_CORE:
        torch.set_num_threads(1)
    step = make_step(sys.argv[1])
    serve(step, first_losses(step), warm_up=3, clock=time.process_time if ONE_CORE else time.perf_counter)
