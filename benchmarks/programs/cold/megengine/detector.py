"""A detector without anchors whose labels are assigned to predictions by what they cost (SimOTA), so that shapes change."""

from __future__ import annotations

import numpy as np

import megengine.functional as F
import megengine.module as M
from cold.data import boxes, images
from cold.megengine.training import trainer
from megengine import Tensor
from megengine.optimizer import SGD

CLASSES = 20
STRIDES = (8, 16, 32)


class Unit(M.Module):
    def __init__(self, inputs, outputs, size=1, stride=1):
        super().__init__()
        self.conv = M.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.norm = M.BatchNorm2d(outputs)

    def forward(self, x):
        return F.nn.silu(self.norm(self.conv(x)))


class Stage(M.Module):
    """Half of the channels pass by, half go through bottlenecks."""

    def __init__(self, inputs, outputs, depth=1, shortcut=True):
        super().__init__()
        half = outputs // 2
        self.shortcut = shortcut
        self.left, self.right, self.merge = Unit(inputs, half), Unit(inputs, half), Unit(outputs, outputs)
        self.blocks = [M.Sequential(Unit(half, half), Unit(half, half, 3)) for _ in range(depth)]

    def forward(self, x):
        y = self.left(x)
        for block in self.blocks:
            y = y + block(y) if self.shortcut else block(y)
        return self.merge(F.concat([y, self.right(x)], axis=1))


class Backbone(M.Module):
    """Features at the three strides, mixed from coarse to fine and back."""

    def __init__(self, width):
        super().__init__()
        w = width
        self.stem = Unit(12, w, 3)
        self.steps = [Unit(w << k, 2 * w << k, 3, 2) for k in range(4)]
        self.stages = [Stage(2 * w << k, 2 * w << k, depth) for k, depth in enumerate((1, 3, 3, 1))]
        self.narrow = [Unit(16 * w, 8 * w), Unit(8 * w, 4 * w)]
        self.down = [Stage(16 * w, 8 * w, shortcut=False), Stage(8 * w, 4 * w, shortcut=False)]
        self.widen = [Unit(4 * w, 4 * w, 3, 2), Unit(8 * w, 8 * w, 3, 2)]
        self.up = [Stage(8 * w, 8 * w, shortcut=False), Stage(16 * w, 16 * w, shortcut=False)]

    def forward(self, x):
        x = F.concat([x[:, :, i::2, j::2] for j in (0, 1) for i in (0, 1)], axis=1)
        x, found = self.stem(x), []
        for step, stage in zip(self.steps, self.stages, strict=False):
            x = stage(step(x))
            found.append(x)
        fine, middle, coarse = found[1:]
        top = self.narrow[0](coarse)
        middle = self.down[0](F.concat([F.nn.interpolate(top, scale_factor=2, mode="nearest"), middle], axis=1))
        below = self.narrow[1](middle)
        fine = self.down[1](F.concat([F.nn.interpolate(below, scale_factor=2, mode="nearest"), fine], axis=1))
        middle = self.up[0](F.concat([self.widen[0](fine), below], axis=1))
        return fine, middle, self.up[1](F.concat([self.widen[1](middle), top], axis=1))


class Head(M.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.stem = Unit(inputs, width)
        self.kind = M.Sequential(Unit(width, width, 3), Unit(width, width, 3), M.Conv2d(width, CLASSES, 1))
        self.box = M.Sequential(Unit(width, width, 3), Unit(width, width, 3))
        self.place, self.object = M.Conv2d(width, 4, 1), M.Conv2d(width, 1, 1)

    def forward(self, x):
        x = self.stem(x)
        y = self.box(x)
        return F.concat([self.place(y), self.object(y), self.kind(x)], axis=1)


class Detector(M.Module):
    def __init__(self, width):
        super().__init__()
        self.backbone = Backbone(width)
        self.heads = [Head(width << k, 4 * width) for k in (2, 3, 4)]

    def forward(self, x):
        """Boxes, scores of an object and of its classes, and where and how large the cells are."""
        found, centres, sizes = [], [], []
        for head, stride, features in zip(self.heads, STRIDES, self.backbone(x), strict=False):
            output = head(features)
            n, channels, height, width = output.shape
            output = F.transpose(output.reshape(n, channels, height * width), (0, 2, 1))
            grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), 2)
            corner = Tensor((grid.reshape(-1, 2) * stride).astype(np.float32))
            output[..., :2] = output[..., :2] * stride + corner
            output[..., 2:4] = F.exp(output[..., 2:4]) * stride
            found.append(output)
            centres.append(corner + stride / 2)
            sizes.append(F.full((height * width,), float(stride)))
        found = F.concat(found, axis=1)
        return found[..., :4], found[..., 4], found[..., 5:], F.concat(centres, axis=0), F.concat(sizes, axis=0)


def overlap(a, b):
    """Intersection over union of boxes given by centre and size."""
    low = F.maximum(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
    high = F.minimum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2)
    sides = F.maximum(high - low, 0.0)
    common = sides[..., 0] * sides[..., 1]
    return common / (a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - common + 1e-8)


def assign(true, kinds, predicted, objects, scores, centres, sizes):
    """Which cells answer for an object, for which one, and how well they overlap it now."""
    away = F.abs(F.expand_dims(centres, 0) - F.expand_dims(true[:, :2], 1))
    inside = F.min(F.expand_dims(true[:, 2:] / 2, 1) - away, axis=2) > 0
    central = F.max(away, axis=2) < 2.5 * F.expand_dims(sizes, 0)
    near = (inside | central).sum(axis=0) > 0
    shared = overlap(F.expand_dims(true, 1), F.expand_dims(predicted[near], 0))
    chance = F.sqrt(F.sigmoid(scores[near]) * F.sigmoid(F.expand_dims(objects[near], 1)))
    chance = F.repeat(F.expand_dims(chance, 0), repeats=true.shape[0], axis=0)
    wanted = F.repeat(F.expand_dims(F.one_hot(kinds, CLASSES).astype("float32"), 1), chance.shape[1], axis=1)
    surprise = -(wanted * F.log(chance + 1e-8) + (1 - wanted) * F.log(1 - chance + 1e-8)).sum(axis=2)
    cost = surprise - 3.0 * F.log(shared + 1e-8) + 100000.0 * (~(inside[:, near] & central[:, near]))
    best, _ = F.topk(shared, min(10, shared.shape[1]), descending=True)
    counts = F.clip(best.sum(axis=1).astype("int32"), lower=1)
    matching = F.zeros_like(cost)
    for row in range(true.shape[0]):
        _, places = F.topk(cost[row], k=counts[row], descending=False)
        matching[row, places] = 1.0
    several = matching.sum(axis=0) > 1
    if several.sum() > 0:
        cheapest = F.argmin(cost[:, several], axis=0)
        matching[:, several] = 0.0
        matching[cheapest, several] = 1.0
    answering = matching.sum(axis=0) > 0
    mask = near.astype("bool")
    mask[near] = answering
    owner = F.argmax(matching[:, answering], axis=0)
    return mask, owner, (matching * shared).sum(axis=0)[answering]


def loss_of(outputs, truth):
    """Losses of the boxes, of their classes, and of whether there is an object."""
    predicted, objects, scores, centres, sizes = outputs
    masks, true, wanted = [], [], []
    for image, (place, kinds) in enumerate(truth):
        one = [part[image].detach() for part in (predicted, objects, scores)]
        mask, owner, shared = assign(place, kinds, *one, centres, sizes)
        masks.append(mask.detach())
        true.append(place[owner].detach())
        wanted.append(F.one_hot(kinds[owner], CLASSES) * F.expand_dims(shared.detach(), 1))
    mask, true, wanted = (F.concat(parts, axis=0) for parts in (masks, true, wanted))
    count = F.maximum(mask.astype("float32").sum(), 1.0)
    box = (1 - overlap(predicted.reshape(-1, 4)[mask], true) ** 2).sum()
    kind = F.nn.binary_cross_entropy(scores.reshape(-1, CLASSES)[mask], wanted, reduction="sum")
    found = F.nn.binary_cross_entropy(objects.reshape(-1), mask.astype("float32"), reduction="sum")
    return (5.0 * box + kind + found) / count


def detector(small):
    model = Detector(8 if small else 16)
    train = trainer(model, SGD(model.parameters(), lr=1e-3, momentum=0.9), lambda x, truth: loss_of(model(x), truth))

    def step(number):
        truth = [tuple(map(Tensor, one)) for one in boxes(number, 2, 128, 8, CLASSES)]
        return train(Tensor(images(number, (2, 3, 128, 128))), truth)

    return model, step
