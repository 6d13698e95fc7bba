"""Freed memory is kept for the next step: its pages are not mapped and cleared anew."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
import megengine
from megengine import Tensor
import megengine.functional as F

x = Tensor(np.ones((1024, 1024), "float32"))
def step():
    return [F.sqrt(x * k)[0, 0].item() + F.exp(x + k).numpy()[0, 0] for k in (1.0, 2.0)]
for _ in range(5):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(keep: str) -> int:
    environment = os.environ | {"MEGENGINE_KEEP_MEMORY": keep}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_pages_are_mapped_once() -> None:
    # The steps' results are 160 MiB: 40,000 pages, of which 20,000 to 30,000 are mapped anew by default. Other threads of a
    # process now and then take a fresh piece of memory, so one of three processes has to do.
    assert any(_faults("1") < 5_000 for _ in range(3))


def test_the_allocator_can_be_left_alone() -> None:
    _faults("0")
