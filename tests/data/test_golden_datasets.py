"""Image datasets read small files as real MegEngine did."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.golden_cases import answer
from tests.data.golden_datasets import CASES

pytest.importorskip("cv2")

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden_datasets.json").read_text())


def test_all_cases_are_recorded() -> None:
    assert list(GOLDEN) == list(CASES)


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    expected, found = GOLDEN[name], answer(CASES[name])
    if "error" in expected and "error" in found:
        assert issubclass(getattr(builtins, found["error"]), getattr(builtins, expected["error"]))
    else:
        assert found == expected
