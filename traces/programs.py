"""All programs whose operators are traced beforehand."""

from __future__ import annotations

from . import functions, layers

PROGRAMS = [
    *functions.elementwise(), *functions.reductions(), *functions.shapes(), *functions.reshapes(), *functions.products(), *functions.made(),
    *layers.perceptrons(), *layers.losses(), *layers.convolutional(), *layers.convolutions(), *layers.normal(), *layers.sequences(),
]  # fmt: skip
