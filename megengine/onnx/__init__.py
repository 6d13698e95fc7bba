"""Models in ONNX: written for other runtimes, and read to be run, trained and written again."""

from .exporting import export
from .importing import load
from .package import OnnxError

__all__ = ["OnnxError", "export", "load"]
