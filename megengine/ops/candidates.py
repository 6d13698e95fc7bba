"""Ways to compute a convolution in an executable, to be measured: by oneDNN, and by each algorithm for XLA that suits it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import convolve as algorithms
from .convolve_on_cpu import ON_CPU
from .onednn.convolution import Convolution
from .timed import CHOICES, Run

ONEDNN = "onednn"
# From so many kernels on, each of one channel, oneDNN's gradients take 2 to 4 times as long as one product of all windows.
MANY_FILTERS = 1 << 18
_LAYOUT = ("kind", "x_last", "y_last", "after", "dtype")


def chosen(of: Convolution, *, library_too: bool) -> str:
    """The fastest on this machine: :data:`ONEDNN`, or the name of an algorithm of :mod:`megengine.ops.convolve`.

    Args:
        of: the convolution, with its arrays in the layouts in which a network has them.
        library_too: whether oneDNN can be called.
    """
    return CHOICES.choose(f"executable {signature(of)}", candidates(of, library_too=library_too))


def signature(of: Convolution) -> str:
    """A convolution as text."""
    return json.dumps([value for name, value in asdict(of).items() if name != "after"])


def candidates(of: Convolution, *, library_too: bool) -> dict[str, Callable[[], Run]]:
    """What makes each candidate ready, that of the rule first."""
    params = {name: value for name, value in asdict(of).items() if name not in _LAYOUT}
    names = algorithms.candidates(params.pop("x_shape"), params.pop("kernel_shape"), **params)
    by_xla = {name: partial(_by_xla, of, name) for name in names}
    by_library = {ONEDNN: partial(_by_library, of)} if library_too else {}
    return {**by_xla, **by_library} if rather_by_xla(of) else {**by_library, **by_xla}


def rather_by_xla(of: Convolution) -> bool:
    """Whether the rule has XLA compute it: a gradient by a large kernel of few windows, which is mostly moving the kernel."""
    few = prod(of.y_shape[2:]) <= prod(of.kernel_shape[2:])
    large = of.x_shape[1] * of.kernel_shape[0] >= MANY_FILTERS
    return of.kind != "convolve" and of.groups == 1 and few and large and prod(of.kernel_shape[2:]) > 1


def operands(of: Convolution) -> list[np.ndarray]:
    """Random ones, as they lie in memory."""
    rng = np.random.default_rng(0)
    shapes, lasts = of.arrays()
    orders = [(s[0], *s[2:], s[1]) if last else s for s, last in zip(shapes, lasts, strict=True)]
    return [rng.standard_normal(shape, np.float32).astype(of.dtype, copy=False) for shape in orders[:-1]]


def _by_library(of: Convolution) -> Run:
    plan = of.plan()
    if plan is None:
        raise NotImplementedError(f"oneDNN does not compute {of}")
    arrays = operands(of)
    arrays.append(np.empty(of.arrays()[0][-1], of.dtype))
    return partial(_keeping, arrays, partial(plan.run, *(a.ctypes.data for a in arrays)))


def _keeping(arrays: list[np.ndarray], run: Run) -> object:
    """Run what has the addresses of arrays, which are held as long."""
    return run()


def _by_xla(of: Convolution, algorithm: str) -> Run:
    params = {name: value for name, value in asdict(of).items() if name not in _LAYOUT}
    lasts = of.arrays()[1]

    def run(*arrays: Any) -> Any:
        front = [jnp.moveaxis(a, -1, 1) if last else a for a, last in zip(arrays, lasts, strict=False)]
        made = ON_CPU[of.kind](*front, algorithm=algorithm, **params)
        return jnp.moveaxis(made, 1, -1) if lasts[-1] else made

    device = jax.local_devices(backend="cpu")[0]
    arrays = [jax.device_put(a, device) for a in operands(of)]
    compiled = jax.jit(run).lower(*arrays).compile()
    return lambda: jax.block_until_ready(compiled(*arrays))
