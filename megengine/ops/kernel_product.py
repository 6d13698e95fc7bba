"""The gradient of a convolution's kernel as one product of matrices, for arrays with the channels behind the sizes.

Where results have fewer positions, over all images, than channels, the sums are short and libraries for convolutions, which sum
image by image, take longer: 3.1 ms against 1.8 for 16 images of 4 x 4, 256 channels to 512 and windows of 3 x 3 in strides of 2.
Of the largest kernels over the fewest windows XLA's way is faster still, and comes first (``candidates.rather_by_xla``).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .windows import out_size


def better(
    *, x_shape: Sequence[int], kernel_shape: Sequence[int], groups: int, stride: Any, padding: Any, dilation: Any
) -> bool:
    """Whether it is faster so than image by image."""
    window = kernel_shape[2:]
    axes = zip(x_shape[2:], window, stride, padding, dilation, strict=True)
    positions = x_shape[0] * prod(out_size(*axis) for axis in axes)
    return groups == 1 and prod(window) > 1 and positions < kernel_shape[0]


def kernel_gradient(
    x: jax.Array, ct: jax.Array, *, kernel_shape: Sequence[int], stride: Any, padding: Any, dilation: Any
) -> jax.Array:
    """The gradient of a kernel ``(O, C, *window)``.

    Args:
        x: the input, ``(N, *sizes, C)``.
        ct: the gradient of the result, ``(N, *positions, O)``.
        kernel_shape, stride, padding, dilation: of the convolution.
    """
    outputs, channels, *window = kernel_shape
    sizes = ct.shape[1:-1]
    whole = jnp.pad(x, [(0, 0), *((p, p) for p in padding), (0, 0)])
    columns = []
    for tap in np.ndindex(*window):
        first = [t * d for t, d in zip(tap, dilation, strict=True)]
        end = [f + s * (n - 1) + 1 for f, s, n in zip(first, stride, sizes, strict=True)]
        there = lax.slice(whole, [0, *first, 0], [x.shape[0], *end, channels], [1, *stride, 1])
        columns.append(there.reshape(-1, channels))
    product = lax.dot_general(ct.reshape(-1, outputs), jnp.concatenate(columns, 1), (((0,), (0,)), ((), ())))
    return jnp.moveaxis(product.reshape(outputs, -1, channels), 1, 2).reshape(tuple(kernel_shape))
