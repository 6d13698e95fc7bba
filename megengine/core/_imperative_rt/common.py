"""Devices, where MegEngine's compiled module has them; old checkpoints name :class:`CompNode` by this path."""

from ...device import CompNode, DeviceType, set_prealloc_config, what_is_xpu
from ..tensor.dtype import bfloat16, get_scale, get_zero_point, is_quantize

__all__ = [
    "CompNode", "DeviceType", "bfloat16", "get_scale", "get_zero_point", "is_quantize", "set_prealloc_config", "what_is_xpu",
]  # fmt: skip
