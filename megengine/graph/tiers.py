"""Which tier runs a program: the host's interpreter at first, and a compiled one when that has been earned.

A program earns compiling by the time it has spent in the interpreter, weighed against the time that compiling is expected to
take: whatever happens then, it takes at most about twice as long as the better of the two would have. Short scripts and graphs
that come once never compile; a training loop does within its first seconds. A program of a few microseconds stays on the host
for good: calling an executable takes as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax

from .options import options

if TYPE_CHECKING:
    from .device import Device
    from .program import Program

COMPILE_SECONDS = 0.06
COMPILE_SECONDS_AN_EQUATION = 1.5e-3
SHORT_RUN = 20e-6
FEWEST_RUNS = 2
_of_physical: dict[str, str | None] = {}


def tier_of(device: Device) -> str:
    """``"host"``, ``"compiled"`` or ``"auto"``, first the one then the other, for what runs on a device."""
    physical = device.physical
    if physical not in _of_physical:
        _of_physical[physical] = _fixed(device.jax_device)
    return _of_physical[physical] or options.tier


def _fixed(device: jax.Device) -> str | None:
    if device.platform != "cpu":
        return "compiled"  # the host would have to fetch every operand
    # What is compiled in the background is compiled for the default device.
    return None if device == jax.devices()[0] else "host"


def expected_seconds(program: Program) -> float:
    """What compiling a program is expected to take."""
    return COMPILE_SECONDS + COMPILE_SECONDS_AN_EQUATION * program.plan.size


def earns(program: Program) -> bool:
    """Whether a program has run long enough in the interpreter to be compiled."""
    if program.runs < FEWEST_RUNS or program.interpreted_seconds < SHORT_RUN * program.runs:
        return False
    return program.interpreted_seconds >= expected_seconds(program)
