"""Typical user code; ``assert_type`` states what a type checker has to make of it."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np

import megengine as mge
import megengine.data as data
import megengine.functional as F
import megengine.module as M
import megengine.optimizer as optim
from megengine import Parameter, Tensor
from megengine.autodiff import GradManager
from megengine.jit import trace

# tensors
x = mge.tensor([[1.0, 2.0], [3.0, 4.0]])
assert_type(x, Tensor)
assert_type(mge.Tensor(np.ones(3)), Tensor)
p = mge.Parameter([1.0])
assert_type(p, Parameter)
assert_type(x.shape, tuple[int, ...])
assert_type(x.numpy(), np.ndarray)

# operators
assert_type(x + 1, Tensor)
assert_type(1 - x, Tensor)
assert_type(x * x, Tensor)
assert_type(x / 2.0, Tensor)
assert_type(x // 2, Tensor)
assert_type(x % 2, Tensor)
assert_type(x**2, Tensor)
assert_type(2**x, Tensor)
assert_type(x @ x, Tensor)
assert_type(-x, Tensor)
assert_type(abs(x), Tensor)
assert_type(x == 1, Tensor)
assert_type(x != x, Tensor)
assert_type(x < 2, Tensor)
assert_type((x > 1) & (x < 3), Tensor)
assert_type(~(x > 1), Tensor)
assert_type(x[0], Tensor)
assert_type(x[:, None, ...], Tensor)
x += 1
assert_type(x, Tensor)
x[0] = 1.0
assert_type(float(x.sum()), float)
assert_type(len(x), int)
assert_type(bool(x.sum() > 0), bool)

# methods
assert_type(x.reshape(-1), Tensor)
assert_type(x.sum(axis=0), Tensor)
assert_type(x.mean(), Tensor)
assert_type(x.astype("int32"), Tensor)
assert_type(x.transpose(1, 0), Tensor)
assert_type(x.T, Tensor)
assert_type(x.detach(), Tensor)
assert_type(x.to("cpu0"), Tensor)
assert_type(x.grad, Tensor | None)
for row in x:
    assert_type(row, Tensor)

# functions
assert_type(F.relu(x), Tensor)
assert_type(F.concat([x, x]), Tensor)
assert_type(F.nn.cross_entropy(x, mge.tensor([0, 1])), Tensor)
assert_type(F.matmul(x, x), Tensor)
assert_type(F.argmax(x, axis=1), Tensor)
assert_type(F.topk(x, 1), tuple[Tensor, Tensor])
assert_type(F.split(x, 2), tuple[Tensor, ...])
assert_type(F.vision.interpolate(x.reshape(1, 1, 2, 2), scale_factor=2), Tensor)
assert_type(mge.random.normal(0, 1, (2, 3)), Tensor)


# modules
class Net(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = M.Linear(2, 3)
        self.act = M.ReLU()

    def forward(self, inp: Tensor) -> Tensor:
        return self.act(self.fc(inp))


net = Net()
assert_type(net(x), Tensor)
assert_type(M.Linear(2, 3)(x), Tensor)
assert_type(net.fc.weight, Parameter)
assert_type(list(net.parameters()), list[Parameter])
assert_type(net.train(), None)

# training
gm = GradManager().attach(net.parameters())
assert_type(gm, GradManager)
opt = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
with gm:
    loss = F.nn.cross_entropy(net(x), mge.tensor([0, 1]))
    gm.backward(loss)
assert_type(opt.step(), optim.SGD)
assert_type(loss.item(), Any)


# traced functions and decorators with arguments
@trace
def double(inp: Tensor) -> Tensor:
    return inp * 2


@trace(symbolic=True, without_host=True)
def scale(inp: Tensor, factor: float = 2.0) -> tuple[Tensor, Tensor]:
    return inp * factor, inp


assert_type(double(x), Tensor)
assert_type(scale(x, factor=3.0), tuple[Tensor, Tensor])


@mge.amp.autocast(low_prec_dtype="bfloat16")
def low(inp: Tensor) -> Tensor:
    return inp * 2


assert_type(low(x), Tensor)
with mge.amp.autocast():
    pass


# data
class Pairs(data.dataset.Dataset):
    def __init__(self) -> None:
        super().__init__()

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.ones(2, np.float32), index

    def __len__(self) -> int:
        return 4


loader = data.DataLoader(Pairs(), sampler=data.SequentialSampler(Pairs(), batch_size=2))
for batch in loader:
    assert_type(batch, Any)
assert_type(len(loader), int)
