"""Memory of plans while they run: aligned, nobody else's meanwhile, used again, and not kept where it is much."""

from __future__ import annotations

from megengine.ops.onednn.scratch import ALIGNMENT, MOST_BYTES, _idle, scratch


def test_it_is_nobody_elses_meanwhile_and_is_used_again() -> None:
    with scratch(1000) as one, scratch(5000) as other:
        assert one % ALIGNMENT == other % ALIGNMENT == 0
        assert one + 1000 <= other or other + 5000 <= one
    with scratch(900) as again, scratch(900) as too:
        assert {again, too} == {one, other}


def test_nothing_is_needed_for_nothing() -> None:
    kept = len(_idle)
    with scratch(0) as address:
        assert address == 0 and len(_idle) == kept


def test_much_is_given_back() -> None:
    with scratch(MOST_BYTES):
        pass
    assert all(block.nbytes <= MOST_BYTES for block in _idle)
