"""What XLA's compiler has to say to its makers does not reach the user, and the programs here give it little reason to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import megengine

DRAWS = """
import megengine as mge
state = [mge.random.uniform(size=(7,)) for _ in range(45)]
print(round(float(sum(x.sum() for x in state)), 3))
"""


def _run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("TF_CPP_MIN_LOG_LEVEL", "PYTHONPATH")}
    root = str(Path(megengine.__path__[0]).parent)
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=300,
        env={**clean, "PYTHONPATH": root, "MEGENGINE_CACHE": "0", **environment},
    )


def test_many_draws_in_one_program_do_not_go_round_in_the_simplifier() -> None:
    done = _run(DRAWS, TF_CPP_MIN_LOG_LEVEL="1")
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_the_level_is_set_before_the_library_is_loaded_and_the_users_own_stays() -> None:
    level = "import os, megengine; print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    assert _run(level).stdout.strip() == "3"
    assert _run(level, TF_CPP_MIN_LOG_LEVEL="0").stdout.strip() == "0"
