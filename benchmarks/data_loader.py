"""Batches a second of the tutorial's data pipeline: this package, real MegEngine and PyTorch, side by side.

    python -m benchmarks.data_loader [--megengine PYTHON] [--torch PYTHON] [--rounds N] [--json FILE]

The pipeline is the tutorial's: 60,000 images of 784 uint8 pixels and uint8 labels, shuffled, batches of 64, normalised by
mean and standard deviation, in one process. Each contender runs in a process of its own that stays alive; in each round
all take one pass in turn, so that whatever else the machine does meets all of them. What is printed is the median over the
rounds, and the median of the rounds' ratios. Before that, all must give the same first batch.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CONTENDERS = {
    "ours": "this package",
    "ours_one_by_one": "this package, fast path off",
    "megengine": "MegEngine 1.13.0",
    "torch": "PyTorch",
}


def arrays():
    """Images and labels of the shapes and dtypes of Fashion-MNIST."""
    random = np.random.RandomState(0)  # the same stream in the old NumPy that MegEngine needs
    return random.randint(0, 256, (60000, 784)).astype(np.uint8), random.randint(0, 10, 60000).astype(np.uint8)


def megengine_loaders():
    """A shuffled loader, and one in order."""
    from megengine.data import DataLoader, RandomSampler, SequentialSampler
    from megengine.data.dataset import ArrayDataset
    from megengine.data.transform import Normalize

    images, labels = arrays()
    dataset = ArrayDataset(images, labels)
    transform = Normalize(images.mean(), images.std())
    samplers = RandomSampler(dataset, batch_size=64), SequentialSampler(dataset, batch_size=64)
    return [DataLoader(dataset, sampler, transform) for sampler in samplers]


def one_by_one_loaders():
    """The loaders of this package without its fast path."""
    import megengine.data.iterators

    megengine.data.iterators.batch_pipeline = lambda *parts: None
    return megengine_loaders()


def torch_loaders():
    """The same in PyTorch's idiom: a data set that normalises its item, and the default collation."""
    import torch
    from torch.utils.data import DataLoader, Dataset

    images, labels = arrays()
    mean, std = np.float32(images.mean()), np.float32(images.std())

    class Normalised(Dataset):
        def __len__(self):
            return len(images)

        def __getitem__(self, index):
            return torch.from_numpy((images[index] - mean) / std), labels[index]

    dataset = Normalised()
    return [DataLoader(dataset, batch_size=64, shuffle=shuffle) for shuffle in (True, False)]


def work(contender):
    """Takes a pass for each line on standard input, and answers with the microseconds a batch."""
    makers = {"ours_one_by_one": one_by_one_loaders, "torch": torch_loaders}
    shuffled, in_order = makers.get(contender, megengine_loaders)()
    image, label = (np.asarray(field) for field in next(iter(in_order)))
    print(json.dumps([str(image.dtype), image.shape, float(image.sum(dtype=np.float64)), label.tolist()]), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        count = sum(1 for _ in shuffled)
        print((time.perf_counter() - started) / count * 1e6, flush=True)


def start(contender, python):
    """A process that works for a contender."""
    environment = dict(os.environ)
    if contender.startswith("ours"):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH")]))
    return subprocess.Popen(
        [python, str(Path(__file__).resolve()), "--work", contender],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=Path(__file__).resolve().parent,
    )


def ask(process):
    """The microseconds a batch of one more pass."""
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def compare(pythons, rounds):
    """Contender -> microseconds a batch in each round."""
    with contextlib.ExitStack() as stack:
        processes = {name: stack.enter_context(start(name, python)) for name, python in pythons.items()}
        batches = {name: json.loads(process.stdout.readline()) for name, process in processes.items()}
        if any(batch != batches["ours"] for batch in batches.values()):
            raise SystemExit(f"the contenders' first batches differ: {batches}")
        for process in processes.values():
            ask(process)  # warm up
        times = {name: [] for name in processes}
        for _ in range(rounds):
            for name, process in processes.items():
                times[name].append(ask(process))
        for process in processes.values():
            process.stdin.close()
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megengine", metavar="PYTHON", help="interpreter with MegEngine 1.13.0")
    parser.add_argument(
        "--torch", metavar="PYTHON", default=sys.executable, help="interpreter with PyTorch, or an empty string"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", metavar="FILE", help="write the measured times to a file as well")
    parser.add_argument("--work", choices=CONTENDERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        return work(arguments.work)
    pythons = {"ours": sys.executable, "ours_one_by_one": sys.executable}
    pythons.update({name: path for name in ("megengine", "torch") if (path := getattr(arguments, name))})
    times = compare(pythons, arguments.rounds)
    print(f"{'':30} {'us a batch':>11} {'batches/s':>11} {'ours takes':>11}")
    for name, measured in times.items():
        median = statistics.median(measured)
        ratio = statistics.median(ours / other for ours, other in zip(times["ours"], measured, strict=True))
        print(f"{CONTENDERS[name]:30} {median:11.1f} {1e6 / median:11.0f} {ratio:10.3f}x")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(times, indent=1) + "\n")
    return None


if __name__ == "__main__":
    main()
