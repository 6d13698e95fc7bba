"""What imports leave is looked at by full collections alone."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from megengine._support.collecting import Start, settle


@pytest.fixture(autouse=True)
def _nothing_frozen() -> Iterator[None]:
    """As in a program: the tests freeze what they all use."""
    gc.unfreeze()
    yield
    gc.freeze()


def test_what_exists_is_old_and_is_collected_all_the_same() -> None:
    class Node:
        pass

    node = Node()
    node.itself = node  # type: ignore[attr-defined]
    identity = id(node)
    settle()
    oldest = max(range(3), key=lambda n: len(gc.get_objects(n)))
    assert oldest == 2 and any(id(o) == identity for o in gc.get_objects(2))
    assert gc.get_freeze_count() == 0
    del node
    assert gc.collect(1) >= 0 and any(id(o) == identity for o in gc.get_objects(2))
    assert gc.collect() >= 1 and not any(id(o) == identity and isinstance(o, Node) for o in gc.get_objects())


def test_what_a_program_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        start = Start(3)
        start.made()
        # Not how many: what is frozen is dropped as it is no longer used.
        assert not settle() and start.left == 0 and gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_what_is_made_later_does_not_settle() -> None:
    start, kept = Start(2), []
    for old in (2, 2, 0):
        gc.collect(1)
        kept.append([])
        start.made()
        assert any(o is kept[-1] for o in gc.get_objects(old))
