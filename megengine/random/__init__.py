"""Random tensors, from streams that a seed restarts.

``uniform`` and ``normal`` follow cuRAND's XORWOW generator on every device, so a seed gives the numbers MegEngine gives on a GPU;
:func:`set_generator` chooses the numbers MegEngine gives on a CPU instead.
"""

from .rng import (
    RNG,
    beta,
    gamma,
    get_generator,
    normal,
    permutation,
    poisson,
    seed,
    set_generator,
    shuffle,
    uniform,
)

__all__ = [
    "RNG", "beta", "gamma", "get_generator", "normal", "permutation", "poisson", "seed", "set_generator", "shuffle",
    "uniform",
]  # fmt: skip
