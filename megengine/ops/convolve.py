"""How a convolution is computed: the algorithms, and which one a shape gets."""

from __future__ import annotations

import itertools
from functools import reduce
from math import prod
from operator import add

import jax
import jax.numpy as jnp
from jax import lax

from .loops import map_each
from .sizes import reshaped
from .windows import out_size, padded, placed, taps, trimmed, windows_of

# Beyond these, one convolution a group or one product an element takes longer to compile than it saves.
MOST_SPLIT = 8
MOST_TAPS = 100
# Up to this many, the gradients of depthwise convolutions are as quick to compile written out.
FEW_TAPS = 9
# Elements of all windows up to which it is tried to copy them.
MOST_PATCHES = 1 << 26


def on_cpu(x, kernel, *, algorithm="", **settings):
    """Cross-correlate ``(N, C, *sizes)`` with a kernel ``(O, C / groups, *window)`` by an algorithm for CPUs.

    One of :func:`candidates` may be named; else it is that of :func:`choose`.
    """
    algorithm = ALGORITHMS[algorithm] if algorithm else choose(x.shape, kernel.shape, **settings)
    if x.dtype.itemsize < 4:
        # Sums in float32 whatever the algorithm, as GPUs have them.
        return algorithm(x.astype(jnp.float32), kernel.astype(jnp.float32), **settings).astype(x.dtype)
    return algorithm(x, kernel, **settings)


def written_out(x_shape, kernel_shape, **settings):
    """Whether the gradients of a convolution are better written out than transposed."""
    return choose(x_shape, kernel_shape, **settings) is depthwise and prod(kernel_shape[2:]) > FEW_TAPS


def transposes(lower, x, kernel, ct, **settings):
    """The gradients of what is linear in its input and in its kernel: no more is kept of its forward pass than these."""
    (dx,) = jax.linear_transpose(lambda x: lower(x, kernel, **settings), x)(ct)
    (dw,) = jax.linear_transpose(lambda kernel: lower(x, kernel, **settings), kernel)(ct)
    return dx, dw


def choose(shape, kernel, *, stride, padding, dilation, groups):
    """The algorithm for the CPU, where XLA's own is slow for groups, small windows and small results."""
    if 0 in shape or 0 in kernel:
        return direct
    window = kernel[2:]
    if groups > 1:
        if groups <= MOST_SPLIT and groups < shape[1]:
            return split
        return direct if prod(window) > MOST_TAPS else depthwise if groups == shape[1] else by_tap
    if prod(window) == 1 and not any(padding):
        return pointwise
    axes = list(zip(window, stride, padding, dilation, strict=True))
    # XLA ends the process when it compiles the gradient of some convolutions with such a dimension.
    if (2, 2, 1, 1) in axes:
        return patches
    count = prod(out_size(n, *axis) for n, axis in zip(shape[2:], axes, strict=True))
    return patches if count <= prod(window) else direct


def candidates(shape, kernel, *, stride, padding, dilation, groups):
    """The names of the algorithms that may be worth trying for a shape, that of :func:`choose` first."""
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    found, window = [choose(shape, kernel, **settings)], kernel[2:]
    axes = list(zip(window, stride, padding, dilation, strict=True))
    if groups == 1 and 0 not in shape and 0 not in kernel:
        if (2, 2, 1, 1) not in axes:
            found.append(direct)
        if prod(shape) * prod(window) <= MOST_PATCHES * prod(stride):
            found.append(patches)
    elif 1 < groups == shape[1] and prod(window) <= MOST_TAPS and 0 not in shape:
        found.append(by_tap)
    return list(dict.fromkeys(algorithm.__name__ for algorithm in found))


def direct(x, kernel, *, stride, padding, dilation, groups):
    """XLA's convolution."""
    return lax.conv_general_dilated(
        x, kernel, stride, [(p, p) for p in padding], rhs_dilation=dilation, feature_group_count=groups
    )


def pointwise(x, kernel, *, stride, padding, dilation, groups):
    """A window of one element: a matrix product."""
    for axis, s in enumerate(stride, 2):
        x = lax.slice_in_dim(x, 0, x.shape[axis], s, axis)
    flat = reshaped(x, *x.shape[:2], -1)
    y = jnp.einsum("oc,ncp->nop", kernel.reshape(kernel.shape[:2]), flat)
    return y.reshape(*y.shape[:2], *x.shape[2:])


def patches(x, kernel, *, stride, padding, dilation, groups):
    """All windows in one product of matrices: for few of them, or where they do not overlap."""
    seen = windows_of(x, kernel.shape[2:], stride, padding, dilation)
    first = x.ndim
    contracted = ((1, *range(first, seen.ndim)), tuple(range(1, kernel.ndim)))
    return jnp.moveaxis(lax.dot_general(seen, kernel, (contracted, ((), ()))), -1, 1)


def split(x, kernel, *, stride, padding, dilation, groups):
    """One convolution a group."""
    parts = list(zip(jnp.split(x, groups, 1), jnp.split(kernel, groups, 0), strict=True))
    alone = {"stride": stride, "padding": padding, "dilation": dilation, "groups": 1}
    algorithm = choose(parts[0][0].shape, parts[0][1].shape, **alone)
    return jnp.concatenate([algorithm(p, k, **alone) for p, k in parts], 1)


def _positions(x, kernel, stride, padding, dilation):
    """For each position in the window: the input's elements there, and the kernel's of shape ``(O, C / groups)``."""
    pairs = [(padded(x, padding), kernel)]
    for axis, (size, s, d) in enumerate(zip(kernel.shape[2:], stride, dilation, strict=True), 2):
        pairs = [(tap, k[:, :, i]) for whole, k in pairs for i, tap in enumerate(taps(whole, axis, size, s, d))]
    return pairs


def depthwise(x, kernel, *, stride, padding, dilation, groups):
    """A window of one channel: a product and a sum for each of its elements."""
    many = [1] * len(stride)
    y = reduce(
        add,
        (
            tap[:, :, None] * reshaped(k, groups, -1, *many)
            for tap, k in _positions(x, kernel, stride, padding, dilation)
        ),
    )
    return reshaped(y, y.shape[0], -1, *y.shape[3:])


# The gradients of depthwise convolutions: as many operations as their transposes, in fewer loops, which are quicker to compile.


def depthwise_input_gradient(kernel, ct, *, x_shape, stride, padding, dilation, groups):
    """That of the input of :func:`depthwise`."""
    window, sizes = kernel.shape[2:], ct.shape[2:]
    axes = list(zip(x_shape[2:], window, sizes, stride, padding, dilation, strict=True))
    ends = [(d * (w - 1) - p, n + p - (o - 1) * s - 1, s - 1) for n, w, o, s, p, d in axes]
    wide = ct.astype(jnp.float32)
    around = lax.pad(wide, jnp.zeros((), wide.dtype), [(0, 0, 0), (0, 0, 0), *ends])
    once = [1] * len(window)
    dx = depthwise(
        around,
        jnp.flip(kernel.astype(jnp.float32), range(2, kernel.ndim)),
        stride=once,
        padding=[0] * len(window),
        dilation=dilation,
        groups=ct.shape[1],
    )
    return reshaped(dx, x_shape[0], groups, -1, *x_shape[2:]).sum(2).astype(ct.dtype)


def depthwise_kernel_gradient(x, ct, *, kernel_shape, stride, padding, dilation, groups):
    """That of the kernel of :func:`depthwise`."""
    window, sizes = kernel_shape[2:], ct.shape[2:]
    shares = reshaped(ct.astype(jnp.float32), x.shape[0], groups, -1, *sizes)
    whole = padded(x.astype(jnp.float32), padding)
    spans = [(o - 1) * s + 1 for o, s in zip(sizes, stride, strict=True)]

    def of_element(place):
        starts = [0, 0, *(i * d for i, d in zip(place, dilation, strict=True))]
        seen = lax.dynamic_slice(whole, starts, (*x.shape[:2], *spans))[..., *(slice(None, None, s) for s in stride)]
        return (seen[:, :, None] * shares).sum((0, *range(3, shares.ndim)))

    places = jnp.unravel_index(jnp.arange(prod(window)), window)
    dw = map_each(of_element, places)
    return jnp.moveaxis(dw, 0, -1).reshape(kernel_shape).astype(x.dtype)


def by_tap(x, kernel, *, stride, padding, dilation, groups):
    """A product of matrices, one a group, for each element of the window."""
    y = reduce(
        add,
        (
            jnp.einsum(
                "goc,ngcp->ngop",
                reshaped(k, groups, -1, k.shape[1]),
                reshaped(tap, tap.shape[0], groups, k.shape[1], -1),
            )
            for tap, k in _positions(x, kernel, stride, padding, dilation)
        ),
    )
    sizes = [out_size(*n) for n in zip(x.shape[2:], kernel.shape[2:], stride, padding, dilation, strict=True)]
    return y.reshape(x.shape[0], kernel.shape[0], *sizes)


def spread(x, kernel, sizes, *, stride, padding, dilation, groups):
    """The transpose of a convolution written out, for integers: JAX transposes floating functions only.

    Args:
        x: ``(N, O, ...)``.
        kernel: as of :func:`convolve`, ``(O, C / groups, *window)``.
        sizes: the result's, without padding.
        stride, padding, dilation, groups: of the convolution.
    """
    grouped = reshaped(x, x.shape[0], groups, -1, *x.shape[2:])
    around = [n + 2 * p for n, p in zip(sizes, padding, strict=True)]
    total = jnp.zeros((x.shape[0], groups * kernel.shape[1], *around), x.dtype)
    for place in itertools.product(*map(range, kernel.shape[2:])):
        matrix = reshaped(kernel[(slice(None), slice(None), *place)], groups, -1, kernel.shape[1])
        part = jnp.einsum("goc,ngo...->ngc...", matrix, grouped)
        part = reshaped(part, x.shape[0], -1, *x.shape[2:])
        for k, i in enumerate(place):
            part = placed(part, k + 2, around[k], i * dilation[k], stride[k])
        total = total + part
    return trimmed(total, padding)


ALGORITHMS = {of.__name__: of for of in (direct, pointwise, patches, split, depthwise, by_tap)}
