"""A short run of what ``python -m tests.ops.onednn.stress`` does for ten minutes."""

from __future__ import annotations

import pytest

from megengine.ops.onednn.library import library

from . import stress


@pytest.mark.skipif(library() is None, reason="needs oneDNN")
def test_threads_in_both_tiers() -> None:
    count, _, _, _ = stress.run(2, threads=4)
    assert count > 4
