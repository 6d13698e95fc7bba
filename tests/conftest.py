"""What every test gets: fixed seeds, signals that are heard, and a compile cache that is not the user's own."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tests.compiling import QUICKLY, compile_as_users
from tests.processes import Programs
from tests.watch import Watch, release_memory

# Set before megengine is imported: the suite neither reads nor fills the cache of whoever runs it, but keeps one of its
# own in the checkout, so that a second run need not compile again.
_cache = Path(__file__).resolve().parent.parent / ".pytest_cache" / "megengine"
_cache.mkdir(mode=0o700, parents=True, exist_ok=True)
os.environ.setdefault("MEGENGINE_CACHE_DIR", str(_cache))

# Also in programs that tests start. Whoever sets the variable, be it to nothing, has all compiled as that says.
os.environ.setdefault("XLA_FLAGS", QUICKLY)

# Every function of the graph is verified, before its passes and after each.
os.environ.setdefault("MEGENGINE_VERIFY", "1")

# Whoever works on the package wants to see its frames; what users see is tested in processes of their own.
os.environ.setdefault("MEGENGINE_FULL_TRACEBACK", "1")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Watch(), "watch")


# How long an example takes is no fault of the program's: a machine may be busy.
settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=25, derandomize=True
)
settings.load_profile("default")


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    """Each test starts from the same state, whichever tests ran before it in the process."""
    np.random.seed(0)
    if (recompile := sys.modules.get("megengine.graph.recompile")) is not None:
        recompile.forget_call_sites()  # the lines of the package's own programs meet other shapes in every test
    if (warm := sys.modules.get("megengine.graph.warm")) is not None:
        warm._kept().clear()  # what an earlier run of the tests compiled is met for the first time here
    if (source := sys.modules.get("megengine.graph.source")) is not None:
        source._warned.clear()  # a line of a test warns whichever tests ran it before
    if (options := sys.modules.get("megengine.graph.options")) is not None:
        # How long a run took decides when what is compiled takes over, which may change the last bit.
        options.options.tier = os.environ.get("MEGENGINE_TIER", "host")
    if (tiers := sys.modules.get("megengine.graph.tiers")) is not None:
        tiers._seconds_an_equation = tiers.COMPILE_SECONDS_AN_EQUATION  # whatever an earlier test compiled
        if tiers.partitions():
            tiers._partitioned = False  # a mesh that an example made is for its program
            tiers._of_physical.clear()
    if (device := sys.modules.get("megengine.device")) is not None and device.get_default_device() != "xpux":
        device.set_default_device("xpux")
    if (random := sys.modules.get("megengine.random")) is not None:
        random.seed(0)
    if (flushing := sys.modules.get("megengine.graph.flushing")) is not None:
        flushing.flush("option")  # what an earlier test recorded and never read must not begin this one's graphs
        flushing.thread.recorder.reset_limit()  # nor its places end them
    if (shared := sys.modules.get("megengine.graph.shared")) is not None:
        shared._Contention.left = 0  # threads of an earlier test do not cut this one's steps
    release_memory()
    program = sys.modules.get("megengine.graph.program")
    refused = 0 if program is None else program.counters.refused
    yield
    if program is not None and program.counters.refused > refused:
        pytest.fail("the interpreter failed at a program of this test")
    if (recorder := sys.modules.get("megengine.graph.recorder")) is not None and recorder.thread.recorder.tapes:
        gc.collect()  # errors that a test caught keep its managers until now
    if recorder is not None and recorder.thread.recorder.tapes:
        recorder.thread.recorder.tapes = ()
        pytest.fail("this test left a gradient recording active")


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests are a shell's background job or run under nohup, which have it ignored."""
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    handler = signal.getsignal(signal.SIGINT)
    if handler in (signal.SIG_IGN, signal.SIG_DFL):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    heard = signal.getsignal(signal.SIGINT)
    yield
    left = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, heard)
    if handler in (signal.SIG_IGN, signal.SIG_DFL):
        signal.signal(signal.SIGINT, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    assert left is heard, f"this test left {left} as the handler of SIGINT"


@pytest.fixture
def compiled() -> Iterator[None]:
    """Programs are compiled when first met, and none has been, as a test needs that says how often this happens."""
    from megengine import graph

    graph.program.clear()
    with graph.tier("compiled"):
        yield


@pytest.fixture
def as_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """XLA compiles programs with all of its optimisations, as it does for whoever uses the package."""
    compile_as_users(monkeypatch)


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Starts programs, which are ended when the test is over, however it ends."""
    programs = Programs()
    try:
        yield programs
    finally:
        programs.end()


@pytest.fixture
def rng() -> np.random.Generator:
    """NumPy's generator with a fixed seed, for test inputs."""
    return np.random.default_rng(0)
