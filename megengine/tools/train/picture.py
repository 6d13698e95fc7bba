"""The computing graph of one training step, taken from the engine."""

from __future__ import annotations

from typing import Any

from megengine import graph

from .models import layers
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
    _name_inputs(picture["nodes"], scratch)
    return picture


def _name_inputs(nodes: list[dict[str, Any]], trainer: Trainer) -> None:
    """Tells the images, the labels, the parameters and the optimizer's state from one another.

    The engine knows arrays only, but it lists them in the order of their first use.
    """
    inputs = [node for node in nodes if not node["inputs"] and node["kind"] == "input"]
    image, label = inputs[0], next(node for node in inputs if node["dtype"].startswith("int"))
    image["name"], label["name"] = "image", "label"
    expected = [
        (name, list(parameter.shape))
        for layer in layers(trainer.model)
        for name, parameter in layer.named_parameters(recursive=False)
    ]
    for node in inputs:
        if node is image or node is label:
            continue
        match = next((one for one in expected if one[1] == node["shape"]), None)
        if match is None:
            node["name"] = "optimizer state"
        else:
            expected.remove(match)
            node["name"], node["kind"] = match[0], "param"
