"""Training steps for the GPU benchmark.

gpu_layers.py megengine|torch|compile NETWORK full|tiny float32|tf32|bf16 default|channels_last
"""

from __future__ import annotations

import contextlib
import importlib
import sys

from blocks import serve
from gpu_sizes import LR, MOMENTUM, SIZES, batch, weight

SIDE, NETWORK, HOW_LARGE, PRECISION, LAYOUT = sys.argv[1:]
SIZE = SIZES[NETWORK, HOW_LARGE == "tiny"]
OURS = SIDE == "megengine"

if OURS:
    import megengine
    import megengine.functional as F
    import megengine.module as nn

    def softmax(x):
        return F.softmax(x, -1)

    def transposed(x, *axes):
        return F.transpose(x, axes)

    relu, matmul = F.relu, F.matmul
else:
    torch = importlib.import_module("torch")
    nn = torch.nn
    DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

    def softmax(x):
        return torch.softmax(x, -1)

    def transposed(x, *axes):
        return x.permute(axes)

    relu, matmul = torch.relu, torch.matmul


def normed(inputs, outputs, window, stride=1):
    conv = nn.Conv2d(inputs, outputs, window, stride, window // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        outputs = 4 * width
        self.body = nn.Sequential(
            *normed(inputs, width, 1),
            nn.ReLU(),
            *normed(width, width, 3, stride),
            nn.ReLU(),
            *normed(width, outputs, 1),
        )
        self.short = nn.Sequential(*normed(inputs, outputs, 1, stride)) if inputs != outputs else nn.Identity()

    def forward(self, x):
        return relu(self.body(x) + self.short(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        inputs = SIZE.width
        layers = [*normed(3, inputs, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        for k, depth in enumerate(SIZE.depths):
            for j in range(depth):
                layers.append(Bottleneck(inputs, SIZE.width << k, 2 if k and not j else 1))
                inputs = 4 * (SIZE.width << k)
        self.body, self.head = nn.Sequential(*layers), nn.Linear(inputs, SIZE.classes)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)) if not OURS else F.mean(self.body(x), (2, 3)))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        n, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(n, length, 3, self.heads, self.size)
        q, k, v = (transposed(qkv[:, :, i], 0, 2, 1, 3) for i in range(3))
        scores = softmax(matmul(q, transposed(k, 0, 1, 3, 2)) * self.size**-0.5)
        x = x + self.out(transposed(matmul(scores, v), 0, 2, 1, 3).reshape(n, length, width))
        return x + self.down(relu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(*(Block(SIZE.width, SIZE.heads) for _ in range(SIZE.depths[0])))
        self.head = nn.Linear(SIZE.width, SIZE.classes)

    def forward(self, x):
        return self.head(self.body(x).mean(1))


class Tutorial(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.head = nn.Linear(SIZE.length, SIZE.width), nn.Linear(SIZE.width, SIZE.classes)

    def forward(self, x):
        return self.head(relu(self.hidden(x)))


def made():
    """The network with its first weights."""
    model = {"resnet50": ResNet, "transformer": Transformer, "tutorial": Tutorial}[NETWORK]()
    for name, parameter in model.named_parameters():
        values = weight(name, tuple(parameter.shape))
        if OURS:
            parameter[...] = megengine.Tensor(values)
        else:
            parameter.data = torch.from_numpy(values)
    return model


def ours():
    """A function that trains a step and returns the loss."""
    from megengine.autodiff import GradManager
    from megengine.optimizer import SGD

    model = made()
    gm, optimizer = (
        GradManager().attach(model.parameters()),
        SGD(model.parameters(), lr=LR, momentum=MOMENTUM),
    )
    x, y = batch(NETWORK, SIZE)
    half = PRECISION == "bf16"

    def step():
        with gm:
            with megengine.amp.autocast(enabled=half, low_prec_dtype="bfloat16"):
                loss = F.nn.cross_entropy(model(megengine.Tensor(x)), megengine.Tensor(y))
            gm.backward(loss)
            optimizer.step().clear_grad()
        return loss.item()

    return step


def theirs():
    """The same of PyTorch."""
    if PRECISION == "tf32":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    else:
        torch.backends.cudnn.allow_tf32 = False
    layout = torch.channels_last if LAYOUT == "channels_last" else torch.contiguous_format
    model = made().to(DEVICE)
    images = NETWORK == "resnet50"
    model = model.to(memory_format=layout) if images else model
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    run = torch.compile(model) if SIDE == "compile" else model
    x, y = batch(NETWORK, SIZE)
    half = torch.autocast(DEVICE, torch.bfloat16) if PRECISION == "bf16" else contextlib.nullcontext()

    def step():
        optimizer.zero_grad()
        given = torch.from_numpy(x).to(DEVICE)
        with half:
            result = run(given.contiguous(memory_format=layout) if images else given)
        loss = torch.nn.functional.cross_entropy(result.float(), torch.from_numpy(y).long().to(DEVICE))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


step = ours() if OURS else theirs()
serve(step, {"losses": [step() for _ in range(3)]}, warm_up=2)
