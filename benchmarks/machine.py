"""The machine in words, and whether something else kept it busy."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from .contenders import Setup, environment

_LEVELS = {
    "x86-64-v4 (AVX-512)": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
    "x86-64-v3 (AVX2)": {"avx2", "bmi1", "bmi2", "fma", "movbe"},
    "x86-64-v2": {"sse4_2", "popcnt", "ssse3"},
}
DISTURBED = 0.15


def level() -> str:
    """The instruction sets of the CPU, as the class that compilers know."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    flags = {flag for line in lines if line.startswith("flags") for flag in line.split()}
    return next((name for name, needed in _LEVELS.items() if needed <= flags), platform.machine())


def describe(setup: Setup) -> str:
    """Cores, memory, CPU class and versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in ("jax", "numpy"))]
    for name, python in (("torch", setup.torch), ("megengine", setup.megengine)):
        if python is not None:
            versions.append(f"{name} {_version(python, name)}")
    cores = len(os.sched_getaffinity(0))
    return f"Machine: {cores} cores, {level()}, {memory:.0f} GiB, {platform.system()}; {', '.join(versions)}."


def _version(python: str, name: str) -> str:
    code = "import platform, sys; from importlib.metadata import version; print(version(sys.argv[1]), platform.python_version())"
    found = subprocess.run(
        [python, "-c", code, name], env=environment(False), capture_output=True, text=True, check=True
    )
    number, interpreter = found.stdout.split()
    return number if python == sys.executable else f"{number} (Python {interpreter})"


class Quiet:
    """Watches how many cores other processes used while something was measured by processes that have ended since."""

    def __enter__(self) -> Quiet:
        self._started = self._sample()
        self.others = 0.0
        return self

    def __exit__(self, *exc: object) -> None:
        busy, own, clock = (b - a for a, b in zip(self._started, self._sample(), strict=True))
        self.others = max(0.0, (busy - own) / clock)

    def note(self) -> str | None:
        """What to say about a disturbed measurement."""
        if self.others <= DISTURBED:
            return None
        return f"Disturbed: other processes kept {self.others:.1f} of {os.cpu_count()} cores busy; do not rely on these figures."

    @staticmethod
    def _sample() -> tuple[float, float, float]:
        """Seconds all CPUs were busy, seconds this process and its children were, and a clock."""
        user, nice, system, _, _, irq, softirq, steal = (int(f) for f in _cpu_line()[1:9])
        busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return busy, sum(u.ru_utime + u.ru_stime for u in used), time.monotonic()


def _cpu_line() -> list[str]:
    with open("/proc/stat", encoding="ascii") as file:
        return file.readline().split()
