"""The training steps of models_torch.py, with this package or real MegEngine: ``models_megengine.py TASK eager|trace|skip``."""

from __future__ import annotations

import os
import sys
import time

if "ONE_CORE" in os.environ:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np
from blocks import serve
from models import LSTM, MLP, RESNET, TRANSFORMER, batches, first_losses, weight

import megengine
import megengine.functional as F
import megengine.module as M
from megengine.autodiff import GradManager
from megengine.jit import trace
from megengine.optimizer import Adam


class Perceptron(M.Module):
    def __init__(self):
        super().__init__()
        self.first = M.Linear(MLP["features"], MLP["hidden"])
        self.second = M.Linear(MLP["hidden"], MLP["hidden"])
        self.last = M.Linear(MLP["hidden"], MLP["classes"])

    def forward(self, x):
        return self.last(F.relu(self.second(F.relu(self.first(x)))))


class Block(M.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = M.LayerNorm(width), M.LayerNorm(width)
        self.qkv, self.out = M.Linear(width, 3 * width), M.Linear(width, width)
        self.up, self.down = M.Linear(width, 4 * width), M.Linear(4 * width, width)

    def forward(self, x, mask):
        n, t, d = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, d // self.heads)
        q, k, v = F.transpose(qkv, (2, 0, 3, 1, 4))
        scores = F.matmul(q, k, transpose_b=True) * (d // self.heads) ** -0.5 + mask
        mixed = F.matmul(F.softmax(scores, axis=-1), v)
        x = x + self.out(F.transpose(mixed, (0, 2, 1, 3)).reshape(n, t, d))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(M.Module):
    def __init__(self):
        super().__init__()
        c = TRANSFORMER
        self.words, self.places = M.Embedding(c["words"], c["width"]), M.Embedding(c["length"], c["width"])
        self.blocks = [Block(c["width"], c["heads"]) for _ in range(c["layers"])]
        self.norm, self.head = M.LayerNorm(c["width"]), M.Linear(c["width"], c["words"])
        self.mask = megengine.Tensor(np.triu(np.full((c["length"], c["length"]), -1e9, "float32"), 1))
        self.order = megengine.Tensor(np.arange(c["length"], dtype="int32"))

    def forward(self, x):
        return self.read(x, self.order, self.mask)

    def read(self, x, order, mask):
        x = self.words(x) + self.places(order)
        for block in self.blocks:
            x = block(x, mask)
        return self.head(self.norm(x)).reshape(-1, TRANSFORMER["words"])


class Recurrent(M.Module):
    def __init__(self):
        super().__init__()
        self.lstm = M.LSTM(LSTM["features"], LSTM["hidden"])
        self.head = M.Linear(LSTM["hidden"], LSTM["classes"])

    def forward(self, x):
        return self.head(self.lstm(x)[0][-1])


class Residual(M.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1, self.norm1 = M.Conv2d(inputs, outputs, 3, stride, 1, bias=False), M.BatchNorm2d(outputs)
        self.conv2, self.norm2 = M.Conv2d(outputs, outputs, 3, 1, 1, bias=False), M.BatchNorm2d(outputs)
        self.projected = inputs != outputs
        if self.projected:
            self.conv3, self.norm3 = M.Conv2d(inputs, outputs, 1, stride, bias=False), M.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + (self.norm3(self.conv3(x)) if self.projected else x))


class ResNet(M.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.pool = M.Conv2d(3, 64, 7, 2, 3, bias=False), M.BatchNorm2d(64), M.MaxPool2d(3, 2, 1)
        widths = [64] + [64 << k for k, n in enumerate(RESNET["depths"]) for _ in range(n)]
        self.blocks = [Residual(a, b, 1 + (a != b)) for a, b in zip(widths, widths[1:], strict=False)]
        self.head = M.Linear(widths[-1], RESNET["classes"])

    def forward(self, x):
        x = self.pool(F.relu(self.norm(self.conv(x))))
        for block in self.blocks:
            x = block(x)
        return self.head(F.mean(x, (2, 3)))


def fill(model):
    """Give all parameters the values that the PyTorch model has."""
    for name, parameter in model.named_parameters():
        if name == "lstm._flatten_weights":  # all matrices, then all biases, rows below one another
            h, d = LSTM["hidden"], LSTM["features"]
            shapes = {"weight_ih": (4 * h, d), "weight_hh": (4 * h, h), "bias_ih": (4 * h,), "bias_hh": (4 * h,)}
            parts = [weight(f"lstm.{part}_l0", shape).ravel() for part, shape in shapes.items()]
            parameter[...] = megengine.Tensor(np.concatenate(parts).reshape(parameter.shape))
        elif not name.startswith("lstm.cells"):
            shape = tuple(parameter.shape)
            values = weight(name, (shape[1],) if "norm" in name and len(shape) == 4 else shape)
            parameter[...] = megengine.Tensor(values.reshape(shape))


def make_model(task):
    """The network, with the parameters that all contenders start from."""
    model = {"mlp": Perceptron, "transformer": Transformer, "lstm": Recurrent, "resnet": ResNet}[task]()
    fill(model)
    return model


def make_step(task, how):
    """A function that trains on the next batch and returns the loss."""
    model = make_model(task)
    gm = GradManager().attach(model.parameters())
    optimizer = Adam(model.parameters(), lr=1e-3)
    source = batches(task)

    def train(x, y):
        with gm:
            loss = F.nn.cross_entropy(model(x), y)
            gm.backward(loss)
            optimizer.step().clear_grad()
        return loss

    if how != "eager":
        train = trace(train, symbolic=True, without_host=how == "skip")

    def step():
        x, y = next(source)
        return train(megengine.Tensor(x), megengine.Tensor(y)).item()

    return step


if __name__ == "__main__":
    step = make_step(*sys.argv[1:])
    clock = time.process_time if "ONE_CORE" in os.environ else time.perf_counter
    serve(step, first_losses(step), warm_up=3, clock=clock)
