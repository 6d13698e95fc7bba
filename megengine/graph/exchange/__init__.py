"""A graph as a file: a zip of readable text and of weights, without code of the program that made it.

:func:`encode` makes the bytes of a :class:`Model`, :func:`decode` reads them; docs/graph-files.md describes the format.
"""

from .model import FORMAT, VERSION, GraphFileError, Model
from .reading import decode
from .writing import encode

__all__ = ["FORMAT", "VERSION", "GraphFileError", "Model", "decode", "encode"]
