"""ResNets, and ResNet-18 trained on CIFAR-10 with mixed precision if asked for.

    python examples/resnet.py [--epochs 10] [--amp] [--data FOLDER]

He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2015.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine.amp import autocast
from megengine.autodiff import GradManager
from megengine.optimizer import SGD, MultiStepLR


class BasicBlock(M.Module):
    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = M.ConvBnRelu2d(inputs, width, 3, stride, padding=1, bias=False)
        self.conv2 = M.ConvBn2d(width, width, 3, padding=1, bias=False)
        self.shortcut = shortcut(inputs, width * self.expansion, stride)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        return F.relu(self.conv2(self.conv1(x)) + self.shortcut(x))


class Bottleneck(M.Module):
    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = M.ConvBnRelu2d(inputs, width, 1, bias=False)
        self.conv2 = M.ConvBnRelu2d(width, width, 3, stride, padding=1, bias=False)
        self.conv3 = M.ConvBn2d(width, width * self.expansion, 1, bias=False)
        self.shortcut = shortcut(inputs, width * self.expansion, stride)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        return F.relu(self.conv3(self.conv2(self.conv1(x))) + self.shortcut(x))


def shortcut(inputs: int, outputs: int, stride: int) -> M.Module:
    """What is added to a block's result: its input, projected where the shapes differ."""
    if stride == 1 and inputs == outputs:
        return M.Identity()
    return M.ConvBn2d(inputs, outputs, 1, stride, bias=False)


class ResNet(M.Module):
    """Four stages of blocks; ``small`` images (CIFAR) keep their size before the first."""

    def __init__(self, block: type, depths: Iterable[int], classes: int = 1000, small: bool = False) -> None:
        super().__init__()
        if small:
            self.stem = M.ConvBnRelu2d(3, 64, 3, padding=1, bias=False)
        else:
            self.stem = M.Sequential(M.ConvBnRelu2d(3, 64, 7, 2, padding=3, bias=False), M.MaxPool2d(3, 2, padding=1))
        blocks: list[M.Module] = []
        inputs = 64
        for stage, depth in enumerate(depths):
            for k in range(depth):
                blocks.append(block(inputs, 64 << stage, stride=2 if stage and k == 0 else 1))
                inputs = (64 << stage) * block.expansion
        self.blocks = M.Sequential(*blocks)
        self.head = M.Linear(inputs, classes)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        return self.head(F.mean(self.blocks(self.stem(x)), (2, 3)))


def resnet18(classes: int = 1000, small: bool = False) -> ResNet:
    return ResNet(BasicBlock, (2, 2, 2, 2), classes, small)


def resnet50(classes: int = 1000, small: bool = False) -> ResNet:
    return ResNet(Bottleneck, (3, 4, 6, 3), classes, small)


def train_epoch(model: ResNet, batches: Iterable, gm: GradManager, optimizer: SGD, amp: bool = False) -> float:
    """One pass over batches of images (N, 3, H, W) and labels; returns the mean loss."""
    model.train()
    losses = []
    for image, label in batches:
        with gm:
            with autocast(enabled=amp, low_prec_dtype="bfloat16"):
                scores = model(mge.Tensor(image, dtype="float32"))
            loss = F.nn.cross_entropy(scores, mge.Tensor(label, dtype="int32"), label_smooth=0.1)
            gm.backward(loss)
        optimizer.step().clear_grad()
        losses.append(loss.item())
    return float(np.mean(losses))


def main() -> None:
    from megengine.data import DataLoader, RandomSampler
    from megengine.data.dataset import CIFAR10
    from megengine.data.transform import Compose, Normalize, Pad, RandomCrop, RandomHorizontalFlip, ToMode

    parser = argparse.ArgumentParser(description="Train ResNet-18 on CIFAR-10.")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--amp", action="store_true", help="convolutions and products in bfloat16")
    parser.add_argument("--data", help="folder of the data set")
    options = parser.parse_args()
    data = CIFAR10(options.data, train=True)
    steps = [Pad(4), RandomCrop(32), RandomHorizontalFlip(), Normalize(128.0, 64.0), ToMode()]
    loader = DataLoader(data, RandomSampler(data, batch_size=128), Compose(steps))
    model = resnet18(classes=10, small=True)
    gm = GradManager().attach(model.parameters())
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    schedule = MultiStepLR(optimizer, [options.epochs // 2, options.epochs * 3 // 4])
    for epoch in range(options.epochs):
        print(f"epoch {epoch}: loss {train_epoch(model, loader, gm, optimizer, options.amp):.3f}")
        schedule.step()


if __name__ == "__main__":
    main()
