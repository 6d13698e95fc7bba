"""A detector without anchors whose labels are assigned to predictions by what they cost (SimOTA), so that shapes change."""

from __future__ import annotations

import torch
import torch.nn.functional as tf
from torch import nn

from cold.data import boxes, images
from cold.torch.training import trainer

CLASSES = 20
STRIDES = (8, 16, 32)


class Unit(nn.Module):
    def __init__(self, inputs, outputs, size=1, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return tf.silu(self.norm(self.conv(x)))


class Stage(nn.Module):
    """Half of the channels pass by, half go through bottlenecks."""

    def __init__(self, inputs, outputs, depth=1, shortcut=True):
        super().__init__()
        half = outputs // 2
        self.shortcut = shortcut
        self.left, self.right, self.merge = Unit(inputs, half), Unit(inputs, half), Unit(outputs, outputs)
        self.blocks = nn.ModuleList([nn.Sequential(Unit(half, half), Unit(half, half, 3)) for _ in range(depth)])

    def forward(self, x):
        y = self.left(x)
        for block in self.blocks:
            y = y + block(y) if self.shortcut else block(y)
        return self.merge(torch.cat([y, self.right(x)], 1))


class Backbone(nn.Module):
    """Features at the three strides, mixed from coarse to fine and back."""

    def __init__(self, width):
        super().__init__()
        w = width
        self.stem = Unit(12, w, 3)
        self.steps = nn.ModuleList([Unit(w << k, 2 * w << k, 3, 2) for k in range(4)])
        self.stages = nn.ModuleList([Stage(2 * w << k, 2 * w << k, depth) for k, depth in enumerate((1, 3, 3, 1))])
        self.narrow = nn.ModuleList([Unit(16 * w, 8 * w), Unit(8 * w, 4 * w)])
        self.down = nn.ModuleList([Stage(16 * w, 8 * w, shortcut=False), Stage(8 * w, 4 * w, shortcut=False)])
        self.widen = nn.ModuleList([Unit(4 * w, 4 * w, 3, 2), Unit(8 * w, 8 * w, 3, 2)])
        self.up = nn.ModuleList([Stage(8 * w, 8 * w, shortcut=False), Stage(16 * w, 16 * w, shortcut=False)])

    def forward(self, x):
        x = torch.cat([x[:, :, i::2, j::2] for j in (0, 1) for i in (0, 1)], 1)
        x, found = self.stem(x), []
        for step, stage in zip(self.steps, self.stages, strict=False):
            x = stage(step(x))
            found.append(x)
        fine, middle, coarse = found[1:]
        top = self.narrow[0](coarse)
        middle = self.down[0](torch.cat([tf.interpolate(top, scale_factor=2), middle], 1))
        below = self.narrow[1](middle)
        fine = self.down[1](torch.cat([tf.interpolate(below, scale_factor=2), fine], 1))
        middle = self.up[0](torch.cat([self.widen[0](fine), below], 1))
        return fine, middle, self.up[1](torch.cat([self.widen[1](middle), top], 1))


class Head(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.stem = Unit(inputs, width)
        self.kind = nn.Sequential(Unit(width, width, 3), Unit(width, width, 3), nn.Conv2d(width, CLASSES, 1))
        self.box = nn.Sequential(Unit(width, width, 3), Unit(width, width, 3))
        self.place, self.object = nn.Conv2d(width, 4, 1), nn.Conv2d(width, 1, 1)

    def forward(self, x):
        x = self.stem(x)
        y = self.box(x)
        return torch.cat([self.place(y), self.object(y), self.kind(x)], 1)


class Detector(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.backbone = Backbone(width)
        self.heads = nn.ModuleList([Head(width << k, 4 * width) for k in (2, 3, 4)])

    def forward(self, x):
        """Boxes, scores of an object and of its classes, and where and how large the cells are."""
        found, centres, sizes = [], [], []
        for head, stride, features in zip(self.heads, STRIDES, self.backbone(x), strict=False):
            output = head(features).flatten(2).permute(0, 2, 1)
            height, width = features.shape[2:]
            below, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            corner = torch.stack([across, below], 2).reshape(-1, 2) * float(stride)
            place, extent = output[..., :2] * stride + corner, torch.exp(output[..., 2:4]) * stride
            found.append(torch.cat([place, extent, output[..., 4:]], 2))
            centres.append(corner + stride / 2)
            sizes.append(torch.full((height * width,), float(stride)))
        found = torch.cat(found, 1)
        return found[..., :4], found[..., 4], found[..., 5:], torch.cat(centres), torch.cat(sizes)


def overlap(a, b):
    """Intersection over union of boxes given by centre and size."""
    low = torch.maximum(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
    high = torch.minimum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2)
    common = (high - low).clamp(min=0).prod(-1)
    return common / (a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - common + 1e-8)


@torch.no_grad()
def assign(true, kinds, predicted, objects, scores, centres, sizes):
    """Which cells answer for an object, for which one, and how well they overlap it now."""
    away = (centres[None] - true[:, None, :2]).abs()
    inside = (true[:, None, 2:] / 2 - away).amin(2) > 0
    central = away.amax(2) < 2.5 * sizes[None]
    near = (inside | central).any(0)
    shared = overlap(true[:, None], predicted[near][None])
    chance = torch.sqrt(torch.sigmoid(scores[near]) * torch.sigmoid(objects[near][:, None]))[None]
    wanted = tf.one_hot(kinds, CLASSES).float()[:, None]
    surprise = -(wanted * torch.log(chance + 1e-8) + (1 - wanted) * torch.log(1 - chance + 1e-8)).sum(2)
    cost = surprise - 3.0 * torch.log(shared + 1e-8) + 100000.0 * ~(inside[:, near] & central[:, near])
    best, _ = shared.topk(min(10, shared.shape[1]))
    counts = best.sum(1).int().clamp(min=1).tolist()
    matching = torch.zeros_like(cost)
    for row, count in enumerate(counts):
        matching[row, cost[row].topk(count, largest=False)[1]] = 1.0
    several = matching.sum(0) > 1
    if several.any():
        cheapest = cost[:, several].argmin(0)
        matching[:, several] = 0.0
        matching[cheapest, several] = 1.0
    answering = matching.sum(0) > 0
    mask = near.clone()
    mask[near] = answering
    return mask, matching[:, answering].argmax(0), (matching * shared).sum(0)[answering]


def loss_of(outputs, truth):
    """Losses of the boxes, of their classes, and of whether there is an object."""
    predicted, objects, scores, centres, sizes = outputs
    masks, true, wanted = [], [], []
    for image, (place, kinds) in enumerate(truth):
        one = [part[image].detach() for part in (predicted, objects, scores)]
        mask, owner, shared = assign(place, kinds, *one, centres, sizes)
        masks.append(mask)
        true.append(place[owner])
        wanted.append(tf.one_hot(kinds[owner], CLASSES) * shared[:, None])
    mask, true, wanted = (torch.cat(parts) for parts in (masks, true, wanted))
    count = mask.float().sum().clamp(min=1)
    box = (1 - overlap(predicted.reshape(-1, 4)[mask], true) ** 2).sum()
    kind = tf.binary_cross_entropy_with_logits(scores.reshape(-1, CLASSES)[mask], wanted, reduction="sum")
    found = tf.binary_cross_entropy_with_logits(objects.reshape(-1), mask.float(), reduction="sum")
    return (5.0 * box + kind + found) / count


def detector(small):
    model = Detector(8 if small else 16)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    train = trainer(optimizer, lambda x, truth: loss_of(model(x), truth))

    def step(number):
        found = boxes(number, 2, 128, 8, CLASSES)
        truth = [(torch.from_numpy(place), torch.from_numpy(kinds).long()) for place, kinds in found]
        return train(torch.from_numpy(images(number, (2, 3, 128, 128))), truth)

    return model, step
