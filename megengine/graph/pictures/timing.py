"""How long each equation of a function takes: the function is compiled as a program is, run on made-up numbers, and XLA's kernels
are timed; what each kernel holds is known by the names that its instructions were given.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..calling import CallingPython
from ..ir import AnyEquation, Equation, Function
from ..lower import Plan
from ..sound import PRODUCTS_ALONE, first_options, sound
from ..value import Aval

_COMPUTATION = re.compile(r"^(?:ENTRY )?%(\S+) \(")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%(\S+) = ")
_CALLED = re.compile(r"(?:calls|to_apply|body|condition)=%([^\s,}]+)")
_NUMBER = re.compile(r'op_name="[^"]*?/equation(\d+)[/"]')


class Timing(NamedTuple):
    """What a run takes.

    Attributes:
        seconds: of kernels, of each equation; one that holds several equations is divided in the proportion of their operations.
        other: of kernels that belong to no equation, such as copies.
        whole: from the call to the results, without the profiler; the median.
    """

    seconds: Mapping[AnyEquation, float]
    other: float
    whole: float


def measure(function: Function, flops: Mapping[AnyEquation, int], runs: int) -> Timing:
    """Time a function.

    Args:
        function: the function.
        flops: of each equation.
        runs: how often it runs.
    """
    compiled, equations = _compiled(function)
    arguments = _arguments(function)

    def run() -> None:
        with CallingPython(True):
            jax.block_until_ready(compiled(*arguments))

    run()
    whole = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        whole.append(time.perf_counter() - start)
    holds = _held(compiled.as_text())
    seconds = dict.fromkeys(equations, 0.0)
    other = 0.0
    for name, took in _kernels(run, runs).items():
        inside = [equations[k] for k in holds.get(name, ())]
        weights = [max(1, flops.get(e, 1)) for e in inside]
        for equation, weight in zip(inside, weights, strict=True):
            seconds[equation] += took * weight / sum(weights)
        if not inside:
            other += took
    return Timing(seconds, other, float(np.median(whole)))


def _compiled(function: Function) -> tuple[Any, list[AnyEquation]]:
    """The executable, in which every instruction names its equation, and the equations by number."""
    plan = Plan(function, len(function.outputs), check_nan=False)
    avals = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in _arguments(function)]
    names = [e.name for e in function.equations if isinstance(e, Equation)]
    jitted = _named(plan, first_options(names))
    if not sound(jitted, avals):
        jitted = _named(plan, PRODUCTS_ALONE)
    return jitted.lower(*avals).compile(), [step.equation for step in plan.steps]


def _named(plan: Plan, options: dict[str, str] | None) -> Any:
    labels = iter(_labels(plan))
    staged = attrgetter("staged")

    def resolve(traced: Any) -> Callable[..., Sequence[Any]]:
        call, label = staged(traced), next(labels)

        def run(*operands: Any) -> Any:
            with jax.named_scope(label):
                return call(*operands)

        return run

    function = plan.callable(jnp, resolve)
    # The cache on disk does not tell programs apart that differ in the names of instructions only, but in their own.
    ops = "|".join(step.equation.name for step in plan.steps)
    function.__name__ = f"measured_{hashlib.sha256(ops.encode()).hexdigest()[:16]}"
    return jax.jit(function, compiler_options=options)


def _labels(plan: Plan) -> Iterator[str]:
    """The name of each jaxpr that a plan asks for, in its order."""
    for number, step in enumerate(plan.steps):
        for _ in range(1 + (step.valid is not None) + len(step.again)):
            yield f"equation{number}"


def _arguments(function: Function) -> list[np.ndarray]:
    """Numbers of the right shapes: floats near 1, else zeros, which are valid indices."""
    rng = np.random.default_rng(0)
    packed = [(n, t) for n, t in ((function.floats, np.float32), (function.ints, np.int32)) if n]
    scalars = [np.full(n, 0.5).astype(t) for n, t in packed]
    return scalars + [_made_up(rng, var.aval) for var in function.inputs]


def _made_up(rng: np.random.Generator, aval: Aval) -> np.ndarray:
    if not aval.is_float:
        return np.zeros(aval.shape, aval.dtype)
    return rng.uniform(0.5, 1.5, aval.shape).astype(aval.dtype)


def _held(text: str) -> dict[str, list[int]]:
    """For each instruction of a compiled program, the equations in it or in what it calls, by number."""
    own: dict[str, set[int]] = {}
    calls: dict[str, set[str]] = {}
    inside: dict[str, list[str]] = {}
    computation = ""
    for line in text.splitlines():
        if begins := _COMPUTATION.match(line):
            computation = begins[1]
        elif instruction := _INSTRUCTION.match(line):
            name = instruction[1]
            inside.setdefault(computation, []).append(name)
            own[name] = set(map(int, _NUMBER.findall(line)))
            calls[name] = set(_CALLED.findall(line))

    def found(name: str) -> set[int]:
        held = set(own[name])
        for called in calls[name]:
            for inner in inside.get(called, ()):
                held |= found(inner)
        return held

    return {name: sorted(found(name)) for name in own}


def _kernels(run: Callable[[], None], runs: int) -> dict[str, float]:
    """The seconds of each kernel in a run, without those of kernels that it runs itself; medians, for what else runs."""
    with tempfile.TemporaryDirectory() as folder:
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0
        jax.profiler.start_trace(folder, profiler_options=options)
        try:
            for _ in range(runs):
                run()
        finally:
            jax.profiler.stop_trace()
        events = []
        for path in Path(folder).rglob("*.trace.json.gz"):
            with gzip.open(path, "rt", encoding="utf-8") as file:
                events += [e for e in json.load(file)["traceEvents"] if "hlo_op" in e.get("args", {})]
    found: dict[str, list[float]] = {}
    for name, microseconds in alone(events):
        found.setdefault(name, []).append(microseconds / 1e6)
    return {name: float(np.median(several)) * len(several) / runs for name, several in found.items()}


def alone(events: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    """The name of each event's kernel, and its microseconds without those of the events inside it on its thread."""
    ordered = sorted(events, key=lambda e: (e["tid"], e["ts"], -e["dur"]))
    own = [float(e["dur"]) for e in ordered]
    around: list[int] = []
    for k, event in enumerate(ordered):
        while around and not _contains(ordered[around[-1]], event):
            around.pop()
        if around:
            own[around[-1]] -= event["dur"]
        around.append(k)
    yield from zip((e["args"]["hlo_op"] for e in ordered), own, strict=True)


def _contains(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> bool:
    return bool(outer["tid"] == inner["tid"] and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"] + 1e-3)
