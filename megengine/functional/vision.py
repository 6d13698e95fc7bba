"""Functions of images: colours, resizing, warping, and boxes in them."""

from __future__ import annotations

from numbers import Integral

from ..graph.apply import apply
from ..graph.errors import ArgumentError
from ..ops import vision as ops
from ..tensor import Tensor
from ._args import require_tensor
from ._regions import nms, roi_align, roi_pooling
from ._warping import interpolate, remap, warp_affine, warp_perspective

__all__ = [
    "correlation", "cvt_color", "interpolate", "nms", "nvof", "remap", "roi_align", "roi_pooling", "warp_affine",
    "warp_perspective",
]  # fmt: skip


def cvt_color(inp: Tensor, mode: str = "") -> Tensor:
    """Conversion of images to another colour space.

    ========================================================================  ==================================
    modes                                                                     from and to
    ========================================================================  ==================================
    RGB2GRAY, BGR2GRAY, GRAY2RGB, RGB2BGR, BGR2RGB                            uint8 or float32
    RGB2YUV, YUV2RGB                                                          uint8 or float32, OpenCV's YCrCb of BGR
    RGBA2RGB, RGBA2BGR                                                        uint8 or float32
    RGBA2GRAY                                                                 uint8
    YUV2GRAY_x, YUV2RGB_x, YUV2BGR_x, BT601_YUV2RGB_x, BT601_YUV2BGR_x        uint8; x is NV12, NV21, YU12 or YV12
    YCrCb2RGB, YCrCb2BGR                                                      other names of YUV2RGB_NV21, YUV2BGR_NV21
    ========================================================================  ==================================

    In the last two rows an image is its luminance ``(H, W)`` above its chroma at half the resolution, one channel of
    ``H * 3 / 2`` rows.

    Args:
        inp: ``(N, H, W, C)``.
        mode: one of the modes; upper or lower case, except for YCrCb2RGB and YCrCb2BGR.

    Returns:
        ``(N, H, W, C)`` of the input's dtype.

    Raises:
        AssertionError: no such mode.
        RuntimeError: a shape or dtype that the mode does not take.

    Example:
        >>> F.vision.cvt_color(Tensor([[[[1.0, 0.5, 0.0]]]]), "RGB2GRAY")
        Tensor([[[[0.5925]]]], device=xpux:0)
    """
    name = mode if "YCrCb" in mode else mode.upper()
    if name not in ops.MODES:
        raise AssertionError(f"cvt_color: there is no mode {mode!r}; the modes are {', '.join(ops.MODES)}")
    return apply(ops.cvt_color, inp, mode=name)


def correlation(
    data1: Tensor,
    data2: Tensor,
    kernel_size: int = 1,
    max_displacement: int = 1,
    stride1: int = 1,
    stride2: int = 1,
    pad_size: int = 0,
    is_multiply: bool = True,
) -> Tensor:
    """Correlation of two feature maps for each displacement, for optical flow (Dosovitskiy et al., FlowNet, 2015).

    The mean of ``data1 * data2`` (or of ``|data1 - data2|``) over the channels of a window in the first map and of the
    displaced window in the second; beyond the maps there are zeros.

    Args:
        data1: ``(N, C, H, W)``, floating.
        data2: of the same shape and dtype.
        kernel_size: the window's size; an even one counts as the odd one below it.
        max_displacement: the largest displacement, in pixels.
        stride1: step between windows of the first map.
        stride2: step between displacements.
        pad_size: zeros around both maps.
        is_multiply: multiply; otherwise take absolute differences.

    Returns:
        ``(N, D * D, height, width)`` for ``D = 2 * (max_displacement // stride2) + 1``, vertical displacements outermost; a
        side is ``ceil((H + 2 * pad_size - 2 * (max_displacement + (kernel_size - 1) // 2)) / stride1)``.

    Raises:
        RuntimeError: shapes, dtypes or numbers that do not fit, or nothing left of the maps.

    Example:
        >>> x = F.arange(9).reshape(1, 1, 3, 3)
        >>> F.vision.correlation(x, x).flatten()
        Tensor([ 0.  4.  8. 12. 16. 20. 24. 28. 32.], device=xpux:0)
    """
    require_tensor(data1, "data1")
    require_tensor(data2, "data2")
    numbers = {
        "kernel_size": kernel_size,
        "max_displacement": max_displacement,
        "stride1": stride1,
        "stride2": stride2,
        "pad_size": pad_size,
    }
    for name, number in numbers.items():
        if not isinstance(number, Integral):
            raise ArgumentError(f"correlation: {name} must be an integer, not {number!r}")
    return apply(
        ops.correlation,
        data1,
        data2,
        kernel=int(kernel_size),
        displacement=int(max_displacement),
        stride1=int(stride1),
        stride2=int(stride2),
        pad=int(pad_size),
        multiply=bool(is_multiply),
    )


def nvof(src: Tensor, precision: int = 1) -> Tensor:
    """Optical flow by NVIDIA's SDK, which is not part of this package: the name is here, a call is refused.

    Args:
        src: uint8 ``(N, T, H, W, 4)``.
        precision: 0 (slow), 1 or 2 (fast).

    Raises:
        AssertionError: another shape.
        RuntimeError: always.

    Example:
        >>> F.vision.nvof(F.zeros((1, 2, 8, 8, 4)))
        Traceback (most recent call last):
        ...
        RuntimeError: nvof needs NVIDIA's optical-flow SDK, which this package does not use; ...
    """
    if src.ndim != 5 or src.shape[4] != 4:
        raise AssertionError(f"nvof: src must have shape (N, T, H, W, 4), not {src.shape}")
    raise RuntimeError(
        "nvof needs NVIDIA's optical-flow SDK, which this package does not use; "
        "correlation is the building block of learned optical flow"
    )
