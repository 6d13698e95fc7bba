"""Making, reshaping, joining, cutting up and picking from tensors."""

from __future__ import annotations

from ._complex import complex, imag, polar, real
from ._creation import (
    arange,
    diag,
    eye,
    full,
    full_like,
    linspace,
    meshgrid,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from ._joining import concat, copy, repeat, roll, split, stack, tile
from ._linalg import cross
from ._picking import cond_take, gather, non_zero, scatter, where
from ._reductions import cumsum
from ._shaping import broadcast_to, expand_dims, flatten, reshape, squeeze, swapaxes, transpose

__all__ = [
    "arange", "linspace", "eye", "diag", "zeros", "zeros_like", "ones", "ones_like", "full", "full_like", "meshgrid",
    "complex", "polar", "real", "imag",
    "reshape", "flatten", "transpose", "swapaxes", "broadcast_to", "expand_dims", "squeeze",
    "concat", "stack", "split", "tile", "repeat", "roll", "copy",
    "gather", "scatter", "where", "cond_take", "non_zero", "cumsum", "cross",
]  # fmt: skip
