"""Sampling from a diffusion model: 50 times a U-net and a random draw, with one value read at the end."""

from __future__ import annotations

import numpy as np

import megengine
import megengine.functional as F
import megengine.module as M
from megengine import Tensor

STEPS = 50


class Residual(M.Module):
    def __init__(self, inputs, outputs, width):
        super().__init__()
        self.norm1, self.conv1 = M.GroupNorm(8, inputs), M.Conv2d(inputs, outputs, 3, padding=1)
        self.time = M.Linear(width, outputs)
        self.norm2, self.conv2 = M.GroupNorm(8, outputs), M.Conv2d(outputs, outputs, 3, padding=1)
        self.conv3 = M.Conv2d(inputs, outputs, 1) if inputs != outputs else M.Identity()

    def forward(self, x, time):
        y = self.conv1(F.nn.silu(self.norm1(x))) + self.time(F.nn.silu(time))[:, :, None, None]
        return self.conv3(x) + self.conv2(F.nn.silu(self.norm2(y)))


class Attention(M.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = M.GroupNorm(8, width)
        self.q, self.k, self.v, self.out = (M.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, x):
        n, c, height, width = x.shape
        y = self.norm(x)
        q, k, v = (part(y).reshape(n, c, height * width) for part in (self.q, self.k, self.v))
        scores = F.softmax(F.matmul(F.transpose(q, (0, 2, 1)), k) * c**-0.5, axis=-1)
        return x + self.out(F.matmul(v, F.transpose(scores, (0, 2, 1))).reshape(n, c, height, width))


class UNet(M.Module):
    def __init__(self, base, widths):
        super().__init__()
        self.embedding = M.Embedding(STEPS, base)
        self.time1, self.time2 = M.Linear(base, 4 * base), M.Linear(4 * base, 4 * base)
        self.first = M.Conv2d(3, base, 3, padding=1)
        self.down, self.shrink, passed = [], [], [base]
        inputs = base
        for width in widths:
            self.down.append(Residual(inputs, width, 4 * base))
            self.shrink.append(M.Conv2d(width, width, 3, 2, 1))
            passed.append(width)
            inputs = width
        self.middle1, self.mixing = Residual(inputs, inputs, 4 * base), Attention(inputs)
        self.middle2 = Residual(inputs, inputs, 4 * base)
        self.grow, self.up = [], []
        for width in reversed(widths):
            self.grow.append(M.Conv2d(inputs, inputs, 3, padding=1))
            self.up.append(Residual(inputs + width, width, 4 * base))
            inputs = width
        self.norm, self.last = M.GroupNorm(8, inputs), M.Conv2d(inputs, 3, 3, padding=1)

    def forward(self, x, t):
        time = self.time2(F.nn.silu(self.time1(self.embedding(t))))
        x, passed = self.first(x), []
        for block, shrink in zip(self.down, self.shrink, strict=False):
            x = block(x, time)
            passed.append(x)
            x = shrink(x)
        x = self.middle2(self.mixing(self.middle1(x, time)), time)
        for grow, block in zip(self.grow, self.up, strict=False):
            x = grow(F.nn.interpolate(x, scale_factor=2, mode="nearest"))
            x = block(F.concat([x, passed.pop()], axis=1), time)
        return self.last(F.nn.silu(self.norm(x)))


class Sampler:
    """The reverse process; its tables are looked up by a tensor of times."""

    def __init__(self, model):
        self.model = model
        betas = np.linspace(1e-4, 0.2, STEPS)
        kept = np.cumprod(1 - betas)
        before = np.append(1.0, kept[:-1])
        self.of_noise = Tensor(np.sqrt(1 / kept - 1).astype(np.float32))
        self.of_noisy = Tensor(np.sqrt(1 / kept).astype(np.float32))
        self.of_start = Tensor((betas * np.sqrt(before) / (1 - kept)).astype(np.float32))
        self.of_now = Tensor(((1 - before) * np.sqrt(1 - betas) / (1 - kept)).astype(np.float32))
        self.variance = Tensor((betas * (1 - before) / (1 - kept)).astype(np.float32))

    def step(self, x, t, noise):
        of_noise, of_noisy, of_start, of_now, variance = (
            table[t].reshape(-1, 1, 1, 1)
            for table in (self.of_noise, self.of_noisy, self.of_start, self.of_now, self.variance)
        )
        start = F.clip(of_noisy * x - of_noise * self.model(x, t), -1.0, 1.0)
        later = (t != 0).astype("float32").reshape(-1, 1, 1, 1)
        return of_start * start + of_now * x + later * F.sqrt(variance) * noise


def diffusion(small):
    model = UNet(*((16, (16, 32)) if small else (32, (32, 64, 128))))
    model.eval()
    sampler = Sampler(model)
    shape = (1, 3, 8, 8) if small else (4, 3, 32, 32)
    random = np.random.RandomState(0)

    def draw():
        return Tensor(random.randn(*shape).astype(np.float32)) if small else megengine.random.normal(0, 1, shape)

    def step(number):
        x = draw()
        for time in reversed(range(STEPS)):
            x = sampler.step(x, F.full((shape[0],), time).astype("int32"), draw())
        return float(F.abs(x).mean().item())

    return model, step
