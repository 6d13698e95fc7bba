"""The op sweep's cases: what each contender calls, as text, on inputs that all make alike.

``x`` and ``y`` are float32 of the case's shape, ``p`` is positive, ``r`` one row, ``w`` a square weight, ``i`` row numbers,
``c`` class numbers, ``m`` bools. Cases with ``grad`` are differentiated with respect to ``x``.
"""

from __future__ import annotations

import numpy as np

SIZES = {"small": (32, 64), "large": (512, 1024)}

# name: (this package, PyTorch, JAX, differentiable)
CASES = {
    "exp": ("F.exp(x)", "torch.exp(x)", "jnp.exp(x)", True),
    "log": ("F.log(p)", "torch.log(p)", "jnp.log(p)", False),
    "sqrt": ("F.sqrt(p)", "torch.sqrt(p)", "jnp.sqrt(p)", False),
    "abs": ("F.abs(x)", "torch.abs(x)", "jnp.abs(x)", True),
    "sigmoid": ("F.sigmoid(x)", "torch.sigmoid(x)", "jax.nn.sigmoid(x)", True),
    "tanh": ("F.tanh(x)", "torch.tanh(x)", "jnp.tanh(x)", True),
    "relu": ("F.relu(x)", "torch.relu(x)", "jax.nn.relu(x)", True),
    "gelu": ("F.gelu(x)", "tf.gelu(x)", "jax.nn.gelu(x, approximate=False)", True),
    "silu": ("F.silu(x)", "tf.silu(x)", "jax.nn.silu(x)", True),
    "add": ("x + y", "x + y", "x + y", True),
    "add a row": ("x + r", "x + r", "x + r", True),
    "mul": ("x * y", "x * y", "x * y", True),
    "div": ("x / p", "x / p", "x / p", True),
    "pow": ("p ** 2.5", "p ** 2.5", "p ** 2.5", False),
    "maximum": ("F.maximum(x, y)", "torch.maximum(x, y)", "jnp.maximum(x, y)", True),
    "greater": ("x > y", "x > y", "x > y", False),
    "where": ("F.where(m, x, y)", "torch.where(m, x, y)", "jnp.where(m, x, y)", True),
    "clip": ("F.clip(x, -0.5, 0.5)", "torch.clamp(x, -0.5, 0.5)", "jnp.clip(x, -0.5, 0.5)", True),
    "cast to int": ("x.astype('int32')", "x.to(torch.int32)", "x.astype('int32')", False),
    "sum": ("F.sum(x)", "x.sum()", "x.sum()", True),
    "sum of columns": ("F.sum(x, 0)", "x.sum(0)", "x.sum(0)", True),
    "sum of rows": ("F.sum(x, 1)", "x.sum(1)", "x.sum(1)", True),
    "mean": ("F.mean(x, 1)", "x.mean(1)", "x.mean(1)", True),
    "max of rows": ("F.max(x, 1)", "x.amax(1)", "x.max(1)", True),
    "argmax": ("F.argmax(x, 1)", "x.argmax(1)", "x.argmax(1)", False),
    "var": ("F.var(x, 1)", "x.var(1, unbiased=False)", "x.var(1)", True),
    "prod": ("F.prod(x, 1)", "x.prod(1)", "x.prod(1)", True),
    "norm": ("F.norm(x, 2, 1)", "torch.linalg.vector_norm(x, 2, 1)", "jnp.linalg.norm(x, 2, 1)", True),
    "softmax": ("F.softmax(x, 1)", "torch.softmax(x, 1)", "jax.nn.softmax(x, 1)", True),
    "logsoftmax": ("F.logsoftmax(x, 1)", "torch.log_softmax(x, 1)", "jax.nn.log_softmax(x, 1)", True),
    "logsumexp": ("F.logsumexp(x, 1)", "torch.logsumexp(x, 1)", "jax.nn.logsumexp(x, 1)", True),
    "layer_norm": (
        "F.layer_norm(x, (x.shape[1],), False)",
        "tf.layer_norm(x, (x.shape[1],))",
        "(x - x.mean(1, keepdims=True)) * jax.lax.rsqrt(x.var(1, keepdims=True) + 1e-5)",
        True,
    ),
    "cross_entropy": (
        "F.nn.cross_entropy(x, c)",
        "tf.cross_entropy(x, c)",
        "-jnp.take_along_axis(jax.nn.log_softmax(x), c[:, None], 1).mean()",
        True,
    ),
    "matmul": ("F.matmul(x, w)", "x @ w", "x @ w", True),
    "transpose": ("F.transpose(x, (1, 0)) + 0", "x.t().contiguous()", "x.T + 0", True),
    "concat": ("F.concat([x, y], 1)", "torch.cat([x, y], 1)", "jnp.concatenate([x, y], 1)", True),
    "stack": ("F.stack([x, y])", "torch.stack([x, y])", "jnp.stack([x, y])", True),
    "pad": ("F.nn.pad(x, ((1, 1), (2, 2)))", "tf.pad(x, (2, 2, 1, 1))", "jnp.pad(x, ((1, 1), (2, 2)))", True),
    "roll": ("F.roll(x, 3, 1)", "x.roll(3, 1)", "jnp.roll(x, 3, 1)", True),
    "slice": ("x[:, ::2] * 2", "x[:, ::2] * 2", "x[:, ::2] * 2", True),
    "rows by index": ("x[i]", "x[i]", "x[i]", True),
    "gather": ("F.gather(x, 1, g)", "x.gather(1, g)", "jnp.take_along_axis(x, g, 1)", True),
    "one_hot": ("F.one_hot(c, 64)", "tf.one_hot(c, 64)", "jax.nn.one_hot(c, 64)", False),
    "cumsum": ("F.cumsum(x, 1)", "x.cumsum(1)", "x.cumsum(1)", True),
    "sort": ("F.sort(x)[0]", "x.sort()[0]", "jnp.sort(x)", True),
    "topk": ("F.topk(x, 5, True)[0]", "x.topk(5)[0]", "jax.lax.top_k(x, 5)[0]", True),
}  # fmt: skip


def inputs(size: str, count: int) -> dict[str, list[np.ndarray]]:
    """``count`` arrays of each kind; x and p differ from call to call, the others are shared."""
    rows, columns = SIZES[size]
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    shared = {
        "y": normal(rows, columns),
        "r": normal(columns),
        "w": normal(columns, columns),
        "i": rng.integers(0, rows, rows).astype(np.int32),
        "c": rng.integers(0, 64, rows).astype(np.int32),
        "g": rng.integers(0, columns, (rows, columns)).astype(np.int32),
        "m": rng.random((rows, columns)) < 0.5,
    }
    xs = [normal(rows, columns) for _ in range(count)]
    return {"x": xs, "p": [np.abs(x) + 0.5 for x in xs], **{name: [array] * count for name, array in shared.items()}}
