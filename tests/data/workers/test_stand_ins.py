"""What stands for the engine in workers: everything can be imported and defined with it, nothing computed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import megengine
from megengine.data import DataLoader
from megengine.data.workers.stand_ins import absent
from megengine.module import Linear
from megengine.tensor import Parameter

from ..made import AsList, Made

PROGRAM = """
    import sys
    sys.path.insert(0, sys.argv[1])
    from importlib.util import module_from_spec, spec_from_file_location
    spec = spec_from_file_location("megengine.data.workers.stand_ins", sys.argv[1] + "/megengine/data/workers/stand_ins.py")
    stand_ins = module_from_spec(spec)
    spec.loader.exec_module(stand_ins)
    stand_ins.install(sys.argv[1] + "/megengine")

    from dataclasses import dataclass
    import numpy as np
    import megengine, megengine as mge
    import megengine.functional.nn as nn, megengine.functional as F
    import megengine.module as M
    import megengine.distributed as dist
    from megengine import Tensor, data
    from megengine.autodiff import Function, GradManager
    from megengine.data.transform import Compose, Normalize
    from megengine.jit import trace
    from megengine.optimizer import SGD

    class Base(M.Module):
        size: Tensor | None = None
        def __init__(self, width):
            super().__init__()
            self.width = width

    @dataclass
    class Settings:
        optimizer: SGD

    @trace
    def plain(x):
        return x + 1

    @trace(symbolic=True)
    def configured(x):
        return x + 2

    class Mine(Function):
        def forward(self, x):
            return x

    model = Base(3)
    assert (plain(1), configured(1), model.width, Mine().forward(4)) == (2, 3, 3, 4)
    assert isinstance(model, M.Module) and not isinstance(1, Tensor) and not isinstance(1, M.Module)
    assert issubclass(Base, M.Module) and Base.__name__ == "Base"
    optimizer = SGD(model.parameters(), lr=0.1)
    manager = GradManager().attach(model.parameters())
    mge.random.seed(3)
    mge.set_default_device("cpu0")
    weights = mge.tensor(np.ones(3), dtype="float32")
    assert mge.get_logger("x").name == "megengine.x" or mge.get_logger("x").name == "x"
    assert isinstance(mge.__version__, str)
    stand_ins.set_process_group(4, 3)
    assert (dist.is_distributed(), dist.get_world_size(), dist.get_rank()) == (True, 4, 3)
    from megengine.data import SequentialSampler
    assert list(SequentialSampler(range(8), 2)) == [[3, 7]]
    try:
        import megengine.no_such_module
    except ModuleNotFoundError as error:
        assert "no_such_module" in str(error)
    else:
        raise AssertionError("a module that there is not was imported")
    for use in (
        lambda: weights + 1, lambda: 1 - weights, lambda: weights == 1, lambda: np.asarray(weights), lambda: float(weights),
        lambda: list(weights), lambda: weights[0], lambda: bool(weights), lambda: F.relu(weights).sum() > 0,
        lambda: nn.relu(3) @ np.ones(3), lambda: len(weights), lambda: np.stack([weights]),
    ):
        try:
            use()
        except RuntimeError as error:
            assert "has no value in a data worker" in str(error) and "megengine." in str(error), error
        else:
            raise AssertionError("used what is not there")
    loaded = sorted({"jax", "jaxlib"} & set(sys.modules))
    assert not loaded, loaded
    real = sorted(name for name, m in sys.modules.items() if name.startswith("megengine.") and type(m).__name__ == "module")
    assert all(name.split(".")[1] in ("_help", "_support", "data", "logger", "version") for name in real), real
"""


def test_modules_of_programs_can_be_imported() -> None:
    root = str(Path(megengine.__path__[0]).parent)
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), root]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr


def test_names_are_kept_through_attributes_and_calls() -> None:
    value = absent("megengine.tensor(...)")
    assert (
        repr(value.reshape(2, 3).numpy)
        == "<megengine.tensor(...).reshape(...).numpy, which a data worker does not have>"
    )
    assert value(len) is not len
    assert value(test_names_are_kept_through_attributes_and_calls) is test_names_are_kept_through_attributes_and_calls
    with pytest.raises(AttributeError):
        value.__wrapped__


def test_tensors_that_are_sent_along_are_missed_only_when_used() -> None:
    weight = Parameter(np.ones((2, 3), np.float32))

    def unused(index: int) -> int:
        return index if weight is not None else 0

    def used(index: int) -> int:
        return weight.numpy()[index]

    assert list(DataLoader(Made(2, unused), collator=AsList(), num_workers=1)) == [[0], [1]]
    with pytest.raises(
        RuntimeError, match=r"a Parameter of shape \(2, 3\)\.numpy\(\.\.\.\) has no value in a data worker"
    ):
        list(DataLoader(Made(2, used), num_workers=1))


def test_a_module_that_is_called_in_a_worker_is_told_of() -> None:
    net = Linear(3, 2)

    def used(index: int) -> object:
        return net(np.ones((1, 3), np.float32))

    with pytest.raises(RuntimeError, match=r"Linear\(\.\.\.\) has no value in a data worker: workers compute with NumPy"):
        list(DataLoader(Made(2, used), num_workers=1))
