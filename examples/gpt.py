"""A small GPT that learns to write Python, character by character, from the standard library's sources.

    python examples/gpt.py [--steps 2000]

Radford et al., Language Models are Unsupervised Multitask Learners, 2019.
"""

from __future__ import annotations

import argparse
import sysconfig
from pathlib import Path

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine.autodiff import GradManager
from megengine.optimizer import AdamW, clip_grad_norm


class Attention(M.Module):
    """Causal self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = M.Linear(width, 3 * width)
        self.out = M.Linear(width, width)

    def forward(self, x: mge.Tensor, mask: mge.Tensor) -> mge.Tensor:
        n, t, d = x.shape
        size = d // self.heads
        q, k, v = F.transpose(self.qkv(x).reshape(n, t, 3, self.heads, size), (2, 0, 3, 1, 4))
        scores = F.matmul(q, k, transpose_b=True) * size**-0.5 + mask[:t, :t]
        mixed = F.matmul(F.softmax(scores, axis=-1), v)
        return self.out(F.transpose(mixed, (0, 2, 1, 3)).reshape(n, t, d))


class Block(M.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = M.LayerNorm(width), M.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.up, self.down = M.Linear(width, 4 * width), M.Linear(4 * width, width)

    def forward(self, x: mge.Tensor, mask: mge.Tensor) -> mge.Tensor:
        x = x + self.attention(self.norm1(x), mask)
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class GPT(M.Module):
    """The scores of the next token at every place of (N, T) tokens; the output layer shares the embedding's weights."""

    def __init__(self, tokens: int, length: int, width: int = 128, heads: int = 4, layers: int = 4) -> None:
        super().__init__()
        self.length = length
        self.tokens, self.places = M.Embedding(tokens, width), M.Embedding(length, width)
        self.blocks = [Block(width, heads) for _ in range(layers)]
        self.norm = M.LayerNorm(width)
        self.mask = mge.Tensor(np.triu(np.full((length, length), -1e9, "float32"), 1))
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:  # what adds to the residual stream starts smaller the more of it there is
                deep = name.endswith(("out.weight", "down.weight"))
                M.init.normal_(parameter, 0, 0.02 / (2 * layers) ** 0.5 if deep else 0.02)

    def forward(self, x: mge.Tensor) -> mge.Tensor:
        h = self.tokens(x) + self.places.weight[: x.shape[1]]
        for block in self.blocks:
            h = block(h, self.mask)
        return F.matmul(self.norm(h), self.tokens.weight, transpose_b=True)


class Trainer:
    """AdamW on random pieces of a text given as an array of tokens."""

    def __init__(self, model: GPT, text: np.ndarray, batch: int = 16, lr: float = 1e-3, seed: int = 0) -> None:
        self.model, self.text, self.batch = model, text, batch
        self.gm = GradManager().attach(model.parameters())
        self.optimizer = AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.1)
        self.rng = np.random.default_rng(seed)

    def step(self) -> float:
        """One update; returns the loss in nats a token."""
        length = self.model.length
        starts = self.rng.integers(0, len(self.text) - length, self.batch)
        piece = self.text[starts[:, None] + np.arange(length + 1)]
        with self.gm:
            scores = self.model(mge.Tensor(piece[:, :-1]))
            loss = F.nn.cross_entropy(scores.reshape(-1, scores.shape[2]), mge.Tensor(piece[:, 1:].reshape(-1)))
            self.gm.backward(loss)
            clip_grad_norm(self.model.parameters(), 1.0)
            self.optimizer.step().clear_grad()
        return loss.item()


def write(model: GPT, start: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """``start`` and ``count`` more tokens, drawn from what the model expects."""
    rng = np.random.default_rng(seed)
    tokens = list(start)
    for _ in range(count):
        seen = np.zeros((1, model.length), "int32")  # one shape, so that one program serves all
        recent = tokens[-model.length :]
        seen[0, : len(recent)] = recent
        expected = F.softmax(model(mge.Tensor(seen))[0, len(recent) - 1]).numpy().astype("float64")
        tokens.append(int(rng.choice(len(expected), p=expected / expected.sum())))
    return np.array(tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small GPT on the standard library's sources.")
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    text = np.frombuffer("".join(f.read_text("utf-8", "ignore") for f in files).encode("ascii", "ignore"), np.uint8)
    model = GPT(tokens=128, length=128)
    trainer = Trainer(model, text.astype("int32"))
    for step in range(options.steps + 1):
        loss = trainer.step()
        if step % 100 == 0:
            print(f"step {step:4d}   loss {loss:.3f}")
    print(bytes(write(model, text[:16], 300).astype("uint8")).decode())


if __name__ == "__main__":
    main()
