"""These tests are about programs as they are compiled: when, how often, with what donated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from megengine import graph


@pytest.fixture(autouse=True)
def _compiled() -> Iterator[None]:
    with graph.tier("compiled"):
        yield
