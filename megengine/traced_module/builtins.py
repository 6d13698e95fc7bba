"""The modules whose calls are one expression: the layers of :mod:`megengine.module`, observers and fake quantizations."""

from __future__ import annotations

from inspect import getmembers, isclass

from .. import module, quantization
from ..module import Module, Sequential, external, qat, quantized
from .fake_quant import FakeQuantize
from .module_tracer import module_tracer

__all__ = ["register_all"]


def register_all() -> None:
    """Register them."""
    for place in (module, qat, quantized, external, quantization):
        for _, found in getmembers(place, isclass):
            if issubclass(found, Module) and found not in (Module, Sequential):
                module_tracer.register_as_builtin(found)
    module_tracer.register_as_builtin(FakeQuantize)
