"""The GPU benchmark's training steps written by hand in JAX.

gpu_jax.py NETWORK full|tiny float32|tf32|bf16 default|channels_last
"""

from __future__ import annotations

import sys
from functools import partial

import jax
import jax.numpy as jnp
from blocks import serve
from gpu_sizes import LR, MOMENTUM, SIZES, batch, weight
from jax import lax

NETWORK, HOW_LARGE, PRECISION, LAYOUT = sys.argv[1:]
SIZE = SIZES[NETWORK, HOW_LARGE == "tiny"]
LAST = LAYOUT == "channels_last"
LOW = jnp.bfloat16 if PRECISION == "bf16" else jnp.float32
parameters = {}


def parameter(name, *shape):
    """Declare a parameter."""
    parameters[name] = jnp.asarray(weight(name, shape))


def declare_norm(name, width):
    parameter(f"{name}.weight", width)
    parameter(f"{name}.bias", width)


def declare_linear(name, inputs, outputs):
    parameter(f"{name}.weight", outputs, inputs)
    parameter(f"{name}.bias", outputs)


def linear(p, name, x):
    return x.astype(LOW) @ p[f"{name}.weight"].astype(LOW).T + p[f"{name}.bias"].astype(LOW)


def conv(p, name, x, stride):
    kernel = p[f"{name}.weight"].astype(LOW)
    pad = kernel.shape[2] // 2
    order = ("NHWC", "OIHW", "NHWC") if LAST else ("NCHW", "OIHW", "NCHW")
    return lax.conv_general_dilated(
        x.astype(LOW), kernel, (stride, stride), [(pad, pad)] * 2, dimension_numbers=order
    ).astype(jnp.float32)


def batch_norm(p, name, x):
    axes, shape = ((0, 1, 2), (1, 1, 1, -1)) if LAST else ((0, 2, 3), (1, -1, 1, 1))
    mean = x.mean(axes, keepdims=True)
    var = ((x - mean) ** 2).mean(axes, keepdims=True)
    scale, shift = p[f"{name}.weight"].reshape(shape), p[f"{name}.bias"].reshape(shape)
    return (x - mean) * lax.rsqrt(var + 1e-5) * scale + shift


def layer_norm(p, name, x):
    x = x.astype(jnp.float32)
    centred = x - x.mean(-1, keepdims=True)
    var = (centred**2).mean(-1, keepdims=True)
    return centred * lax.rsqrt(var + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def blocks():
    """Of the ResNet: name, inputs, width, stride."""
    inputs, place = SIZE.width, 4
    for k, depth in enumerate(SIZE.depths):
        for j in range(depth):
            yield f"body.{place}", inputs, SIZE.width << k, 2 if k and not j else 1
            inputs, place = 4 * (SIZE.width << k), place + 1


def declare_resnet():
    parameter("body.0.weight", SIZE.width, 3, 7, 7)
    declare_norm("body.1", SIZE.width)
    last = 0
    for name, inputs, width, _ in blocks():
        last = 4 * width
        for at, (i, o, window) in enumerate([(inputs, width, 1), (width, width, 3), (width, last, 1)]):
            parameter(f"{name}.body.{3 * at}.weight", o, i, window, window)
            declare_norm(f"{name}.body.{3 * at + 1}", o)
        if inputs != last:
            parameter(f"{name}.short.0.weight", last, inputs, 1, 1)
            declare_norm(f"{name}.short.1", last)
    declare_linear("head", last, SIZE.classes)


def resnet(p, x):
    x = x.transpose(0, 2, 3, 1) if LAST else x
    x = jax.nn.relu(batch_norm(p, "body.1", conv(p, "body.0", x, 2)))
    window, stride = ((1, 3, 3, 1), (1, 2, 2, 1)) if LAST else ((1, 1, 3, 3), (1, 1, 2, 2))
    x = lax.reduce_window(x, -jnp.inf, lax.max, window, stride, [(n // 2, n // 2) for n in window])
    for name, inputs, width, step in blocks():
        y = x
        for at, s in enumerate((1, step, 1)):
            y = batch_norm(p, f"{name}.body.{3 * at + 1}", conv(p, f"{name}.body.{3 * at}", y, s))
            y = jax.nn.relu(y) if at < 2 else y
        if inputs != 4 * width:
            x = batch_norm(p, f"{name}.short.1", conv(p, f"{name}.short.0", x, step))
        x = jax.nn.relu(x + y)
    return linear(p, "head", x.mean((1, 2) if LAST else (2, 3)))


def declare_transformer():
    w = SIZE.width
    for k in range(SIZE.depths[0]):
        for name in "norm1", "norm2":
            declare_norm(f"body.{k}.{name}", w)
        for name, inputs, outputs in ("qkv", w, 3 * w), ("out", w, w), ("up", w, 4 * w), ("down", 4 * w, w):
            declare_linear(f"body.{k}.{name}", inputs, outputs)
    declare_linear("head", w, SIZE.classes)


def transformer(p, x):
    n, length, width = x.shape
    size = width // SIZE.heads
    for k in range(SIZE.depths[0]):
        name = f"body.{k}"
        qkv = linear(p, f"{name}.qkv", layer_norm(p, f"{name}.norm1", x)).reshape(n, length, 3, SIZE.heads, size)
        q, k_, v = (qkv[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
        scores = jax.nn.softmax((q @ k_.transpose(0, 1, 3, 2)).astype(jnp.float32) * size**-0.5).astype(LOW)
        x = x + linear(p, f"{name}.out", (scores @ v).transpose(0, 2, 1, 3).reshape(n, length, width))
        up = jax.nn.relu(linear(p, f"{name}.up", layer_norm(p, f"{name}.norm2", x)))
        x = x + linear(p, f"{name}.down", up)
    return linear(p, "head", x.mean(1))


def declare_tutorial():
    declare_linear("hidden", SIZE.length, SIZE.width)
    declare_linear("head", SIZE.width, SIZE.classes)


def tutorial(p, x):
    return linear(p, "head", jax.nn.relu(linear(p, "hidden", x)))


def loss_of(p, x, y):
    scores = jax.nn.log_softmax(NETWORKS[NETWORK][1](p, x).astype(jnp.float32))
    return -jnp.take_along_axis(scores, y[:, None], 1).mean()


@partial(jax.jit, donate_argnums=(0, 1))
def train(p, moments, x, y):
    loss, grads = jax.value_and_grad(loss_of)(p, x, y)
    moments = jax.tree.map(lambda m, g: MOMENTUM * m + g, moments, grads)
    return jax.tree.map(lambda p, m: p - LR * m, p, moments), moments, loss


NETWORKS = {
    "resnet50": (declare_resnet, resnet),
    "transformer": (declare_transformer, transformer),
    "tutorial": (declare_tutorial, tutorial),
}
NETWORKS[NETWORK][0]()
moments = jax.tree.map(jnp.zeros_like, parameters)
inputs, labels = batch(NETWORK, SIZE)


def step():
    global parameters, moments
    parameters, moments, loss = train(parameters, moments, inputs, labels)
    return loss.item()


serve(step, {"losses": [step() for _ in range(3)]}, warm_up=2)
