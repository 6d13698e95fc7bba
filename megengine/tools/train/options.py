"""The options of one training run, checked."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ..errors import UserError

__all__ = ["MODELS", "INITS", "OPTIMIZERS", "SCHEDULES", "TrainOptions"]

MODELS = ("mlp", "linear")
INITS = ("default", "zero")
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw", "adagrad", "adadelta")
SCHEDULES = ("constant", "cosine")
WITH_MOMENTUM = ("sgd", "momentum")
MAX_SEED = 2**32 - 1


@dataclasses.dataclass
class TrainOptions:
    """What a run is made of; the defaults are the tutorial's.

    Args:
        model: ``"mlp"`` (linear layers with relu between them) or ``"linear"`` (one linear layer).
        hidden: sizes of the hidden layers of ``mlp``; empty for ``linear``.
        epochs: passes over the training images.
        lr: learning rate, of the first epoch if the schedule changes it.
        schedule: ``"constant"``, or ``"cosine"``: half a cosine from ``lr`` down to nearly 0, changed each epoch.
        batch_size: images a step.
        optimizer: one of ``OPTIMIZERS``.
        momentum: fraction of the last update kept; None takes 0.9 for ``momentum`` and 0 for ``sgd``.
        weight_decay: L2 factor, added to the gradient as ``weight_decay * parameter``.
        init: ``"default"`` (random) or ``"zero"`` (every parameter 0).
        seed: fixes the initial parameters and the order of the images.
        device: as ``megengine.set_default_device`` takes it.
        data: folder of the data set's four files; None searches the usual places.

    Raises:
        UserError: from ``check``, for a value out of range, naming it.

    Example:
        >>> from megengine.tools.train.options import TrainOptions
        >>> TrainOptions(hidden=(300, 100)).check().hidden
        (300, 100)
        >>> TrainOptions(lr=-1.0).check()
        Traceback (most recent call last):
        megengine.tools.errors.UserError: --lr -1.0: the learning rate must be a positive finite number
    """

    model: str = "mlp"
    hidden: tuple[int, ...] = (256,)
    epochs: int = 5
    lr: float = 0.01
    schedule: str = "constant"
    batch_size: int = 64
    optimizer: str = "sgd"
    momentum: float | None = None
    weight_decay: float = 0.0
    init: str = "default"
    seed: int = 0
    device: str = "xpux"
    data: str | None = None

    def __post_init__(self) -> None:
        if self.model == "linear":
            self.hidden = ()
        if self.momentum is None and self.optimizer in WITH_MOMENTUM:
            self.momentum = 0.9 if self.optimizer == "momentum" else 0.0

    def check(self) -> TrainOptions:
        """Returns the options themselves if all of them make sense."""
        for name, value, choices in (
            ("model", self.model, MODELS),
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("schedule", self.schedule, SCHEDULES),
            ("init", self.init, INITS),
        ):
            if value not in choices:
                raise _bad(name, value, f"choose one of {', '.join(choices)}")
        if self.model == "mlp" and not self.hidden:
            raise _bad("hidden", "''", "give at least one size, such as 256 or 300,100")
        if any(size < 1 for size in self.hidden):
            raise _bad("hidden", ",".join(map(str, self.hidden)), "every hidden size must be at least 1")
        if self.epochs < 1:
            raise _bad("epochs", self.epochs, "at least one epoch is needed")
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise _bad("lr", self.lr, "the learning rate must be a positive finite number")
        if self.batch_size < 1:
            raise _bad("batch-size", self.batch_size, "a batch needs at least one image")
        if self.momentum is not None:
            if self.optimizer not in WITH_MOMENTUM:
                raise _bad("momentum", self.momentum, f"the optimizer {self.optimizer} has no momentum option")
            if not 0 <= self.momentum < 1:
                raise _bad("momentum", self.momentum, "it must be at least 0 and less than 1")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise _bad("weight-decay", self.weight_decay, "it must be 0 or a positive finite number")
        if not 0 <= self.seed <= MAX_SEED:
            raise _bad("seed", self.seed, f"it must be between 0 and {MAX_SEED}")
        return self

    def lr_of(self, epoch: int) -> float:
        r"""The learning rate of an epoch: ``lr``, or :math:`lr / 2 (1 + \cos(\pi epoch / epochs))`.

        Source: I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, without restarts.
        """
        if self.schedule == "constant":
            return self.lr
        return self.lr / 2 * (1 + math.cos(math.pi * epoch / self.epochs))

    def to_dict(self) -> dict[str, Any]:
        """The options as plain values, in the order above."""
        values = dataclasses.asdict(self)
        values["hidden"] = list(self.hidden)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainOptions:
        """The options that ``to_dict`` gave."""
        return cls(**{**values, "hidden": tuple(values["hidden"])})

    def command(self) -> str:
        """The exact ``mge train`` command of these options, defaults left out.

        Example:
            >>> from megengine.tools.train.options import TrainOptions
            >>> TrainOptions(optimizer="momentum", epochs=10).command()
            'mge train --epochs 10 --optimizer momentum'
        """
        words = ["mge", "train"]
        base = TrainOptions(model=self.model, optimizer=self.optimizer)
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            default = field.default if field.name in ("model", "optimizer") else getattr(base, field.name)
            if value == default:
                continue
            shown = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += ["--" + field.name.replace("_", "-"), shown]
        return " ".join(words)


def _bad(name: str, value: object, why: str) -> UserError:
    return UserError(f"--{name} {value}: {why}", exit_code=2)
