"""JAX's loops and branches, which stay such in operators, although those are traced without the jits of :mod:`jax.numpy`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import jax
from jax import lax

P = ParamSpec("P")
R = TypeVar("R")


def _kept(control: Callable[P, R]) -> Callable[P, R]:
    @wraps(control)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.disable_jit(False):  # else they are unrolled, or taken at once
            return control(*args, **kwargs)

    return run


cond = _kept(lax.cond)
fori_loop = _kept(lax.fori_loop)
map_each = _kept(lax.map)
scan = _kept(lax.scan)
while_loop = _kept(lax.while_loop)
