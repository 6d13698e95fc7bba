"""Launchers of several machines, here of one, and processes that a cluster has started."""

from __future__ import annotations

import re
import socket
import subprocess

import pytest

from megengine.distributed.machines import address_towards, free_port, is_loopback
from tests.processes import PATIENCE, Programs

LAUNCHER = """
import sys
import megengine as mge
import megengine.distributed as dist
import megengine.functional as F

start, port, fails = map(int, sys.argv[1:])

@dist.launcher(n_gpus=1, world_size=2, rank_start=start, master_ip="127.0.0.1", port=port)
def work():
    rank = dist.get_rank()
    total = F.distributed.all_reduce_sum(mge.Tensor([rank + 1.0])).item()
    if fails:
        if rank == 1:
            raise KeyError("lost")
        F.distributed.all_reduce_sum(mge.Tensor([1.0]))
    return rank, dist.get_world_size(), total

print(work())
"""
CLUSTER = """
import megengine as mge
import megengine.distributed as dist
import megengine.functional as F

server = dist.Server()  # which nothing closes
dist.init_process_group()
rank = dist.get_rank()
dist.get_client().user_set(f"of {rank}", rank)
total = F.distributed.all_reduce_sum(mge.Tensor([rank + 1.0])).item()
print(rank, dist.get_world_size(), total, dist.get_client().user_get(f"of {1 - rank}"))
"""


def ended(program: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = program.communicate(timeout=PATIENCE)
    return program.returncode, out.strip(), err


@pytest.mark.parametrize("fails", [0, 1])
def test_two_launchers_are_one_program(fails: int, programs: Programs) -> None:
    port = free_port("127.0.0.1")
    started = [programs.start(LAUNCHER, rank, port, fails) for rank in (1, 0)]  # the first waits for the other
    second, first = map(ended, started)
    if not fails:
        assert [first[:2], second[:2]] == [(0, "[(0, 2, 3.0)]"), (0, "[(1, 2, 3.0)]")], first[2] + second[2]
        return
    assert first[0] and second[0]
    assert re.search(
        r"AssertionError: on another machine, rank 1 on .*: process 1 exited with code 1: KeyError: 'lost'", first[2]
    )
    assert "ProcessError: process 1 exited with code 1: KeyError: 'lost'" in second[2]


def test_a_cluster_tells_processes_their_place(programs: Programs) -> None:
    told = {
        "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://127.0.0.1:34911",
        "OMPI_COMM_WORLD_SIZE": "2",
        "JAX_COORDINATOR_PORT": str(free_port("127.0.0.1")),
    }
    started = [
        programs.start(CLUSTER, **told, OMPI_COMM_WORLD_RANK=str(rank), OMPI_COMM_WORLD_LOCAL_RANK=str(rank))
        for rank in range(2)
    ]
    first, second = map(ended, started)
    assert [first[:2], second[:2]] == [(0, "0 2 3.0 1"), (0, "1 2 3.0 0")], first[2] + second[2]


def test_addresses() -> None:
    assert is_loopback("localhost") and is_loopback("127.0.0.1") and not is_loopback("192.0.2.1")
    assert address_towards("127.0.0.1", 1) == "127.0.0.1"
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", free_port("127.0.0.1")))
    with pytest.raises(ConnectionError, match="master_ip='no such name' is no address of a machine"):
        is_loopback("no such name")
