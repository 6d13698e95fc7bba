"""module_stats beyond the golden cases: by hand, layers that MegEngine leaves out, shared parameters, the log, and cost."""

from __future__ import annotations

import collections
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import megengine
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor
from megengine.utils.module_stats import hook_modules, module_stats, register_flops, register_hook_module


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = megengine.get_logger("megengine.utils.module_stats")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def totals(model: M.Module, **kwargs: Any) -> Any:
    return module_stats(model, logging_to_stdout=False, **kwargs)[0]


BY_HAND = [
    # outputs 2 * 8 * 4 * 4, each of 3 * 3 * 3 products and a bias
    (M.Conv2d(3, 8, 3), (2, 3, 6, 6), 256 * 28),
    (M.Conv2d(4, 8, 3, groups=4, bias=False), (1, 4, 5, 5), 72 * 9),
    (M.Conv3d(1, 2, 2), (1, 1, 3, 3, 3), 16 * 9),
    # each of 3 * 3 * 4 elements spreads 2 * 2 * 5 products; a bias for each of 5 * 6 * 6 outputs
    (M.ConvTranspose2d(4, 5, 2, stride=2), (1, 4, 3, 3), 36 * 20 + 180),
    (M.ConvTranspose3d(1, 2, 2), (1, 1, 2, 2, 2), 8 * 16 + 54),
    (M.Linear(5, 3), (7, 5), 7 * 3 * 5 + 3),
    (M.BatchMatMulActivation(2, 3, 4), (2, 3, 4), 2 * 4 * 4 * (3 + 1)),
    (M.AdaptiveAvgPool2d(1), (1, 3, 4, 4), 48),
    # 6 steps of 2 examples; four gates of 5; the second layer's inputs are both directions
    (M.LSTM(3, 5), (6, 2, 3), 12 * 20 * (3 + 5 + 1)),
    (M.RNN(3, 5, num_layers=2, bidirectional=True, bias=False), (6, 2, 3), 12 * 10 * ((3 + 5) + (10 + 5))),
    (M.LSTMCell(3, 5), (2, 3), 2 * 20 * (3 + 5 + 1)),
]


@pytest.mark.parametrize(("module", "shape", "flops"), BY_HAND, ids=lambda x: type(x).__name__)
def test_operations_by_hand(module: M.Module, shape: tuple[int, ...], flops: int) -> None:
    assert totals(module, input_shapes=shape).flops == flops


def test_attention_by_hand() -> None:
    query, key = F.zeros((2, 5, 8)), F.zeros((2, 7, 8))
    four = 2 * 5 * 8 * (8 + 1) * 2 + 2 * 7 * 8 * (8 + 1) * 2
    products = 2 * 2 * 5 * 7 * 8
    assert totals(M.MultiHeadAttention(8, 2), inputs=[query, key, key]).flops == four + products


class Everything(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = M.Embedding(10, 4)
        self.rnn = M.LSTM(4, 4)
        self.scale = Parameter(np.ones(4, np.float32))
        self.unused = M.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(self.embedding(x.astype("int32")))[0] * self.scale


def test_every_parameter_counts_once() -> None:
    found, details = module_stats(Everything(), inputs=np.zeros((3, 2), np.float32), logging_to_stdout=False)
    assert found.param_dims == 40 + 16 * (4 + 4 + 2) + 4 + 10
    names = [row["name"] for row in details.params]
    assert names == ["embedding-w", "rnn._flatten_weights", "scale", "unused-w", "unused-b", "total"]


def test_layers_that_share_or_are_called_twice() -> None:
    first, second = M.Linear(4, 4), M.Linear(4, 4)
    second.weight = first.weight
    net = M.Sequential(first, second, first)
    found, details = module_stats(net, input_shapes=(1, 4), logging_to_stdout=False)
    assert found.param_dims == 16 + 4 + 4 and found.flops == 3 * 20
    assert len(details.flops) == 4


def test_inputs_in_structures() -> None:
    Pair = collections.namedtuple("Pair", ["n", "t"])

    class Net(M.Module):
        def forward(self, a: Any, b: Any, c: Any, d: Any) -> Tensor:
            assert isinstance(b, dict) and isinstance(c, Pair)
            return a[0] + b["k"] + c.n + d

    stats = totals(Net(), inputs=[[1.0], {"k": np.float32(2)}, Pair(3, 4), Tensor([1, 2])])
    assert stats == (0, 0, 0, 0, 0)


def test_modes_and_hooks_are_as_before_even_after_an_error() -> None:
    class Bad(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.frozen = M.Linear(2, 2), M.BatchNorm1d(2)
            self.frozen.eval()

        def forward(self, x: Tensor) -> Tensor:
            assert not self.training
            self.layer(x)
            raise KeyError("bad")

    net = Bad()
    with pytest.raises(KeyError, match="bad"):
        module_stats(net, input_shapes=(1, 2))
    assert net.training and net.layer.training and not net.frozen.training
    assert not net.layer._forward_hooks


def test_shapes_compute_nothing() -> None:
    net = M.Sequential(M.Conv2d(3, 8, 3), M.BatchNorm2d(8), M.ReLU())
    drawn = [p.numpy() for p in net.parameters()]
    with megengine.graph.watch() as seen:
        totals(net, input_shapes=(1, 3, 2000, 2000))
    assert drawn and all(not ran.program.live for ran in seen.ran)
    assert net[1].running_mean.numpy().tolist() == [[[[0.0]]] * 8]


def test_own_layers() -> None:
    class Double(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2

    register_hook_module(Double)
    try:
        register_flops(Double)(lambda module, inputs, outputs: outputs[0].size)
        assert totals(M.Sequential(Double(), Double()), input_shapes=(3, 4))[2:] == (24, 96, 24)
    finally:
        hook_modules.remove(Double)
    for wrong in (3, int, [Double, None]):
        with pytest.raises(TypeError, match="subclasses of Module"):
            register_hook_module(wrong)  # type: ignore[arg-type]
    while Double in hook_modules:
        hook_modules.remove(Double)


def test_what_is_not_wanted_is_left_out(log: list[str]) -> None:
    found, details = module_stats(M.Linear(2, 3), input_shapes=(1, 2), cal_params=False, cal_activations=False)
    assert found == (0, 0, 9, 0, 0) and not details.params and not details.activations
    assert [line.split(":")[0].split("\n")[0] for line in log] == ["flops stats", "summary"]


def test_tables(log: list[str]) -> None:
    module_stats(M.Sequential(M.Linear(2, 3), M.Linear(3, 1)), inputs=np.ones((1, 2), np.float32))
    params, flops, activations, summary = log
    assert flops.splitlines()[1].split() == [
        "name", "class_name", "input_shapes", "output_shapes", "flops", "flops_cum", "percentage", "bar",
    ]  # fmt: skip
    assert flops.splitlines()[3].split("  ")[0] == "0" and flops.splitlines()[-1].startswith("total")
    assert "-w " in params and "mean" in activations and "total_flops" in summary


def test_neither_inputs_nor_shapes() -> None:
    with pytest.raises(ValueError, match="input_shapes"):
        module_stats(M.Linear(2, 2))


def test_half_precision_takes_half_the_bytes() -> None:
    net = M.Linear(2, 4, bias=False)
    net.weight = Parameter(net.weight.astype("float16"))
    found = totals(net, inputs=Tensor(np.ones((1, 2), np.float16)))
    assert found == (16, 8, 8, 8, 4)
