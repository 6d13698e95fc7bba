"""Saving and loading of tensors, modules, and nested state: MegEngine's format, safetensors, and PyTorch's state dicts.

MegEngine's format is a pickle. Loading is safe: see :func:`load`.
"""

from .checkpoint import load, save
from .errors import CheckpointError, RefusedError
from .location import dmap
from .sharded import load_sharded, save_sharded

__all__ = ["CheckpointError", "RefusedError", "dmap", "load", "load_sharded", "save", "save_sharded"]
