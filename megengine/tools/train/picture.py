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
    picture = max(pictures, key=lambda picture: len(picture["nodes"]))
    _name_inputs(picture["nodes"], {name for name, _ in scratch.model.named_parameters()})
    return picture


def _name_inputs(nodes: list[dict[str, Any]], parameters: set[str]) -> None:
    """Tells the images, the labels, the parameters, which the graph names, and the optimizer's state from one another."""
    inputs = [node for node in nodes if node["kind"] == "input"]
    image, label = inputs[0], next(node for node in inputs if node["dtype"].startswith("int"))
    for node in inputs:
        if node["name"] in parameters:
            # The page shows it in the box of its module.
            node["kind"], node["name"] = "param", node["name"].rpartition(".")[2]
        elif node is not image and node is not label:
            node["name"] = "optimizer state"
    image["name"], label["name"] = "image", "label"
