"""What a run measured: a row a step and a row an epoch, kept in memory and written as CSV."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..._support.files import write_atomically

__all__ = ["Epoch", "History"]


@dataclasses.dataclass
class Epoch:
    """One finished epoch; losses and accuracies are means over the images."""

    epoch: int
    train_loss: float
    train_acc: float
    val_loss: float
    val_acc: float
    lr: float
    train_seconds: float
    val_seconds: float
    images_per_second: float

    def line(self) -> str:
        """The tutorial's line.

        Example:
            >>> from megengine.tools.train.metrics import Epoch
            >>> Epoch(0, 0.6, 0.8, 0.5, 0.82, 0.01, 1.0, 0.1, 6e4).line()
            'Epoch = 0, train_loss = 0.600, train_acc = 0.800, val_acc = 0.820'
        """
        return (
            f"Epoch = {self.epoch}, train_loss = {self.train_loss:.3f}, "
            f"train_acc = {self.train_acc:.3f}, val_acc = {self.val_acc:.3f}"
        )


class History:
    """The rows of a run so far.

    Example:
        >>> from megengine.tools.train.metrics import History
        >>> history = History()
        >>> history.add_step(0, 2.3, 0.125)
        >>> history.steps
        [(0, 0, 2.3, 0.125)]
    """

    def __init__(self) -> None:
        self.steps: list[tuple[int, int, float, float]] = []
        self.epochs: list[Epoch] = []

    def add_step(self, epoch: int, loss: float, accuracy: float) -> None:
        """Adds the batch means of the next step."""
        self.steps.append((epoch, len(self.steps), loss, accuracy))

    def drop_unfinished(self) -> None:
        """Forgets the steps of an epoch that did not come to its end."""
        self.steps = [row for row in self.steps if row[0] < len(self.epochs)]

    def write(self, folder: Path) -> None:
        """Writes ``metrics.csv`` (a row an epoch) and ``steps.csv`` (a row a step)."""
        names = [field.name for field in dataclasses.fields(Epoch)]
        write_atomically(folder / "metrics.csv", _csv(names, [dataclasses.astuple(e) for e in self.epochs]))
        write_atomically(folder / "steps.csv", _csv(("epoch", "step", "loss", "accuracy"), self.steps))

    def to_dict(self) -> dict[str, Any]:
        """The rows as plain values."""
        return {"steps": list(self.steps), "epochs": [dataclasses.asdict(epoch) for epoch in self.epochs]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> History:
        """The history that ``to_dict`` gave."""
        history = cls()
        history.steps = [tuple(row) for row in values["steps"]]
        history.epochs = [Epoch(**epoch) for epoch in values["epochs"]]
        return history


def _csv(names: Sequence[str], rows: Sequence[Sequence[float]]) -> str:
    # repr of a float is its shortest exact form, so that resumed runs can be compared by their files.
    lines = [",".join(names), *(",".join(map(repr, row)) for row in rows)]
    return "\n".join(lines) + "\n"
