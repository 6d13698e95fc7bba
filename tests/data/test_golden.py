"""The package answers the cases of ``golden_cases.py`` as real MegEngine did, in values, dtypes, nesting and exceptions."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.golden_cases import CASES, answer

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden.json").read_text())


def exception(name: str) -> type[BaseException]:
    return getattr(builtins, name, None) or getattr(np.exceptions, name)


def test_all_cases_are_recorded() -> None:
    assert list(GOLDEN) == list(CASES)


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    expected, found = GOLDEN[name], answer(CASES[name])
    if "error" in expected and "error" in found:
        assert issubclass(exception(found["error"]), exception(expected["error"]))
    else:
        assert found == expected


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("load_")])
def test_one_by_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("megengine.data.batching.batch_pipeline", lambda *parts: None)
    assert answer(CASES[name]) == GOLDEN[name]
