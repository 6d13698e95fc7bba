"""The engine's settings, from environment variables; :mod:`megengine.graph.modes` changes them for a while."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .errors import UsageError

PENDING_LIMIT = 2000
TIERS = ("auto", "host", "compiled")
TIERS_TEXT = "auto, host or compiled"
FIRST_TIERS = ("interpreter", "ops")


@dataclass(slots=True)
class Options:
    """Current settings.

    Attributes:
        eager: run op by op.
        check_nan: look for NaN in every op's results.
        on_recompile: ``"log"``, ``"error"`` or ``"silent"``: what a place that compiles again does.
        tier: ``"auto"``, ``"host"`` or ``"compiled"``: what runs programs (see :func:`megengine.graph.tier`).
        first_tier: ``"ops"`` has the CPU run programs that were not met before as GPUs and TPUs do, op by op by executables.
        channels_behind: lay out what is between oneDNN's convolutions as they do (see ``megengine.graph.layout``).
        measured: choose how convolutions are computed by measuring, and not by a rule.
        verify: check that each pass makes a function that is well formed.
        pending_limit: how many recorded ops force a flush.
        recompute: how much of each graph is computed again where gradients need it (see ``megengine.graph.recorder``).
        programs_bytes: how many bytes programs may take in all; the least recently used go first.
    """

    eager: bool = False
    check_nan: bool = False
    on_recompile: str = "log"
    tier: str = "auto"
    first_tier: str = "interpreter"
    channels_behind: bool = True
    verify: bool = False
    measured: bool = False
    pending_limit: int = PENDING_LIMIT
    recompute: tuple[int, int] | None = None
    programs_bytes: int = 192 << 20


def _flag(name: str, default: str = "0") -> bool:
    text = os.environ.get(name, "").strip().lower() or default
    if text in ("0", "false", "off", "no"):
        return False
    if text in ("1", "true", "on", "yes"):
        return True
    raise UsageError(f"environment variable {name}={text!r}: write 1 or 0")


def _from_environment() -> Options:
    policy = os.environ.get("MEGENGINE_RECOMPILE", "log")
    if policy not in ("log", "error", "silent"):
        raise UsageError(f"environment variable MEGENGINE_RECOMPILE={policy!r}: write log, error or silent")
    tier = os.environ.get("MEGENGINE_TIER", "auto")
    if tier not in TIERS:
        raise UsageError(f"environment variable MEGENGINE_TIER={tier!r}: write {TIERS_TEXT}")
    first = os.environ.get("MEGENGINE_FIRST_TIER", "interpreter")
    if first not in FIRST_TIERS:
        raise UsageError(f"environment variable MEGENGINE_FIRST_TIER={first!r}: write interpreter or ops")
    eager, nan, verify = map(_flag, ("MEGENGINE_EAGER", "MEGENGINE_CHECK_NAN", "MEGENGINE_VERIFY"))
    behind = _flag("MEGENGINE_CHANNELS_BEHIND", "1")
    return Options(eager, nan, policy, tier, first, behind, verify)


options = _from_environment()
