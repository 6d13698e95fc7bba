"""Traced functions in what is copied and pickled."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import megengine.module as M
from megengine import Tensor
from megengine.jit import trace


@trace(symbolic=True)
def doubled(x: Tensor) -> Tensor:
    return x * 2


class Net(M.Module):
    def __init__(self, **options: bool) -> None:
        super().__init__()
        self.fc = M.Linear(2, 2)
        self.run = trace(self.forward, **options)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)

    @trace
    def more(self, x: Tensor) -> Tensor:
        return self.fc(x) + 1


COPIES = [copy.deepcopy, copy.copy, lambda thing: pickle.loads(pickle.dumps(thing))]


@pytest.mark.parametrize("copied", COPIES)
def test_a_function_of_a_module_is_itself(copied: Any) -> None:
    assert copied(doubled) is doubled and copied(Net.more) is Net.more


@pytest.mark.parametrize("copied", [COPIES[0], COPIES[2]])
@pytest.mark.parametrize("options", [{}, {"without_host": True}])
def test_a_method_goes_with_the_copy_of_its_object(copied: Any, options: dict[str, bool]) -> None:
    net, x = Net(**options), Tensor([[1.0, 2.0]])
    before = [net.run(x).numpy() for _ in range(4)][-1]
    other = copied(net)
    np.testing.assert_array_equal(other.run(x).numpy(), before)
    other.fc.weight[:] = 0
    assert not np.array_equal(other.run(x).numpy(), before)
    np.testing.assert_array_equal(other.run(x).numpy(), other.fc.bias.numpy()[None])
    np.testing.assert_array_equal(net.run(x).numpy(), before)
    assert repr(other.run) == repr(net.run)


def test_a_local_function_is_made_again() -> None:
    shift = 3.0
    traced = trace(lambda x: x + shift)
    assert copy.deepcopy(traced)(Tensor([1.0])).item() == 4
