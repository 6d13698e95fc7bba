"""Datasets of images."""

from __future__ import annotations

from .cifar import CIFAR10, CIFAR100
from .cityscapes import Cityscapes
from .coco import COCO
from .fashion_mnist import FashionMNIST
from .folder import ImageFolder
from .imagenet import ImageNet
from .meta_vision import VisionDataset
from .mnist import MNIST
from .objects365 import Objects365
from .voc import PascalVOC

__all__ = [
    "VisionDataset",
    "ImageFolder",
    "MNIST",
    "FashionMNIST",
    "CIFAR10",
    "CIFAR100",
    "PascalVOC",
    "COCO",
    "Cityscapes",
    "Objects365",
    "ImageNet",
]
