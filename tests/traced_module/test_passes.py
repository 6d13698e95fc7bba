"""Optimizations keep what is computed, and take away what they are for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.traced_module as tm
from megengine import Tensor

X = np.random.RandomState(1).randn(2, 4, 6, 6).astype("float32")


class OwnConv(M.Conv2d):
    """Not builtin: traced as a function."""


class OwnNorm(M.BatchNorm2d):
    """Not builtin."""


class Net(M.Module):
    def __init__(self, conv: Any, norm: Any) -> None:
        super().__init__()
        self.conv, self.norm = conv(4, 4, 3, padding=1, groups=2), norm(4)
        self.last, self.other = conv(4, 4, 1, bias=False), norm(4)
        self.scale = Tensor([2.0, 0.5])

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.conv(x))) * self.scale[0]
        z = F.max_pool2d(self.other(self.last(y)), 2) * 3 + 1
        return F.reshape(z * 4, (-1, 4)) / 2


def ready(net: M.Module) -> Any:
    mge.random.seed(5)
    for module in net.modules():
        if isinstance(module, M.BatchNorm2d):
            for tensor, low in (
                (module.running_mean, -1),
                (module.running_var, 0.5),
                (module.weight, -1),
                (module.bias, -1),
            ):
                tensor[...] = mge.random.uniform(low, 2, tensor.shape)
    net.eval()
    return tm.trace_module(net, Tensor(X)), net(Tensor(X)).numpy()


def norms(graph: Any) -> int:
    return graph.get_function_by_type(F.batch_norm).as_count() + graph.get_module_by_type(M.BatchNorm2d).as_count()


def products(graph: Any) -> int:
    return sum(graph.get_method_by_type(name).as_count() for name in ("__mul__", "__truediv__"))


@pytest.mark.parametrize("conv", [M.Conv2d, OwnConv])
@pytest.mark.parametrize("norm", [M.BatchNorm2d, OwnNorm])
@pytest.mark.parametrize("flat", [True, False])
def test_normalizations_go_into_convolutions(conv: Any, norm: Any, flat: bool) -> None:
    traced, expected = ready(Net(conv, norm))
    traced = traced.flatten() if flat else traced
    small = tm.optimize(traced)
    np.testing.assert_allclose(small(Tensor(X)).numpy(), expected, rtol=1e-4, atol=1e-4)
    calls_across_modules = conv is OwnConv or norm is OwnNorm
    assert norms(small.graph) == (0 if flat or not calls_across_modules else 2)
    assert norms(traced.graph) == 2  # the original is as it was
    np.testing.assert_allclose(traced(Tensor(X)).numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("conv", [M.Conv2d, OwnConv])
def test_multiplications_go_into_convolutions(conv: Any) -> None:
    traced, expected = ready(Net(conv, M.BatchNorm2d))
    small = tm.optimize(traced.flatten(), "BackwardFoldScale")
    assert (products(traced.graph), products(small.graph)) == (4, 0)
    np.testing.assert_allclose(small(Tensor(X)).numpy(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("tail", "left"),
    [
        (lambda y: F.exp(y) * 2, 1),  # exp(2 y) is not 2 exp(y)
        (lambda y: F.relu(y) * -2, 1),  # a negative factor does not pass relu
        (lambda y: (y * 2, y * 3), 2),  # two factors
        (lambda y: (y * 2, y), 1),  # who uses the unmultiplied result has to get it
        (lambda y: F.concat([y, y]) * 2, 0),
        (lambda y: -(y * 2), 0),
    ],
)
def test_only_what_may_be_moved_is(tail: Any, left: int) -> None:
    class Small(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = M.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Any:
            return tail(self.conv(x))

    net = Small()
    small = tm.optimize(tm.trace_module(net, Tensor(X)), "BackwardFoldScale")
    assert products(small.graph) == left
    for found, expected in zip(listed(small(Tensor(X))), listed(net(Tensor(X))), strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5, atol=1e-5)


def listed(result: Any) -> list[Tensor]:
    return list(result) if isinstance(result, tuple) else [result]


def test_a_convolution_that_is_called_twice_gets_two_weights() -> None:
    class Shared(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = M.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Any:
            return self.conv(x) * 2 + self.conv(x + 1)

    net = Shared()
    small = tm.optimize(tm.trace_module(net, Tensor(X)), "BackwardFoldScale")
    assert products(small.graph) == 0 and small.graph.get_module_by_type(M.Conv2d).as_count() == 2
    np.testing.assert_allclose(small(Tensor(X)).numpy(), net(Tensor(X)).numpy(), rtol=1e-4, atol=1e-5)


def test_chains_of_numbers_become_short() -> None:
    class Chain(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            return ((2 + (x + 1)) * 4 - 8) / 2 + 1

    small = tm.optimize(tm.trace_module(Chain(), Tensor([1.0])), "FuseAddMul")
    assert [e.method for e in small.graph._exprs] == ["__mul__", "__add__"]
    np.testing.assert_allclose(small(Tensor([3.0])).numpy(), Chain()(Tensor([3.0])).numpy())


def test_other_passes_are_told() -> None:
    with pytest.raises(ValueError, match="FuseConvBn"):
        tm.optimize(tm.trace_module(M.Sequential(M.ReLU()), Tensor([1.0])), "Fuse")
