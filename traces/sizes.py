"""Tensors of sizes that differ between the runs of a program, so that each size becomes a symbol of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

import megengine as mge
import megengine.functional as F
from megengine import Tensor
from megengine.autodiff import GradManager

# The sizes of each run. Within a run they are all different: equal ones would be taken for one symbol.
RUNS = ((6, 10, 14, 22, 26), (12, 20, 28, 44, 34))
Program = Callable[[int], None]


def shape(k: int, spec: str) -> tuple[int, ...]:
    """A shape from text: a letter for each size of the run, a digit for itself; ``"ab1"`` is ``(6, 10, 1)`` in the first run."""
    return tuple(int(c) if c.isdigit() else RUNS[k]["abcde".index(c)] for c in spec)


def tensor(k: int, spec: str, dtype: str = "float32") -> Tensor:
    """A tensor of such a shape, with values between 0.1 and 0.9, or integers from 0 to 3."""
    rng = np.random.default_rng(0)
    of = shape(k, spec)
    values = rng.uniform(0.1, 0.9, of) if dtype.startswith(("float", "bfloat")) else rng.integers(0, 4, of)
    return mge.tensor(values.astype("float32"), dtype=dtype) if dtype != "bool" else mge.tensor(values > 1)


def call(function: Callable[..., object], operands: Sequence[Tensor], wrt: Sequence[int] = ()) -> None:
    """Compute a function's value and the gradients of some of its operands.

    Args:
        function: gives a tensor or a tuple of them.
        operands: what it takes.
        wrt: the operands to differentiate.
    """
    if not wrt:
        _read(function(*operands))
        return
    manager = GradManager().attach([operands[k] for k in wrt])
    with manager:
        found = function(*operands)
        several = found if isinstance(found, (tuple, list)) else (found,)
        manager.backward(F.add(*map(F.sum, several)) if len(several) == 2 else F.sum(several[0]))
    _read([operands[k].grad for k in wrt])


def _read(found: object) -> None:
    if isinstance(found, (tuple, list)):
        for one in found:
            _read(one)
    elif isinstance(found, Tensor):
        found.numpy()
