"""The tutorial page: its snippets give what it shows, and its program runs unchanged in a fresh process."""

from __future__ import annotations

import gzip
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import megengine
import megengine.autodiff as autodiff
import megengine.functional as F
import megengine.module as M
import megengine.optimizer as optim
import megengine.random as rand
from megengine.data.dataset.vision.fashion_mnist import load_arrays

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("MEGENGINE_TUTORIAL") or ROOT.parent / "shared" / "seed" / "neural_network.py")


def test_hand_written_layers() -> None:
    x = F.ones((16,))
    W1 = F.zeros((16, 12))
    b1 = F.zeros((12,))
    z1 = F.matmul(x, W1) + b1
    a1 = F.nn.sigmoid(z1)
    W2 = F.zeros((12, 10))
    b2 = F.zeros(10)
    z2 = F.matmul(a1, W2) + b2
    output = F.softmax(z2)
    assert output.shape == (10,)
    np.testing.assert_allclose(output.numpy(), np.full(10, 0.1), rtol=1e-6)


def test_random_numbers_of_the_page() -> None:
    rand.seed(20200325)
    x = rand.normal(0, 1, (3, 3))
    shown = "Tensor([[ 0.014   0.3366  0.877 ]\n [ 0.4073 -0.0031  0.2638]\n [-0.1826  1.4192  0.2758]], device=xpux:0)"
    assert repr(x) == shown


def test_linear_is_matmul_and_bias() -> None:
    num_features, num_hidden = 784, 256
    x = F.ones((num_features,))
    fc = M.Linear(num_features, num_hidden)
    assert fc.weight.shape == (256, 784)
    assert fc.bias.shape == (256,)
    a = fc(x)
    b = F.matmul(x, fc.weight.transpose()) + fc.bias
    assert (a.shape, b.shape) == ((256,), (256,))
    close = a - b < 1e-6
    assert repr(close).startswith("Tensor([ True  True  True")
    assert repr(close).endswith("True  True  True  True], dtype=bool, device=xpux:0)")
    np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)


def test_managers_of_parameters() -> None:
    model = M.Sequential(M.Linear(4, 3), M.ReLU(), M.Linear(3, 2))
    gm = autodiff.GradManager().attach(model.parameters())
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    assert len(gm.attached_tensors()) == 4 and len(optimizer.param_groups[0]["params"]) == 4


def _write_idx(path: Path, array: np.ndarray, shape: tuple[int, ...]) -> None:
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header + array.tobytes())


@pytest.mark.skipif(not PROGRAM.exists(), reason=f"the tutorial's program is not at {PROGRAM.name} beside the checkout")
def test_the_program_runs_unchanged(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "datasets" / "Fashion-MNIST"
    folder.mkdir(parents=True)
    for kind, train in (("train", True), ("t10k", False)):
        images, labels = load_arrays(None, train)
        _write_idx(folder / f"{kind}-images-idx3-ubyte.gz", images, (len(images), 28, 28))
        _write_idx(folder / f"{kind}-labels-idx1-ubyte.gz", labels, (len(labels),))
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(Path(megengine.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-W", "error", PROGRAM], env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    lines = re.findall(
        r"^Epoch = (\d), train_loss = ([\d.]+), train_acc = ([\d.]+), val_acc = ([\d.]+)$", done.stdout, re.M
    )
    assert [line[0] for line in lines] == list("01234")
    losses = [float(line[1]) for line in lines]
    assert losses == sorted(losses, reverse=True)
    assert float(lines[-1][3]) > 0.83
