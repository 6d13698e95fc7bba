"""Every kind of op by itself, forward and with its gradient, small and large."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from statistics import median
from typing import Any

from .contenders import Setup, Worker
from .programs.op_cases import CASES, SIZES
from .results import Row, Section, figure

SECONDS, ROUNDS, MOST = 0.05, 3, 1.5
ABOUT = (
    "Each op in batches of 50 calls on 50 inputs, as a program writes it, the results waited for at the end of the batch: small "
    f"({SIZES['small'][0]} x {SIZES['small'][1]}) and large ({SIZES['large'][0]} x {SIZES['large'][1]}) float32, forward alone, "
    "and forward with the gradient. Against PyTorch eager; the hand-written `jax.jit` of the same op is called 50 times. *First* "
    f"is the first batch, which records and compiles, without a disk cache. {ROUNDS} rounds in turns."
)


def measure(setup: Setup) -> Section:
    """Microseconds a call of every contender and case."""
    programs = {"here": (sys.executable, "megengine"), "jax": (sys.executable, "jax")}
    if setup.torch:
        programs["torch"] = (setup.torch, "torch")
    asked = [
        (case, size, grad)
        for case, (*_, smooth) in CASES.items()
        for size in SIZES
        for grad in ((False, True) if smooth else (False,))
    ]
    if setup.quick:
        asked = asked[:8]
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(python, "sweep.py", which, ours=name == "here", MEGENGINE_CACHE="0"))
            for name, (python, which) in programs.items()
        }
        found = [_one(workers, setup.rounds(ROUNDS), *what) for what in asked]
    return Section("", ABOUT, *_tables(found))


def _one(workers: dict[str, Worker], rounds: int, case: str, size: str, grad: bool) -> dict[str, Any]:
    request = {"case": case, "size": size, "grad": grad, "seconds": SECONDS}
    answers: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
    for number in range(rounds):
        for name in list(workers)[:: -1 if number % 2 else 1]:
            answers[name].append(workers[name].request(request))
    micros = {name: [a["micros"] for a in given] for name, given in answers.items()}
    return {
        "what": f"{case}, {size}{', with gradient' if grad else ''}",
        "first": answers["here"][0]["first"],
        "micros": {name: median(values) for name, values in micros.items()},
        "ratio": {
            name: median(h / t for h, t in zip(micros["here"], values, strict=True))
            for name, values in micros.items()
            if name != "here"
        },
    }


def _tables(found: list[dict[str, Any]]) -> tuple[list[Row], list[str]]:
    against = "torch" if "torch" in found[0]["ratio"] else "jax"
    label = {"torch": "PyTorch", "jax": "jax.jit"}[against]
    rows = [
        Row(
            f"{one['what']} (first {one['first']:.2f} s)",
            figure(one["micros"]["here"], "µs"),
            label,
            figure(one["micros"][against], "µs"),
            f"{one['ratio'][against]:.3f}",
        )
        for one in found
    ]
    slow = sorted((one for one in found if one["ratio"][against] > MOST), key=lambda one: -one["ratio"][against])
    share = Row(f"cases over {MOST} times {label}'s time", f"{len(slow)} of {len(found)}", target="0", met=not slow)
    notes = [
        f"Median ratio to {label}: {median(one['ratio'][against] for one in found):.2f}; "
        f"to `jax.jit`: {median(one['ratio']['jax'] for one in found):.2f}.",
        f"First batch: median {median(one['first'] for one in found):.2f} s, most {max(one['first'] for one in found):.2f} s.",
    ]
    if slow:
        listed = "; ".join(f"{one['what']} {one['ratio'][against]:.2f}" for one in slow)
        notes.append(f"Over {MOST}: {listed}.")
    return [share, *rows], notes
