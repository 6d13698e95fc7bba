"""A transformer that is trained, another and an LSTM on sentences of changing length, greedy decoding, policy gradients."""

from __future__ import annotations

import models
import models_megengine
import numpy as np

import megengine.functional as F
import megengine.module as M
from cold.data import Pole, returns, sentences
from cold.megengine.training import trainer
from megengine import Tensor
from megengine.autodiff import GradManager
from megengine.optimizer import Adam

TOKENS = 40


def transformer(small):
    model = models_megengine.Transformer()
    train = trainer(model, Adam(model.parameters(), lr=1e-3), lambda x, y: F.nn.cross_entropy(model(x), y))
    source = models.batches("transformer")
    sentences = 1 if small else models.TRANSFORMER["batch"]

    def step(number):
        x, y = next(source)
        return train(Tensor(x[:sentences]), Tensor(y[: x[:sentences].size]))

    return model, step


class OfAnyLength(models_megengine.Transformer):
    """The same for sentences that are shorter than the longest."""

    def forward(self, x):
        length = x.shape[1]
        return self.read(x, self.order[:length], self.mask[:length, :length])


def text(small):
    model = OfAnyLength()
    train = trainer(model, Adam(model.parameters(), lr=1e-3), lambda x, y: F.nn.cross_entropy(model(x), y))
    shape = models.TRANSFORMER["batch"], models.TRANSFORMER["words"], 10, 20 if small else 80

    def step(number):
        words = sentences(number, *shape)[0].T
        return train(Tensor(words[:, :-1]), Tensor(words[:, 1:].reshape(-1)))

    return model, step


class Reader(M.Module):
    def __init__(self, words, width, hidden):
        super().__init__()
        self.words = M.Embedding(words, width)
        self.lstm = M.LSTM(width, hidden)
        self.head = M.Linear(hidden, 2)

    def forward(self, text):
        return self.head(self.lstm(self.words(text))[0][-1])


def lstm(small):
    words = 200
    model = Reader(words, 64, 128)
    train = trainer(model, Adam(model.parameters(), lr=1e-3), lambda x, y: F.nn.cross_entropy(model(x), y))
    return model, lambda number: train(*map(Tensor, sentences(number, 8, words, 5, 12 if small else 60)))


class CachedBlock(M.Module):
    """A transformer's block that takes one token at a time and remembers the keys and values of those before."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = M.LayerNorm(width), M.LayerNorm(width)
        self.qkv, self.out = M.Linear(width, 3 * width), M.Linear(width, width)
        self.up, self.down = M.Linear(width, 4 * width), M.Linear(4 * width, width)

    def forward(self, x, cache):
        n, t, d = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, d // self.heads)
        q, k, v = F.transpose(qkv, (2, 0, 3, 1, 4))
        if cache is not None:
            k, v = F.concat([cache[0], k], axis=2), F.concat([cache[1], v], axis=2)
        scores = F.softmax(F.matmul(q, k, transpose_b=True) * (d // self.heads) ** -0.5, axis=-1)
        mixed = F.transpose(F.matmul(scores, v), (0, 2, 1, 3)).reshape(n, t, d)
        x = x + self.out(mixed)
        return x + self.down(F.gelu(self.up(self.norm2(x)))), (k, v)


class Writer(M.Module):
    def __init__(self, words, width, heads, layers):
        super().__init__()
        self.words, self.places = M.Embedding(words, width), M.Embedding(TOKENS, width)
        self.blocks = [CachedBlock(width, heads) for _ in range(layers)]
        self.norm, self.head = M.LayerNorm(width), M.Linear(width, words)

    def forward(self, token, place, caches):
        x = self.words(token) + self.places(place)
        for index, block in enumerate(self.blocks):
            x, caches[index] = block(x, caches[index])
        return self.head(self.norm(x))


def decoder(small):
    model = Writer(words=500, width=128, heads=4, layers=4)
    model.eval()
    state = {}

    def step(number):
        if number % TOKENS == 0:
            state.update(token=number % 500, caches=[None] * len(model.blocks))
        token = Tensor(np.array([[state["token"]]], np.int32))
        place = Tensor(np.array([[number % TOKENS]], np.int32))
        state["token"] = int(F.argmax(model(token, place, state["caches"])[0, -1]).item())
        return state["token"]

    return model, step


def policy(small):
    model = M.Sequential(M.Linear(4, 64), M.ReLU(), M.Linear(64, 2))
    gm = GradManager().attach(model.parameters())
    optimizer = Adam(model.parameters(), lr=1e-2)

    def step(number):
        pole, seen, actions, goes_on = Pole(number, 60), [], [], True
        while goes_on:
            seen.append(pole.observe())
            action, goes_on = pole.push(F.softmax(model(Tensor(seen[-1])), axis=1).numpy()[0])
            actions.append(action)
        with gm:
            logs = F.logsoftmax(model(Tensor(np.concatenate(seen))), axis=1)
            taken = F.gather(logs, 1, Tensor(np.array(actions, np.int32)).reshape(-1, 1))[:, 0]
            loss = -(taken * Tensor(returns(len(actions)))).sum()
            gm.backward(loss)
        optimizer.step().clear_grad()
        return loss.item()

    return model, step
