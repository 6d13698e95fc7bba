"""What a layer was made with, for layers that are made like it."""

from __future__ import annotations

from typing import Any

from .conv import ConvTranspose2d

_ALL = (
    "in_channels",
    "out_channels",
    "kernel_size",
    "stride",
    "padding",
    "dilation",
    "groups",
    "conv_mode",
    "compute_mode",
)


def settings_of(convolution: Any) -> dict[str, Any]:
    """The arguments but its name that a convolution, which may be transposed, was made with."""
    own = "output_padding" if isinstance(convolution, ConvTranspose2d) else "padding_mode"
    return {name: getattr(convolution, name) for name in (*_ALL, own)} | {"bias": convolution.bias is not None}
