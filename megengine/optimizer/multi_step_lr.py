"""Learning rate in steps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

from .._help.ranges import within
from .lr_scheduler import LRScheduler
from .optimizer import Optimizer


class MultiStepLR(LRScheduler):
    """Multiplies the learning rates by ``gamma`` at each milestone.

    Args:
        optimizer: whose learning rates to set.
        milestones: epochs in increasing order.
        gamma: the factor. Default: 0.1
        current_epoch: the last epoch, when training goes on. Default: -1, a start

    Raises:
        TypeError: the milestones are no sequence.
        ValueError: they are not in order, or a negative factor.

    Example:
        >>> optimizer = megengine.optimizer.SGD(megengine.Parameter([1.0]), lr=1.0)
        >>> schedule = megengine.optimizer.MultiStepLR(optimizer, [2, 3], gamma=0.5)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates.append(optimizer.param_groups[0]["lr"])
        ...     schedule.step()
        >>> rates
        [1.0, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, current_epoch: int = -1
    ) -> None:
        if not isinstance(milestones, Iterable):
            raise TypeError(f"milestones must be a list of epochs, not {milestones!r}")
        self.milestones = milestones if isinstance(milestones, list | tuple) else list(milestones)
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError(f"Milestones should be a list of increasing integers. Got {self.milestones}")
        self.gamma = within("gamma", gamma, 0)
        super().__init__(optimizer, current_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Milestones, gamma and the current epoch."""
        return {"milestones": self.milestones, "gamma": self.gamma, "current_epoch": self.current_epoch}

    def get_lr(self) -> list[float]:
        """The learning rates of all groups in this epoch."""
        passed = bisect_right(self.milestones, self.current_epoch)
        return [base * self.gamma**passed for base in self.base_lrs]
