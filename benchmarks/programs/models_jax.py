"""The training steps of models_torch.py, written by hand in JAX: ``models_jax.py mlp|transformer|resnet``.

One jitted function of parameters, Adam's averages and the batch, all but the batch donated. Convolutions have their channels
last, as XLA likes them on CPUs.
"""

from __future__ import annotations

import os
import sys
import time

if "ONE_CORE" in os.environ:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

from functools import partial

import jax
import jax.numpy as jnp
from blocks import serve
from jax import lax
from models import MLP, RESNET, TRANSFORMER, batches, first_losses, weight

RATE, FIRST, SECOND, EPSILON = 1e-3, 0.9, 0.999, 1e-8


def linear(p, name, x):
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def perceptron(p, state, x):
    hidden = jax.nn.relu(linear(p, "first", x))
    return linear(p, "last", jax.nn.relu(linear(p, "second", hidden))), state


def layer_norm(p, name, x):
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    return centred * lax.rsqrt(variance + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def transformer(p, state, x):
    c = TRANSFORMER
    n, t, d, heads = *x.shape, c["width"], c["heads"]
    mask = jnp.triu(jnp.full((t, t), -1e9, "float32"), 1)
    x = p["words.weight"][x] + p["places.weight"]
    for k in range(c["layers"]):
        name = f"blocks.{k}"
        qkv = linear(p, f"{name}.qkv", layer_norm(p, f"{name}.norm1", x)).reshape(n, t, 3, heads, d // heads)
        q, k_, v = qkv.transpose(2, 0, 3, 1, 4)
        scores = q @ k_.swapaxes(2, 3) * (d // heads) ** -0.5 + mask
        mixed = (jax.nn.softmax(scores, -1) @ v).transpose(0, 2, 1, 3).reshape(n, t, d)
        x = x + linear(p, f"{name}.out", mixed)
        up = jax.nn.gelu(linear(p, f"{name}.up", layer_norm(p, f"{name}.norm2", x)), approximate=False)
        x = x + linear(p, f"{name}.down", up)
    return linear(p, "head", layer_norm(p, "norm", x)).reshape(-1, c["words"]), state


def conv(p, name, x, stride):
    kernel = p[f"{name}.weight"].transpose(2, 3, 1, 0)
    around = (kernel.shape[0] // 2,) * 2
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), (around, around), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def batch_norm(p, old, new, name, x):
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    count = x.size // x.shape[-1]
    for key, value in (("mean", mean), ("var", variance * count / (count - 1))):
        new[f"{name}.{key}"] = 0.9 * old[f"{name}.{key}"] + 0.1 * value
    scaled = (x - mean) * lax.rsqrt(variance + 1e-5)
    return scaled * p[f"{name}.weight"] + p[f"{name}.bias"]


def resnet(p, state, x):
    new = dict(state)
    norm = partial(batch_norm, p, state, new)
    x = jax.nn.relu(norm("norm", conv(p, "conv", x.transpose(0, 2, 3, 1), 2)))
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0)))
    for name, inputs, outputs in residuals():
        stride = 1 + (inputs != outputs)
        y = jax.nn.relu(norm(f"{name}.norm1", conv(p, f"{name}.conv1", x, stride)))
        y = norm(f"{name}.norm2", conv(p, f"{name}.conv2", y, 1))
        short = norm(f"{name}.norm3", conv(p, f"{name}.conv3", x, stride)) if inputs != outputs else x
        x = jax.nn.relu(y + short)
    return linear(p, "head", x.mean((1, 2))), new


def residuals():
    widths = [64] + [64 << k for k, n in enumerate(RESNET["depths"]) for _ in range(n)]
    return [(f"blocks.{k}", a, b) for k, (a, b) in enumerate(zip(widths, widths[1:], strict=False))]


def linears(*sizes):
    """Shapes of linear layers' parameters, of their name, inputs and outputs."""
    for name, inputs, outputs in sizes:
        yield f"{name}.weight", (outputs, inputs)
        yield f"{name}.bias", (outputs,)


def norms(*sizes):
    for name, width in sizes:
        yield f"{name}.weight", (width,)
        yield f"{name}.bias", (width,)


def shapes(task):
    """Those of all parameters, by name."""
    if task == "mlp":
        hidden = MLP["hidden"]
        layers = ("first", MLP["features"], hidden), ("second", hidden, hidden), ("last", hidden, MLP["classes"])
        return dict(linears(*layers))
    if task == "transformer":
        c, d = TRANSFORMER, TRANSFORMER["width"]
        found = {"words.weight": (c["words"], d), "places.weight": (c["length"], d)}
        for k in range(c["layers"]):
            name = f"blocks.{k}"
            sizes = ("qkv", d, 3 * d), ("out", d, d), ("up", d, 4 * d), ("down", 4 * d, d)
            found |= linears(*((f"{name}.{layer}", a, b) for layer, a, b in sizes))
            found |= norms((f"{name}.norm1", d), (f"{name}.norm2", d))
        return found | dict(norms(("norm", d))) | dict(linears(("head", d, c["words"])))
    found = {"conv.weight": (64, 3, 7, 7)} | dict(norms(("norm", 64)))
    for name, inputs, outputs in residuals():
        found[f"{name}.conv1.weight"] = (outputs, inputs, 3, 3)
        found[f"{name}.conv2.weight"] = (outputs, outputs, 3, 3)
        found |= norms((f"{name}.norm1", outputs), (f"{name}.norm2", outputs))
        if inputs != outputs:
            found[f"{name}.conv3.weight"] = (outputs, inputs, 1, 1)
            found |= norms((f"{name}.norm3", outputs))
    return found | dict(linears(("head", 512, RESNET["classes"])))


def make_step(task):
    """A function that trains on the next batch and returns the loss."""
    forward = {"mlp": perceptron, "transformer": transformer, "resnet": resnet}[task]
    sizes = shapes(task)
    params = {name: jnp.asarray(weight(name, shape)) for name, shape in sizes.items()}
    state = {}
    for name, shape in sizes.items():
        if task == "resnet" and "norm" in name and name.endswith("weight"):
            state[name.replace("weight", "mean")], state[name.replace("weight", "var")] = (
                jnp.zeros(shape),
                jnp.ones(shape),
            )

    def loss_of(params, state, x, y):
        scores, state = forward(params, state, x)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], 1)
        return -chosen.mean(), state

    @partial(jax.jit, donate_argnums=(0, 1, 2, 3))
    def train(params, state, averages, squares, count, x, y):
        (loss, state), grads = jax.value_and_grad(loss_of, has_aux=True)(params, state, x, y)
        averages = jax.tree.map(lambda m, g: FIRST * m + (1 - FIRST) * g, averages, grads)
        squares = jax.tree.map(lambda v, g: SECOND * v + (1 - SECOND) * g * g, squares, grads)

        def update(p, m, v):
            return p - RATE * (m / (1 - FIRST**count)) / (jnp.sqrt(v / (1 - SECOND**count)) + EPSILON)

        return jax.tree.map(update, params, averages, squares), state, averages, squares, loss

    zeros = partial(jax.tree.map, jnp.zeros_like)
    held = [params, state, zeros(params), zeros(params)]
    source, count = batches(task), 0

    def step():
        nonlocal held, count
        count += 1
        *held, loss = train(*held, float(count), *next(source))
        return loss.item()

    return step


if __name__ == "__main__":
    step = make_step(sys.argv[1])
    clock = time.process_time if "ONE_CORE" in os.environ else time.perf_counter
    serve(step, first_losses(step), warm_up=3, clock=clock)
