"""Asks real MegEngine for ``optimizers.json`` and for the files in ``checkpoints/``.

    python tests/golden/record_training.py

Run it with the interpreter that has MegEngine 1.13.0.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import megengine
import megengine.module as M
import megengine.optimizer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "optimizer"))

import table  # noqa: E402


def write_optimizers() -> None:
    """The trajectories of all rows of the table."""
    records = {
        name: table.run(megengine, np, kind, options)
        for name, kind, options in table.TABLE
        if kind not in table.FROM_THE_PAPER
    }
    (HERE / "optimizers.json").write_text(json.dumps(records, indent=0))


def write_checkpoints() -> None:
    """A whole module, and a training state with a nested net, optimizer and tensors of several kinds."""
    net = M.Sequential(M.Linear(3, 4), M.ReLU(), M.Sequential(M.Dropout(0.5), M.Linear(4, 2, bias=False)))
    for i, parameter in enumerate(net.parameters()):
        parameter[...] = megengine.Tensor(np.arange(parameter.size, dtype="float32").reshape(parameter.shape) / 8 - i)
    net.eval()
    megengine.save(net, str(HERE / "checkpoints" / "module.mge"))
    optimizer = megengine.optimizer.Adam(net.parameters(), lr=0.25)
    for parameter in net.parameters():
        parameter.grad = megengine.Tensor(np.ones(parameter.shape, "float32"))
    optimizer.step().clear_grad()
    state = {
        "net": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "tensors": [
            megengine.Tensor([1, 2, 3]),
            megengine.Parameter([[1.5]], device="cpu0"),
            megengine.Tensor(np.array([1.5, 2.5], "float16")),
            megengine.Tensor(True),
            megengine.Tensor(np.zeros((0, 2), "float32")),
        ],
    }
    megengine.save(state, str(HERE / "checkpoints" / "training.mge"))
    megengine.save(state["tensors"], str(HERE / "checkpoints" / "protocol2.mge"), pickle_protocol=2)


if __name__ == "__main__":
    assert megengine.__version__.startswith("1.13"), megengine.__version__
    write_optimizers()
    write_checkpoints()
