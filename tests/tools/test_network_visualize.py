"""What a dump costs, operator by operator, against what its layers say of themselves; TensorBoard reads the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine.jit import trace
from megengine.tools.network_visualize import main, visualize
from megengine.utils.module_stats import module_stats

X = np.linspace(-1, 1, 2 * 3 * 6 * 6, dtype=np.float32).reshape(2, 3, 6, 6)


class Net(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = M.Conv2d(3, 4, 3), M.Linear(4, 2)

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def dumped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Net, Path]:
    net, path = Net(), tmp_path_factory.mktemp("dump") / "net.mge"
    predict = trace(net.forward, symbolic=True, capture_as_const=True)
    predict(mge.Tensor(X))
    predict.dump(str(path), arg_names=["x"], output_names=["y"])
    return net, path


def test_the_layers_rows_are_module_stats(dumped: tuple[Net, Path], tmp_path: Path) -> None:
    net, path = dumped
    totals, details = visualize(str(path), str(tmp_path / "log"), X, logging_to_stdout=False)
    expected, layers = module_stats(net, [X], logging_to_stdout=False)
    assert (totals.param_dims, totals.param_size) == (expected.param_dims, expected.param_size)
    assert {r["name"]: (r["shape"], r["mean"]) for r in details.params[:-1]} == {
        r["name"].replace("-w", ".weight").replace("-b", ".bias"): (r["shape"], r["mean"]) for r in layers.params[:-1]
    }
    mine = {r["class_name"]: r for r in details.activations[:-1]}
    for kind, row in zip(("Convolution", "MatrixMul"), layers.activations, strict=False):
        assert {k: mine[kind][k] for k in ("shape", "mean", "std")} == {k: row[k] for k in ("shape", "mean", "std")}
    products = 2 * 4 * 4 * 4 * 27, 2 * 4 * 2  # a bias adds half an operation here, a whole one there
    found = {r["class_name"]: r["flops_num"] for r in details.flops[:-1]}
    assert products[0] < found["Convolution"] <= products[0] + 2 * 4 * 4 * 4
    assert products[1] < found["MatrixMul"] <= products[1] + 4
    (events,) = (tmp_path / "log").iterdir()
    assert events.name.startswith("events.out.tfevents")


def test_without_inputs_the_batch_is_one(dumped: tuple[Net, Path]) -> None:
    totals, details = visualize(dumped[1], None, logging_to_stdout=False)
    assert details.activations[-2]["shape"] == (1, 2) and "mean" not in details.activations[-2]
    assert totals.act_size == 4 * totals.act_dims > 0
    assert visualize(dumped[1], None, cal_params=False, cal_flops=False, logging_to_stdout=False)[0][:3] == (0, 0, 0)


def test_wrong_inputs_are_named(dumped: tuple[Net, Path]) -> None:
    with pytest.raises(AssertionError, match=r"the inputs \['x'\], and got arrays for \['z'\]"):
        visualize(dumped[1], None, inp_dict={"z": X})


def test_command(dumped: tuple[Net, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mge.save({"x": X[:1]}, "x.pkl")
    assert main([str(dumped[1]), "--all", "--load_input_data", "x.pkl"]) == 0
    assert any((tmp_path / "log").iterdir())
