"""The process group of one process: what it answers, what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import megengine as mge
import megengine.distributed as dist
from megengine.distributed import group as group_module


@pytest.fixture
def initialised() -> Iterator[None]:
    dist.init_process_group("localhost", 23456, 1, 0, 0)
    yield
    group_module.forget()


def test_without_a_group() -> None:
    assert (dist.is_distributed(), dist.get_rank(), dist.get_world_size()) == (False, 0, 1)
    assert (dist.WORLD.size, dist.WORLD.rank, dist.WORLD.key, dist.WORLD.is_single_machine) == (1, 0, "0", True)
    assert dist.backend == "auto"
    dist.group_barrier()


@pytest.mark.parametrize("name", ["get_backend", "get_client", "get_mm_server_addr", "get_py_server_addr"])
def test_what_needs_a_group_says_so(name: str) -> None:
    with pytest.raises(AssertionError, match="please call init_process_group first"):
        getattr(dist, name)()


def test_setting_the_backend_needs_a_group() -> None:
    with pytest.raises(AssertionError, match="please call init_process_group first"):
        dist.backend = "nccl"
    with pytest.raises(AssertionError, match="please call init_process_group first"), dist.override_backend("nccl"):
        pass


def test_a_group_of_one(initialised: None) -> None:
    assert (dist.is_distributed(), dist.get_rank(), dist.get_world_size()) == (True, 0, 1)
    assert dist.get_py_server_addr() == dist.get_mm_server_addr() == ("localhost", 23456)
    assert mge.get_default_device() == "xpu0"
    with pytest.raises(AssertionError, match="only once"):
        dist.init_process_group("localhost", 23456, 1, 0, 0)


def test_backends(initialised: None) -> None:
    assert dist.backend == dist.get_backend() == "auto"
    dist.backend = "nccl"
    with dist.override_backend("gloo"):
        assert dist.get_backend() == "gloo"
    assert dist.get_backend() == "nccl"
    with pytest.raises(ValueError, match="backend='ucx'"):
        dist.backend = "ucx"


def test_joining_nobody_leaves_the_random_stream_alone() -> None:
    mge.random.seed(3)
    expected = mge.random.normal(0, 1, (4,)).numpy()
    mge.random.seed(3)
    try:
        dist.init_process_group("localhost", 23456, 1, 0, 0)
        assert (mge.random.normal(0, 1, (4,)).numpy() == expected).all()
    finally:
        group_module.forget()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((1, 1, 1, 0, 0), TypeError, "master_ip must be a string, not 1"),
        (("localhost", "1", 1, 0, 0), TypeError, "port must be an int, not '1'"),
        (("localhost", 1, 1.0, 0, 0), TypeError, "world_size must be an int, not 1.0"),
        (("localhost", 1, 1, None, 0), TypeError, "rank must be an int, not None"),
        (("localhost", 1, 1, 0, "gpu0"), TypeError, "device must be an int, not 'gpu0'"),
        (("localhost", 1, 1, 0, 0, "ucx"), ValueError, "backend='ucx'"),
        (("localhost", 1, 1, 0, 0, "auto", "atlas"), ValueError, "device_type='atlas'"),
        (("localhost", 1, 1, 1, 0), AssertionError, "rank=1"),
        (("localhost", 0, 1, 0, 0), AssertionError, "port=0"),
        (
            ("127.0.0.1", 1, 2, 0, 0),
            ConnectionError,
            r"no megengine.distributed.Server answers at 127.0.0.1:1 within 0.1 s",
        ),
        (("no such name", 1, 2, 0, 0), ConnectionError, "master_ip='no such name' is no address of a machine"),
        ((), RuntimeError, "there is no sign of one: give master_ip, port, world_size, rank and device"),
    ],
)
def test_wrong_arguments_leave_no_group(
    arguments: Any, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEGENGINE_DISTRIBUTED_TIMEOUT", "0.1")
    with pytest.raises(error, match=message):
        dist.init_process_group(*arguments)
    assert not dist.is_distributed()


@pytest.mark.parametrize("ranks", [[1], [0, 1], [-1], ["0"]])
def test_groups_of_absent_processes_are_refused(ranks: list[Any]) -> None:
    with pytest.raises(AssertionError, match="no rank: there is one process, of rank 0"):
        dist.new_group(ranks)


def test_groups_have_streams_of_their_own() -> None:
    first, second = dist.new_group([0]), dist.new_group([0])
    assert first.comp_node != second.comp_node
    assert first.comp_node.startswith("xpux:")
    assert first.proc_ranks == [0]
    assert dist.Group([]).size == 1


def test_a_barrier_takes_a_group() -> None:
    with pytest.raises(AssertionError, match="must be a Group"):
        dist.group_barrier([0])  # type: ignore[arg-type]
