"""Layers, and the base class of models."""

from . import init
from .activation import GELU, LeakyReLU, PReLU, ReLU, Sigmoid, SiLU, Softmax
from .concat import Concat
from .dropout import Dropout
from .elemwise import Elemwise
from .identity import Identity
from .linear import Linear, LinearRelu
from .module import Module
from .sequential import Sequential

__all__ = [
    "Module",
    "Sequential",
    "Identity",
    "Linear",
    "LinearRelu",
    "Dropout",
    "Softmax",
    "Sigmoid",
    "ReLU",
    "LeakyReLU",
    "PReLU",
    "SiLU",
    "GELU",
    "Elemwise",
    "Concat",
    "init",
]
