"""ResNet-50, ConvNeXt-T and the image encoder of a segmentation model."""

from __future__ import annotations

import numpy as np

import megengine.functional as F
import megengine.module as M
from cold.data import images, labels
from cold.megengine.training import trainer
from megengine import Parameter, Tensor
from megengine.optimizer import SGD, AdamW

CLASSES = 1000


class Bottleneck(M.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        outputs = 4 * width
        self.conv1, self.norm1 = M.Conv2d(inputs, width, 1, bias=False), M.BatchNorm2d(width)
        self.conv2, self.norm2 = M.Conv2d(width, width, 3, stride, 1, bias=False), M.BatchNorm2d(width)
        self.conv3, self.norm3 = M.Conv2d(width, outputs, 1, bias=False), M.BatchNorm2d(outputs)
        self.projected = stride != 1 or inputs != outputs
        if self.projected:
            self.conv4, self.norm4 = M.Conv2d(inputs, outputs, 1, stride, bias=False), M.BatchNorm2d(outputs)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm3(self.conv3(F.relu(self.norm2(self.conv2(y)))))
        return F.relu(y + (self.norm4(self.conv4(x)) if self.projected else x))


class ResNet(M.Module):
    def __init__(self, depths):
        super().__init__()
        self.conv, self.norm = M.Conv2d(3, 64, 7, 2, 3, bias=False), M.BatchNorm2d(64)
        self.pool = M.MaxPool2d(3, 2, 1)
        self.blocks, inputs = [], 64
        for stage, depth in enumerate(depths):
            for place in range(depth):
                width = 64 << stage
                self.blocks.append(Bottleneck(inputs, width, 2 if stage and not place else 1))
                inputs = 4 * width
        self.head = M.Linear(inputs, CLASSES)

    def forward(self, x):
        x = self.pool(F.relu(self.norm(self.conv(x))))
        for block in self.blocks:
            x = block(x)
        return self.head(F.mean(x, (2, 3)))


class ChannelNorm(M.Module):
    """Layer normalisation over the channels of [N, C, H, W]."""

    def __init__(self, width):
        super().__init__()
        self.norm = M.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        return F.transpose(self.norm(F.transpose(x, (0, 2, 3, 1))), (0, 3, 1, 2))


class NextBlock(M.Module):
    def __init__(self, width):
        super().__init__()
        self.depthwise = M.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = M.LayerNorm(width, eps=1e-6)
        self.up, self.down = M.Linear(width, 4 * width), M.Linear(4 * width, width)
        self.scale = Parameter(F.ones((width,)) * 1e-6)

    def forward(self, x):
        y = self.norm(F.transpose(self.depthwise(x), (0, 2, 3, 1)))
        y = self.scale * self.down(F.gelu(self.up(y)))
        return x + F.transpose(y, (0, 3, 1, 2))


class ConvNeXt(M.Module):
    def __init__(self, depths, widths):
        super().__init__()
        self.steps = [M.Sequential(M.Conv2d(3, widths[0], 4, 4), ChannelNorm(widths[0]))]
        self.steps += [
            M.Sequential(ChannelNorm(a), M.Conv2d(a, b, 2, 2)) for a, b in zip(widths, widths[1:], strict=False)
        ]
        self.stages = [
            M.Sequential(*map(NextBlock, [width] * depth)) for depth, width in zip(depths, widths, strict=False)
        ]
        self.norm, self.head = M.LayerNorm(widths[-1], eps=1e-6), M.Linear(widths[-1], CLASSES)

    def forward(self, x):
        for step, stage in zip(self.steps, self.stages, strict=False):
            x = stage(step(x))
        return self.head(self.norm(F.mean(x, (2, 3))))


class WindowAttention(M.Module):
    """Attention within windows, with a bias by the distance in rows and in columns."""

    def __init__(self, width, heads, size):
        super().__init__()
        self.heads, self.size, self.scale = heads, size, (width // heads) ** -0.5
        self.qkv, self.out = M.Linear(width, 3 * width), M.Linear(width, width)
        self.rows = Parameter(F.zeros((2 * size - 1, width // heads)))
        self.columns = Parameter(F.zeros((2 * size - 1, width // heads)))

    def by_distance(self, table):
        places = np.arange(self.size, dtype=np.int32)
        return table[Tensor(places[:, None] - places + (self.size - 1))]

    def forward(self, x):
        n, size, width = x.shape[0], self.size, x.shape[-1]
        qkv = self.qkv(x).reshape(n, size * size, 3, self.heads, -1)
        qkv = F.transpose(qkv, (2, 0, 3, 1, 4)).reshape(3, n * self.heads, size * size, -1)
        q, k, v = qkv[0], qkv[1], qkv[2]
        squares = q.reshape(n * self.heads, size, size, -1)
        rows = F.matmul(squares, F.transpose(self.by_distance(self.rows), (0, 2, 1)))
        columns = F.matmul(F.transpose(squares, (0, 2, 1, 3)), F.transpose(self.by_distance(self.columns), (0, 2, 1)))
        scores = F.matmul(q * self.scale, k, transpose_b=True).reshape(-1, size, size, size, size)
        scores = scores + rows[:, :, :, :, None] + F.transpose(columns, (0, 2, 1, 3))[:, :, :, None, :]
        mixed = F.matmul(F.softmax(scores.reshape(-1, size * size, size * size), axis=-1), v)
        mixed = F.transpose(mixed.reshape(n, self.heads, size, size, -1), (0, 2, 3, 1, 4))
        return self.out(mixed.reshape(n, size, size, width))


class WindowBlock(M.Module):
    """A transformer's block on [N, H, W, C], in windows of ``window`` or over the whole image (0)."""

    def __init__(self, width, heads, size, window):
        super().__init__()
        self.window = window
        self.norm1, self.norm2 = M.LayerNorm(width, eps=1e-6), M.LayerNorm(width, eps=1e-6)
        self.attention = WindowAttention(width, heads, window or size)
        self.up, self.down = M.Linear(width, 4 * width), M.Linear(4 * width, width)

    def forward(self, x):
        y = self.norm1(x)
        y = self.in_windows(y) if self.window else self.attention(y)
        x = x + y
        return x + self.down(F.gelu(self.up(self.norm2(x))))

    def in_windows(self, x):
        n, height, width, channels = x.shape
        w = self.window
        down, right = -height % w, -width % w
        x = F.nn.pad(x, ((0, 0), (0, down), (0, right), (0, 0)))
        high, wide = (height + down) // w, (width + right) // w
        x = F.transpose(x.reshape(n, high, w, wide, w, channels), (0, 1, 3, 2, 4, 5))
        x = self.attention(x.reshape(-1, w, w, channels)).reshape(n, high, wide, w, w, channels)
        x = F.transpose(x, (0, 1, 3, 2, 4, 5)).reshape(n, height + down, width + right, channels)
        return x[:, :height, :width]


class Encoder(M.Module):
    def __init__(self, size, depth, width=192, heads=6, outputs=128):
        super().__init__()
        self.patches = M.Conv2d(3, width, 16, 16)
        self.places = Parameter(F.zeros((1, size, size, width)))
        windows = [0 if place % 3 == 2 else 7 for place in range(depth)]
        self.blocks = [WindowBlock(width, heads, size, window) for window in windows]
        self.conv1, self.norm1 = M.Conv2d(width, outputs, 1, bias=False), ChannelNorm(outputs)
        self.conv2, self.norm2 = M.Conv2d(outputs, outputs, 3, padding=1, bias=False), ChannelNorm(outputs)

    def forward(self, x):
        x = F.transpose(self.patches(x), (0, 2, 3, 1)) + self.places
        for block in self.blocks:
            x = block(x)
        x = F.transpose(x, (0, 3, 1, 2))
        return self.norm2(self.conv2(self.norm1(self.conv1(x))))


def classifier(model, optimizer, shape):
    """Training on images of one shape."""
    train = trainer(model, optimizer, lambda x, y: F.nn.cross_entropy(model(x), y))
    return lambda number: train(Tensor(images(number, shape)), Tensor(labels(number, shape[0], CLASSES)))


def resnet50(small):
    model = ResNet((1, 1, 1, 1) if small else (3, 4, 6, 3))
    optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9)
    return model, classifier(model, optimizer, (2, 3, 33, 33) if small else (2, 3, 193, 193))


def convnext(small):
    model = ConvNeXt((1, 1, 2, 1), (24, 48, 96, 192)) if small else ConvNeXt((3, 3, 9, 3), (96, 192, 384, 768))
    return model, classifier(model, AdamW(model.parameters(), lr=1e-4, weight_decay=0.05), (2, 3, 64, 64))


def vit(small):
    model = Encoder(*((8, 3) if small else (16, 6)))
    model.eval()
    side = 128 if small else 256
    return model, lambda number: float(F.abs(model(Tensor(images(number, (1, 3, side, side))))).mean().item())
