"""The whole stack in seconds: a network learns, is saved, loaded, traced and looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import megengine as mge
import megengine.autodiff as autodiff
import megengine.data as data
import megengine.data.transform as T
import megengine.functional as F
import megengine.module as M
import megengine.optimizer as optim


class Net(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = M.Linear(6, 16)
        self.drop = M.Dropout(0.1)
        self.classifier = M.Linear(16, 3)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        return self.classifier(self.drop(F.nn.relu(self.fc(x))))


def _loader() -> data.DataLoader:
    rng = np.random.RandomState(0)
    labels = rng.randint(0, 3, 192)
    images = (rng.rand(192, 6) * 60 + np.eye(6)[labels] * 120).astype(np.uint8)
    dataset = data.dataset.ArrayDataset(images, labels.astype(np.uint8))
    sampler = data.RandomSampler(dataset, batch_size=32, seed=1)
    return data.DataLoader(dataset, sampler, T.Normalize(images.mean(), images.std()))


@pytest.mark.parametrize("tier", ["auto", "compiled"])
def test_a_network_learns_is_saved_traced_and_looked_at(tier: str, tmp_path: Path) -> None:
    with mge.graph.tier(tier):
        _learn(tmp_path, at_once=tier == "compiled")


def _learn(tmp_path: Path, at_once: bool) -> None:
    mge.random.seed(7)
    model = Net()
    gm = autodiff.GradManager().attach(model.parameters())
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(image: mge.Tensor, label: mge.Tensor) -> mge.Tensor:
        with gm:
            loss = F.nn.cross_entropy(model(image), label)
            gm.backward(loss)
            optimizer.step().clear_grad()
        return loss

    losses = []
    compiled = []
    for _ in range(4):
        for image, label in _loader():
            losses.append(step(mge.Tensor(image), mge.Tensor(label).astype("int32")).item())
        compiled.append(mge.graph.counters.compilations.total())
    assert not at_once or 0 < compiled[0] == compiled[-1], "every program is compiled in the first epoch"
    assert np.mean(losses[-6:]) < 0.5 * np.mean(losses[:6])

    traced = mge.jit.trace(step, without_host=True)
    for image, label in _loader():
        last = traced(mge.Tensor(image), mge.Tensor(label).astype("int32"))
    assert last.item() < losses[0]
    assert mge.graph.counters.replays > 0

    path = tmp_path / "net.mge"
    mge.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    other = Net()
    other.load_state_dict(mge.load(path)["model"])
    model.eval(), other.eval()
    x = mge.Tensor(np.eye(6, dtype=np.float32))
    np.testing.assert_array_equal(model(x).numpy(), other(x).numpy())

    with mge.graph.watch() as seen:
        F.argmax(model(x), axis=1).numpy()
    assert "linear(" in seen[0].recorded() and "HloModule" in seen[0].compiled()
