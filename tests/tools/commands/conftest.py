"""A program and a model to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor, jit, random

from ..conftest import mge

__all__ = ["mge"]

PROGRAM = """
import sys
import numpy as np
import megengine as mge
import megengine.module as M

net = M.Sequential(M.Linear(4, 8), M.ReLU(), M.Linear(8, 2))
for step in range(int(sys.argv[1])):
    loss = (net(mge.Tensor(np.ones((3, 4), np.float32))) ** 2).mean().item()
print("arguments", sys.argv[1:], "name", __name__)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that takes a number."""
    path = tmp_path / "train.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def net() -> M.Module:
    """A small network for pictures, in evaluation mode."""
    random.seed(0)
    made = M.Sequential(M.Conv2d(3, 4, 3), M.BatchNorm2d(4), M.ReLU(), M.AdaptiveAvgPool2d(1))
    made.eval()
    return made


@pytest.fixture
def dump(tmp_path: Path, net: M.Module) -> Path:
    """It as a dump: ``image`` to ``score``."""

    @jit.trace(symbolic=True, capture_as_const=True)
    def predict(image: Tensor) -> Tensor:
        return F.flatten(net(image), 1)

    predict(Tensor(np.ones((1, 3, 8, 8), np.float32)))
    predict.dump(str(tmp_path / "net.mge"), arg_names=["image"], output_names=["score"])
    return tmp_path / "net.mge"
