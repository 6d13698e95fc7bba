"""Layers, losses and optimizers as programs put them together: each network makes some steps of training, and predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.optimizer as O
from megengine import Tensor, amp
from megengine.autodiff import GradManager

from .sizes import RUNS, Program, call, shape, tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def _train(
    model: M.Module, x: Tensor, y: Tensor, loss: Loss, optimizer: Callable[[Any], O.Optimizer], mixed: bool = False
) -> None:
    manager = GradManager().attach(model.parameters())
    step = optimizer(model.parameters())
    model.train()
    for _ in range(2):
        with manager, amp.autocast(enabled=mixed):
            value = loss(model(x), y)
            manager.backward(value)
        step.step().clear_grad()
        value.numpy()
    model.eval()
    call(model, [x])


SGD = partial(O.SGD, lr=0.01)
MOMENTUM = partial(O.SGD, lr=0.01, momentum=0.9, weight_decay=1e-4)
ADAM = partial(O.Adam, lr=0.01)
OPTIMIZERS: tuple[Callable[[Any], O.Optimizer], ...] = (
    SGD, partial(O.SGD, lr=0.01, momentum=0.9), partial(O.SGD, lr=0.01, weight_decay=1e-4), MOMENTUM,
    partial(O.SGD, lr=0.01, momentum=0.9, nesterov=True), ADAM, partial(O.Adam, lr=0.01, weight_decay=1e-4), partial(O.AdamW, lr=0.01),
    partial(O.Adagrad, lr=0.01), partial(O.Adadelta, lr=0.01), partial(O.LAMB, lr=0.01),
)  # fmt: skip


class _Net(M.Module):
    """Layers one after the other, as a module of one's own."""

    def __init__(self, *layers: Any) -> None:
        super().__init__()
        self.layers = list(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def _perceptron(k: int, batch: str) -> tuple[M.Module, Tensor, Tensor]:
    _, b, c, d, _ = RUNS[k]
    model = _Net(M.Linear(b, c), M.ReLU(), M.Linear(c, c), F.tanh, M.Linear(c, d, bias=False))
    labels = mge.tensor(np.arange(shape(k, batch)[0]) % d, dtype="int32")
    return model, tensor(k, batch + "b"), labels


def perceptrons() -> Iterator[Program]:
    """With each optimizer, and for one example at a time."""

    def train(optimizer: Any, batch: str, mixed: bool, k: int) -> None:
        _train(*_perceptron(k, batch), F.loss.cross_entropy, optimizer, mixed)

    for optimizer in OPTIMIZERS:
        yield partial(train, optimizer, "a", False)
    yield partial(train, SGD, "1", False)
    yield partial(train, SGD, "a", True)


def losses() -> Iterator[Program]:
    """Of scores and labels, and of values."""

    def classify(loss: Callable[..., Tensor], specs: Sequence[str], integers: bool, wrt: Sequence[int], k: int) -> None:
        label = tensor(k, specs[1], "int32") if integers else tensor(k, specs[1])
        call(loss, [tensor(k, specs[0]), label], wrt)

    for smooth in (0.0, 0.1):
        for spec in ("ab", "1b"):
            yield partial(classify, partial(F.loss.cross_entropy, label_smooth=smooth), (spec, spec[0]), True, (0,))
    yield partial(classify, F.loss.cross_entropy, ("ab", "a"), True, ())
    yield partial(classify, F.loss.cross_entropy, ("abcd", "acd"), True, (0,))
    yield (
        partial(classify, F.topk_accuracy, ("ab", "a"), True, ())
        if hasattr(F, "topk_accuracy")
        else partial(classify, F.metric.topk_accuracy, ("ab", "a"), True, ())
    )
    for loss in (F.loss.l1_loss, F.loss.square_loss, F.loss.binary_cross_entropy):
        for spec in ("a", "ab", "abc", "abcd", "a1"):
            yield partial(classify, loss, (spec, spec), False, (0,))


def convolutional() -> Iterator[Program]:
    """Networks of convolutions, norms and pools."""
    conv, norm, relu, pool, flat = M.Conv2d, M.BatchNorm2d, M.ReLU, M.MaxPool2d, partial(F.flatten, start_axis=1)

    def vgg(b: int, c: int, d: int) -> list[Any]:
        return [
            conv(3, b, 3, padding=1),
            norm(b),
            relu(),
            pool(2),
            conv(b, c, 3, padding=1, bias=False),
            norm(c),
            relu(),
            pool(2, 2),
        ]

    def lenet(b: int, c: int, d: int) -> list[Any]:
        return [conv(1, b, 5, padding=2), relu(), M.AvgPool2d(2), conv(b, c, 5), F.relu, pool(2, 2)]

    def plain(b: int, c: int, d: int) -> list[Any]:
        return [
            conv(3, b, 7, 2, 3, bias=False),
            norm(b),
            relu(),
            pool(3, 2, 1),
            conv(b, b, 3, 1, 1),
            conv(b, b, 1),
            conv(b, c, 1, 2),
            conv(c, d, 3, 2, 1),
        ]

    def mobile(b: int, c: int, d: int) -> list[Any]:
        return [
            conv(3, b, 3, 2, 1),
            M.ConvRelu2d(b, b, 3, 1, 1),
            conv(b, b, 3, 1, 1, groups=b),
            norm(b),
            F.relu6,
            conv(b, b, 3, 2, 1, groups=b),
            conv(b, d, 1),
            F.hswish,
        ]

    def up(b: int, c: int, d: int) -> list[Any]:
        return [
            conv(3, b, 3, 1, 1),
            M.ConvTranspose2d(b, c, 2, 2),
            M.LeakyReLU(0.1),
            partial(F.nn.interpolate, scale_factor=2.0),
            M.Sigmoid(),
            M.ConvTranspose2d(c, c, 4, 2, 1),
        ]

    def train(layers: Any, channels: int, batch: int, mixed: bool, k: int) -> None:
        a, b, c, d, e = RUNS[k]
        side = (32, 40)[k] if layers is not up else (8, 12)[k]
        features = layers(b, c, d)
        x = mge.tensor(
            np.random.default_rng(0).uniform(0, 1, (batch or a, channels, side, side + (batch or 4))).astype("float32")
        )
        last = [M.AdaptiveAvgPool2d(1), flat] if layers in (plain, mobile) else [flat]
        model = _Net(*features, *last)
        if layers is up:
            model = _Net(*features)
            target = F.zeros_like(model(x))
            _train(model, x, target, F.loss.square_loss, ADAM, mixed)
            return
        width = model(x).shape[1]
        model.layers.append(M.Linear(width, e))
        labels = mge.tensor(np.arange(batch or a) % e, dtype="int32")
        _train(model, x, labels, F.loss.cross_entropy, MOMENTUM, mixed)

    for layers, channels in ((vgg, 3), (lenet, 1), (plain, 3), (mobile, 3), (up, 3)):
        for batch in (0, 1):
            yield partial(train, layers, channels, batch, False)
        if layers is not up:
            yield partial(train, layers, channels, 0, True)


def convolutions() -> Iterator[Program]:
    """Convolutions by kernel, stride and padding, as they stand at the beginning of a network, behind layers, and before frozen ones."""

    def convolve(of: tuple[int, int, int], kind: str, bias: bool, batch: str, k: int) -> None:
        (kernel, stride, padding), (a, b, c, _, e) = of, RUNS[k]
        n, channels = (1 if batch else a), (c if kind == "other" else b)
        groups = b if kind == "depthwise" else 1
        for inputs in (b, 3) if kind == "other" else (b,):
            x = mge.tensor(np.full((n, inputs, e + 4, e + 8), 0.5, "float32"))
            layer = M.Conv2d(inputs, channels, kernel, stride, padding, groups=groups, bias=bias)
            for wrt in (layer.parameters(), [x, *layer.parameters()], [x]):
                manager = GradManager().attach(list(wrt))
                with manager:
                    manager.backward(F.sum(layer(x)))
            assert x.grad is not None
            x.grad.numpy()
            call(layer, [x])

    for of in (
        (1, 1, 0),
        (3, 1, 1),
        (3, 2, 1),
        (1, 2, 0),
        (5, 1, 2),
        (7, 2, 3),
        (3, 1, 0),
        (5, 1, 0),
        (5, 2, 2),
        (7, 1, 3),
        (2, 2, 0),
        (4, 4, 0),
        (4, 2, 1),
    ):
        for batch in ("", "1"):
            for bias in (False, True):
                for kind in ("other", "same") if of[0] < 4 else ("other",):
                    yield partial(convolve, of, kind, bias, batch)
    for of in ((3, 1, 1), (3, 2, 1), (5, 1, 2), (5, 2, 2), (7, 1, 3)):
        for batch in ("", "1"):
            for bias in (False, True):
                yield partial(convolve, of, "depthwise", bias, batch)


def normal() -> Iterator[Program]:
    """Norms, dropout, and what else has a forward of its own."""

    def run(make: Callable[..., M.Module], spec: str, training: bool, k: int) -> None:
        layer = make(*RUNS[k])
        layer.train(training)
        x = tensor(k, spec)
        manager = GradManager().attach([x, *layer.parameters()])
        with manager:
            manager.backward(F.sum(layer(x) * 2))
        assert x.grad is not None
        x.grad.numpy()
        call(layer, [x])

    for make, spec in (
        (lambda a, b, c, d, e: M.LayerNorm(c), "abc"), (lambda a, b, c, d, e: M.LayerNorm(b), "ab"), (lambda a, b, c, d, e: M.LayerNorm(c), "1bc"),
        (lambda a, b, c, d, e: M.LayerNorm(b), "1b"), (lambda a, b, c, d, e: M.GroupNorm(b // (5 if b == 10 else 4), b), "abcd"), (lambda a, b, c, d, e: M.LayerNorm(d), "abcd"),
        (lambda a, b, c, d, e: M.LayerNorm(d, eps=1e-6), "abcd"), (lambda a, b, c, d, e: M.LayerNorm(b, eps=1e-6), "ab"), (lambda a, b, c, d, e: M.LayerNorm(c, eps=1e-6), "abc"),
        (lambda a, b, c, d, e: M.LayerNorm(c), "11c"), (_upsampled, "abcd"), (lambda a, b, c, d, e: M.InstanceNorm(b), "abcd"),
        (lambda a, b, c, d, e: M.BatchNorm1d(b), "ab"), (lambda a, b, c, d, e: M.BatchNorm1d(b), "abc"), (lambda a, b, c, d, e: M.BatchNorm2d(b), "abcd"),
        (lambda a, b, c, d, e: M.Dropout(0.1), "ab"), (lambda a, b, c, d, e: M.Dropout(0.1), "abc"), (lambda a, b, c, d, e: M.Dropout(0.1), "abcd"),
        (lambda a, b, c, d, e: M.PReLU(b), "abcd"), (lambda a, b, c, d, e: M.Softmax(-1), "abc"), (lambda a, b, c, d, e: M.GELU(), "abc"), (lambda a, b, c, d, e: M.SiLU(), "abcd"),
        (lambda a, b, c, d, e: M.AdaptiveAvgPool2d(1), "abcd"), (lambda a, b, c, d, e: M.AvgPool2d(2), "abcd"), (lambda a, b, c, d, e: M.MaxPool2d(2), "abcd"),
    ):  # fmt: skip
        for training in (True, False):
            yield partial(run, make, spec, training)


def _upsampled(*sizes: int) -> M.Module:
    return _Net(*(partial(F.nn.interpolate, scale_factor=2.0, mode=mode) for mode in ("nearest", "bilinear")))


def sequences() -> Iterator[Program]:
    """Recurrent layers, embeddings and attention."""

    def recurrent(make: Any, layers: int, k: int) -> None:
        a, b, c, d, e = RUNS[k]
        words = mge.tensor(np.arange(a * b).reshape(a, b) % d, dtype="int32")
        table, layer, head = M.Embedding(d, c), make(c, e, num_layers=layers), M.Linear(e, d)
        model = _Net(table, layer, lambda found: head(found[0][-1]), M.Identity())
        model.head = head
        _train(model, words, mge.tensor(np.arange(b) % d, dtype="int32"), F.loss.cross_entropy, ADAM)

    for make in (M.LSTM, M.RNN) + ((M.GRU,) if hasattr(M, "GRU") else ()):
        for layers in (1, 2):
            yield partial(recurrent, make, layers)

    def cell(make: Any, batch: str, k: int) -> None:
        _, b, c, _, _ = RUNS[k]
        layer = make(b, c)
        call(lambda x: layer(x), [tensor(k, batch + "b")], (0,))
        call(lambda x: layer(x), [tensor(k, batch + "b")])

    for make in (M.LSTMCell, M.RNNCell):
        for batch in ("a", "1"):
            yield partial(cell, make, batch)

    for batch in (0, 1):
        for words in (0, 1):
            yield partial(_transformer, batch, words, False)
    yield partial(_transformer, 0, 0, True)


class _Block(M.Module):
    """Attention and two linear maps, each after a norm and beside a shortcut, in two of the ways in which they are written."""

    def __init__(self, width: int, heads: int, split: bool) -> None:
        super().__init__()
        self.heads, self.split = heads, split
        self.norms = [M.LayerNorm(width), M.LayerNorm(width)]
        self.qkv, self.out = M.Linear(width, 3 * width), M.Linear(width, width)
        self.q, self.kv = M.Linear(width, width), [M.Linear(width, width), M.Linear(width, width)]
        self.up, self.down = M.Linear(width, 4 * width), M.Linear(4 * width, width)
        self.dropout = M.Dropout(0.1)

    def heads_of(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        n, t, width = x.shape
        if not self.split:
            qkv = self.qkv(x).reshape(n, t, 3, self.heads, width // self.heads).transpose(2, 0, 3, 1, 4)
            return qkv[0], qkv[1], qkv[2]
        parts = self.q(x), *(layer(x) for layer in self.kv)
        q, key, v = (p.reshape(n, t, self.heads, width // self.heads).transpose(0, 2, 1, 3) for p in parts)
        return q, key, v

    def forward(self, x: Tensor, past: list[Tensor] | None = None) -> Tensor:
        n, t, width = x.shape
        q, key, v = self.heads_of(self.norms[0](x))
        if past is not None:
            key, v = (
                (F.concat([old, new], axis=2) for old, new in zip(past, (key, v), strict=True)) if past else (key, v)
            )
            past[:] = key, v
        scale = 1 / (width // self.heads) ** 0.5
        if self.split:
            scores = F.matmul(q, key.transpose(0, 1, 3, 2)) / (width // self.heads) ** 0.5
        else:
            scores = F.matmul(q, key, transpose_b=True) * scale
        if past is None and t > 1:
            causal = np.triu(np.full((t, t), -1e9, "float32"), 1)
            scores = scores + mge.tensor(causal.reshape(1, 1, t, t) if self.split else causal)
        mixed = F.matmul(F.softmax(scores, axis=-1), v).transpose(0, 2, 1, 3).reshape(n, t, width)
        x = x + self.dropout(self.out(mixed))
        return x + self.dropout(self.down(F.gelu(self.up(self.norms[1](x)))))


class _Language(M.Module):
    """Words and places, blocks, and a score for each word; what came before can be kept."""

    def __init__(self, words: int, longest: int, width: int, heads: int) -> None:
        super().__init__()
        self.words, self.places = M.Embedding(words, width), M.Embedding(longest, width)
        self.blocks = [_Block(width, heads, False), _Block(width, heads, True)]
        self.norm, self.head = M.LayerNorm(width), M.Linear(width, words)

    def forward(self, x: Tensor, past: list[list[Tensor]] | None = None, start: int = 0) -> Tensor:
        places = F.arange(start, start + x.shape[1], 1).astype("int32")
        x = self.words(x) + self.places(places.reshape(1, -1) if start else places)
        for k, block in enumerate(self.blocks):
            x = block(x, None if past is None else past[k])
        return self.head(self.norm(x))


def _transformer(batch: int, length: int, mixed: bool, k: int) -> None:
    a, b, c, d, _ = RUNS[k]
    n, t = batch or a, length or b
    words = mge.tensor(np.arange(n * t).reshape(n, t) % d, dtype="int32")
    model = _Language(d, 40, 2 * c, (4, 7)[k])
    _train(model, words, words.reshape(-1), _of_each_word, ADAM, mixed)
    past: list[list[Tensor]] = [[], []]
    for start in range(4):
        scores = model(words[:, :1], past, start)
        _ = (
            int(F.argmax(scores[0, -1]).numpy()),
            F.argmax(scores[:, -1], axis=-1).numpy(),
            F.softmax(scores[0, -1]).numpy(),
        )


def _of_each_word(scores: Tensor, words: Tensor) -> Tensor:
    return F.loss.cross_entropy(scores.reshape(-1, scores.shape[2]), words)
