"""The frame between two frames, from optical flow that is estimated from coarse to fine and warped along."""

from __future__ import annotations

import numpy as np

import megengine.functional as F
import megengine.module as M
from cold.data import images
from cold.megengine.training import trainer
from megengine import Tensor
from megengine.optimizer import AdamW


def unit(inputs, outputs, stride=1):
    return M.Sequential(M.Conv2d(inputs, outputs, 3, stride, 1), M.PReLU(outputs))


def larger(inputs, outputs):
    return M.Sequential(M.ConvTranspose2d(inputs, outputs, 4, 2, 1), M.PReLU(outputs))


def resize(x, factor):
    return F.nn.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def warp(x, flow):
    """The image at the places where the flow leads."""
    n, _, height, width = flow.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), 2)
    grid = F.broadcast_to(Tensor(grid.astype(np.float32)), (n, height, width, 2))
    return F.nn.remap(x, grid + F.transpose(flow, (0, 2, 3, 1)))


class Estimate(M.Module):
    """What to add to flow and mask, estimated at a fraction of the size."""

    def __init__(self, inputs, width):
        super().__init__()
        self.first = M.Sequential(unit(inputs, width // 2, 2), unit(width // 2, width, 2))
        self.body = M.Sequential(*(unit(width, width) for _ in range(8)))
        self.last = M.ConvTranspose2d(width, 5, 4, 2, 1)

    def forward(self, x, flow, scale):
        if scale != 1:
            x = resize(x, 1.0 / scale)
        if flow is not None:
            flow = flow if scale == 1 else resize(flow, 1.0 / scale)
            x = F.concat([x, flow * (1.0 / scale)], axis=1)
        x = self.first(x)
        x = resize(self.last(self.body(x) + x), scale * 2)
        return x[:, :4] * (scale * 2), x[:, 4:5]


class Context(M.Module):
    """Features of one frame at four sizes, each warped."""

    def __init__(self, width):
        super().__init__()
        widths = (3, width, 2 * width, 4 * width, 8 * width)
        self.steps = [M.Sequential(unit(a, b, 2), unit(b, b)) for a, b in zip(widths, widths[1:], strict=False)]

    def forward(self, x, flow):
        found = []
        for step in self.steps:
            x, flow = step(x), resize(flow, 0.5) * 0.5
            found.append(warp(x, flow))
        return found


class Refine(M.Module):
    def __init__(self, width):
        super().__init__()
        w = width
        self.down = [M.Sequential(unit(a, b, 2), unit(b, b)) for a, b in ((17, 2 * w), (4 * w, 4 * w), (8 * w, 8 * w))]
        self.deepest = M.Sequential(unit(16 * w, 16 * w, 2), unit(16 * w, 16 * w))
        self.up = [larger(a, b) for a, b in ((32 * w, 8 * w), (16 * w, 4 * w), (8 * w, 2 * w), (4 * w, w))]
        self.last = M.Conv2d(w, 3, 3, padding=1)

    def forward(self, x, left, right):
        passed = []
        for index, step in enumerate(self.down):
            x = step(x)
            passed.append(x)
            x = F.concat([x, left[index], right[index]], axis=1)
        x = F.concat([self.deepest(x), left[3], right[3]], axis=1)
        for step, other in zip(self.up, [*reversed(passed), None], strict=False):
            x = step(x)
            x = x if other is None else F.concat([x, other], axis=1)
        return F.sigmoid(self.last(x))


class Between(M.Module):
    def __init__(self, widths, width):
        super().__init__()
        self.students = [Estimate(17 if index else 6, w) for index, w in enumerate(widths)]
        self.teacher = Estimate(20, widths[-1])
        self.context, self.refine = Context(width), Refine(width)

    def forward(self, first, last, truth=None):
        flow, mask, seen, flows, merged = None, None, [first, last], [], []
        for student, scale in zip(self.students, (4, 2, 1), strict=False):
            more, addition = student(F.concat(seen, axis=1), flow, scale)
            flow, mask = (more, addition) if flow is None else (flow + more, mask + addition)
            moved = [warp(first, flow[:, :2]), warp(last, flow[:, 2:])]
            seen = [first, last, *moved, mask]
            flows.append(flow)
            merged.append(moved[0] * F.sigmoid(mask) + moved[1] * (1 - F.sigmoid(mask)))
        left, right = self.context(first, flow[:, :2]), self.context(last, flow[:, 2:])
        refined = self.refine(F.concat([*seen, flow], axis=1), left, right)
        result = F.clip(merged[-1] + refined * 2 - 1, 0.0, 1.0)
        if truth is None:
            return result
        more, addition = self.teacher(F.concat([*seen, truth], axis=1), flow, 1)
        taught, mask = flow + more, F.sigmoid(mask + addition)
        best = warp(first, taught[:, :2]) * mask + warp(last, taught[:, 2:]) * (1 - mask)
        learnt = 0.0
        for flow, image in zip(flows, merged, strict=False):
            worse = F.abs(image - truth).mean(1, True) > F.abs(best - truth).mean(1, True) + 0.01
            learnt = learnt + (F.abs(taught.detach() - flow) * worse.astype("float32").detach()).mean()
        return pyramid_loss(result, truth) + pyramid_loss(best, truth) + 0.01 * learnt


def pyramid_loss(x, y, levels=3):
    """Differences of two images at several sizes."""
    total, difference = 0.0, x - y
    for _ in range(levels):
        smaller = F.nn.avg_pool2d(difference, 2, 2)
        total = total + F.abs(difference - resize(smaller, 2)).mean()
        difference = smaller
    return total + F.abs(difference).mean()


def model_of(small):
    return Between((24, 16, 12), 4) if small else Between((240, 150, 90), 16)


def frames(number):
    return [Tensor(part) for part in images(number, (3, 1, 3, 64, 64))]


def flow(small):
    model = model_of(small)
    train = trainer(model, AdamW(model.parameters(), lr=1e-4, weight_decay=1e-3), model)

    def step(number):
        first, last, truth = frames(number)
        return train(first, last, truth)

    return model, step


def flow_forward(small):
    model = model_of(small)
    model.eval()
    return model, lambda number: float(model(*frames(number)[:2]).mean().item())
