"""What a classifier got right and wrong."""

from __future__ import annotations

import dataclasses

import numpy as np

__all__ = ["Mistake", "confusion_matrix", "surest_mistakes"]


def confusion_matrix(labels: np.ndarray, answers: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts of (true class, answered class), shape (num_classes, num_classes).

    Example:
        >>> from megengine.tools.report.classification import confusion_matrix
        >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
        array([[1, 1],
               [0, 1]])
    """
    pairs = labels.astype("int64") * num_classes + answers.astype("int64")
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


@dataclasses.dataclass
class Mistake:
    """One wrong answer: the image's index, its true class, the answer and its probability."""

    index: int
    label: int
    answer: int
    probability: float


def surest_mistakes(labels: np.ndarray, probabilities: np.ndarray, count: int) -> list[Mistake]:
    """The wrong answers with the highest probability, surest first.

    Args:
        labels: shape (N,).
        probabilities: shape (N, classes).
        count: how many at most.

    Example:
        >>> from megengine.tools.report.classification import surest_mistakes
        >>> surest_mistakes(np.array([0, 1]), np.array([[0.1, 0.9], [0.2, 0.8]]), 5)
        [Mistake(index=0, label=0, answer=1, probability=0.9)]
    """
    answers = probabilities.argmax(axis=1)
    sureness = probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != labels)
    order = wrong[np.argsort(-sureness[wrong], kind="stable")][:count]
    return [Mistake(int(i), int(labels[i]), int(answers[i]), float(sureness[i])) for i in order]
