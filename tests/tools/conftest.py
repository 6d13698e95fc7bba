"""Small data that a network learns in a few steps, and reports made without training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from megengine.tools.mge import main
from megengine.tools.report.summary import RunSummary
from megengine.tools.train.data import CLASS_NAMES
from megengine.tools.train.metrics import Epoch
from megengine.tools.train.options import TrainOptions

Arrays = tuple[np.ndarray, np.ndarray]


def make_arrays(count: int, seed: int) -> Arrays:
    """Noisy images around one pattern a class."""
    patterns = np.random.default_rng(7).integers(0, 256, (10, 784))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count).astype(np.uint8)
    images = 0.6 * patterns[labels] + 0.4 * rng.integers(0, 256, (count, 784))
    return images.astype(np.uint8), labels


@pytest.fixture
def small_data(monkeypatch: pytest.MonkeyPatch) -> dict[bool, Arrays]:
    """Replaces Fashion-MNIST by 320 training and 100 test images; the dict may be changed."""
    arrays = {True: make_arrays(320, seed=1), False: make_arrays(100, seed=2)}
    where = "megengine.data.dataset.vision.fashion_mnist.load_arrays"
    monkeypatch.setattr(where, lambda root, train: arrays[train])
    return arrays


@pytest.fixture
def mge(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process; returns exit status, standard output and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        try:
            status = main([str(word) for word in words])
        except SystemExit as stop:  # argparse
            status = int(stop.code or 0)
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return run


def make_picture(layers: int = 2) -> dict[str, Any]:
    """A step's graph of the shape that the engine gives: forward, backward, update."""
    nodes: list[dict[str, Any]] = []

    def add(op: str, kind: str, scope: list[str], inputs: list[int], shape: tuple[int, ...] = (64, 32)) -> int:
        where = f"net.py:{10 + len(nodes)}" if inputs else ""
        nodes.append(
            {
                "id": len(nodes),
                "op": op,
                "shape": list(shape),
                "dtype": "float32",
                "where": where,
                "scope": scope,
                "inputs": inputs,
                "kind": kind,
                "name": op,
            }
        )
        return len(nodes) - 1

    x = add("input", "input", [], [])
    forward = []
    for number in range(layers):
        scope = ["Net", f"fc{number}"]
        weight = add("weight", "param", scope, [], (32, 32))
        product = add("linear", "op", scope, [x, weight])
        x = add("relu", "op", ["Net"], [product])
        forward.append((scope, weight, product, x))
    gradient = loss = add("square_loss", "output", [], [x], ())
    for scope, weight, product, out in reversed(forward):
        gradient = add("relu.grad", "gradient", ["Net"], [gradient, out])
        of_weight = add("linear.grad", "gradient", scope, [gradient, product], (32, 32))
        scaled = add("mul", "op", [], [of_weight], (32, 32))
        add("sub", "output", [], [weight, scaled], (32, 32))
    assert loss < gradient
    return {"nodes": nodes, "stats": {}}


@pytest.fixture
def summary() -> RunSummary:
    """A finished run of made-up numbers, with a name that HTML must escape."""
    rng = np.random.default_rng(0)
    images, labels = make_arrays(300, seed=3)
    scores = rng.normal(size=(300, 10)) + 3 * np.eye(10)[labels]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    epochs = [
        Epoch(e, 1 / (e + 1), 0.6 + e / 10, 1.1 / (e + 1), 0.6 + e / 12, 0.01, 1.5, 0.2, 40000.0) for e in range(3)
    ]
    steps = [(i // 40, i, 2.3 / (1 + i / 20), min(0.9, i / 100)) for i in range(120)]
    before = rng.normal(size=(40, 784)).astype("float32")
    return RunSummary(
        name="run <b>&amp; co",
        command="mge train --hidden 40",
        options=TrainOptions(hidden=(40,)).to_dict(),
        epochs=epochs,
        steps=steps,
        layer_sizes=(784, 40, 10),
        num_parameters=31810,
        class_names=CLASS_NAMES,
        test_images=images,
        test_labels=labels,
        probabilities=probabilities.astype("float32"),
        first_layer=before + images[:40].astype("float32") / 100,
        first_layer_before=before,
        picture=make_picture(),
        environment={"Python": "3.11"},
    )
