"""The loader with and without worker processes, on arrays and on a folder of pictures, and how long a program waits for it."""

from __future__ import annotations

import importlib.util
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from .contenders import Setup, Worker, alternate, answer
from .results import Row, Section, compared, figure

ROUNDS, WORKERS = 7, (0, 1, 2)
PICTURES = 384
# work -> batches of a pass, unit, and the most that our time should be of PyTorch's without workers and with them.
WORK = {"arrays": (938, "µs", 0.2, None), "images": (PICTURES // 32, "ms", 1.0, 1.0)}
ABOUT = (
    "A pass over the data, its start included, by workers of each count: *arrays* are 60,000 images of 784 uint8 pixels with "
    "their labels, shuffled, batches of 64, normalised; *images* are "
    f"{PICTURES} JPEG files of 500 x 375 pixels, shuffled, batches of 32, "
    "decoded by OpenCV, cropped to 224 x 224, flipped, normalised, channels first. The contenders' first batches in order "
    f"are equal. {ROUNDS} rounds. *Waiting* is the share of the tutorial's training, three epochs, spent in `next(batches)`."
)
MOST_WAITING = 0.1


def measure(setup: Setup) -> Section:
    """Microseconds a batch of every contender, and the share of waiting."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        works = [work for work in WORK if work == "arrays" or importlib.util.find_spec("cv2")]
        if "images" in works:
            write_pictures(Path(folder))
        for work in works:
            for workers in WORKERS:
                rows += compare(setup, work, workers, folder)
    rows += [waiting(setup, workers) for workers in WORKERS[:2]]
    return Section("", ABOUT, rows)


def compare(setup: Setup, work: str, workers: int, folder: str) -> list[Row]:
    """The rows of one work with one number of workers."""
    batches, unit, *targets = WORK[work]
    pythons = {"ours": sys.executable, **({"torch": setup.torch} if setup.torch else {})}
    with ExitStack() as stack:
        contenders = {
            name: stack.enter_context(
                Worker(python, "worker_loaders.py", name, work, str(workers), folder, ours=name == "ours")
            )
            for name, python in pythons.items()
        }
        for name, contender in contenders.items():
            if contender.check != contenders["ours"].check:
                raise RuntimeError(
                    f"the first batches differ: {name} {contender.check}, ours {contenders['ours'].check}"
                )
            contender.ask(1)
        passes = alternate(contenders, setup.rounds(ROUNDS), 1)
    scale = batches * (1000 if unit == "ms" else 1)
    times = {name: [p / scale for p in measured] for name, measured in passes.items()}
    what = f"one batch of {work}, {workers} worker{'s' * (workers != 1)}"
    target = targets[min(workers, 1)]
    if "torch" not in times:
        return [Row(what, figure(statistics.median(times["ours"]), unit))]
    return [compared(what, "PyTorch", times["ours"], times["torch"], unit, target)]


def waiting(setup: Setup, workers: int) -> Row:
    """The share of a training step that is spent waiting for its batch."""
    found = [answer("waiting.py", workers) for _ in range(setup.rounds(3))]
    share, step = (statistics.median(values) for values in zip(*found, strict=True))
    what = f"waiting, {workers} worker{'s' * (workers != 1)} (a step takes {step:.0f} µs)"
    if workers:  # for arrays in memory, which want none
        return Row(what, f"{share:.1%}")
    return Row(what, f"{share:.1%}", target=f"≤ {MOST_WAITING:.0%}", met=share <= MOST_WAITING)


def write_pictures(folder: Path) -> None:
    """JPEG files in folders of classes, with the detail of photographs."""
    import cv2

    random = np.random.default_rng(0)
    for number in range(PICTURES):
        coarse = random.integers(0, 256, (24, 32, 3), np.uint8)
        image = cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        image += random.integers(-12, 13, image.shape, np.int16)
        path = folder / f"class{number % 4}" / f"{number:04}.jpg"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), np.clip(image, 0, 255).astype(np.uint8))
