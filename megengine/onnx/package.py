"""The package ``onnx``, an optional dependency, imported when first used."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from ..graph.exchange import GraphFileError

__all__ = ["OnnxError", "onnx"]


class OnnxError(GraphFileError):
    """A graph has no form in ONNX, or a file in ONNX holds what cannot be run here."""


@cache
def onnx() -> Any:
    """The package ``onnx``.

    Raises:
        ModuleNotFoundError: it is not installed; the message says how to install it.

    Example:
        >>> from megengine.onnx.package import onnx
        >>> onnx().__name__
        'onnx'
    """
    try:
        for part in ("checker", "helper", "numpy_helper", "shape_inference"):
            importlib.import_module(f"onnx.{part}")
        return importlib.import_module("onnx")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "onnx":
            raise
        raise ModuleNotFoundError(
            "ONNX files need the package onnx: pip install 'megengine-xla[onnx]'", name="onnx"
        ) from None
