"""Draws of ten million numbers: ``drawing.py ours|legacy|generator normal|uniform``; float32 arrays on the host."""

from __future__ import annotations

import sys

import numpy as np
from blocks import serve

COUNT = 10_000_000


def drawer(who, kind):
    """A function that draws once."""
    if who == "ours":
        import megengine

        megengine.random.seed(0)
        draw = getattr(megengine.random, kind)
        return lambda: draw(0.0, 1.0, (COUNT,)).numpy()
    if who == "legacy":
        draw = getattr(np.random.RandomState(0), kind)
        return lambda: draw(0.0, 1.0, COUNT).astype(np.float32)
    generator = np.random.default_rng(0)
    draw = generator.standard_normal if kind == "normal" else generator.random
    return lambda: draw(COUNT, np.float32)


if __name__ == "__main__":
    draw = drawer(*sys.argv[1:])
    check = draw()
    serve(draw, [str(check.dtype), check.shape], warm_up=0)
