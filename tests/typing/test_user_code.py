"""What the type checkers are shown also runs."""

from __future__ import annotations

import runpy
from pathlib import Path


def test_the_code_that_is_type_checked_runs() -> None:
    names = runpy.run_path(str(Path(__file__).with_name("user_code.py")))
    assert names["loss"].shape == ()
    assert names["scale"](names["x"])[0].shape == (2, 2)
