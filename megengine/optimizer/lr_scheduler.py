"""The base class of learning-rate schedules."""

from __future__ import annotations

from abc import ABCMeta
from typing import Any

from .._help.describe import settings
from .optimizer import Optimizer


class LRScheduler(metaclass=ABCMeta):
    """Base class of learning-rate schedules. A subclass writes ``get_lr()``, from ``self.current_epoch`` and ``self.base_lrs``.

    Making a schedule takes its first step, to epoch 0.

    Args:
        optimizer: whose learning rates to set.
        current_epoch: the last epoch, when training goes on. Default: -1, a start

    Raises:
        TypeError: not an optimizer.
        KeyError: training goes on, but a group has no ``"initial_lr"``.

    Example:
        >>> class Halving(megengine.optimizer.LRScheduler):
        ...     def get_lr(self):
        ...         return [lr / 2**self.current_epoch for lr in self.base_lrs]
        >>> optimizer = megengine.optimizer.SGD(megengine.Parameter([1.0]), lr=0.8)
        >>> schedule = Halving(optimizer)
        >>> schedule.step()
        >>> optimizer.param_groups[0]["lr"]
        0.4
    """

    def __init__(self, optimizer: Optimizer, current_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer argument given to the lr_scheduler should be Optimizer, got {type(optimizer)}")
        self.optimizer = optimizer
        self.current_epoch = current_epoch
        for position, group in enumerate(optimizer.param_groups):
            if current_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{position}] when resuming an optimizer"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.step()

    def __repr__(self) -> str:
        own = {name: value for name, value in vars(self).items() if name not in ("optimizer", "base_lrs")}
        rates = [group["lr"] for group in self.optimizer.param_groups]
        return f"{type(self).__name__}({settings({**own, 'lr': rates[0] if len(rates) == 1 else rates})})"

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the attributes of a :meth:`state_dict`.

        Args:
            state_dict: what ``state_dict`` returned.

        Raises:
            KeyError: an attribute is missing.
        """
        needed = self.state_dict().keys()
        for name in needed:
            if name not in state_dict:
                raise KeyError(f"key '{name}' is not specified in state_dict when loading state dict")
        vars(self).update({name: state_dict[name] for name in needed})

    def get_lr(self) -> list[float]:
        """The learning rates of all groups in this epoch."""
        raise NotImplementedError(f"{type(self).__name__} has to write get_lr()")

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch and set the learning rates.

        Args:
            epoch: go to this one. Default: the next
        """
        self.current_epoch = self.current_epoch + 1 if epoch is None else epoch
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=False):
            group["lr"] = lr
