"""The networks that ``mge train`` knows, and their optimizers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import megengine.functional as F
import megengine.module as M
import megengine.optimizer as optim
from megengine import Tensor
from megengine.optimizer import Optimizer

from ..errors import UserError
from .options import WITH_MOMENTUM, TrainOptions

__all__ = ["MLP", "Linear", "build_model", "build_optimizer", "layers"]

OPTIMIZER_CLASSES = {
    "sgd": "SGD",
    "momentum": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
}


class Linear(M.Module):
    """One linear layer: every class has one template, which the image is compared with."""

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.classifier = M.Linear(num_features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(x)


class MLP(M.Module):
    """Linear layers with relu between them: ``fc`` (or ``fc1``, ``fc2``, ...) and ``classifier``.

    Args:
        num_features: values of one flattened image.
        hidden: sizes of the hidden layers.
        num_classes: scores of one image.
    """

    def __init__(self, num_features: int, hidden: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.layer_names = ["fc"] if len(hidden) == 1 else [f"fc{i + 1}" for i in range(len(hidden))]
        sizes = [num_features, *hidden]
        for name, (fan_in, fan_out) in zip(self.layer_names, pairwise(sizes), strict=True):
            setattr(self, name, M.Linear(fan_in, fan_out))
        self.classifier = M.Linear(sizes[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        for name in self.layer_names:
            x = F.nn.relu(getattr(self, name)(x))
        return self.classifier(x)


def build_model(options: TrainOptions, num_features: int, num_classes: int) -> M.Module:
    """Makes the network of the options with its initial parameters."""
    model: M.Module
    if options.model == "linear":
        model = Linear(num_features, num_classes)
    else:
        model = MLP(num_features, options.hidden, num_classes)
    if options.init == "zero":
        for parameter in model.parameters():
            M.init.zeros_(parameter)
    return model


def layers(model: M.Module) -> list[M.Linear]:
    """The linear layers in the order in which an image passes them."""
    names = [*model.layer_names, "classifier"] if isinstance(model, MLP) else ["classifier"]
    return [getattr(model, name) for name in names]


def build_optimizer(options: TrainOptions, model: M.Module) -> Optimizer:
    """Makes the optimizer of the options for the model's parameters.

    Raises:
        UserError: if this version of megengine has no such optimizer, naming those it has.
    """
    make = getattr(optim, OPTIMIZER_CLASSES[options.optimizer], None)
    if make is None:
        there = [name for name, cls in OPTIMIZER_CLASSES.items() if hasattr(optim, cls)]
        raise UserError(
            f"--optimizer {options.optimizer}: this version of megengine has no {options.optimizer}",
            f"choose one of {', '.join(there)}",
            exit_code=2,
        )
    settings: dict[str, Any] = {"lr": options.lr, "weight_decay": options.weight_decay}
    if options.optimizer in WITH_MOMENTUM:
        settings["momentum"] = options.momentum
    return make(model.parameters(), **settings)
