"""A transformer that is trained, another and an LSTM on sentences of changing length, greedy decoding, policy gradients."""

from __future__ import annotations

import models
import models_torch
import numpy as np
import torch
import torch.nn.functional as tf
from torch import nn

from cold.data import Pole, returns, sentences
from cold.torch.training import trainer

TOKENS = 40


def transformer(small):
    model = models_torch.Transformer()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    train = trainer(optimizer, lambda x, y: tf.cross_entropy(model(x), y))
    source = models.batches("transformer")
    sentences = 1 if small else models.TRANSFORMER["batch"]

    def step(number):
        x, y = next(source)
        return train(torch.from_numpy(x[:sentences]), torch.from_numpy(y[: x[:sentences].size]).long())

    return model, step


class OfAnyLength(models_torch.Transformer):
    """The same for sentences that are shorter than the longest."""

    def forward(self, x):
        length = x.shape[1]
        return self.read(x, self.mask[:length, :length])


def text(small):
    model = OfAnyLength()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    train = trainer(optimizer, lambda x, y: tf.cross_entropy(model(x), y))
    shape = models.TRANSFORMER["batch"], models.TRANSFORMER["words"], 10, 20 if small else 80

    def step(number):
        words = torch.from_numpy(sentences(number, *shape)[0].T).long()
        return train(words[:, :-1], words[:, 1:].reshape(-1))

    return model, step


class Reader(nn.Module):
    def __init__(self, words, width, hidden):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.lstm = nn.LSTM(width, hidden)
        self.head = nn.Linear(hidden, 2)

    def forward(self, text):
        return self.head(self.lstm(self.words(text))[0][-1])


def lstm(small):
    words = 200
    model = Reader(words, 64, 128)
    train = trainer(torch.optim.Adam(model.parameters(), lr=1e-3), lambda x, y: tf.cross_entropy(model(x), y))

    def step(number):
        x, y = sentences(number, 8, words, 5, 12 if small else 60)
        return train(torch.from_numpy(x), torch.from_numpy(y).long())

    return model, step


class CachedBlock(nn.Module):
    """A transformer's block that takes one token at a time and remembers the keys and values of those before."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, cache):
        n, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if cache is not None:
            k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
        scores = torch.softmax(q @ k.transpose(2, 3) * (d // self.heads) ** -0.5, -1)
        x = x + self.out((scores @ v).permute(0, 2, 1, 3).reshape(n, t, d))
        return x + self.down(tf.gelu(self.up(self.norm2(x)))), (k, v)


class Writer(nn.Module):
    def __init__(self, words, width, heads, layers):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(TOKENS, width)
        self.blocks = nn.ModuleList([CachedBlock(width, heads) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words)

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
        with torch.no_grad():
            scores = model(torch.tensor([[state["token"]]]), torch.tensor([[number % TOKENS]]), state["caches"])
        state["token"] = int(scores[0, -1].argmax().item())
        return state["token"]

    return model, step


def policy(small):
    model = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def loss_of(seen, actions):
        logs = torch.log_softmax(model(seen), 1)
        return -(logs.gather(1, actions[:, None])[:, 0] * torch.from_numpy(returns(len(actions)))).sum()

    train = trainer(optimizer, loss_of)

    def step(number):
        pole, seen, actions, goes_on = Pole(number, 60), [], [], True
        while goes_on:
            seen.append(pole.observe())
            with torch.no_grad():
                probabilities = torch.softmax(model(torch.from_numpy(seen[-1])), 1).numpy()[0]
            action, goes_on = pole.push(probabilities)
            actions.append(action)
        return train(torch.from_numpy(np.concatenate(seen)), torch.tensor(actions))

    return model, step
