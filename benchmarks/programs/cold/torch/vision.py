"""ResNet-50 and ConvNeXt-T."""

from __future__ import annotations

import torch
import torch.nn.functional as tf
from torch import nn

from cold.data import images, labels
from cold.torch.training import trainer

CLASSES = 1000


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        outputs = 4 * width
        self.conv1, self.norm1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.norm3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.projected = stride != 1 or inputs != outputs
        if self.projected:
            self.conv4, self.norm4 = nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = torch.relu(self.norm1(self.conv1(x)))
        y = self.norm3(self.conv3(torch.relu(self.norm2(self.conv2(y)))))
        return torch.relu(y + (self.norm4(self.conv4(x)) if self.projected else x))


class ResNet(nn.Module):
    def __init__(self, depths):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.blocks, inputs = nn.ModuleList(), 64
        for stage, depth in enumerate(depths):
            for place in range(depth):
                width = 64 << stage
                self.blocks.append(Bottleneck(inputs, width, 2 if stage and not place else 1))
                inputs = 4 * width
        self.head = nn.Linear(inputs, CLASSES)

    def forward(self, x):
        x = self.pool(torch.relu(self.norm(self.conv(x))))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of [N, C, H, W]."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class NextBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.ones(width) * 1e-6)

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + (self.scale * self.down(tf.gelu(self.up(y)))).permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self, depths, widths):
        super().__init__()
        self.steps = nn.ModuleList([nn.Sequential(nn.Conv2d(3, widths[0], 4, 4), ChannelNorm(widths[0]))])
        self.steps += [
            nn.Sequential(ChannelNorm(a), nn.Conv2d(a, b, 2, 2)) for a, b in zip(widths, widths[1:], strict=False)
        ]
        self.stages = nn.ModuleList(
            [nn.Sequential(*map(NextBlock, [width] * depth)) for depth, width in zip(depths, widths, strict=False)]
        )
        self.norm, self.head = nn.LayerNorm(widths[-1], eps=1e-6), nn.Linear(widths[-1], CLASSES)

    def forward(self, x):
        for step, stage in zip(self.steps, self.stages, strict=False):
            x = stage(step(x))
        return self.head(self.norm(x.mean((2, 3))))


def classifier(model, optimizer, shape):
    """Training on images of one shape."""
    train = trainer(optimizer, lambda x, y: tf.cross_entropy(model(x), y))

    def step(number):
        return train(
            torch.from_numpy(images(number, shape)), torch.from_numpy(labels(number, shape[0], CLASSES)).long()
        )

    return step


def resnet50(small):
    model = ResNet((1, 1, 1, 1) if small else (3, 4, 6, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return model, classifier(model, optimizer, (2, 3, 33, 33) if small else (2, 3, 193, 193))


def convnext(small):
    model = ConvNeXt((1, 1, 2, 1), (24, 48, 96, 192)) if small else ConvNeXt((3, 3, 9, 3), (96, 192, 384, 768))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)
    return model, classifier(model, optimizer, (2, 3, 64, 64))
