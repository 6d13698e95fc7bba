"""Image transforms give what real MegEngine gave, with the same draws; those on whole batches too."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.golden_cases import answer
from tests.data.golden_transforms import CASES

pytest.importorskip("cv2")

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden_transforms.json").read_text())


def assert_same(found: Any, expected: Any) -> None:
    """Arrays: the same dtype, shape and integers; floats to nine digits, as OpenCV's releases differ in the last bit."""
    assert type(found) is type(expected)
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif not isinstance(expected, dict):
        assert found == expected
    elif "array" in expected:
        assert (found["array"], found["shape"]) == (expected["array"], expected["shape"])
        np.testing.assert_allclose(found["values"], expected["values"], rtol=2e-6, atol=1e-5)
    else:
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same(found[key], expected[key])


def test_all_cases_are_recorded() -> None:
    assert list(GOLDEN) == list(CASES)


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    expected, found = GOLDEN[name], answer(CASES[name])
    if "error" in expected and "error" in found:
        assert issubclass(getattr(builtins, found["error"]), getattr(builtins, expected["error"]))
    else:
        assert_same(found, expected)
