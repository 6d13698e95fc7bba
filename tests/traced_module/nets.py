"""Networks that MegEngine 1.13 traced into the files beside: `python nets.py FOLDER`, in an environment that has it."""

import os
import sys
from collections import OrderedDict

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.module.qat as qat
import megengine.quantization as Q
from megengine.traced_module import trace_module


def draw(*shape):
    return np.random.RandomState(sum(shape)).uniform(-1, 1, shape).astype("float32")


class Block(M.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = M.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn = M.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x))) + x


class Residual(M.Module):
    def __init__(self):
        super().__init__()
        self.stem = M.Conv2d(3, 4, 3, 2, 1)
        self.blocks = M.Sequential(Block(4), Block(4))
        self.head = M.Linear(4, 3)

    def forward(self, x):
        x = self.blocks(self.stem(x))
        return self.head(F.flatten(F.avg_pool2d(x, 4), 1))


class Sizes(M.Module):
    """Sizes of the input, in reshapes and as numbers."""

    def __init__(self):
        super().__init__()
        self.scale = mge.Parameter([2.0])

    def forward(self, x):
        n, c, h, w = x.shape
        y = x.reshape(n, c * h, -1)
        y = F.concat([y, F.zeros((n, c * h, 1))], axis=2)
        return y * self.scale + h / w


class Writes(M.Module):
    """Assignments to parts of tensors, constants made in the call."""

    def forward(self, x):
        y = F.zeros_like(x)
        y[:, 0] = x[0, 1] * mge.Tensor([1.0, 2.0, 3.0])
        y[..., 1:] += 1
        return y


class Containers(M.Module):
    """Modules in lists and dicts, results in dicts, a module called twice."""

    def __init__(self):
        super().__init__()
        self.layers = [M.Linear(3, 3), {"act": M.ReLU(), "norm": M.LayerNorm(3)}]
        self.shared = Block1()

    def forward(self, x, factor=2.0, *, flip=False):
        x = self.layers[0](x)
        for name in ["act", "norm"]:
            x = self.layers[1][name](x)
        first = self.shared(x, x + 1)
        second = self.shared(first[0], x)
        return OrderedDict([("z", second[0] * factor), ("a", [first[1], second[1]])])


class Block1(M.Module):
    def forward(self, a, b):
        return a + b, a * b


class Attention(M.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = M.Linear(4, 4), M.Linear(4, 4), M.Linear(4, 4)

    def forward(self, x):
        q, k, v = self.q(x), self.k(x), self.v(x)
        weights = F.softmax(F.matmul(q, k.transpose(0, 2, 1)) / 2, axis=-1)
        top = F.topk(weights.reshape(-1, 5), 2, descending=True)[0]
        return F.matmul(weights, v), top, F.argmax(weights, axis=2)


class Upsample(M.Module):
    def __init__(self):
        super().__init__()
        self.up = M.ConvTranspose2d(2, 3, 2, 2)
        self.act = M.LeakyReLU(0.1)

    def forward(self, x):
        y = self.act(self.up(x))
        y = F.vision.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        return F.nn.pad(y, ((0, 0), (0, 0), (1, 1), (0, 0)), constant_value=0.5)


class Elementwise(M.Module):
    def __init__(self):
        super().__init__()
        self.add = M.Elemwise("FUSE_ADD_RELU")

    def forward(self, x, y):
        z = self.add(x, y)
        z = F.where(z > 0.5, F.exp(-z), F.clip(x, -0.5, 0.5)) ** 2
        return z.astype("float32").sum(axis=1, keepdims=True), F.maximum(x, y).max()


class Observed(qat.ConvRelu2d):
    """A layer for quantization-aware training that is not builtin."""


class Quantized(M.Module):
    def __init__(self):
        super().__init__()
        self.quant = M.QuantStub()
        self.conv = M.ConvBnRelu2d(3, 4, 3)
        self.dequant = M.DequantStub()

    def forward(self, x):
        return self.dequant(self.conv(self.quant(x)))


def observed():
    net = Q.quantize_qat(Quantized(), qconfig=Q.min_max_fakequant_qconfig)
    net.eval()
    Q.enable_observer(net)
    net(mge.Tensor(draw(2, 3, 6, 6)))
    Q.disable_observer(net)
    return net


CASES = {
    "residual": (Residual, [draw(2, 3, 8, 8)]),
    "sizes": (Sizes, [draw(2, 3, 4, 5)]),
    "writes": (Writes, [draw(2, 2, 3)]),
    "containers": (Containers, [draw(4, 3)]),
    "attention": (Attention, [draw(2, 5, 4)]),
    "upsample": (Upsample, [draw(1, 2, 3, 3)]),
    "elementwise": (Elementwise, [draw(3, 4), draw(4)]),
    "observed": (observed, [draw(2, 3, 6, 6)]),
}


def flat(value):
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in flat(value[key])]
    return [leaf for item in value for leaf in flat(item)] if isinstance(value, (list, tuple)) else [value.numpy()]


def write(folder):
    for name, (make, inputs) in CASES.items():
        mge.random.seed(7)
        net = make()
        net.eval()
        traced = trace_module(net, *[mge.Tensor(x) for x in inputs])
        mge.save(traced, os.path.join(folder, name + ".tm"))
        mge.save(traced.flatten(), os.path.join(folder, name + "_flat.tm"))
        results = flat(net(*[mge.Tensor(x) for x in inputs]))
        np.savez(os.path.join(folder, name + ".npz"), *inputs, **{f"out{k}": out for k, out in enumerate(results)})


if __name__ == "__main__":
    write(sys.argv[1])
