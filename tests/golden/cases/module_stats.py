"""What layers cost: operations, parameters and activations as MegEngine counts them, in the rows that it returns."""

from __future__ import annotations

from ..spec import Wrong, case

STATS = """
from megengine.utils.module_stats import module_stats
totals, details = module_stats(filled(%s), %s, logging_to_stdout=False)
def plain(row):
    return {k: float(v) if k == 'flops_num' else str(v) for k, v in sorted(row.items())}
([int(n) for n in totals], totals._fields, details._fields, [[plain(row) for row in rows] for rows in details])
"""
CNN = (
    "M.Sequential(M.Conv2d(3, 4, 3, padding=1), M.BatchNorm2d(4), M.ReLU(), M.MaxPool2d(2), "
    "M.Conv2d(4, 6, 3, groups=2, bias=False), M.AvgPool2d(2))"
)
MLP = "M.Sequential(M.Linear(8, 6), M.ReLU(), M.Linear(6, 5, bias=False), M.LayerNorm(5), M.Linear(5, 3))"


def asked(module: str, arguments: str) -> str:
    return STATS % (module, arguments)


CASES = [
    case(
        "stats",
        [
            asked(CNN, "input_shapes=(2, 3, 8, 8)"),
            asked(CNN, "input_shapes=[(1, 3, 12, 8)], bar_length_max=7"),
            asked(CNN, "inputs=ramp((2, 3, 8, 8))"),
            asked(MLP, "input_shapes=(4, 8)"),
            asked(MLP, "inputs=[ramp((2, 8))]"),
            asked("M.Sequential(M.ConvTranspose2d(3, 4, 3, stride=2), M.GroupNorm(2, 4))", "input_shapes=(1, 3, 5, 5)"),
            asked("M.Sequential(M.Conv1d(3, 4, 3), M.Conv1d(4, 4, 1, bias=False))", "input_shapes=(2, 3, 9)"),
            asked("M.Conv3d(2, 4, 2)", "input_shapes=(2, 2, 4, 4, 4)"),
            asked("M.ReLU()", "input_shapes=(2, 3)"),
            asked(MLP, "input_shapes=(4, 8), cal_flops=False, cal_activations=False"),
        ],
    ),
    case(
        "stats_of_an_adaptive_pool",
        [
            Wrong(
                "from megengine.utils.module_stats import module_stats\n"
                "Tensor(float(module_stats(M.AdaptiveAvgPool2d(2), input_shapes=(1, 3, 8, 6))[0].flops))",
                "windows are taken from the input's size alone",
                right="np.float32(1 * 3 * 2 * 2 * (4 * 3))",
            ),
        ],
    ),
]
