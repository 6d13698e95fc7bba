"""Results that fill the memory several times over are refused at the line that asks for them, not by what runs it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
from megengine import Tensor
from megengine.graph.located import located

MANY = 10**7


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.zeros((MANY, MANY)),
        lambda x: F.eye(MANY),
        lambda x: F.arange(10**14),
        lambda x: F.broadcast_to(x, (MANY, MANY)),
        lambda x: F.repeat(F.tile(x, 100), 10**12),
        lambda x: F.matmul(F.ones((MANY, 1)), F.ones((1, MANY))),
        lambda x: F.ones((MANY, 1)) + F.ones((1, MANY)),
        lambda x: F.nn.one_hot(Tensor([1, 2]), 10**15),
        lambda x: F.nn.pad(x.reshape(1, 1), ((0, MANY), (0, MANY))),
        lambda x: F.vision.interpolate(x.reshape(1, 1, 1, 1), (MANY // 10, MANY // 10)),
        lambda x: mge.random.normal(size=(MANY, MANY)),
        lambda x: mge.random.uniform(size=(1e30, 2)),
    ],
)
def test_it_is_refused_at_once(call: Callable[[Tensor], Tensor]) -> None:
    x = Tensor([1.0])
    with pytest.raises(MemoryError, match=r"takes .*iB, this machine has"):
        call(x)
    assert (x + 1).item() == 2  # what is recorded next does not know of it
    assert np.isfinite(mge.random.normal(size=3).numpy()).all()


def test_xla_without_memory_is_a_memory_error() -> None:
    error = located(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 4000000000000 bytes."), None, [])  # type: ignore[arg-type]
    assert type(error) is MemoryError and "allocating 4000000000000 bytes" in str(error)
