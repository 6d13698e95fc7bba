"""What a report is made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..train.metrics import Epoch

__all__ = ["RunSummary"]


@dataclasses.dataclass
class RunSummary:
    """Plain values only, so that a report can be made and tested without training.

    Args:
        name: of the run.
        command: that repeats the run.
        options: name to value.
        epochs: the finished epochs, at least one.
        steps: rows of epoch, step, loss, accuracy.
        layer_sizes: values of an image, hidden sizes, classes.
        num_parameters: trained numbers.
        class_names: one a class.
        test_images: shape (N, features).
        test_labels: shape (N,).
        probabilities: the model's answers, shape (N, classes).
        first_layer: weights of shape (units, features).
        first_layer_before: the same before training.
        picture: the step's computing graph as ``megengine.graph`` gives it.
        environment: name to value.
    """

    name: str
    command: str
    options: dict[str, Any]
    epochs: Sequence[Epoch]
    steps: Sequence[tuple[int, int, float, float]]
    layer_sizes: Sequence[int]
    num_parameters: int
    class_names: Sequence[str]
    test_images: np.ndarray
    test_labels: np.ndarray
    probabilities: np.ndarray
    first_layer: np.ndarray
    first_layer_before: np.ndarray
    picture: dict[str, Any]
    environment: dict[str, str]
