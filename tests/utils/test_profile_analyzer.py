"""The analysis of profiles, of ours and of MegEngine's graph profiler."""

from __future__ import annotations

import json
import operator
from pathlib import Path

import numpy as np
import pytest

from megengine import Tensor, jit
from megengine.utils.profile_analyzer import NonExistNum, ProfileAnalyzer, TimeFuncHelper
from megengine.utils.profiler import Profiler

THEIRS = {
    "graph_exec": {
        "var": {"10": {"n": "x"}, "11": {"n": "y"}},
        "operator": {
            "1": {"name": "a", "type": "Elemwise", "id": "1", "input": ["10"], "output": ["11"]},
            "2": {"name": "b", "type": "Elemwise", "id": "2", "input": ["11"], "output": ["10"]},
            "3": {"name": "c", "type": "MatrixMul", "id": "3", "input": [], "output": []},
        },
    },
    "profiler": {
        "device": {str(k): {"gpu0": {"start": 0.0, "kern": 0.5 * k, "end": float(k)}} for k in (1, 2, 3)},
        "host": {"1": {"t0": {"start": 1.0, "end": 4.0}}},
        "opr_footprint": {"3": {"computation": 600.0, "memory": 30.0, "in_shapes": [], "out_shapes": []}},
    },
}
DEVICE = TimeFuncHelper.eval_time_func("device", "end", np.max)


def test_megengines_graph_profile() -> None:
    analyzer = ProfileAnalyzer(THEIRS)
    assert [r.info["name"] for r in analyzer.select(DEVICE, sort_by="time", top_k=2)] == ["c", "b"]
    assert [r.time for r in analyzer.select(DEVICE, sort_by="+time")] == [1, 2, 3]
    product = analyzer.select(DEVICE, lambda opr: opr.opr_info["type"] == "MatrixMul")[0]
    assert (product.flops, product.bandwidth, product.opr_id) == (200, 10, 3)
    by_type = analyzer.select(DEVICE, aggregate="sum", aggregate_by="type", sort_by="+time")
    assert [(r.info["type"], r.info["count"], r.time) for r in by_type] == [("Elemwise", 2, 3), ("MatrixMul", 1, 3)]
    (everything,) = analyzer.select(DEVICE, aggregate=np.sum)
    assert everything.time == 6 and repr(everything.flops) == "N/A"
    (host,) = analyzer.select(TimeFuncHelper.eval_time_func("host", "end", np.max))
    assert (host.time, host.info["name"]) == (3, "a")
    assert ProfileAnalyzer(THEIRS, lambda opr, inp, out: bool(inp)).select(DEVICE, aggregate=len)[0].info["count"] == 2


def test_our_files_and_profiles_of_traces(tmp_path: Path) -> None:
    with Profiler(str(tmp_path)) as profiler:
        for _ in range(3):
            (Tensor([1.0, 2.0]) * 3).numpy()
    analyzer = ProfileAnalyzer(json.loads(Path(profiler.path).read_text()))
    (record,) = analyzer.select(TimeFuncHelper.eval_time_func("host", "end", len))
    assert (record.info["type"], record.time) == ("mul", 3)
    (spent,) = analyzer.select(TimeFuncHelper.eval_time_func("host", "end", sum))
    first = analyzer.select(TimeFuncHelper.min_start_func("host", "end", sum))[0].time
    last = analyzer.select(TimeFuncHelper.max_end_func("host", "end", sum))[0].time
    assert 0 < spent.time <= last - first

    traced = jit.trace(lambda x: x * 2, profiling=True)
    traced(Tensor([1.0]))
    assert ProfileAnalyzer(traced.get_profile()).select(TimeFuncHelper.eval_time_func("host", "end", len))[0].time == 1


def test_what_no_profiler_wrote_is_refused() -> None:
    with pytest.raises(ValueError, match="no traceEvents"):
        ProfileAnalyzer({})
    with pytest.raises(ValueError, match="needs aggregate="):
        ProfileAnalyzer(THEIRS).select(DEVICE, aggregate_by="type")


@pytest.mark.parametrize("compare", [operator.gt, operator.ge])
def test_an_unknown_number_is_larger_than_any(compare: operator.gt) -> None:
    unknown = NonExistNum()
    assert compare(unknown, 1e300) and not compare(1, unknown)
    assert (
        sum([unknown, 1]) is unknown and -unknown is unknown and f"{unknown:.2f}" == "N/A" and unknown != NonExistNum()
    )
