"""Functions of tensors, each alone, at the numbers of dimensions that programs use them with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import megengine as mge
import megengine.functional as F

from .sizes import Program, call, shape, tensor

RANKS = "", "a", "ab", "abc", "abcd"
UNARY = (
    F.relu, F.sigmoid, F.tanh, F.exp, F.log, F.sqrt, F.abs, F.square, F.sin, F.cos, F.nn.gelu, F.nn.silu, F.nn.relu6,
    F.nn.hswish, F.nn.hsigmoid, F.nn.leaky_relu, F.nn.softplus, F.nn.logsigmoid, lambda x: -x, lambda x: x**2, lambda x: x**0.5,
    lambda x: x + 1, lambda x: x + 1.5, lambda x: 1 + x, lambda x: 1.5 + x, lambda x: x - 1, lambda x: x - 0.5, lambda x: 1 - x, lambda x: 1.5 - x,
    lambda x: x * 2, lambda x: x * 0.5, lambda x: 2 * x, lambda x: 0.5 * x, lambda x: x / 2, lambda x: x / 0.5, lambda x: 2 / x, lambda x: 0.5 / x,
    lambda x: F.clip(x, 0.2, 0.8), lambda x: F.maximum(x, 0.5), lambda x: F.minimum(x, 0.5), lambda x: x.detach(),
    F.copy, lambda x: x.reshape(-1), F.mean, F.sum,
)  # fmt: skip
UNDIFFERENTIATED: tuple[Callable[[Any], Any], ...] = (
    F.floor, F.ceil, F.round, F.sign, F.isnan, F.zeros_like, F.ones_like, lambda x: x > 0.5, lambda x: x < 0.5, lambda x: x >= 0.5,
    lambda x: x <= 0.5, lambda x: x == 0.5, lambda x: x != 0.5, lambda x: x.astype("int32"), lambda x: x.astype("float16"),
    lambda x: x.astype("bool"), F.max, F.min, lambda x: F.full_like(x, 0.5), lambda x: x.astype("uint8"), lambda x: (x > 0.5).astype("float32"),
    lambda x: (x * 3).astype("int32") + 1, lambda x: x.astype("int32") == 1, lambda x: x.astype("int32").astype("float32"),
    lambda x: (x > 0.5).sum(), lambda x: F.logical_and(x > 0.2, x < 0.8), lambda x: F.logical_not(x > 0.5),
)  # fmt: skip
BINARY = (
    F.add, F.sub, F.mul, F.div, F.maximum, F.minimum, F.pow, lambda a, b: F.where(a > 0.5, a, b), lambda a, b: a * b + 1,
)  # fmt: skip
COMPARED = F.equal, F.not_equal, F.greater, F.less, F.greater_equal, F.less_equal
PAIRS = (
    ("", ""), ("a", "a"), ("ab", "ab"), ("abc", "abc"), ("abcd", "abcd"), ("a", ""), ("ab", ""), ("abc", ""), ("abcd", ""),
    ("ab", "b"), ("abc", "c"), ("ab", "a1"), ("ab", "1b"), ("abc", "ab1"), ("abc", "bc"), ("abc", "1bc"), ("abc", "a1c"), ("abcd", "1b11"),
    ("abcd", "ab11"), ("abcd", "a11d"), ("abcd", "11cd"), ("abcd", "a1cd"), ("ab1", "a1c"), ("a1", "1b"), ("1b", "1b"), ("1", "1"),
    ("abcd", "d"), ("abcd", "cd"), ("a111", "abcd"), ("a111", "a111"),
    ("ab11", "ab11"), ("abcd", "bcd"), ("ab1", "ab1"), ("a1", "a1"), ("1bcd", "1bcd"), ("1bc", "1bc"),
)  # fmt: skip
REDUCTIONS = F.sum, F.mean, F.max, F.min, F.prod, F.var, F.std, F.logsumexp, F.argmax, F.argmin, F.norm
ARG = F.argmax, F.argmin


def _run(function: Callable[..., Any], specs: tuple[str, ...], wrt: tuple[int, ...], k: int) -> None:
    call(function, [tensor(k, spec) for spec in specs], wrt)


def elementwise() -> Iterator[Program]:
    """Of one tensor, and of two, some of which are broadcast."""
    for spec in (*RANKS, "abcde", "1", "1b", "1bc", "1bcd", "11c", "1b11", "ab11", "a111"):
        for function in UNARY:
            yield partial(_run, function, (spec,), ())
            yield partial(_run, function, (spec,), (0,))
        for function in UNDIFFERENTIATED:
            yield partial(_run, function, (spec,), ())
    for pair in PAIRS:
        for binary in BINARY:
            for specs in {pair, pair[::-1]}:
                for wrt in ((), (0,), (1,), (0, 1)):
                    yield partial(_run, binary, specs, wrt)
        for binary in COMPARED:
            yield partial(_run, binary, pair, ())


def reductions() -> Iterator[Program]:
    """Over each axis, over several, and over all."""
    for spec in RANKS[1:]:
        axes: list[Any] = [
            None,
            *range(len(spec)),
            -1,
            *([(2, 3), (0, 2, 3)] if len(spec) == 4 else [(1, 2)] if len(spec) == 3 else []),
        ]
        for function in REDUCTIONS:
            for axis in axes:
                if (
                    (isinstance(axis, tuple)
                    and function in (*ARG, F.norm))
                    or (axis is None
                    and function in (F.logsumexp, F.norm))
                ):
                    continue
                for keepdims in (False, True) if axis is not None else (False,):
                    wrts: tuple[tuple[int, ...], ...] = ((),) if function in ARG else ((), (0,))
                    for wrt in wrts:
                        yield partial(_run, partial(function, axis=axis, keepdims=keepdims), (spec,), wrt)
        for axis in (0, -1, len(spec) - 1):
            for normal in (F.softmax, F.logsoftmax, F.cumsum, F.normalize):
                yield partial(_run, partial(normal, axis=axis), (spec,), ())
                yield partial(_run, partial(normal, axis=axis), (spec,), (0,))
    for spec in ("1b", "1bc", "1bcd"):
        for function in (F.softmax, F.logsoftmax, F.argmax):
            yield partial(_run, partial(function, axis=-1), (spec,), ())


def shapes() -> Iterator[Program]:
    """What moves elements about."""
    for name, specs, function in _MOVED:
        for wrt in ((), (0,), tuple(range(len(specs)))):
            if name != "integers" or not wrt:
                yield partial(_run, function, specs, wrt)


_MOVED: tuple[tuple[str, tuple[str, ...], Callable[..., Any]], ...] = (
    *(("", (s,), partial(F.flatten, start_axis=k)) for s in RANKS[2:] for k in (0, 1)),
    *(("", (s,), partial(F.expand_dims, axis=k)) for s in RANKS[1:4] for k in (0, 1, -1)),
    *(("", (s,), partial(F.squeeze, axis=k)) for s, k in (("1b", 0), ("a1", 1), ("1bc", 0), ("a1c", 1), ("ab1", 2), ("ab1", -1), ("ab11", (2, 3)))),
    *(("", (s,), lambda x: F.transpose(x, tuple(reversed(range(x.ndim))))) for s in RANKS[2:4]),
    *(("", ("abc",), partial(F.transpose, pattern=p)) for p in ((0, 2, 1), (1, 0, 2), (2, 0, 1), (1, 2, 0))),
    *(("", ("abcd",), partial(F.transpose, pattern=p)) for p in ((0, 2, 1, 3), (0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2))),
    *(("", (s,) * n, partial(lambda *x, axis: F.concat(x, axis=axis), axis=k)) for s in RANKS[1:] for n in (2, 3) for k in range(len(s))),
    *(("", (s,) * n, partial(lambda *x, axis: F.stack(x, axis=axis), axis=axis)) for s in RANKS[:4] for n in (2, 3) for axis in (0, 1) if axis <= len(s)),
    *(("", (s,), lambda x: F.split(x, 2, axis=x.ndim - 1)) for s in RANKS[1:]),
    *(("", (s,), lambda x: x[0]) for s in RANKS[1:]),
    *(("", (s,), lambda x: x[-1]) for s in RANKS[1:]),
    *(("", (s,), lambda x: x[:, 0]) for s in RANKS[2:]),
    ("", ("a1",), lambda x: x[:, 0]),
    *(("", (s,), lambda x: x[:, -1]) for s in RANKS[2:]),
    *(("", (s,), lambda x: x[1:]) for s in RANKS[1:]),
    *(("", (s,), lambda x: x[:-1]) for s in RANKS[1:]),
    *(("", (s,), lambda x: x[:, :-1]) for s in RANKS[2:]),
    *(("", (s,), lambda x: x[:, 1:]) for s in RANKS[2:]),
    *(("", (s,), lambda x: x[..., 0]) for s in RANKS[2:]),
    *(("", (s,), lambda x: x[..., :2]) for s in RANKS[1:]),
    *(("", (s,), lambda x: x[::2]) for s in RANKS[1:]),
    *(("", (s,), lambda x: x[..., ::2]) for s in RANKS[2:]),
    *(("", (s,), lambda x: x[None]) for s in RANKS[1:4]),
    *(("", (s,), lambda x: x[..., None]) for s in RANKS[1:4]),
    *(("", (s,), lambda x: x[: x.shape[0] // 2]) for s in RANKS[1:]),
    *(("", (s,), lambda x: x[:, : x.shape[1] // 2]) for s in RANKS[2:]),
    ("", ("ab",), lambda x: x[:, :, None, None]),
    ("", ("a",), lambda x: x.reshape(-1, 1, 1, 1)),
    ("", ("ab",), lambda x: x[: x.shape[0] - 2, : x.shape[1] - 4]),
    *(("", (s,), lambda x: x[mge.tensor([0, 1, 1])]) for s in RANKS[1:]),
    ("", ("abcd",), lambda x: x[:, :, 1:-1, 1:-1]),
    ("", ("abcd",), lambda x: F.nn.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))),
    ("", ("ab",), lambda x: F.repeat(x, 2, axis=0)),
    ("", ("ab",), lambda x: F.tile(x, (2, 1))),
    ("", ("a1",), lambda x: F.broadcast_to(x, (x.shape[0], 7))),
    ("", ("ab",), lambda x: F.gather(x, 1, F.argmax(x, axis=1, keepdims=True))),
    ("integers", ("a",), lambda x: F.argsort(x)),
    ("integers", ("ab",), lambda x: F.argsort(x)),
    ("integers", ("ab",), lambda x: F.sort(x)[0]),
    ("integers", ("ab",), lambda x: F.topk(x, 3)[1]),
    ("integers", ("a",), lambda x: F.one_hot((x * 3).astype("int32"), 5)),
    ("integers", ("ab",), lambda x: F.one_hot((x * 3).astype("int32"), 5)),
)  # fmt: skip


def reshapes() -> Iterator[Program]:
    """From and to numbers of dimensions that layers have."""

    def reshape(of: str, to: str, wrt: tuple[int, ...], k: int) -> None:
        a, b, c, d, _ = shape(k, "abcde")
        target = eval(to, {"a": a, "b": b, "c": c, "d": d})
        call(lambda x: x.reshape(target), [tensor(k, of)], wrt)

    for of, to in (
        ("ab", "(-1,)"), ("abc", "(a, -1)"), ("abcd", "(a, -1)"), ("abc", "(a * b, c)"), ("abc", "(-1, c)"), ("ab", "(a, 2, b // 2)"),
        ("ab", "(a, b, 1, 1)"), ("a", "(a, 1, 1, 1)"), ("a", "(a, 1)"), ("a", "(1, a)"), ("a", "(1, a, 1, 1)"), ("abc", "(a, b, 2, c // 2)"), ("abcd", "(a, b, c * d)"),
        ("abcd", "(a, b, -1)"), ("abcd", "(-1, d)"), ("abcd", "(a * b, c, d)"), ("abcd", "(a, 2, b // 2, c, d)"), ("ab", "(a, -1)"), ("abc", "(a, 1, b, c)"),
    ):  # fmt: skip
        for wrt in ((), (0,)):
            yield partial(reshape, of, to, wrt)


def products() -> Iterator[Program]:
    """Matrices, batches of them, and linear maps, with sizes that are equal, too."""
    plain: tuple[tuple[str, str], ...] = (
        ("ab", "bc"), ("a", "a"), ("ab", "b"), ("1b", "bc"), ("aa", "aa"), ("ab", "bb"),
    )  # fmt: skip
    for specs in plain:
        for wrt in ((), (0,), (1,), (0, 1)):
            yield partial(_run, F.matmul, specs, wrt)
    for specs, settings in (
        (("abc", "acd"), {}), (("abc", "adc"), {"transpose_b": True}), (("abcd", "abde"), {}), (("abcd", "abed"), {"transpose_b": True}),
        (("abcd", "abcd"), {"transpose_b": True}), (("abcc", "abcd"), {}), (("abc", "cd"), {}), (("ab", "cb"), {"transpose_b": True}),
        (("ba", "bc"), {"transpose_a": True}), (("abc", "abc"), {"transpose_b": True}), (("abb", "abc"), {}),
        (("1bcd", "1bed"), {"transpose_b": True}), (("1bcd", "1bde"), {}), (("1b1d", "1bed"), {"transpose_b": True}), (("1b1d", "1bde"), {}),
    ):  # fmt: skip
        for wrt in ((), (0,), (1,), (0, 1)):
            yield partial(_run, partial(F.matmul, **settings), specs, wrt)
    for x in ("ab", "1b", "dab", "1ab", "11b", "bb", "dbb", "deab"):
        for weight in ("cb", "bb", "1b"):
            for bias in (True, False):
                for wrt in ((), (1, 2)[: 1 + bias], (0, 1, 2)[: 2 + bias]):
                    yield partial(_run, F.linear, (x, weight, weight[0])[: 2 + bias], wrt)


def made() -> Iterator[Program]:
    """Tensors that are made of sizes, and those that are changed in place."""

    def make(function: Callable[..., Any], k: int) -> None:
        call(lambda: function(*shape(k, "abcd")), [])

    for function in (
        lambda a, b, c, d: F.zeros((a,)), lambda a, b, c, d: F.zeros((a, b)), lambda a, b, c, d: F.zeros((a, b, c)), lambda a, b, c, d: F.ones((a,)),
        lambda a, b, c, d: F.ones((a, b)), lambda a, b, c, d: F.full((a, b), 2.0), lambda a, b, c, d: F.full((a,), 2), lambda a, b, c, d: F.full((a,), 0.5), lambda a, b, c, d: F.arange(a), lambda a, b, c, d: F.arange(0, a, 1),
        lambda a, b, c, d: F.linspace(0, 1, a), lambda a, b, c, d: F.eye(a), lambda a, b, c, d: mge.random.normal(0, 1, (a,)),
        lambda a, b, c, d: mge.random.normal(0, 1, (a, b)), lambda a, b, c, d: mge.random.normal(0, 1, (a, b, c)), lambda a, b, c, d: mge.random.normal(0, 1, (a, b, c, d)),
        lambda a, b, c, d: mge.random.uniform(0, 1, (a,)), lambda a, b, c, d: mge.random.uniform(0, 1, (a, b)), lambda a, b, c, d: mge.random.uniform(0, 1, (a, b, c)),
        lambda a, b, c, d: mge.random.uniform(0, 1, (a, b, c, d)), lambda a, b, c, d: mge.random.permutation(a),
    ):  # fmt: skip
        yield partial(make, function)

    def change(spec: str, where: Any, k: int) -> None:
        x = tensor(k, spec)
        x[where] = 0.5
        x.numpy()
        x[where] = x[where] * 2
        x.numpy()

    for spec in RANKS[1:]:
        for where in (0, -1, slice(1, None), slice(None, -1), (slice(None),) * (len(spec) - 1) + (0,)):
            yield partial(change, spec, where)
