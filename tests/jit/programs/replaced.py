"""Modules and parameters that are replaced, and settings of theirs."""

from __future__ import annotations

from typing import Any

import numpy as np

import megengine.module as M
from megengine import Parameter, Tensor
from megengine.autodiff import GradManager

from .program import CALLS, Wrap, one, program


def network() -> M.Module:
    net = M.Sequential(M.Linear(2, 2), M.ReLU(), M.Linear(2, 1))
    for k, p in enumerate(net.parameters()):
        p[...] = np.full(p.shape, 0.1 * (k + 1), np.float32)
    return net


ROW = np.float32([[1.0, 2.0]])


@program
def a_replaced_parameter(wrap: Wrap) -> Any:
    net = network()
    f = wrap(lambda x: net(x))
    seen = []
    for k in range(CALLS):
        if k % 4 == 3:
            net[2].weight = Parameter(np.full((1, 2), float(k), np.float32))
        seen.append(round(f(Tensor(ROW)).item(), 4))
    return seen


@program
def a_replaced_module(wrap: Wrap) -> Any:
    net = network()
    f = wrap(lambda x: net(x))
    seen = []
    for k in range(CALLS):
        if k == 4:
            net[1] = M.Sigmoid()
        if k == 7:
            net[2] = M.Identity()
        seen.append(np.round(f(Tensor(ROW)).numpy(), 4).tolist())
    return seen


@program
def a_replaced_model(wrap: Wrap) -> Any:
    net = network()
    f = wrap(lambda x: net(x) * 2)
    seen = []
    for k in range(CALLS):
        if k == 5:
            net = M.Linear(2, 1, bias=False)
            net.weight[...] = ROW
        seen.append(round(f(Tensor(ROW)).item(), 4))
    return seen


@program
def a_module_added_to_a_list(wrap: Wrap) -> Any:
    class Net(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [M.Identity()]

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = layer(x) * 2
            return x

    net = Net()
    f = wrap(net)
    seen = []
    for k in range(CALLS):
        if k in (4, 6):
            net.layers.append(M.Sigmoid())
        seen.append(round(f(one()).item(), 5))
    return seen


@program
def a_training_flag(wrap: Wrap) -> Any:
    bn = M.BatchNorm1d(2)
    f = wrap(lambda x: bn(x).sum(axis=0))
    seen = []
    for k in range(CALLS):
        bn.train(k not in (4, 5, 8))
        data = Tensor(np.float32([[k, 1.0], [2.0, 3.0], [0.0, -k]]))
        seen.append((np.round(f(data).numpy(), 4).tolist(), np.round(bn.running_mean.numpy(), 4).tolist()))
    return seen


@program
def a_hook(wrap: Wrap) -> Any:
    net = M.Identity()
    f = wrap(lambda x: net(x) + 1)
    seen = []
    for k in range(CALLS):
        if k == 4:
            handle = net.register_forward_hook(lambda module, inputs, outputs: outputs * 10)
        if k == 7:
            handle.remove()
        seen.append(f(one()).item())
    return seen


@program
def an_attached_tensor(wrap: Wrap) -> Any:
    p, q = Parameter([1.0]), Parameter([2.0])
    gm = GradManager().attach([p])

    @wrap
    def f(x: Tensor) -> Tensor:
        p.grad = q.grad = None
        with gm:
            loss = (p * q * x).sum()
            gm.backward(loss)
        return loss

    seen = []
    for k in range(CALLS):
        if k == 5:
            gm.attach([q])
        seen.append((f(one(k)).item(), p.grad.item(), q.grad is not None and q.grad.item()))
    return seen
