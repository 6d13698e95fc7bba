"""Which tier runs a program: one that needs no compilation of it at first, and a compiled one when that has been earned.

The first tier is the host's interpreter on the CPU. On a GPU or TPU the host would have to fetch every operand: there each op
is an executable of its own, shared by all programs.

A program earns compiling by the time it has spent in the first tier, weighed against the time that compiling is expected to
take: whatever happens then, it takes at most about twice as long as the better of the two would have. What convolutions and
recurrent layers took counts for little: a compiled program has the same library compute them. Short scripts and graphs that come
once never compile; a training loop does within its first seconds. A program of a few microseconds stays on the host for good:
calling an executable takes as long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

from .options import options

if TYPE_CHECKING:
    from .device import Device
    from .program import Program

COMPILE_SECONDS = 0.06
COMPILE_SECONDS_AN_EQUATION = 12e-3
TELLING = 100  # equations of a program that tells how long others take
SHORT_RUN = 20e-6
FEWEST_RUNS = 2


class Tier(NamedTuple):
    """What runs programs.

    Attributes:
        first: what runs one that was not met before: ``"interpreter"``, ``"ops"``, or None where it is compiled at once.
        compiles: whether one that has earned it is compiled.
    """

    first: str | None
    compiles: bool


COMPILED = Tier(None, True)
_HOST = Tier("interpreter", False)
_ONLY_HOST = {"auto": _HOST, "host": _HOST, "compiled": _HOST}
_BY_INTERPRETER = {"auto": Tier("interpreter", True), "host": _HOST, "compiled": COMPILED}
_BY_OPS = {"auto": Tier("ops", True), "host": Tier("ops", False), "compiled": COMPILED}
_ONLY_COMPILED = dict.fromkeys(("auto", "host", "compiled"), COMPILED)
_of_physical: dict[str, dict[str, Tier]] = {}
_partitioned = False
_places: dict[str, str] = {}
_seconds_an_equation = COMPILE_SECONDS_AN_EQUATION


def tier_of(device: Device) -> Tier:
    """What runs programs on a device, as the option ``tier`` has it now; for one device it is the same object each time."""
    physical = device.physical
    if physical not in _of_physical:
        _of_physical[physical] = _of_device(device.jax_device)
    return _of_physical[physical][options.tier]


def uncompiled(device: Device) -> Tier:
    """What runs a program on a device that is not to be compiled yet."""
    tier_of(device)
    return _of_physical[device.physical]["host"]


def partition() -> None:
    """From now on arrays may be divided among devices: every program is compiled, for XLA to partition it."""
    global _partitioned
    _partitioned = True
    _of_physical.clear()


def partitions() -> bool:
    """Whether arrays may be divided among devices."""
    return _partitioned


def divided(arrays: Iterable[Any]) -> tuple[Any, ...]:
    """How JAX's arrays are divided among devices, each by its sharding, or None; empty if none of them is."""
    if not _partitioned:
        return ()
    shardings = [getattr(array, "sharding", None) for array in arrays]
    found = tuple([s if s is not None and len(s.device_set) > 1 else None for s in shardings])
    return found if any(found) else ()


def place_of(device: Device) -> str:
    """What distinguishes the programs of a device: its name, unless it is the default one."""
    physical = device.physical
    if physical not in _places:
        _places[physical] = "" if device.is_default else physical
    return _places[physical]


def _of_device(device: jax.Device) -> dict[str, Tier]:
    if _partitioned:
        return _ONLY_COMPILED
    if device.platform != "cpu" or options.first_tier == "ops":
        return _BY_OPS
    # What is compiled in the background is compiled for the default device.
    return _BY_INTERPRETER if device == jax.local_devices()[0] else _ONLY_HOST


def expected_seconds(program: Program) -> float:
    """What compiling a program is expected to take.

    As long for each equation as the program compiled last took, and as long as another of its call site took, which differs in
    sizes.
    """
    expected = COMPILE_SECONDS + _seconds_an_equation * program.plan.size
    return expected if program.site is None else max(expected, program.site.seconds)


def learn(program: Program, seconds: float) -> None:
    """Expect of other programs what compiling this one took."""
    global _seconds_an_equation
    if program.site is not None:
        program.site.seconds = seconds
    if program.plan.size >= TELLING:
        _seconds_an_equation = max(COMPILE_SECONDS_AN_EQUATION, seconds / program.plan.size)


def earns(program: Program) -> bool:
    """Whether a program has run long enough in the first tier to be compiled."""
    if program.runs < FEWEST_RUNS or program.first_tier_seconds < SHORT_RUN * program.runs:
        return False
    return program.first_tier_seconds - program.kernel_seconds >= expected_seconds(program)
