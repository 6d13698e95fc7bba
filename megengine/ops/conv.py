"""Convolutions: of one to three dimensions, transposed, and with untied kernels."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from . import autocast, promote
from .bilinear import convolve, gradients, input_gradient
from .convolve import spread, transposes
from .op import op
from .sizes import reshaped, unbroadcast
from .windows import out_size, windows_of


def promote_conv(name, kinds):
    """Input and kernel meet in a floating dtype; a bias meets their result."""
    meet = promote.float_only(name, kinds[:2])[0]
    return [meet, meet, *(promote.common(name, [meet, k]) for k in kinds[2:])]


def dense(weight, groups):
    """A kernel ``(groups, O / groups, C, ...)`` as ``(O, C, ...)``."""
    return weight if groups == 1 else reshaped(weight, -1, *weight.shape[2:])


def check_kernel(name, x, weight, groups, spatial):
    """Refuse an input or a kernel of other dimensions; returns the kernel's shape as that of a dense one."""
    if x.ndim != spatial + 2:
        raise RuntimeError(f"{name}: the input needs {spatial + 2} dimensions (N, C, ...), it has shape {x.shape}")
    shape = weight.shape
    if groups == 1:
        if len(shape) != spatial + 2:
            raise RuntimeError(f"{name}: the weight needs {spatial + 2} dimensions, it has shape {shape}")
        return shape
    if len(shape) != spatial + 3 or shape[0] != groups:
        raise RuntimeError(
            f"{name}: with groups={groups} the weight needs {spatial + 3} dimensions, the first of size {groups}; "
            f"it has shape {shape}"
        )
    return (shape[0] * shape[1], *shape[2:])


def check_bias(name, bias, shape):
    """Refuse a bias that cannot be added to a result."""
    for b in bias:
        try:
            fits = np.broadcast_shapes(b.shape, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise RuntimeError(f"{name}: a bias of shape {b.shape} does not fit the result of shape {shape}")


def add_bias(y, bias):
    """``y`` with a bias, if there is one, in the bias's dtype: the one both were promoted to."""
    return y.astype(bias[0].dtype) + bias[0] if bias else y


def bilinear(lower, gradients=transposes):
    """The gradient of an op linear in its input and in its kernel, and of a bias that it adds."""

    def grad(operands, out, ct, **attrs):
        x, weight, *bias = operands
        of_bias = [unbroadcast(ct, b.shape) for b in bias]
        if not jnp.issubdtype(x.dtype, jnp.floating):
            return None, None, *of_bias
        return *gradients(lower, x, weight, ct.astype(jnp.result_type(x, weight)), **attrs), *of_bias

    return grad


def _check_conv(x, weight, *bias, stride, padding, dilation, groups):
    spatial = len(stride)
    name = f"conv{spatial}d"
    kernel = check_kernel(name, x, weight, groups, spatial)
    if x.shape[1] != groups * kernel[1]:
        raise RuntimeError(
            f"{name}: an input of shape {x.shape} has {x.shape[1]} channels, a weight of shape {weight.shape} takes "
            f"{groups * kernel[1]}"
        )
    sizes = [out_size(*n) for n in zip(x.shape[2:], kernel[2:], stride, padding, dilation, strict=True)]
    if min(sizes) < 1 or min(kernel[2:]) < 1:
        raise RuntimeError(
            f"{name}: a window of {kernel[2:]} with dilation {dilation} does not fit an input of shape {x.shape} "
            f"with padding {padding}"
        )
    check_bias(name, bias, (x.shape[0], kernel[0], *sizes))


def _conv(x, weight, *, stride, padding, dilation, groups):
    return convolve(x, dense(weight, groups), stride=stride, padding=padding, dilation=dilation, groups=groups)


def _conv_gradients(lower, x, weight, ct, *, groups, **settings):
    dx, dw = gradients(x, dense(weight, groups), ct, groups=groups, **settings)
    return dx, dw.reshape(weight.shape)


@op(promote=promote_conv, check=_check_conv, grad=bilinear(_conv, _conv_gradients), autocast=autocast.low)
def conv(x, weight, *bias, stride, padding, dilation, groups):
    y = _conv(x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups)
    return add_bias(y, bias)


# As in the reference, mixed precision leaves volumes alone.
conv3d = conv.variant(name="conv3d", autocast=None)


def transposed_sizes(sizes, window, stride, padding, dilation, extra):
    """The sizes that a transposed convolution gives."""
    return tuple(
        (n - 1) * s - 2 * p + d * (w - 1) + e + 1
        for n, w, s, p, d, e in zip(sizes, window, stride, padding, dilation, extra, strict=True)
    )


def check_transposed(x, weight, *bias, stride, padding, dilation, extra, groups):
    """Refuse operands of a transposed convolution that do not go together."""
    spatial = len(stride)
    name = f"conv_transpose{spatial}d"
    kernel = check_kernel(name, x, weight, groups, spatial)
    if x.shape[1] != kernel[0]:
        raise RuntimeError(
            f"{name}: an input of shape {x.shape} has {x.shape[1]} channels, a weight of shape {weight.shape} takes {kernel[0]}"
        )
    sizes = transposed_sizes(x.shape[2:], kernel[2:], stride, padding, dilation, extra)
    if min(sizes) < 1 or min(x.shape[2:]) < 1:
        raise RuntimeError(
            f"{name}: nothing of size {sizes} is left of an input of shape {x.shape} with padding {padding}"
        )
    check_bias(name, bias, (x.shape[0], groups * kernel[1], *sizes))


def _promote_transpose(name, kinds):
    """As of a convolution; int8 gives int32, as in the reference."""
    if all(k == np.int8 for k in kinds[:2]):
        return [promote.INT32, promote.INT32, *(promote.common(name, [promote.INT32, k]) for k in kinds[2:])]
    return promote_conv(name, kinds)


def _conv_transpose(x, weight, *, stride, padding, dilation, extra, groups):
    kernel = dense(weight, groups)
    sizes = transposed_sizes(x.shape[2:], kernel.shape[2:], stride, padding, dilation, extra)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return spread(x, kernel, sizes, stride=stride, padding=padding, dilation=dilation, groups=groups)
    shape = (x.shape[0], groups * kernel.shape[1], *sizes)
    return input_gradient(kernel, x, shape=shape, stride=stride, padding=padding, dilation=dilation, groups=groups)


@op(promote=_promote_transpose, check=check_transposed, grad=bilinear(_conv_transpose), autocast=autocast.low)
def conv_transpose(x, weight, *bias, stride, padding, dilation, extra, groups):
    y = _conv_transpose(x, weight, stride=stride, padding=padding, dilation=dilation, extra=extra, groups=groups)
    return add_bias(y, bias)


conv_transpose3d = conv_transpose.variant(name="conv_transpose3d", autocast=None)


def _check_local(x, weight, *bias, stride, padding, dilation):
    if x.ndim != 4 or weight.ndim != 7:
        raise RuntimeError(
            "local_conv2d: the input must be (N, C, H, W) and the weight (groups, OH, OW, C / groups, h, w, O / groups), "
            f"they have shapes {x.shape} and {weight.shape}"
        )
    groups, high, wide, channels, *window, last = weight.shape
    sizes = tuple(out_size(*n) for n in zip(x.shape[2:], window, stride, padding, dilation, strict=True))
    if x.shape[1] != groups * channels or sizes != (high, wide):
        raise RuntimeError(
            f"local_conv2d: an input of shape {x.shape} has {x.shape[1]} channels and windows of {tuple(window)} give {sizes}; "
            f"a weight of shape {weight.shape} takes {groups * channels} channels and gives {(high, wide)}"
        )
    check_bias("local_conv2d", bias, (x.shape[0], groups * last, *sizes))


def _local(x, weight, *, stride, padding, dilation):
    windows = windows_of(x, weight.shape[4:6], stride, padding, dilation)
    windows = reshaped(windows, x.shape[0], weight.shape[0], -1, *windows.shape[2:])
    y = jnp.einsum("ngcyxij,gyxcijo->ngoyx", windows, weight)
    return reshaped(y, x.shape[0], -1, *y.shape[3:])


@op("local_conv2d", promote=promote_conv, check=_check_local, grad=bilinear(_local))
def local_conv(x, weight, *bias, stride, padding, dilation):
    return add_bias(_local(x, weight, stride=stride, padding=padding, dilation=dilation), bias)
