"""Module.summary: layers in the order of calls, at their depth."""

from __future__ import annotations

import pytest

import megengine.module as M
from megengine import Tensor


class Block(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.second = M.Linear(4, 4)
        self.first = M.Linear(4, 4, bias=False)
        self.never = M.Linear(2, 2)

    def forward(self, x: Tensor, twice: bool = False) -> dict[str, Tensor]:
        y = self.second(self.first(x))
        return {"y": self.first(y) if twice else y, "x": x}


def lines(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()[2:]]


def test_order_depth_and_what_is_never_called() -> None:
    text = M.Sequential(Block()).summary(
        (3, 4),
    )
    assert lines(text) == [
        ["Sequential", "Sequential", "{y: (3, 4), x: (3, 4)}"],
        ["0", "Block", "{y: (3, 4), x: (3, 4)}"],
        ["first", "Linear", "(3, 4)", "16"],
        ["second", "Linear", "(3, 4)", "20"],
        ["never", "Linear", "6"],
        ["42 parameters, 168 bytes"],
    ]
    assert "\n    first" in text and "\n  never" in text


def test_a_layer_called_twice_counts_once_and_keyword_arguments() -> None:
    rows = lines(Block().summary(Tensor([[1.0, 2.0, 3.0, 4.0]]), twice=True))
    assert [row[0] for row in rows] == ["Block", "first", "second", "first", "never", "42 parameters, 168 bytes"]
    assert [len(row) for row in rows] == [3, 4, 4, 3, 3, 1]


def test_the_module_is_left_as_it_was() -> None:
    net = M.Sequential(M.BatchNorm1d(4), M.Dropout(0.5))
    net[1].eval()
    net.summary((2, 4))
    assert net.training and net[0].training and not net[1].training
    assert not net._forward_hooks and not net[0]._forward_pre_hooks
    assert (net[0].running_mean.numpy() == 0).all()
    with pytest.raises(RuntimeError, match="4"):
        net.summary((2, 3))
    assert net.training and not net._forward_hooks
