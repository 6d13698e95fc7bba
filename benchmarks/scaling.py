"""What training on many devices takes, worked out from one device's step and the speed of links; nothing is measured.

    python -m benchmarks.scaling [--devices 8 64 1024] [--inside GB/s] [--outside GB/s] [--reached 0.8]

Prints the tables of docs/scaling.md, which has the formulas, the sources, and what is assumed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, log2
from typing import NamedTuple

GRADIENT = PARAMETER = 4  # bytes of float32, which parameters and their gradients are under autocast
ACTIVATION = 2  # of bfloat16
HELD = 16  # bytes a parameter: it, its gradient, and Adam's two averages
BUCKET = 10 << 20  # bytes of gradients in a message
BACKWARD = 2 / 3  # of a step's computation


@dataclass(frozen=True)
class Cluster:
    """Machines of equal devices.

    Attributes:
        name: in words.
        devices: of a machine.
        inside, outside: bytes a second that a device sends, at most, to others of its machine and to other machines.
        reached: what part of that collectives reach.
        start: seconds from the start of a message to its arrival, inside and outside.
    """

    name: str
    devices: int
    inside: float
    outside: float
    reached: float = 0.8
    start: tuple[float, float] = (3e-6, 10e-6)


@dataclass(frozen=True)
class Network:
    """What is trained, and how fast one device does it.

    Attributes:
        name: in words.
        unit: what a batch consists of.
        parameters: how many.
        rate: units a second of one device.
        batch: of a device, in units.
        together: a batch of all devices that stays the same, in units.
        layers, width, length: of a transformer; a unit of it is a sequence.
    """

    name: str
    unit: str
    parameters: float
    rate: float
    batch: int
    together: int
    layers: int = 0
    width: int = 0
    length: int = 0


DGX_A100 = Cluster("DGX A100", 8, 300e9, 25e9, reached=0.65)
DGX_H100 = Cluster("DGX H100", 8, 450e9, 50e9)
PROCESSORS = Cluster("two cores of a processor each, 10 Gbit/s Ethernet", 1, 1.25e9, 1.25e9, start=(50e-6, 50e-6))
RESNET = Network("ResNet-50, mixed precision", "image", 25.557e6, 2470.0, 256, 8192)
RESNET_HERE = Network("ResNet-50, float32", "image", 25.557e6, 4 / 0.948, 4, 4096)
PEAK, UTILISATION = 989.4e12, 0.42


def gpt(utilisation: float = UTILISATION, peak: float = PEAK) -> Network:
    """A GPT of 24 layers of 2,048, sequences of 2,048, and 50,368 words, at a part of a device's peak rate."""
    layers, width, length, words = 24, 2048, 2048, 50368
    parameters = 12 * layers * width**2 + (words + length) * width
    operations = (6 * parameters + 12 * layers * width * length) * length  # of a sequence, forward and backward
    return Network(
        "GPT of 1.3 B, bfloat16",
        "sequence",
        parameters,
        utilisation * peak / operations,
        14,
        1024,
        layers,
        width,
        length,
    )


class Step(NamedTuple):
    """Seconds of a step, and bytes.

    Attributes:
        computing: what one device computes.
        communicating: all that it exchanges.
        hidden: what of that may go on beside the computation, at best.
        held: bytes of parameters and optimizer state on a device.
    """

    computing: float
    communicating: float
    hidden: float
    held: float

    @property
    def efficiency(self) -> tuple[float, float]:
        """The part of the time that is spent computing: when nothing is hidden, and when all is that may be."""
        whole = self.computing + self.communicating
        return self.computing / whole, self.computing / (whole - self.hidden)


def scattered(size: float, devices: int, cluster: Cluster) -> float:
    """Seconds in which arrays are summed and divided among devices, or parts gathered: first in machines, then among them.

    Args:
        size: bytes of the whole array.
        devices: how many, in machines that are full where there are several.
        cluster: the machines.
    """
    near = min(devices, cluster.devices)
    far = devices // near
    inside, outside = cluster.inside * cluster.reached, cluster.outside * cluster.reached
    sending = size * (near - 1) / near / inside + size / near * (far - 1) / far / outside
    return sending + cluster.start[0] * (near - 1) + cluster.start[1] * ceil(log2(far))


def reduced(size: float, devices: int, cluster: Cluster, messages: int = 1) -> float:
    """Seconds of an all-reduce: a sum that is divided, and gathered."""
    return 2 * messages * scattered(size / messages, devices, cluster)


def data_parallel(net: Network, batch: float, devices: int, cluster: Cluster) -> Step:
    """Each device has all parameters; gradients are summed in messages, all but the last beside the backward pass."""
    size = GRADIENT * net.parameters
    messages = ceil(size / BUCKET)
    computing, all_ = batch / net.rate, reduced(size, devices, cluster, messages)
    return Step(computing, all_, min(all_ * (1 - 1 / messages), BACKWARD * computing), HELD * net.parameters)


def fully_sharded(net: Network, batch: float, devices: int, cluster: Cluster) -> Step:
    """Parameters of a layer are gathered for its forward and its backward pass, and its gradients summed and divided."""
    layers = net.layers or 1
    one = scattered(PARAMETER * net.parameters / layers, devices, cluster)
    gradients = scattered(GRADIENT * net.parameters / layers, devices, cluster)
    computing, all_ = batch / net.rate, layers * (2 * one + gradients)
    hidden = min(all_ - one - gradients, computing)  # the first layer is waited for, and the last gradient
    return Step(computing, all_, hidden, HELD * net.parameters / devices)


def tensor_parallel(net: Network, batch: float, devices: int, cluster: Cluster) -> Step:
    """The devices of a machine divide each matrix, and wait for four sums a layer; machines are data-parallel."""
    near = min(devices, cluster.devices)
    activations = ACTIVATION * batch * near * net.length * net.width
    waited = 4 * net.layers * reduced(activations, near, cluster)
    beside = replace(cluster, devices=1)  # each device with its equals in other machines
    gradients = data_parallel(replace(net, parameters=net.parameters / near), batch, devices // near, beside)
    held = HELD * net.parameters / near
    return Step(batch / net.rate, waited + gradients.communicating, gradients.hidden, held)


WAYS = {"data parallel": data_parallel, "FSDP": fully_sharded, "tensor parallel": tensor_parallel}


def cases(given: argparse.Namespace) -> Iterator[tuple[Network, Cluster, str]]:
    """What is worked out."""

    def adjusted(cluster: Cluster) -> Cluster:
        speeds = {name: 1e9 * speed for name in ("inside", "outside") if (speed := getattr(given, name)) is not None}
        return replace(cluster, **speeds, reached=given.reached or cluster.reached)

    yield RESNET_HERE, adjusted(PROCESSORS), "data parallel"
    yield RESNET, adjusted(DGX_A100), "data parallel"
    for way in WAYS:
        yield gpt(given.utilisation), adjusted(DGX_H100), way


def table(given: argparse.Namespace, together: bool) -> list[str]:
    """The lines of a table: with a batch a device, or with one batch for all."""
    lines = [
        "| network, machines | way | devices | computing | communicating | efficiency, nothing hidden | all hidden that may be "
        "| of all devices | held by a device |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for net, cluster, way in cases(given):
        for devices in given.devices:
            batch = net.together / devices if together else net.batch
            step = WAYS[way](net, batch, devices, cluster)
            worst, best = step.efficiency
            rates = [f"{part * net.rate * devices:,.0f}" for part in (worst, best)]
            lines.append(
                f"| {net.name}, {cluster.name} | {way} | {devices:,} | {1e3 * step.computing:.1f} ms "
                f"| {1e3 * step.communicating:.1f} ms | {worst:.0%} | {best:.0%} "
                f"| {' to '.join(rates)} {net.unit}s/s | {step.held / 1e9:.2f} GB |"
            )
    return lines


# What others measured: the speed of one device, in units a second, among so many, as a part of that among fewer.
PUBLISHED = [
    ("ResNet-50, mixed precision, DGX A100", 1, 8, 16621 / 8 / 2470),
    ("ResNet-50, TF32, DGX A100", 1, 8, 7248 / 8 / 938),
    ("GPT of 1.3 B, H100, FSDP", 8, 16, 46037 / 45455),
    ("GPT of 1.3 B, H100, FSDP", 8, 64, 44402 / 45455),
]


def compared() -> list[str]:
    """The lines of a table that holds published figures against these."""
    lines = [
        "| what | from | to | published | here, nothing hidden | all hidden that may be |",
        "|---|---|---|---|---|---|",
    ]
    for what, few, many, ratio in PUBLISHED:
        if "ResNet" in what:
            net = replace(RESNET, rate=938.0) if "TF32" in what else RESNET
            steps = [data_parallel(net, net.batch, n, DGX_A100).efficiency for n in (few, many)]
        else:
            net = gpt()
            steps = [fully_sharded(net, 14 if n == 8 else 20, n, DGX_H100).efficiency for n in (few, many)]
        worst, best = (after / before for before, after in zip(*steps, strict=True))
        lines.append(f"| {what} | {few} | {many} | {ratio:.0%} | {worst:.0%} | {best:.0%} |")
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    """Work out what the command line says, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, nargs="+", default=[8, 64, 1024], help="powers of two")
    parser.add_argument("--inside", type=float, help="GB/s of a device within its machine, each way")
    parser.add_argument("--outside", type=float, help="GB/s of a device to other machines, each way")
    parser.add_argument("--reached", type=float, help="what part of these collectives reach")
    parser.add_argument("--utilisation", type=float, default=UTILISATION, help="what part of its peak a GPU reaches")
    given = parser.parse_args(argv)
    print("Each device has a batch of its own:\n", *table(given, False), sep="\n")
    print("\nOne batch is divided among all:\n", *table(given, True), sep="\n")
    print("\nAgainst published figures:\n", *compared(), sep="\n")


if __name__ == "__main__":
    main()
