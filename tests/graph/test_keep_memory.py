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
    kept, mapped = _faults("1"), _faults("0")
    assert kept < 10 * 1024 < mapped  # a page fault is 4 KiB; the steps' results are 160 MiB
