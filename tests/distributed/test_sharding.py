"""Dividing tensors among devices changes where numbers are, not what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from megengine.graph.collectives import collectives_in
from tests.processes import Programs, told


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return told(Path(__file__).parent / "sharded.py", tmp_path_factory.mktemp("sharded"))


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
  ROOT %g = s32[16]{0} all-gather(%c), dimensions={0}
  %d = pred[7]{0} all-to-all(%e)
  %h = f32[] add(%i, %j), metadata={op_name="all-reduce("}
"""
    assert collectives_in(text) == {"all-reduce": 134, "all-gather": 64, "all-to-all": 7}


def test_the_operands_of_asynchronous_collectives_are_not_received() -> None:
    """As GPUs have them; there an all-reduce alone gives its results only."""
    text = """
  %ag = (f32[2,4]{1,0}, f32[16,4]{1,0}) all-gather-start(f32[2,4]{1,0} %a), dimensions={0}
  %of = ((f32[2]{0}, bf16[2]{0:T(128)}), (f32[16]{0}, bf16[16]{0:T(128)})) all-gather-start(%b, %c), dimensions={0}
  %ar = (f32[8]{0}, /*index=1*/f32[3]{0}) all-reduce-start(%d, %e), to_apply=%add
  %rs = ((f32[16]{0}), f32[2]{0}) reduce-scatter-start(%f), dimensions={0}
  %cp = (f32[5]{0}, f32[5]{0}, u32[], u32[]) collective-permute-start(%g), source_target_pairs={{0,1}}
  %done = f32[16,4]{1,0} all-gather-done(%ag)
"""
    received = {"all-gather": 256 + 64 + 32, "all-reduce": 44, "reduce-scatter": 8, "collective-permute": 20}
    assert collectives_in(text) == received


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
