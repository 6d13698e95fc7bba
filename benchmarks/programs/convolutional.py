"""Convolutional networks: ``convolutional.py megengine|torch|channels_last|onnxruntime NETWORK WHAT [FILE]``.

WHAT is ``train``, ``first`` (the first step), ``memory`` (the steps until an executable has taken over, and some more), the
size of a batch to run in evaluation mode, ``export`` (write it to FILE as ONNX, which ``onnxruntime`` runs), ``products`` (how
many multiplications a batch takes forwards) or ``peak`` (how many a second NumPy does in a large product of matrices).

With ONE_CORE in the environment it runs on one core, and tells the time that it had it: other processes count little then.
With BFLOAT16 it trains in mixed precision.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import zlib

STARTED = time.perf_counter()
ONE_CORE = "ONE_CORE" in os.environ
CLOCK = time.process_time if ONE_CORE else time.perf_counter
BFLOAT16 = "BFLOAT16" in os.environ
if ONE_CORE:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np  # noqa: E402
from blocks import serve  # noqa: E402

SIDE, NETWORK, WHAT, *FILE = sys.argv[1:]
MEMORY_STEPS, MOST_SECONDS, PRODUCT = 6, 90, 2048
# batch, size, classes
SHAPES = {
    "resnet18_small": (16, 64, 100),
    "resnet18": (8, 224, 100),
    "resnet50": (4, 224, 100),
    "mobilenetv2": (8, 224, 100),
    "unet": (2, 256, 2),
    "cifar": (64, 32, 10),
}
BATCH, SIZE, CLASSES = SHAPES[NETWORK]
OURS = SIDE == "megengine"

if OURS:
    import megengine
    import megengine.functional as F
    import megengine.module as nn

    def concatenated(*arrays):
        return F.concat(arrays, 1)

    def up(inputs, outputs):
        return nn.ConvTranspose2d(inputs, outputs, 2, 2)

    def mean(x):
        return F.mean(x, (2, 3))

    class ReLU6(nn.Module):
        def forward(self, x):
            return F.relu6(x)

    relu, flatten = F.relu, F.flatten
elif SIDE == "onnxruntime":
    nn = importlib.import_module("types").SimpleNamespace(Module=object)
else:
    nn = importlib.import_module("torch.nn")
    torch = importlib.import_module("torch")
    if ONE_CORE:
        torch.set_num_threads(1)
    ReLU6, relu = nn.ReLU6, torch.relu

    def concatenated(*arrays):
        return torch.cat(arrays, 1)

    def up(inputs, outputs):
        return nn.ConvTranspose2d(inputs, outputs, 2, 2)

    def mean(x):
        return x.mean((2, 3))

    def flatten(x, start):
        return x.flatten(start)


def conv(inputs, outputs, window, stride=1, groups=1, bias=False):
    return nn.Conv2d(inputs, outputs, window, stride, window // 2, groups=groups, bias=bias)


def normed(*settings):
    return [conv(*settings), nn.BatchNorm2d(settings[1])]


class Residual(nn.Module):
    def __init__(self, inputs, width, stride, deep):
        super().__init__()
        outputs = width * 4 if deep else width
        if deep:
            layers = [*normed(inputs, width, 1), nn.ReLU(), *normed(width, width, 3, stride), nn.ReLU()]
            layers += normed(width, outputs, 1)
        else:
            layers = [*normed(inputs, width, 3, stride), nn.ReLU(), *normed(width, width, 3)]
        self.body = nn.Sequential(*layers)
        self.short = (
            nn.Identity() if stride == 1 and inputs == outputs else nn.Sequential(*normed(inputs, outputs, 1, stride))
        )

    def forward(self, x):
        return relu(self.body(x) + self.short(x))


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, stride, factor):
        super().__init__()
        width = inputs * factor
        self.adds = stride == 1 and inputs == outputs
        layers = [] if factor == 1 else [*normed(inputs, width, 1), ReLU6()]
        self.body = nn.Sequential(*layers, *normed(width, width, 3, stride, width), ReLU6(), *normed(width, outputs, 1))

    def forward(self, x):
        return x + self.body(x) if self.adds else self.body(x)


class Classifier(nn.Module):
    def __init__(self, body, width):
        super().__init__()
        self.body, self.head = body, nn.Linear(width, CLASSES)

    def forward(self, x):
        return self.head(mean(self.body(x)))


def resnet(depths, deep):
    layers, inputs = [*normed(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
    for k, depth in enumerate(depths):
        for j in range(depth):
            layers.append(Residual(inputs, 64 << k, 2 if k and not j else 1, deep))
            inputs = (64 << k) * (4 if deep else 1)
    return Classifier(nn.Sequential(*layers), inputs)


def mobilenetv2():
    layers, inputs = [*normed(3, 32, 3, 2), ReLU6()], 32
    rows = (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)
    for factor, outputs, depth, stride in rows:
        for j in range(depth):
            layers.append(Inverted(inputs, outputs, stride if j == 0 else 1, factor))
            inputs = outputs
    return Classifier(nn.Sequential(*layers, *normed(inputs, 1280, 1), ReLU6()), 1280)


def twice(inputs, outputs):
    return nn.Sequential(*normed(inputs, outputs, 3), nn.ReLU(), *normed(outputs, outputs, 3), nn.ReLU())


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down0, self.down1, self.down2, self.bottom = twice(3, 32), twice(32, 64), twice(64, 128), twice(128, 256)
        self.pool = nn.MaxPool2d(2, 2)
        self.widen2, self.widen1, self.widen0 = up(256, 128), up(128, 64), up(64, 32)
        self.up2, self.up1, self.up0 = twice(256, 128), twice(128, 64), twice(64, 32)
        self.last = conv(32, CLASSES, 1, bias=True)

    def forward(self, x):
        a = self.down0(x)
        b = self.down1(self.pool(a))
        c = self.down2(self.pool(b))
        x = self.up2(concatenated(self.widen2(self.bottom(self.pool(c))), c))
        x = self.up0(concatenated(self.widen0(self.up1(concatenated(self.widen1(x), b))), a))
        return mean(self.last(x))


class Cifar(nn.Module):
    def __init__(self):
        super().__init__()
        pooled = [nn.ReLU(), nn.MaxPool2d(2, 2)]
        self.body = nn.Sequential(nn.Conv2d(3, 6, 5), *pooled, nn.Conv2d(6, 16, 5), *pooled)
        self.head = nn.Sequential(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, CLASSES))

    def forward(self, x):
        return self.head(flatten(self.body(x), 1))


def made():
    """The network, with the same weights in every framework."""
    if NETWORK.startswith("resnet"):
        model = resnet((3, 4, 6, 3) if NETWORK == "resnet50" else (2, 2, 2, 2), NETWORK == "resnet50")
    else:
        model = {"mobilenetv2": mobilenetv2, "unet": UNet, "cifar": Cifar}[NETWORK]()
    for name, parameter in model.named_parameters():
        shape = tuple(parameter.shape)
        if sum(n > 1 for n in shape) <= 1:
            values = np.full(shape, 1 if name.endswith("weight") else 0, np.float32)
        else:
            random = np.random.RandomState(zlib.crc32(name.encode()) % 2**31)
            scale = np.prod(shape[-3:] if len(shape) > 2 else shape[1:]) ** -0.5
            values = (random.randn(*shape) * scale).astype(np.float32)
        if OURS:
            parameter[...] = megengine.Tensor(values)
        else:
            parameter.data = torch.from_numpy(values)
    return model.to(memory_format=torch.channels_last) if SIDE == "channels_last" else model


def given(x):
    """A batch as the framework takes it."""
    if OURS:
        return megengine.Tensor(x)
    x = torch.from_numpy(x)
    return x.contiguous(memory_format=torch.channels_last) if SIDE == "channels_last" else x


def training(model):
    """A function that trains a step and returns the loss."""
    random = np.random.RandomState(0)
    x = random.randn(BATCH, 3, SIZE, SIZE).astype(np.float32)
    y = random.randint(0, CLASSES, BATCH).astype(np.int32)
    if OURS:
        from megengine.autodiff import GradManager
        from megengine.optimizer import SGD

        gm, optimizer = GradManager().attach(model.parameters()), SGD(model.parameters(), lr=0.0001, momentum=0.9)

        def step():
            with gm:
                with megengine.amp.autocast(enabled=BFLOAT16, low_prec_dtype="bfloat16"):
                    score = model(given(x))
                loss = F.nn.cross_entropy(score.astype("float32"), megengine.Tensor(y))
                gm.backward(loss)
                optimizer.step().clear_grad()
            return loss.item()

        return step
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0001, momentum=0.9)

    def torch_step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16):
            score = model(given(x))
        loss = torch.nn.functional.cross_entropy(score.float(), torch.from_numpy(y).long())
        loss.backward()
        optimizer.step()
        return loss.item()

    return torch_step


def inference(model, batch):
    """A function that runs the network on a batch and returns a number of its results."""
    model.eval()
    x = np.random.RandomState(0).randn(batch, 3, SIZE, SIZE).astype(np.float32)

    def run():
        if OURS:
            return float(model(given(x)).numpy().sum())
        with torch.no_grad():
            return float(model(given(x)).numpy().sum())

    return run


def by_onnxruntime(file, batch):
    """The same for a file."""
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    if ONE_CORE:
        options.intra_op_num_threads = 1
    session = runtime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    x = np.random.RandomState(0).randn(batch, 3, SIZE, SIZE).astype(np.float32)
    return lambda: float(session.run(None, {name: x})[0].sum())


def export(model, file):
    """Write the network as it is evaluated."""
    onnx = importlib.import_module("megengine.onnx")
    model.eval()
    onnx.export(model, file, [np.zeros((1, 3, SIZE, SIZE), np.float32)], dynamic_batch=True)


def products(model):
    """Multiplications of a batch."""
    stats = importlib.import_module("megengine.utils.module_stats")
    return int(stats.module_stats(model, input_shapes=(BATCH, 3, SIZE, SIZE), logging_to_stdout=False)[0].flops)


def products_a_second():
    """Multiplications of a product of matrices, each with an addition."""
    a = np.random.RandomState(0).randn(PRODUCT, PRODUCT).astype(np.float32)
    times = []
    for _ in range(5):
        start = CLOCK()
        a @ a
        times.append(CLOCK() - start)
    return PRODUCT**3 / min(times)


def through_the_take_over(step):
    """Train until an executable has taken over, and some steps more."""
    done = time.perf_counter() + MOST_SECONDS
    while OURS and not megengine.graph.counters.take_overs and time.perf_counter() < done:
        step()
    for _ in range(MEMORY_STEPS):
        step()


def main():
    """Do what the command line says."""
    if WHAT == "peak":
        print(json.dumps(products_a_second()))
        return
    model = None if SIDE == "onnxruntime" else made()
    if WHAT == "export":
        export(model, *FILE)
        print("null")
        return
    if WHAT == "products":
        print(json.dumps(products(model)))
        return
    if model is None:
        step = by_onnxruntime(*FILE, int(WHAT))
    else:
        step = inference(model, int(WHAT)) if WHAT.isdigit() else training(model)
    values = [step()]
    first = time.perf_counter() - STARTED
    if WHAT == "memory":
        through_the_take_over(step)
    elif WHAT != "first":
        values += [step() for _ in range(2)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    serve(step, {"values": values, "first": first, "peak": peak}, warm_up=1, clock=CLOCK)


if __name__ == "__main__":
    main()
