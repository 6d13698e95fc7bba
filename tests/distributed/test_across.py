"""Tensors divided among the devices of two processes, and training that goes on with other numbers of processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.processes import told


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return told(Path(__file__).parent / "across.py", tmp_path_factory.mktemp("across"))


def close(found: list[float], wanted: list[float]) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_losses_are_those_of_one_device(found: Any) -> None:
    for rank in found["ranks"]:
        close(rank["sharded"]["losses"], found["one"][:2])


def test_devices_hold_and_exchange_parts(found: Any) -> None:
    for rank in found["ranks"]:
        sharded = rank["sharded"]
        assert (
            sharded["spec"] == ["data"] and sharded["held"] == 32 * 8 * 4 / 2
        )  # two of four devices are this process's
        assert {"all-gather", "all-reduce"} <= set(sharded["collectives"])
        np.testing.assert_allclose(
            sharded["sum"], sharded["whole"], rtol=1e-5
        )  # read by the host, and summed by devices
    assert found["ranks"][0]["sharded"]["sum"] == found["ranks"][1]["sharded"]["sum"]


def test_parts_of_two_processes_load_in_one(found: Any) -> None:
    assert (found["step"], found["parts"]) == (2, 4)
    close(found["resumed"], found["one"][2:4])


def test_what_one_process_saved_is_divided_among_two(found: Any) -> None:
    for rank in found["ranks"]:
        close(rank["split"], found["one"][2:3])


def test_data_parallel_training_goes_on_with_other_numbers_of_processes(found: Any) -> None:
    """Two steps in one process, two in two, two in one again."""
    for rank in found["ranks"]:
        close(rank["data parallel"], found["one"][2:4])
    close(found["from ranks"], found["one"][4:6])


def test_processes_that_do_not_do_the_same_are_told(found: Any) -> None:
    words = [
        "a mesh of {'data': 2} needs 2 devices, and the 2 processes have together 4",
        "the ranks do different things: mesh(a=4) at ",
        "shard of float32[4]: it has other numbers in rank 1; every process gives all of it",
        "assemble: this process has a part float32[2], rank 1 one float32[4]",
        "input 1, float32[1], has other numbers in rank 1",
        "the processes run different programs: %2: float32[4,4] = add(%0, %1)    # ",
        "the ranks do different things: save_sharded at ",
        "rank 1 saves another state than this process",
        "16.0",  # the tensor is as it was
    ]
    first, second = (rank["mistakes"] for rank in found["ranks"])
    for said, start in zip(first, words, strict=True):
        assert said.startswith(start)
    assert "mul(%0, %1)" in first[5] and "add(%0, %1)" in second[5].partition(" here, ")[2]
    assert "nothing" not in second
