"""From one dtype to another, with one result in every tier."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

_INT32_BYTES = 4


def convert(x: Any, dtype: Any) -> Any:
    """An array in another dtype; floats out of the range of 8 and 16 bits wrap, as C's conversions do, instead of saturating."""
    dtype = np.dtype(dtype)
    if x.dtype == jnp.bool_ and jnp.issubdtype(dtype, jnp.inexact):
        # XLA makes 0 of the product of a converted False and NaN, but not of that of a choice.
        return lax.select(x, lax.full_like(x, 1, dtype), lax.full_like(x, 0, dtype))
    if jnp.issubdtype(x.dtype, jnp.floating) and dtype.kind in "iu" and dtype.itemsize < _INT32_BYTES:
        x = x.astype(jnp.int32)
    return x.astype(dtype)
