"""StableHLO runs in a process that has JAX and not this package."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor
from megengine.autodiff import GradManager
from megengine.graph.exchange import GraphFileError
from megengine.jit import trace
from megengine.jit.stablehlo import export
from megengine.jit.tracing import trace as traced_type

PROGRAM = """
import sys
import numpy as np
from jax import export

function = export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
for size in (2, 5):
    (y,) = function.call(np.load(f"{sys.argv[2]}/x{size}.npy"))
    np.save(f"{sys.argv[2]}/y{size}.npy", np.asarray(y))
assert not any(name.partition(".")[0] == "megengine" for name in sys.modules)
print(function.platforms, function.in_avals[0])
"""


class Net(M.Module):
    """A convolution, whose result is reshaped by its batch, and statistics over it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = M.Conv2d(3, 8, 3, padding=1), M.BatchNorm2d(8), M.Linear(128, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.conv(x)))
        y = F.reshape(F.avg_pool2d(y, 2), (x.shape[0], -1))
        return self.head(y) + F.sum(x) / x.shape[0]


def test_without_the_package_and_for_any_batch(tmp_path: Path) -> None:
    net = Net()
    net.eval()
    rng = np.random.default_rng(0)
    path = tmp_path / "net.stablehlo"
    export(net, path, [rng.standard_normal((3, 3, 8, 8)).astype(np.float32)], dynamic_batch="n")
    data = {size: rng.standard_normal((size, 3, 8, 8)).astype(np.float32) for size in (2, 5)}
    for size, x in data.items():
        np.save(tmp_path / f"x{size}.npy", x)
    command = [sys.executable, "-P", "-c", PROGRAM, str(path), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "('cpu', 'cuda', 'tpu') float32[n,3,8,8]"
    for size, x in data.items():
        np.testing.assert_allclose(np.load(tmp_path / f"y{size}.npy"), net(Tensor(x)).numpy(), 1e-5, 1e-5)


def test_gradients_and_names_of_several_results() -> None:
    weight = Tensor(np.float32([1, 2, 3]))

    def step(x: Tensor) -> dict[str, Tensor]:
        with GradManager().attach([x]) as gm:
            loss = (x * x * weight).sum()
            gm.backward(loss)
        return {"loss": loss, "slope": x.grad}

    file = io.BytesIO()
    x = np.float32([1, -1, 2])
    data = export(step, file, [x], platforms=["cpu"])
    assert file.getvalue() == data
    loss, slope = jax.export.deserialize(bytearray(data)).call(x)
    np.testing.assert_allclose(loss, 1 + 2 + 12)
    np.testing.assert_allclose(slope, [2, -4, 12])


def test_a_traced_function_and_its_last_call() -> None:
    function = trace(lambda x: F.softmax(x, axis=1), symbolic=True, capture_as_const=True)
    assert isinstance(function, traced_type)
    x = np.random.default_rng(1).standard_normal((2, 3)).astype(np.float32)
    with pytest.raises(TypeError, match="args is missing"):
        export(function, None)
    wanted = function(Tensor(x)).numpy()
    np.testing.assert_allclose(jax.export.deserialize(bytearray(export(function, None))).call(x)[0], wanted, 1e-6)


def test_what_cannot_have_a_free_batch_is_refused_at_its_line() -> None:
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(GraphFileError, match=r"the op \w+ \(.*test_stablehlo.py:\d+\) does not take a free batch"):
        export(lambda x: x.sum() + F.zeros((x.shape[0] ** 2,)), None, [x], dynamic_batch=True)
    with pytest.raises(
        GraphFileError, match=r"size of the result of \w+ \(.*test_stablehlo.py:\d+\) depends on numbers"
    ):
        export(lambda x: F.cond_take(x > 0, x)[0], None, [x])
    table = {2: np.zeros((2, 3), np.float32), 4: np.ones((4, 3), np.float32)}
    with pytest.raises(GraphFileError, match="depends on the batch"):
        export(lambda x: x + Tensor(table[x.shape[0]]), None, [x], dynamic_batch=True)
    with pytest.raises(GraphFileError, match="no input has a batch"):
        export(lambda x: x * 2, None, [np.zeros((), np.float32)], dynamic_batch=True)
