"""Networks of 8-bit integers: ``quantized.py write NETWORK FOLDER``, then ``quantized.py WHAT NETWORK BATCH FOLDER``.

``write`` looks at two images, and writes the network for onnxruntime: in float32, as integers, and quantised by onnxruntime
itself. WHAT is ``int8`` or ``float32``, by this package, or the name of a file for onnxruntime. With ONE_CORE in the environment
it runs on one core, and tells the time that it had it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

ONE_CORE = "ONE_CORE" in os.environ
if ONE_CORE:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np  # noqa: E402
from blocks import serve  # noqa: E402

WHAT, NETWORK, *REST = sys.argv[1:]
SIZE, CLASSES = 224, 100
FILES = {"float": "float32.onnx", "ours": "integers.onnx", "static": "static.onnx"}


def images(count, seed=0):
    """Smooth ones, as photographs are."""
    rough = np.random.RandomState(seed).randn(count, 3, SIZE // 16, SIZE // 16)
    return np.kron(rough, np.ones((1, 1, 16, 16))).astype(np.float32)


def networks():
    """What makes each network."""
    import megengine.functional as F
    import megengine.module as M

    class Residual(M.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.first = M.ConvBnRelu2d(inputs, outputs, 3, stride, 1, bias=False)
            self.second = M.ConvBn2d(outputs, outputs, 3, 1, 1, bias=False)
            self.same = stride == 1 and inputs == outputs
            self.short = M.Identity() if self.same else M.ConvBn2d(inputs, outputs, 1, stride, bias=False)
            self.add = M.Elemwise("fuse_add_relu")

        def forward(self, x):
            return self.add(self.second(self.first(x)), self.short(x))

    class Inverted(M.Module):
        def __init__(self, inputs, outputs, stride, factor):
            super().__init__()
            width = inputs * factor
            layers = [] if factor == 1 else [M.ConvBnRelu2d(inputs, width, 1, bias=False)]
            layers.append(M.ConvBnRelu2d(width, width, 3, stride, 1, groups=width, bias=False))
            self.body = M.Sequential(*layers, M.ConvBn2d(width, outputs, 1, bias=False))
            self.add = M.Elemwise("add") if stride == 1 and inputs == outputs else None

        def forward(self, x):
            return self.body(x) if self.add is None else self.add(x, self.body(x))

    class Classifier(M.Module):
        def __init__(self, layers, width):
            super().__init__()
            self.quant, self.dequant = M.QuantStub(), M.DequantStub()
            self.body, self.head = M.Sequential(*layers), M.Linear(width, CLASSES)

        def forward(self, x):
            x = F.avg_pool2d(self.body(self.quant(x)), 7)
            return self.dequant(self.head(F.flatten(x, 1)))

    def resnet18():
        layers, inputs = [M.ConvBnRelu2d(3, 64, 7, 2, 3, bias=False), M.MaxPool2d(3, 2, 1)], 64
        for k in range(4):
            for j in range(2):
                layers.append(Residual(inputs, 64 << k, 2 if k and not j else 1))
                inputs = 64 << k
        return Classifier(layers, inputs)

    def mobilenetv2():
        layers, inputs = [M.ConvBnRelu2d(3, 32, 3, 2, 1, bias=False)], 32
        rows = (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)
        for factor, outputs, depth, stride in rows:
            for j in range(depth):
                layers.append(Inverted(inputs, outputs, stride if j == 0 else 1, factor))
                inputs = outputs
        return Classifier([*layers, M.ConvBnRelu2d(inputs, 1280, 1, bias=False)], 1280)

    return {"resnet18": resnet18, "mobilenetv2": mobilenetv2}


def made():
    """The network in float32, with statistics of some images, and as one of integers."""
    import megengine as mge
    import megengine.module as M
    import megengine.quantization as Q

    mge.random.seed(0)
    with mge.graph.tier("host"):  # once is not worth compiling
        net = networks()[NETWORK]()
        for layer in net.modules():
            if isinstance(layer, M.BatchNorm2d):
                layer.momentum = 0.0
        net(mge.Tensor(images(2)))
        net.eval()
        rounded = Q.quantize_qat(net, inplace=False, qconfig=Q.min_max_fakequant_qconfig)
        Q.enable_observer(rounded)
        rounded(mge.Tensor(images(2)))
        integers = Q.quantize(rounded)
        integers.eval()
        mge.graph.flush()
    return net, integers


def write(folder):
    """Write the network for all contenders; the bytes of the weights are printed."""
    import megengine as mge
    from megengine import onnx

    net, integers = made()
    for name, model in (("float", net), ("ours", integers)):
        onnx.export(model, folder / FILES[name], [images(1)], arg_names=["x"], dynamic_batch=True)
        mge.save(model.state_dict(), str(folder / f"{name}.mge"))
    quantise(folder)
    sizes = {name: os.path.getsize(folder / file) for name, file in FILES.items()}
    print(json.dumps({"files": sizes, "states": [os.path.getsize(folder / f"{n}.mge") for n in ("float", "ours")]}))


def quantise(folder):
    """onnxruntime's own quantization, of int8 as here, after normalisations have been folded."""
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = [images(2)]

        def get_next(self):
            return {"x": self.left.pop()} if self.left else None

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "folded.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(folder / FILES["float"]), options)
    quantize_static(
        folder / "folded.onnx",
        folder / FILES["static"],
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": True},
    )


def by_this_package():
    """A function that answers."""
    import megengine as mge
    from megengine.jit import trace

    net, integers = made()
    chosen = integers if WHAT == "int8" else net
    call = trace(lambda x: chosen(x), without_host=True)
    return lambda x: call(mge.Tensor(x)).numpy()


def by_onnxruntime(path):
    """A function that answers."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if ONE_CORE:
        options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)
    return lambda x: session.run(None, {"x": x})[0]


if __name__ == "__main__":
    if WHAT == "write":
        write(Path(REST[0]))
    else:
        batch, folder = int(REST[0]), Path(REST[1])
        answer = by_this_package() if WHAT in ("int8", "float32") else by_onnxruntime(folder / FILES[WHAT])
        x = images(batch, 1)
        values = answer(x).reshape(-1)[:500].tolist()
        clock = time.process_time if ONE_CORE else time.perf_counter
        serve(lambda: answer(x), values, warm_up=2, clock=clock)
