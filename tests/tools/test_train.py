"""`mge train` as a user meets it: the run folder, going on, and everything that can go wrong."""

from __future__ import annotations

import csv
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from megengine._support.tfevents import read_records
from megengine.tools.train.checkpoint import Checkpoint
from megengine.tools.train.data import ImageData, Images
from megengine.tools.train.options import TrainOptions
from megengine.tools.train.trainer import Trainer

from ..support.test_tfevents import scalars

Run = Callable[..., tuple[int, str, str]]
EPOCH_LINE = re.compile(r"Epoch = \d+, train_loss = \d+\.\d{3}, train_acc = \d\.\d{3}, val_acc = \d\.\d{3}")
pytestmark = pytest.mark.usefixtures("small_data")


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def numbers(path: Path) -> list[dict[str, str]]:
    """The rows without what the clock decides."""
    timed = {"train_seconds", "val_seconds", "images_per_second"}
    return [{name: value for name, value in row.items() if name not in timed} for row in rows(path)]


def test_a_run_leaves_its_folder(mge: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    status, stdout, stderr = mge("train", "--out", out, "--epochs", 2, "--hidden", 16, "--batch-size", 32)
    assert status == 0, stderr
    lines = stdout.splitlines()
    assert len(lines) == 2 and all(EPOCH_LINE.fullmatch(line) for line in lines)
    assert [line.split(",")[0] for line in lines] == ["Epoch = 0", "Epoch = 1"]
    assert "784-16-10" in stderr and "report.html" in stderr
    names = {path.name for path in out.iterdir()}
    (events,) = [name for name in names if name.startswith("events.out.tfevents.")]
    assert names == {"checkpoint.mge", "metrics.csv", "steps.csv", "report.html", events}

    epochs, steps = rows(out / "metrics.csv"), rows(out / "steps.csv")
    assert len(epochs) == 2 and len(steps) == 20
    mean = np.mean([float(row["loss"]) for row in steps[:10]])
    assert float(epochs[0]["train_loss"]) == pytest.approx(mean)
    assert float(epochs[1]["val_acc"]) > 0.9, "the patterns are easy to learn"
    assert Checkpoint.load(out / "checkpoint.mge").epochs_done == 2

    recorded = [scalars(record) for record in read_records((out / events).read_bytes())]
    losses = [values["step/loss"] for values in recorded if "step/loss" in values]
    np.testing.assert_allclose(losses, [float(row["loss"]) for row in steps], rtol=1e-6)
    assert sum("epoch/val_acc" in values for values in recorded) == 2


def test_the_run_folder_has_a_default_name(mge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert mge("train", "--model", "linear", "--epochs", 1, "--quiet")[0] == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}-linear", folder.name)
    report = (folder / "report.html").read_text()
    assert "One template a class" in report


def test_the_reports_graph_is_the_steps(mge: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert mge("train", "--out", out, "--epochs", 1, "--hidden", "16,12", "--batch-size", 32)[0] == 0
    data = re.search(r'id="graph-data">(.*?)</script>', (out / "report.html").read_text(), re.S)
    assert data is not None
    (graph,) = json.loads(data[1])["graphs"]
    nodes = graph["nodes"]
    found = {(node["name"], *node["path"]): node for node in nodes}
    for layer, shape in (("fc1", [16, 784]), ("fc2", [12, 16]), ("classifier", [10, 12])):
        weight = found[f"{layer}.weight", "MLP", layer]
        assert weight["shape"] == shape and weight["kind"] == "param"
        assert re.search(r"models\.py:\d+$", found["linear", "MLP", layer]["where"])
        assert found["linear.grad", "backward", "MLP", layer]["kind"] == "gradient"
    assert found["image",]["shape"] == [32, 784] and found["label",]["shape"] == [32]
    assert {node["op"] for node in nodes if node["path"][:1] == ["update"]} >= {"sgd"}


def test_quiet_prints_the_epochs_only(mge: Run, tmp_path: Path) -> None:
    status, stdout, stderr = mge("train", "--out", tmp_path / "run", "--epochs", 1, "--hidden", 8, "--quiet")
    assert (status, stderr) == (0, "")
    assert EPOCH_LINE.fullmatch(stdout.strip())


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_going_on_gives_the_numbers_of_an_uninterrupted_run(mge: Run, tmp_path: Path, optimizer: str) -> None:
    words = ("--hidden", "16", "--batch-size", 48, "--optimizer", optimizer, "--seed", 5)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert mge("train", "--out", whole, "--epochs", 3, *words)[0] == 0
    assert mge("train", "--out", parts, "--epochs", 1, *words)[0] == 0
    assert mge("train", "--resume", parts, "--epochs", 3)[0] == 0
    assert numbers(parts / "metrics.csv") == numbers(whole / "metrics.csv")
    assert rows(parts / "steps.csv") == rows(whole / "steps.csv")
    one, other = (Checkpoint.load(folder / "checkpoint.mge") for folder in (whole, parts))
    for name, value in one.model.items():
        np.testing.assert_array_equal(value, other.model[name])
    for number, state in one.optimizer["state"].items():
        for name, value in state.items():
            np.testing.assert_array_equal(value, other.optimizer["state"][number][name])


def test_seeds_decide(mge: Run, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert mge("train", "--out", tmp_path / name, "--epochs", 1, "--hidden", 8, "--seed", seed)[0] == 0
    a, b, c = (rows(tmp_path / name / "steps.csv") for name in "abc")
    assert a == b != c


def test_ctrl_c_keeps_the_checkpoint_and_says_how_to_go_on(
    mge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, step = 0, Trainer.step

    def interrupted(self: Trainer, image: np.ndarray, label: np.ndarray) -> object:
        nonlocal steps
        steps += 1
        if steps == 17:  # in the second epoch; two more steps were taken for the report's graph
            signal.raise_signal(signal.SIGINT)
        return step(self, image, label)

    out = tmp_path / "a run"
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", interrupted)
        status, stdout, stderr = mge("train", "--out", out, "--epochs", 2, "--hidden", 8, "--batch-size", 32)
    assert status == 130
    assert len(stdout.splitlines()) == 1
    assert "Stopped in epoch 1" in stderr and "the state after 1 epoch" in stderr
    assert f"Go on with: mge train --resume '{out}'" in stderr
    assert "Traceback" not in stderr
    status, stdout, _ = mge("train", "--resume", out)
    assert status == 0 and stdout.startswith("Epoch = 1,")
    assert mge("train", "--out", tmp_path / "whole", "--epochs", 2, "--hidden", 8, "--batch-size", 32)[0] == 0
    assert rows(out / "steps.csv") == rows(tmp_path / "whole" / "steps.csv")


def test_a_diverging_run_is_explained(mge: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    status, stdout, stderr = mge("train", "--out", out, "--lr", 1e38, "--hidden", 8, "--batch-size", 32)
    assert (status, stdout) == (1, "")
    assert re.search(r"the loss is (nan|inf|-inf) in epoch 0, step \d+", stderr)
    assert "try --lr 1e+37" in stderr and "checkpoint.mge" in stderr and "Traceback" not in stderr
    assert f"mge train --resume {out} --lr 1e+37" in stderr
    assert mge("train", "--resume", out, "--lr", 0.01, "--epochs", 1)[0] == 0


def test_nan_in_the_data_is_named(mge: Run, tmp_path: Path, small_data: dict) -> None:
    images, labels = small_data[True]
    images = images.astype("float32")
    images[17, 300] = np.nan
    small_data[True] = images, labels
    status, _, stderr = mge("train", "--out", tmp_path / "run")
    assert status == 1 and "training image 17 holds nan at pixel 300" in stderr


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda x, y: (x, np.where(y == 3, 10, y)), r"training label 10 of image \d+ is outside 0\.\.9"),
        (lambda x, y: (x, y.astype("float32")), "labels must be integers, not float32"),
        (lambda x, y: (x[:-1], y), r"not \(319, 784\) and \(320,\)"),
        (lambda x, y: (x[:0], y[:0]), "N > 0"),
        (lambda x, y: (np.full_like(x, 9), y), "every training pixel is 9"),
    ],
)
def test_unusable_data_is_named(mge: Run, tmp_path: Path, small_data: dict, change: Callable, message: str) -> None:
    small_data[True] = change(*small_data[True])
    status, _, stderr = mge("train", "--out", tmp_path / "run")
    assert status == 1 and re.search(message, stderr), stderr


def test_missing_data_is_named(mge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(root: str | None, train: bool) -> None:
        raise FileNotFoundError("tried /a and /b")

    monkeypatch.setattr("megengine.data.dataset.vision.fashion_mnist.load_arrays", missing)
    status, _, stderr = mge("train", "--out", tmp_path / "run")
    assert status == 1 and "tried /a and /b" in stderr and "Traceback" not in stderr
    assert not (tmp_path / "run").exists(), "nothing is left of a run that did not begin"


def test_the_run_folder_is_tried_before_the_data_is_read(
    mge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unexpected(root: str | None, train: bool) -> None:
        raise AssertionError("data was read")

    monkeypatch.setattr("megengine.data.dataset.vision.fashion_mnist.load_arrays", unexpected)
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run", Path("/proc/nothing/here")):
        status, _, stderr = mge("train", "--out", out)
        assert status == 1 and f"cannot make the run folder {out}" in stderr and "--out DIR" in stderr


def test_a_folder_that_holds_a_run_is_not_overwritten(mge: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert mge("train", "--out", out, "--epochs", 1, "--hidden", 8)[0] == 0
    before = (out / "metrics.csv").read_text()
    status, _, stderr = mge("train", "--out", out)
    assert status == 1 and "already holds a run" in stderr and f"mge train --resume {out}" in stderr
    assert (out / "metrics.csv").read_text() == before


def test_a_damaged_checkpoint_is_named(mge: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert mge("train", "--out", out, "--epochs", 1, "--hidden", 8)[0] == 0
    path = out / "checkpoint.mge"
    path.write_bytes(path.read_bytes()[:1000])
    status, _, stderr = mge("train", "--resume", out, "--epochs", 2)
    assert status == 1 and f"{path} is damaged" in stderr and "Traceback" not in stderr


def test_a_finished_run_says_how_to_train_further(mge: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert mge("train", "--out", out, "--epochs", 1, "--hidden", 8)[0] == 0
    status, _, stderr = mge("train", "--resume", out)
    assert status == 2 and "has all of its 1 epochs" in stderr and f"--resume {out} --epochs 6" in stderr


@pytest.mark.parametrize(
    "words, message",
    [
        (("--device", "tpu9"), "--device tpu9"),
        (("--model", "cnn"), "invalid choice: 'cnn'"),
        (("--hidden", "12,x"), "'12,x' is not a list of sizes"),
        (("--model", "linear", "--hidden", "12"), "--hidden has no meaning for --model linear"),
        (("--lr", "-1"), "--lr -1.0: the learning rate must be"),
        (("--epochs", "0"), "--epochs 0"),
        (("--batch-size", "1000"), "there are only 320 training images"),
        (("--optimizer", "adagrad", "--momentum", "0.5"), "has no momentum"),
        (("--data", "nowhere"), "--data nowhere: there is no such folder"),
        (("--resume", "nowhere"), "there is no checkpoint nowhere"),
        (("--resume", "nowhere", "--hidden", "9"), "--hidden cannot be changed by --resume"),
        (("--resume", "a", "--out", "b"), "not allowed with"),
    ],
)
def test_bad_options(
    mge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, stdout, stderr = mge("train", *words)
    assert status in (1, 2) and stdout == ""
    assert message in stderr and "Traceback" not in stderr


def test_debug_shows_the_traceback(mge: Run, tmp_path: Path) -> None:
    status, _, stderr = mge("train", "--resume", tmp_path, "--debug")
    assert status == 1 and "Traceback" in stderr and "there is no checkpoint" in stderr


def test_zero_initialisation_leaves_all_hidden_units_equal(small_data: dict) -> None:
    data = ImageData(Images(*small_data[True]), Images(*small_data[False]))
    trainer = Trainer(TrainOptions(hidden=(8,), init="zero", lr=0.1), data)
    trainer.run_epoch(lambda *counts: None)
    weight = trainer.model.fc.weight.numpy()
    assert (weight == weight[0]).all()
    random = Trainer(TrainOptions(hidden=(8,), lr=0.1), data)
    random.run_epoch(lambda *counts: None)
    assert not (random.model.fc.weight.numpy() == random.model.fc.weight.numpy()[0]).all()


def test_the_version_and_the_help(mge: Run) -> None:
    assert mge("--version")[0] == 0
    status, stdout, _ = mge("train", "--help")
    assert status == 0 and "--resume" in stdout and "examples:" in stdout
    assert mge()[0] == 2
