"""What differs between two graphs, and why the second was compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import megengine.functional as F
from megengine import Tensor, graph
from megengine.graph.pictures.difference import Difference


def _difference(*calls: Callable[[], Tensor]) -> Difference:
    with graph.watch() as seen:
        for call in calls:
            call().numpy()
    return graph.difference(seen[0], seen[1])


def _ones(*shape: int) -> Tensor:
    return Tensor(np.ones(shape, np.float32))


def test_another_shape(tmp_path: Path) -> None:
    found = _difference(lambda: F.relu(_ones(2, 3)) * 2, lambda: F.relu(_ones(4, 3)) * 2)
    assert "compiled again, since op 0 (relu) meets shape (4, 3), was (2, 3)" in str(found)
    assert list(found.marks.values()) == ["changed", "changed"] and not found.gone
    page = found.save(tmp_path / "difference.html").read_text()
    assert page.count('"mark":"changed"') == 2 and "after</option>" in page


def test_another_operation() -> None:
    found = _difference(lambda: F.relu(_ones(3)) * 2 + 1, lambda: F.tanh(_ones(3)) * 2 + 1)
    lines = str(found).splitlines()
    assert lines[0] == "compiled again, since op 0 is tanh, was relu"
    assert lines[1].startswith("- ") and "relu" in lines[1] and lines[2].startswith("+ ") and "tanh" in lines[2]
    assert lines[3] == "  ... 2 the same"
    assert repr(found) == "<difference of 3 and 3 operations: 1 new, 0 changed, 1 gone>"


def test_one_more_operation_and_other_attributes() -> None:
    more = _difference(lambda: F.relu(_ones(2, 3)), lambda: F.relu(_ones(2, 3)) + 1)
    assert [e.name for e in more.marks] == ["add"] and list(more.marks.values()) == ["new"]
    other = _difference(lambda: _ones(2, 3).sum(axis=0), lambda: _ones(2, 3).sum(axis=1))
    assert list(other.marks.values()) == ["changed"]


def test_the_same_program() -> None:
    found = _difference(lambda: F.relu(_ones(2)), lambda: F.relu(_ones(2)))
    assert not found and str(found) == "the same program ran both\n1 operation, the same in both"
