"""Freed memory is kept for the next step: its pages are not mapped and cleared anew."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")

# The allocator is asked directly: which blocks XLA and NumPy ask it for, and which of them lie at the end of what it has, differs
# from run to run. Blocks of this size are by default mapped anew each time, whatever was freed before.
PROGRAM = """
import ctypes
import resource
import sys
import threading
import megengine

megengine.Tensor([1.0]).numpy()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(1 << 26)
    libc.memset(block, 1, 1 << 26)
    libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def steps():
    step()
    print(sum(step() for _ in range(4)))
if sys.argv[1] == "first":
    steps()
else:
    thread = threading.Thread(target=steps)
    thread.start()
    thread.join()
"""


def _faults(thread: str = "first", **environment: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, thread], env={**os.environ, **environment}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


PAGES = 4 * (1 << 26) // 4096


@pytest.mark.parametrize("environment", [{}, {"MEGENGINE_KEEP_MEMORY": "1"}])
def test_pages_are_mapped_once(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEGENGINE_KEEP_MEMORY", raising=False)
    assert _faults(**environment) < PAGES / 100


def test_in_other_threads_too() -> None:
    assert _faults("another") < PAGES / 100


def test_the_allocator_can_be_left_alone() -> None:
    assert _faults(MEGENGINE_KEEP_MEMORY="0") >= PAGES / 512  # as many, or one for each huge page
