"""Whether memory stays flat over many training steps."""

from __future__ import annotations

from .contenders import Setup, answer
from .results import Row, Section

STEPS = 20_000
ABOUT = (
    "Training steps of the network 784-256-10, each with `loss.item()`: resident set and memory maps of the process after a "
    "tenth of the steps, when everything is compiled, and after all."
)


def measure(setup: Setup) -> Section:
    """Resident set and memory maps, imperative and with the body skipped."""
    steps = STEPS // 20 if setup.quick else STEPS
    rows = []
    for what, how in (("imperative", "eager"), ("body skipped", "skip")):
        samples = answer("growth.py", how, steps)
        (early, resident, maps), (_, resident_after, maps_after) = samples[0], samples[-1]
        grown = resident_after / resident - 1
        rows += [
            Row(
                f"{what}: resident set, step {steps:,}",
                f"{resident_after:.1f} MiB",
                f"step {early:,}",
                f"{resident:.1f} MiB",
                f"{1 + grown:.4f}",
                "within 2 %",
                abs(grown) <= 0.02,
            ),
            Row(f"{what}: memory maps, step {steps:,}", str(maps_after), f"step {early:,}", str(maps)),
        ]
    return Section("", ABOUT, rows, timed=False)
