"""The computing graph of one training step, taken from the engine."""

from __future__ import annotations

from typing import Any

from megengine import graph
from megengine.graph.pictures.nodes import nodes

from .trainer import Trainer

__all__ = ["step_picture"]


def step_picture(trainer: Trainer) -> dict[str, Any]:
    """Records one training step of a fresh copy of the run's model; the run itself is not touched.

    Returns:
        ``{"nodes": [...]}`` with the nodes as :mod:`megengine.graph.pictures` draws them.
    """
    scratch = Trainer(trainer.options, trainer.data)
    image, label = next(iter(trainer.data.train_batches(trainer.options.batch_size, seed=0)))
    scratch.step(image, label)  # a first step also sets initial values; the second one is like all others
    with graph.watch() as seen:
        scratch.step(image, label)
    found = nodes(
        max((seen[k].function for k in range(len(seen))), key=lambda function: len(function.equations)), held=True
    )
    _name_inputs(found, {name for name, _ in scratch.model.named_parameters()})
    return {"nodes": found}


def _name_inputs(nodes: list[dict[str, Any]], parameters: set[str]) -> None:
    """Tells the images, the labels, the parameters, which the graph names, and the optimizer's state from one another."""
    inputs = [node for node in nodes if node["op"] == "input"]
    image, label = inputs[0], next(node for node in inputs if node["dtype"].startswith("int"))
    for node in inputs:
        if node["name"] in parameters:
            node["kind"] = "param"
        elif node is not image and node is not label and node["name"] == "input":
            node["name"] = "optimizer state"
    image["name"], label["name"] = "image", "label"
