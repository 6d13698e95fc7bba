"""The tutorial's network and a small convolutional one on Fashion-MNIST, in float32 and as networks of 8-bit integers.

    python examples/quantize.py [--epochs 3] [--data FOLDER]

Prints what became of each layer, and of both networks the accuracy, the bytes of the weights and the time of an answer: in
float32, calibrated (the float32 network and a look at 1,000 images), and trained for one epoch more with rounded weights and
results.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.quantization as Q
from megengine.autodiff import GradManager
from megengine.core.tensor.dtype import get_scale
from megengine.data.dataset import FashionMNIST
from megengine.jit import trace
from megengine.optimizer import Adam

Arrays = tuple[np.ndarray, np.ndarray]


class Linear(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = M.QuantStub(), M.DequantStub()
        self.fc = M.LinearRelu(28 * 28, 256)
        self.classifier = M.Linear(256, 10)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        return self.dequant(self.classifier(self.fc(F.flatten(self.quant(x), 1))))


class Convolutional(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = M.QuantStub(), M.DequantStub()
        self.first = M.ConvBnRelu2d(1, 16, 3, stride=2, padding=1)
        self.second = M.ConvBnRelu2d(16, 32, 3, padding=1)
        self.third = M.ConvBn2d(32, 32, 3, padding=1)
        self.join = M.Elemwise("fuse_add_relu")
        self.classifier = M.Linear(32 * 7 * 7, 10)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        x = self.second(self.first(self.quant(x)))
        x = F.max_pool2d(self.join(self.third(x), x), 2)
        return self.dequant(self.classifier(F.flatten(x, 1)))


def batches(arrays: Arrays, size: int) -> Iterator[tuple[mge.Tensor, mge.Tensor]]:
    for start in range(0, len(arrays[0]) - size + 1, size):
        images, labels = (a[start : start + size] for a in arrays)
        yield mge.Tensor(images), mge.Tensor(labels)


def fit(model: M.Module, arrays: Arrays, epochs: int, lr: float) -> None:
    model.train()
    gm, optimizer = GradManager().attach(model.parameters()), Adam(model.parameters(), lr=lr)
    for _ in range(epochs):
        order = np.random.default_rng(0).permutation(len(arrays[0]))
        for image, label in batches((arrays[0][order], arrays[1][order]), 100):
            with gm:
                gm.backward(F.nn.cross_entropy(model(image), label))
            optimizer.step().clear_grad()


def measured(model: M.Module, test: Arrays) -> tuple[float, int, float]:
    """Accuracy, bytes of the weights, and the least time of 20 answers to 100 images in seconds."""
    model.eval()
    answer = trace(lambda x: model(x), symbolic=True, capture_as_const=True)
    right = sum((F.argmax(answer(x), axis=1) == label).sum().item() for x, label in batches(test, 100))
    size = sum(p.numpy().nbytes for _, p in model.named_parameters())
    x, times = next(batches(test, 100))[0], []
    for _ in range(20):
        start = time.perf_counter()
        answer(x).numpy()
        times.append(time.perf_counter() - start)
    return right / len(test[0]), size, min(times)


def layers(before: M.Module, after: M.Module) -> None:
    for (name, one), (_, other) in zip(before.named_children(), after.named_children(), strict=True):
        dtype = getattr(other, "output_dtype", None)
        scale = "" if dtype is None else f"results in steps of {get_scale(dtype):.4f}"
        weight = getattr(other, "weight", None)
        bits = "" if weight is None else f"weight {weight.dtype.name} in steps of {get_scale(weight.dtype):.5f}"
        print(f"  {name:11} {type(one).__name__:13} -> {type(other).__module__.split('.', 1)[1]:30} {scale:28} {bits}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Quantize two networks on Fashion-MNIST.")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--data", help="folder with the four files of the data set")
    options = parser.parse_args()
    train, test = (
        (np.float32(images).reshape(-1, 1, 28, 28) / 255 - 0.5, np.int32(labels))
        for images, labels in (FashionMNIST(options.data, train=part).arrays for part in (True, False))
    )
    compare([Linear, Convolutional], train, test, options.epochs)


def compare(networks: list[type[M.Module]], train: Arrays, test: Arrays, epochs: int) -> None:
    for make in networks:
        model = make()
        fit(model, train, epochs, 1e-3)
        results = {"float32": measured(model, test)}

        calibrated = Q.quantize_qat(model, inplace=False, qconfig=Q.calibration_qconfig)
        calibrated.eval()
        Q.enable_observer(calibrated)
        for image, _ in batches((train[0][:1000], train[1][:1000]), 100):
            calibrated(image)
        results["int8, calibrated"] = measured(Q.quantize(calibrated), test)

        trained = Q.quantize_qat(model, inplace=False, qconfig=Q.ema_fakequant_qconfig)
        fit(trained, train, 1, 1e-4)
        trained.eval()
        integers = Q.quantize(trained, inplace=False)
        results["int8, trained"] = measured(integers, test)

        print(f"{make.__name__}:")
        layers(model, integers)
        for name, (accuracy, size, seconds) in results.items():
            print(
                f"  {name:17} accuracy {accuracy:.4f}, {size:8,} bytes of weights, {seconds * 1e3:6.2f} ms for 100 images"
            )


if __name__ == "__main__":
    main()
