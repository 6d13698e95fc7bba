"""Dump small models with a real MegEngine, with what they answer: what `tests/network/mge/` reads.

    python tests/golden/record_dumps.py         # with MegEngine: writes dumps.tar.xz

Each model is written in both formats, as it is and with options of `optimize_for_inference`. `NAME/input.npy` and
`NAME/output_K.npy` are what MegEngine computes with the traced function itself, `again` what it does for another input.

Two functions are left out since what MegEngine dumps of them is wrong: `sign` is written as `(x < 0) - (0 < x)`, and both bounds of `clip`
are the lower one.
"""

import io
import math
import os
import tarfile

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.quantization as Q
from megengine import Tensor
from megengine.core._imperative_rt.core2 import apply
from megengine.core.ops import builtin as B
from megengine.jit import trace

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dumps.tar.xz")


def values(shape, seed, scale=1.0):
    """Coarse numbers, which are packed small."""
    found = np.random.RandomState(seed).randint(-4, 5, shape)
    return (found * np.float32(scale / 4)).astype("float32")


def fill(module):
    for k, (name, tensor) in enumerate(sorted(module.named_tensors())):
        fan = max(1, int(np.prod(tensor.shape[1:])))
        found = values(tensor.shape, k, 1 / math.sqrt(fan))
        tensor._reset(Tensor(np.abs(found) + 0.5 if "var" in name else found))
    module.eval()
    return module


class MLP(M.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = M.Linear(16, 12), M.Linear(12, 4)

    def forward(self, x):
        x = F.flatten(x, 1)
        return F.softmax(self.second(F.relu(self.first(x))), axis=1)


class LeNet(M.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = M.Conv2d(1, 3, 5), M.Conv2d(3, 4, 3)
        self.pool = M.MaxPool2d(2, 2)
        self.fc1, self.fc2 = M.Linear(4 * 2 * 2, 8), M.Linear(8, 5)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        return self.fc2(F.relu(self.fc1(F.flatten(x, 1))))


class BasicBlock(M.Module):
    def __init__(self, inp, out, stride):
        super().__init__()
        self.conv1, self.bn1 = M.Conv2d(inp, out, 3, stride, 1, bias=False), M.BatchNorm2d(out)
        self.conv2, self.bn2 = M.Conv2d(out, out, 3, 1, 1, bias=False), M.BatchNorm2d(out)
        same = inp == out and stride == 1
        self.downsample = (
            M.Identity() if same else M.Sequential(M.Conv2d(inp, out, 1, stride, bias=False), M.BatchNorm2d(out))
        )

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.downsample(x))


class ResNet18(M.Module):
    def __init__(self, widths=(2, 3, 3, 4)):
        super().__init__()
        self.conv1, self.bn1 = M.Conv2d(3, 2, 7, 2, 3, bias=False), M.BatchNorm2d(2)
        self.maxpool = M.MaxPool2d(3, 2, 1)
        blocks, inp = [], 2
        for k, width in enumerate(widths):
            blocks += [BasicBlock(inp, width, 1 if k == 0 else 2), BasicBlock(width, width, 1)]
            inp = width
        self.blocks, self.fc = M.Sequential(*blocks), M.Linear(inp, 5)

    def forward(self, x):
        x = self.blocks(self.maxpool(F.relu(self.bn1(self.conv1(x)))))
        return self.fc(F.flatten(F.avg_pool2d(x, 2), 1))


class InvertedResidual(M.Module):
    def __init__(self, inp, out, stride, expand):
        super().__init__()
        mid = inp * expand
        self.use_res = stride == 1 and inp == out
        self.layers = M.Sequential(
            M.ConvBnRelu2d(inp, mid, 1, bias=False),
            M.ConvBnRelu2d(mid, mid, 3, stride, 1, groups=mid, bias=False),
            M.ConvBn2d(mid, out, 1, bias=False),
        )

    def forward(self, x):
        y = self.layers(x)
        return x + y if self.use_res else y


class MobileNetV2(M.Module):
    def __init__(self):
        super().__init__()
        self.stem = M.Sequential(
            M.Conv2d(3, 4, 3, 2, 1, bias=False), M.BatchNorm2d(4), M.ReLU6() if hasattr(M, "ReLU6") else M.ReLU()
        )
        self.blocks = M.Sequential(
            InvertedResidual(4, 4, 1, 2),
            InvertedResidual(4, 6, 2, 2),
            InvertedResidual(6, 6, 1, 2),
        )
        self.fc = M.Linear(6, 5)

    def forward(self, x):
        x = self.blocks(F.relu6(self.stem(x)))
        return self.fc(F.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class ShuffleUnit(M.Module):
    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.branch = M.Sequential(
            M.Conv2d(half, half, 1, bias=False),
            M.BatchNorm2d(half),
            M.ReLU(),
            M.Conv2d(half, half, 3, 1, 1, groups=half, bias=False),
            M.BatchNorm2d(half),
            M.Conv2d(half, half, 1, bias=False),
            M.BatchNorm2d(half),
            M.ReLU(),
        )

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.reshape(n * c // 2, 2, h * w)
        x = F.transpose(x, (1, 0, 2))
        x = x.reshape(2, -1, c // 2, h, w)
        return F.concat((x[0], self.branch(x[1])), 1)


class ShuffleNetV2(M.Module):
    def __init__(self):
        super().__init__()
        self.stem = M.Sequential(M.Conv2d(3, 4, 3, 2, 1, bias=False), M.BatchNorm2d(4), M.ReLU())
        self.pool = M.MaxPool2d(3, 2, 1)
        self.units = M.Sequential(ShuffleUnit(4), ShuffleUnit(4))
        self.fc = M.Linear(4, 5, bias=False)

    def forward(self, x):
        x = self.units(self.pool(self.stem(x)))
        return self.fc(x.mean(3).mean(2))


class Layer(M.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.heads, self.size = heads, size
        self.query, self.key, self.value, self.out = (M.Linear(size, size) for _ in range(4))
        self.norm1, self.norm2 = M.LayerNorm(size), M.LayerNorm(size)
        self.up, self.down = M.Linear(size, 2 * size), M.Linear(2 * size, size)
        self.drop = M.Dropout(0.1)

    def split(self, x):
        return x.reshape(x.shape[0], x.shape[1], self.heads, self.size // self.heads).transpose(0, 2, 1, 3)

    def forward(self, x, mask):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = F.matmul(q, k.transpose(0, 1, 3, 2)) / math.sqrt(self.size / self.heads) + mask
        y = F.matmul(self.drop(F.softmax(scores, axis=-1)), v).transpose(0, 2, 1, 3)
        x = self.norm1(x + self.out(y.reshape(x.shape[0], x.shape[1], self.size)))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class BERT(M.Module):
    def __init__(self, size=8):
        super().__init__()
        self.words, self.places = M.Embedding(11, size), M.Embedding(6, size)
        self.norm, self.layers = M.LayerNorm(size), [Layer(size, 2), Layer(size, 2)]
        self.pooler = M.Linear(size, size)

    def forward(self, ids):
        places = F.broadcast_to(F.expand_dims(F.arange(ids.shape[1], dtype="int32"), 0), ids.shape)
        mask = (1.0 - F.expand_dims((ids != 0).astype("float32"), (1, 2))) * -10000.0
        x = self.norm(self.words(ids) + self.places(places))
        for layer in self.layers:
            x = layer(x, mask)
        return x, F.tanh(self.pooler(x[:, 0]))


class Recurrent(M.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.fc = M.LSTM(4, 5, num_layers=2, bidirectional=True), M.Linear(10, 3)

    def forward(self, x):
        y, (h, c) = self.lstm(x)
        return self.fc(y[-1]), h, c


class Cells(M.Module):
    """A recurrence that a program writes itself."""

    def __init__(self):
        super().__init__()
        self.cell, self.fc = M.LSTMCell(4, 5), M.Linear(5, 3)

    def forward(self, x):
        h = c = F.zeros((x.shape[1], 5))
        for k in range(x.shape[0]):
            h, c = self.cell(x[k], (h, c))
        return self.fc(h), c


class Conv(M.Module):
    def __init__(self, inp, out, kernel):
        super().__init__()
        self.conv, self.bn = M.Conv2d(inp, out, kernel, 1, (kernel - 1) // 2, bias=False), M.BatchNorm2d(out, eps=1e-3)

    def forward(self, x):
        return F.silu(self.bn(self.conv(x)))


class YOLOX(M.Module):
    """The head of YOLOX with its decoding and post-processing, for one picture."""

    def __init__(self, classes=3, width=4, strides=(8, 16)):
        super().__init__()
        self.classes, self.strides = classes, strides
        self.stems = [Conv(3, width, 1) for _ in strides]
        self.cls_convs, self.reg_convs = (
            [Conv(width, width, 3) for _ in strides],
            [Conv(width, width, 3) for _ in strides],
        )
        self.cls_preds = [M.Conv2d(width, classes, 1) for _ in strides]
        self.reg_preds, self.obj_preds = (
            [M.Conv2d(width, 4, 1) for _ in strides],
            [M.Conv2d(width, 1, 1) for _ in strides],
        )

    def raw(self, x):
        outputs = []
        for k, stride in enumerate(self.strides):
            y = self.stems[k](F.avg_pool2d(x, stride))
            reg = self.reg_convs[k](y)
            parts = [
                self.reg_preds[k](reg),
                F.sigmoid(self.obj_preds[k](reg)),
                F.sigmoid(self.cls_preds[k](self.cls_convs[k](y))),
            ]
            outputs.append(F.concat(parts, 1))
        self.sizes = [o.shape[-2:] for o in outputs]
        return F.concat([F.flatten(o, 2) for o in outputs], axis=2).transpose(0, 2, 1)

    def decode(self, outputs):
        grids, strides = [], []
        for (height, width), stride in list(zip(self.sizes, self.strides)):  # noqa: B905
            height, width = int(height), int(width)
            xv, yv = np.meshgrid(np.arange(width), np.arange(height))
            grids.append(np.stack((xv, yv), 2).reshape(1, -1, 2).astype("float32"))
            strides.append(np.full((1, height * width, 1), stride, "float32"))
        grid, stride = Tensor(np.concatenate(grids, 1)), Tensor(np.concatenate(strides, 1))
        centre, size = (outputs[..., :2] + grid) * stride, F.exp(outputs[..., 2:4]) * stride
        return F.concat([centre - size / 2, centre + size / 2, outputs[..., 4:]], axis=2)

    def forward(self, x):
        found = self.decode(self.raw(x))[0]
        confidence, kind = F.max(found[:, 5:], 1), F.argmax(found[:, 5:], 1)
        scores = found[:, 4] * confidence
        _, index = F.cond_take(scores >= 0.3, scores)
        boxes, scores, kind = found[index, :4], scores[index], kind[index].astype("float32")
        keep = F.vision.nms(boxes + F.expand_dims(kind, 1) * 4096.0, scores, 0.5, 10)
        return F.concat([boxes[keep], F.expand_dims(scores[keep], 1), F.expand_dims(kind[keep], 1)], axis=1)


class Family(M.Module):
    """Operators of one family, each once."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def elementwise(x):
    y, p = x * 0.5 + 0.25, F.abs(x) + 1.5
    one = [
        F.exp(y),
        F.expm1(y),
        F.log(p),
        F.log1p(p),
        F.sqrt(p),
        F.square(y),
        F.sin(y),
        F.cos(y),
        F.tan(y),
        F.sinh(y),
        F.cosh(y),
        F.tanh(y),
        F.asinh(y),
        F.acosh(p),
        F.atanh(y * 0.25),
        F.asin(y * 0.25),
        F.acos(y * 0.25),
        F.atan2(y, p),
        F.floor(y),
        F.ceil(y),
        F.round(y + 0.1),
        F.relu(y),
        F.relu6(y * 9),
        F.sigmoid(y),
        F.hsigmoid(y),
        F.hswish(y),
        F.silu(y),
        F.gelu(y),
        F.softplus(y),
        F.logsigmoid(y),
        F.leaky_relu(y, 0.1),
        F.neg(y),
    ]
    two = [
        y + p,
        y - p,
        y * p,
        y / p,
        y // p,
        y % p,
        p**y,
        F.maximum(y, 0.1),
        F.minimum(y, 0.1),
        F.logaddexp(y, p),
        F.where(y > 0, y, p),
        F.prelu(y, mge.Parameter([0.25])),
    ]
    three = [
        (y > 0),
        (y >= p),
        (y < p),
        (y <= p),
        F.equal(y, p),
        F.not_equal(y, p),
        F.isnan(y),
        F.isinf(y),
        F.logical_and(y > 0, p > 2),
        F.logical_or(y > 0, p > 2),
        F.logical_xor(y > 0, p > 2),
        F.logical_not(y > 0),
    ]
    return F.stack(one + two), F.stack([t.astype("float32") for t in three])


def reductions(x):
    flat = F.flatten(x)
    return [
        F.sum(x, 1),
        F.mean(x, (2, 3)),
        F.max(x, 2),
        F.min(x, 3, keepdims=True),
        F.prod(x, 1),
        F.var(x, 1),
        F.std(x),
        F.norm(x, 2.0, 1),
        F.logsumexp(x, 1),
        F.log(F.softmax(x, 1)),
        F.logsoftmax(x, 1),
        F.cumsum(x, 2),
        F.argmax(x, 1),
        F.argmin(x, 1),
        *F.sort(flat),
        F.argsort(flat, True),
        *F.topk(flat, 3, descending=True),
        F.normalize(x, axis=1),
    ]


def shapes(x):
    a, b = F.split(x, 2, axis=2)
    index = mge.Tensor(np.int32([0, 2]))
    y = F.copy(x)
    y[:, 0] = 1.0
    y[0, 1:, index] = 2.0
    return [
        F.concat([b, a], 2),
        F.stack([a, b], 1),
        F.repeat(x, 2, 1),
        F.tile(x, (1, 2, 1, 1)),
        F.roll(x, 1, 2),
        F.flip(x, 1) if hasattr(F, "flip") else x,
        F.squeeze(F.expand_dims(x, (0, 3)), (0, 3)),
        F.broadcast_to(x[:, :1], x.shape),
        x[:, ::2, 1:-1],
        x[0, index],
        x[:, 1, index],
        F.gather(x, 1, (x[:, :1] * 0).astype("int32")),
        F.one_hot(index, 4),
        F.eye(3),
        F.linspace(0, 1, 5),
        F.full((2, 3), 1.5),
        F.swapaxes(x, 1, 3),
        F.nn.pad(x, ((0, 0), (0, 0), (1, 2), (0, 1))),
        y,
        F.diag(x[0, 0]),
        F.meshgrid(F.arange(2), F.arange(3))[1],
        F.scatter(F.zeros((2, 4)), 1, Tensor(np.int32([[1], [2]])), F.ones((2, 1))),
        x.reshape(x.shape[0], -1, 2),
        F.arange(4).astype("int8"),
        F.indexing_one_hot(F.flatten(x, 1), F.zeros((x.shape[0],), dtype="int32")),
    ]


def vision(x):
    grid = Tensor(values((2, 2, 2, 2), 3) + 1)
    matrix = Tensor(np.float32([[[1, 0.1, 0], [0, 1, 0.2], [0, 0.01, 1]]] * 2))
    rois = Tensor(np.float32([[0, 0, 0, 2, 2], [0, 1, 1, 3, 3]]))
    return [
        F.vision.interpolate(x, size=(6, 7), mode="bilinear", align_corners=False),
        F.vision.interpolate(x, scale_factor=2, mode="nearest"),
        F.vision.remap(x, grid.transpose(0, 2, 3, 1)),
        F.vision.warp_perspective(x, matrix, (3, 3)),
        F.vision.roi_align(x, rois, (2, 2)),
        F.vision.roi_pooling(x, rois, (2, 2)),
        F.nn.sliding_window(x, (2, 2)),
        F.local_response_norm(x, 3),
        F.avg_pool2d(x, 2),
        F.max_pool2d(x, 2),
        F.adaptive_max_pool2d(x, 2),
        F.avg_pool2d(x, 3, 1, 1, mode="average"),
    ]


def layers(x):
    w = lambda *shape: Tensor(values(shape, 5))
    n, c = 2, 4
    flat = F.flatten(x, 1)
    return [
        F.conv_transpose2d(x, w(c, 2, 3, 3), stride=2, padding=1),
        F.conv2d(x, w(2, 1, 2, 2, 2), groups=2, dilation=2),
        F.conv1d(x[:, :, 0], w(2, c, 2)),
        F.conv3d(F.expand_dims(x, 2), w(2, c, 1, 2, 2)),
        F.local_conv2d(x, w(1, 3, 3, c, 2, 2, 2)),
        F.group_norm(x, 2, False),
        F.instance_norm(x, False) if hasattr(F, "instance_norm") else x,
        F.layer_norm(x, x.shape[-1:], False),
        F.matmul(flat, flat, transpose_b=True),
        F.dot(flat[0], flat[1]),
        F.matinv(F.eye(3) * 2 + 0.5),
        F.nn.pixel_shuffle(x, 2),
        F.deformable_conv2d(x, w(2, c, 2, 2), w(n, 8, 3, 3) * 0.5, w(n, 4, 3, 3)),
    ]


class Others(M.Module):
    """What is left, most of it below `functional`."""

    def __init__(self):
        super().__init__()
        self.rnn, self.cell, self.plain = M.RNN(4, 3, bidirectional=True), M.RNNCell(4, 3), M.LSTM(4, 3, bias=False)

    def forward(self, x):
        w = lambda *shape: Tensor(values(shape, 5))
        one = Tensor(np.int32([1]))
        steps = x[0]
        y, h = self.rnn(steps)
        z, (g, c) = self.plain(steps)
        rois = Tensor(np.float32([[0, 0, 0, 2, 2], [0, 1, 1, 3, 3]]))
        region = Tensor((values((2, 4, 4), 9) > 0).astype("int32"))
        affine = Tensor(np.float32([[[1, 0.1, 0], [0, 1, 0.2]]] * 2))
        picture = Tensor((np.abs(values((1, 4, 4, 3), 2)) * 200).astype("uint8"))
        windows = F.nn.sliding_window(x, (2, 2))
        found = [
            y, h, z, g, c, self.cell(steps[0]), *F.svd(x[0, 0] + F.eye(4) * 3)[1:2],
            F.vision.correlation(x, x * 0.5, 1, 1, 1, 1, 1), F.nn.general_norm(x, (1, 2), affine=False),
            F.deformable_psroi_pooling(x, rois, w(2, 2, 2, 2) * 0.1, False, 2, 2, 2, 2, 1.0, 0.1),
            F.vision.warp_affine(x, affine, (3, 3), format="NCHW"), F.vision.cvt_color(picture, "RGB2GRAY"),
            F.nn.sliding_window_transpose(windows, (4, 4), (2, 2)), F.conv_transpose3d(F.expand_dims(x, 2), w(4, 2, 1, 2, 2)),
            F.vision.interpolate(F.expand_dims(x, 2), size=(2, 3, 3), mode="trilinear"),
            F.nn.region_restricted_conv(x, w(4, 1, 1, 2, 2), region, region[:, :3, :3], groups=4),
            F.full((2, 2), 0.5), F.full_like(x[0, 0], 2.0), F.conv_transpose2d(x, w(4, 2, 2, 2), None, (2, 2), (0, 0), (1, 1), (1, 1)),
            apply(B.IncrSubtensor(items=[(1, True, False, False, False)]), x, x[:, 1:], one)[0],
            apply(B.MeshIndexing(items=[(0, False, False, False, True), (2, False, False, False, True)]), x, one, Tensor(np.int32([3, 0])))[0],
            apply(B.Cumsum(axis=1, exclusive=True, reverse=True), x)[0],
            x[:, :, 1:3, ::-1], F.where(x > 0, x, x * 0.5), F.vision.warp_perspective(x, Tensor(np.float32([np.eye(3)] * 3)), (2, 2), mat_idx=[1, 0, 1]),
        ]
        return found


class QuantisedBlock(M.Module):
    def __init__(self, inp, out, stride):
        super().__init__()
        self.conv1 = M.ConvBnRelu2d(inp, out, 3, stride, 1, bias=False)
        self.conv2 = M.ConvBn2d(out, out, 3, 1, 1, bias=False)
        same = inp == out and stride == 1
        self.downsample = M.Identity() if same else M.ConvBn2d(inp, out, 1, stride, bias=False)
        self.add = M.Elemwise("FUSE_ADD_RELU")

    def forward(self, x):
        return self.add(self.conv2(self.conv1(x)), self.downsample(x))


class QuantisedResNet18(M.Module):
    """ResNet-18 with what quantization wants, and a depthwise convolution and a concatenation."""

    def __init__(self, widths=(4, 4, 6, 8)):
        super().__init__()
        self.quant, self.dequant, self.maxpool = M.QuantStub(), M.DequantStub(), M.MaxPool2d(3, 2, 1)
        self.conv1, blocks, inp = M.ConvBnRelu2d(3, 4, 7, 2, 3, bias=False), [], 4
        for k, width in enumerate(widths):
            blocks += [QuantisedBlock(inp, width, 1 if k == 0 else 2), QuantisedBlock(width, width, 1)]
            inp = width
        self.blocks, self.apart = M.Sequential(*blocks), M.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.join, self.pool, self.fc = M.Concat(), M.AvgPool2d(2), M.Linear(16, 5)

    def forward(self, x):
        x = self.blocks(self.maxpool(self.conv1(self.quant(x))))
        x = self.pool(self.join([x, self.apart(x)], 1))
        return self.dequant(self.fc(F.flatten(x, 1)))


def quantised(make, data):
    """The model in integers, its ranges those of one batch."""
    net = Q.quantize_qat(fill(make()), Q.min_max_fakequant_qconfig)
    net.eval()
    Q.enable_observer(net)
    net(Tensor(data))
    Q.disable_observer(net)
    net = Q.quantize(net)
    net.eval()
    return net


MODELS = {
    "mlp": (MLP, values((2, 1, 4, 4), 0)),
    "lenet": (LeNet, values((2, 1, 18, 18), 0)),
    "resnet18": (ResNet18, values((1, 3, 64, 64), 0)),
    "mobilenetv2": (MobileNetV2, values((2, 3, 16, 16), 0)),
    "shufflenetv2": (ShuffleNetV2, values((2, 3, 16, 16), 0)),
    "bert": (BERT, np.int32([[1, 2, 3, 4, 10, 0], [5, 6, 0, 0, 0, 0]])),
    "lstm": (Recurrent, values((3, 2, 4), 0)),
    "cells": (Cells, values((3, 2, 4), 0)),
    "yolox": (YOLOX, values((1, 3, 32, 32), 0)),
    "elementwise": (lambda: Family(elementwise), values((2, 5), 0)),
    "reductions": (lambda: Family(reductions), values((2, 4, 3, 3), 0)),
    "shapes": (lambda: Family(shapes), values((2, 4, 4, 4), 0)),
    "vision": (lambda: Family(vision), values((2, 4, 4, 4), 0)),
    "layers": (lambda: Family(layers), values((2, 4, 4, 4), 0)),
    "others": (Others, values((2, 4, 4, 4), 0)),
    "quantised": (QuantisedResNet18, values((2, 3, 64, 64), 0)),
}  # fmt: skip

# Other inputs: of other numbers, so that other boxes are left, and of another batch size.
AGAIN = {
    "yolox": values((1, 3, 32, 32), 7, 2.0),
    "lenet": values((5, 1, 18, 18), 1),
    "shufflenetv2": values((3, 3, 16, 16), 1),
    "quantised": values((3, 3, 64, 64), 1),
}

OPTIONS = {
    "plain": {"optimize_for_inference": False},
    "optimised": {"optimize_for_inference": True},
    "fused": {
        "enable_fuse_conv_bias_nonlinearity": True,
        "enable_fuse_conv_bias_with_z": True,
        "enable_fuse_preprocess": True,
    },
}

FILES = [("plain", "FBS"), ("plain", "FBS_V2"), ("optimised", "FBS"), ("fused", "FBS_V2")]
NETWORKS = ("mlp", "lenet", "resnet18", "mobilenetv2", "shufflenetv2", "bert", "lstm", "cells", "yolox", "quantised")


def main():
    with tarfile.open(FILE, "w:xz", preset=9) as archive:
        for name, (make, data) in MODELS.items():
            net = quantised(make, data) if name == "quantised" else fill(make())
            # Symbolically, nms has no sizes.
            function = trace(net.forward, symbolic=name not in ("yolox", "others"), capture_as_const=True)
            outs = function(Tensor(data))
            outs = list(outs) if isinstance(outs, (tuple, list)) else [outs]
            write(archive, name, "input", data)
            for k, out in enumerate(outs):
                write(archive, name, "output_%d" % k, out.numpy())
            if name in AGAIN:
                write(archive, name, "again", AGAIN[name])
                write(archive, name, "again_0", net(Tensor(AGAIN[name])).numpy())
            names = ["out%d" % k for k in range(len(outs))]
            for label, dump_format in FILES if name in NETWORKS else FILES[1:3]:
                held = io.BytesIO()
                settings = {"dump_format": dump_format, "keep_opr_name": name == "lenet", **OPTIONS[label]}
                function.dump(held, arg_names=["x"], output_names=names, **settings)
                add(archive, "%s/%s.%s.mge" % (name, label, dump_format), held.getvalue())


def write(archive, name, what, array):
    held = io.BytesIO()
    np.save(held, array)
    add(archive, "%s/%s.npy" % (name, what), held.getvalue())


def add(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


if __name__ == "__main__":
    main()
