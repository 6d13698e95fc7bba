"""Dividing tensors among devices changes where numbers are, not what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from megengine.graph.collectives import collectives_in
from tests.processes import Programs


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    programs = Programs()
    text = f"import os; os.chdir({str(tmp_path_factory.mktemp('sharded'))!r})\n"
    text += (Path(__file__).parent / "sharded.py").read_text().replace("from __future__ import annotations\n", "")
    try:
        out, error = programs.start(text, MEGENGINE_TIER="auto").communicate(timeout=280)
    finally:
        programs.end()
    assert out, error
    return json.loads(out)


@pytest.mark.parametrize("way", ["data", "fsdp", "tensor", "traced"])
def test_losses_are_those_of_one_device(found: Any, way: str) -> None:
    """Also when the state was saved and loaded meanwhile."""
    np.testing.assert_allclose(found[way]["losses"], found["one"]["losses"], rtol=1e-5)


def test_divided_parameters_take_their_optimizers_state_with_them(found: Any) -> None:
    whole = max(found["one"]["bytes"])
    assert min(found["data"]["bytes"]) == whole  # on each device
    assert max(found["fsdp"]["bytes"]) <= whole / 8 * 1.05
    assert whole / 8 < max(found["tensor"]["bytes"]) < whole * 0.6


def test_parameters_stay_as_they_were_divided(found: Any) -> None:
    assert (found["fsdp"]["up"], found["traced"]["up"], found["tensor"]["up"]) == (["data"], ["data"], ["model"])
    assert found["one"]["up"] is None and found["traced"]["replays"] > 0


def test_the_collectives_that_xla_chose_are_told(found: Any) -> None:
    assert found["one"]["collectives"] == {}
    assert set(found["data"]["collectives"]) == {"all-reduce"}
    assert "all-gather" in found["fsdp"]["collectives"]
    # Data parallelism adds up all gradients once, and a few numbers.
    gradients = max(found["one"]["bytes"]) / 3
    assert gradients <= found["data"]["collectives"]["all-reduce"] <= gradients * 1.2


def test_each_device_saves_its_part(found: Any) -> None:
    made = found["checkpointed"]
    assert made["same"] and made["rest"] == [3, ["fsdp", [1, None]], [None, "data"]]
    assert len(made["sizes"]) == 8 and max(made["sizes"]) < 1.2 * min(made["sizes"])
    assert made["specs"] == [[None, "data"], None]


def test_results_and_other_ops(found: Any) -> None:
    spec, total, chosen = found["pending"]
    assert (spec, total, chosen) == (["data"], 240.0, [5])
    assert found["convolved"] < 1e-5


def test_mistakes_are_told(found: Any) -> None:
    for said, words in zip(
        found["misused"],
        [
            "no dimension of Mesh(data=8)",
            "(6, 8) cannot be divided among 8",
            "more entries",
            "twice",
            "needs 16 devices",
            "positive sizes",
            "takes a Tensor, not ndarray",
        ],
        strict=True,
    ):
        assert words in said


def test_bytes_are_read_from_what_was_compiled() -> None:
    text = """
  %all-reduce.1 = (f32[8,4]{1,0}, bf16[3]{0}) all-reduce(%a, %b), channel_id=1
  ROOT %g = s32[16]{0} all-gather-start(%c), dimensions={0}
  %d = pred[7]{0} all-to-all(%e)
  %h = f32[] add(%i, %j), metadata={op_name="all-reduce("}
"""
    assert collectives_in(text) == {"all-reduce": 134, "all-gather": 64, "all-to-all": 7}


def test_one_device_is_a_mesh_too(programs: Programs) -> None:
    program = programs.start("""
        import numpy as np, megengine.distributed as dist
        from megengine import Tensor
        try:
            dist.shard(Tensor([1.0]), "data")
        except RuntimeError as error:
            print(error)
        dist.mesh(data=1)
        print(dist.spec_of(dist.shard(Tensor(np.ones((2, 3))), None, "data")))
    """)
    out, error = program.communicate(timeout=120)
    first, second = out.splitlines()
    assert first == "there is no mesh: make one first, as in megengine.distributed.mesh(data=-1)", error
    assert second == "(None, 'data')"
