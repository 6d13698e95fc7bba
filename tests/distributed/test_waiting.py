"""What a rank that waits makes of what the others say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import megengine.distributed as dist
from megengine.distributed.waiting import Call, CollectiveError, gone


@pytest.fixture
def client() -> Iterator[dist.Client]:
    server = dist.Server()
    yield dist.Client("127.0.0.1", server.py_server_port)
    server.close()


def call(client: dist.Client, rank: int, number: int, what: str = "SUM", ranks: tuple[int, ...] = (0, 1)) -> Call:
    counts = {",".join(map(str, ranks)): number}
    return Call(client, rank, 2, list(ranks), counts, what, f"line {rank}")


def test_a_rank_that_is_slower_in_a_call_is_not_taken_to_wait_in_vain(client: dist.Client) -> None:
    slow = call(client, 1, 1)
    client.waiting(0, gone({"0,1": 1}))  # the other has been through it, and has ended
    for _ in range(3):
        slow.look([])
    ahead = call(client, 0, 2)
    for _ in range(3):
        ahead.look([])
        slow.look([])
    slow.over()
    assert list(client.waiting(0, None)) == []


def test_ranks_that_wait_for_each_other(client: dist.Client) -> None:
    early = call(client, 1, 1)
    early.look([])
    client.waiting(0, gone({}))
    with pytest.raises(
        CollectiveError, match="wait for each other: rank 0 in no call any more; rank 1 in SUM at line 1"
    ):
        early.look([])


def test_a_rank_that_has_not_said_so_again_may_have_gone_on(client: dist.Client) -> None:
    first, second = call(client, 0, 1, ranks=(0,)), call(client, 1, 1, ranks=(1, 0))
    first.name, first.counts = "0,1 1", {"0,1": 1}  # it waits for rank 1, which waits for it, in another group
    first.look([])
    for _ in range(3):
        second.look([])
    first.look([])
    with pytest.raises(CollectiveError, match="wait for each other"):
        second.look([])


def test_other_calls_of_one_number_are_told_apart(client: dist.Client) -> None:
    first, second = call(client, 0, 3), call(client, 1, 3, "MAX")
    first.look([])
    with pytest.raises(CollectiveError, match="do different things: MAX at line 1 here, SUM at line 0 in rank 0"):
        second.look([])
    assert client.agree("0,1 3", 0, 2, ["SUM", "line 0", None], 0.0)["1"] == ["MAX", "line 1", None]


def test_the_time_is_over(client: dist.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEGENGINE_DISTRIBUTED_TIMEOUT", "1e-9")
    with pytest.raises(CollectiveError, match="SUM at line 0: rank 1 did not come to it within 1e-09 s"):
        call(client, 0, 1).look([])


def test_calls_of_one_program_are_compared_with_what_others_do_meanwhile(client: dist.Client) -> None:
    steps = [("SUM", "first"), ("MAX", "second"), ("SUM", "third")]
    program = Call(client, 0, 2, [0, 1], {"0,1": 5}, *steps[0], steps)
    program.look([])
    call(client, 1, 4, "MAX").look([])  # the second of them
    other = call(client, 1, 5, "barrier")
    with pytest.raises(CollectiveError, match="different things: barrier at line 1 here, SUM at third in rank 0"):
        other.look([])
    with pytest.raises(CollectiveError, match="different things: SUM at third here, barrier at line 1 in rank 1"):
        program.look([])
