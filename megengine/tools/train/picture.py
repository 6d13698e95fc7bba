"""The computing graph of one training step, taken from the engine."""

from __future__ import annotations

from typing import Any

from megengine import graph

from .trainer import Trainer

__all__ = ["step_picture"]


def step_picture(trainer: Trainer) -> dict[str, Any]:
    """Records one training step of a fresh copy of the run's model; the run itself is not touched.

    Returns:
        ``{"nodes": [...], "stats": {...}}`` with, for every node, id, op, shape, dtype, where (source line),
        scope (modules around it), inputs (ids), kind and name.
    """
    scratch = Trainer(trainer.options, trainer.data)
    image, label = next(iter(trainer.data.train_batches(trainer.options.batch_size, seed=0)))
    scratch.step(image, label)  # a first step also sets initial values; the second one is like all others
    with graph.watch() as seen:
        scratch.step(image, label)
    pictures = [seen[index].picture() for index in range(len(seen))]
    return max(pictures, key=lambda picture: len(picture["nodes"]))
