"""By which way a composite primitive is computed: by oneDNN from the first run on, or by NumPy."""

from __future__ import annotations

from types import ModuleType

import pytest

from megengine.ops.onednn.library import library

WAYS = "library", "numpy"


def take(way: str, family: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the primitives of a module of ``ops.onednn`` computed one way, whatever their sizes."""
    if way == "numpy":
        monkeypatch.setattr(family, "available", lambda: False)
        return
    if library() is None:
        pytest.skip("no oneDNN here")
    for name in ("WORTH_A_CALL", "WORTH_A_PLAN", "SHORTEST"):
        if hasattr(family, name):
            monkeypatch.setattr(family, name, 1)
