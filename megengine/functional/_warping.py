"""Images resized and warped: every pixel of the result is read from somewhere in the image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from .._help.ranges import number, within
from ..graph.apply import apply
from ..graph.errors import ArgumentError
from ..ops import interpolate as interpolate_ops
from ..ops import warp as warp_ops
from ..tensor import Tensor
from ._args import require_tensor
from ._settings import require_mode, two, whole_numbers

_RESIZES = {"bilinear": "linear", "linear": "linear", "trilinear": "linear", "bicubic": "cubic", "nearest": "nearest"}


def _interpolated_size(shape: Sequence[int], size: Any, scale_factor: Any, mode: str) -> tuple[int, ...]:
    """The new size of the dimensions that ``interpolate`` changes."""
    count = {"linear": 1, "trilinear": 3}.get(mode, 2)
    what = "size" if scale_factor is None else "scale_factor"
    given = size if scale_factor is None else scale_factor
    if isinstance(given, Real):
        given = (given,) * count
    elif count == 1:
        raise ValueError(f"interpolate: under mode linear, {what} must be a number, not {given!r}")
    if scale_factor is None:
        sizes = whole_numbers(given, "interpolate: size")
        if len(sizes) != count:
            raise ArgumentError(f"interpolate: under mode {mode}, size needs {count} numbers, not {size!r}")
        return sizes
    if isinstance(given, Tensor):
        given = given.numpy().tolist()
    if len(given) != count or not all(isinstance(f, Real) for f in given):
        raise AssertionError(
            f"interpolate: under mode {mode}, scale_factor needs {count} numbers, not {scale_factor!r}"
        )
    for factor in given:
        within("scale_factor", factor, 0, above=True)
    # The product is a float32 in the reference.
    return tuple(int(np.floor(np.float32(n * float(f)))) for n, f in zip(shape[2:], given, strict=True))


def interpolate(
    inp: Tensor,
    size: int | tuple[int, int] | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    mode: str = "bilinear",
    align_corners: bool | None = None,
) -> Tensor:
    """Resampling of images (or sequences, or volumes) to another size.

    Pixel ``i`` of the result lies at ``(i + 0.5) * old / new - 0.5``, or at ``i * (old - 1) / (new - 1)`` with
    ``align_corners``; for nearest it is pixel ``floor(i * old / new)``. Beyond the border the outermost pixel goes on.

    Args:
        inp: ``(N, C, L)`` for linear, ``(N, C, D, H, W)`` for trilinear, else ``(N, C, H, W)``; float32, float16, int8 or
            uint8 (trilinear: floats).
        size: the new size of the dimensions from the third on; one number stands for all of them.
        scale_factor: instead of ``size``, the factor by which they grow; the sizes are rounded down.
        mode: nearest, linear, bilinear, trilinear or bicubic (Keys' kernel with a = -0.75).
        align_corners: whether the centres of the corner pixels stay where they are; linear modes only; default False.

    Returns:
        The resized images; those of float16 are float32.

    Raises:
        ValueError: no such mode, both or none of ``size`` and ``scale_factor``, ``align_corners`` with another mode.
        AssertionError: the number of dimensions does not fit the mode, or ``scale_factor`` does not.
        RuntimeError: an unsupported dtype, or a size that does not fit.

    Example:
        >>> F.vision.interpolate(Tensor([[[0.0, 4.0]]]), 4, mode="linear")
        Tensor([[[0. 1. 3. 4.]]], device=xpux:0)
    """
    require_tensor(inp, "inp")
    mode = require_mode(mode, tuple(_RESIZES), "interpolate: mode")
    if align_corners is not None and _RESIZES[mode] != "linear":
        raise ValueError(f"interpolate: align_corners goes with the linear modes, not with {mode}")
    ndim = {"linear": 3, "trilinear": 5}.get(mode, 4)
    if inp.ndim != ndim:
        raise AssertionError(f"interpolate: mode {mode} takes {ndim} dimensions, not shape {inp.shape}")
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate: give one of size and scale_factor; they are {size!r} and {scale_factor!r}")
    sizes = _interpolated_size(inp.shape, size, scale_factor, mode)
    if inp.dtype == np.float16:
        inp = inp.astype("float32")
    if mode == "trilinear" and inp.dtype != np.float32:
        raise RuntimeError(f"interpolate: mode trilinear takes floats, not {np.dtype(inp.dtype).name}")
    return apply(interpolate_ops.resize, inp, sizes=sizes, mode=_RESIZES[mode], corners=bool(align_corners))


def remap(
    inp: Tensor, map_xy: Tensor, border_mode: str = "replicate", scalar: float = 0.0, interp_mode: str = "linear"
) -> Tensor:
    """Sampling of images at given coordinates: ``out[n, c, i, j] = inp[n, c] at (x, y) = map_xy[n, i, j]``.

    Args:
        inp: ``(N, C, H, W)``; float32, float16, int8 or uint8.
        map_xy: float32 ``(N, height, width, 2)``: x and y in pixels, from the centre of the first one.
        border_mode: what lies beyond the image ``abcd``: replicate ``ddd``, reflect ``dcb``, reflect_101 ``cba``, wrap
            ``abc``, or constant.
        scalar: the value for constant.
        interp_mode: linear, or nearest (halves to the even pixel).

    Returns:
        ``(N, C, height, width)`` of the input's dtype. Gradients flow to ``inp`` and, for linear, to ``map_xy``.

    Raises:
        AssertionError: ``inp`` is not a tensor.
        RuntimeError: no such mode, or shapes or dtypes that do not fit.

    Example:
        >>> F.vision.remap(Tensor([[[[0.0, 2.0], [4.0, 6.0]]]]), Tensor([[[[0.5, 0.0], [1.0, 0.5]]]]))
        Tensor([[[[1. 4.]]]], device=xpux:0)
    """
    if not isinstance(inp, Tensor):
        raise AssertionError(f"remap: inp must be a Tensor, not {type(inp).__name__}")
    require_tensor(map_xy, "map_xy")
    border = require_mode(border_mode, warp_ops.BORDERS, "remap: border_mode")
    mode = require_mode(interp_mode, ("linear", "nearest"), "remap: interp_mode")
    return apply(warp_ops.remap, inp, map_xy, number("scalar", scalar), border=border, mode=mode)


def _warp(name: str, inp: Tensor, mat: Tensor, out_shape: Any, options: tuple[Any, Any, Any], fill: float) -> Tensor:
    require_tensor(inp, "inp")
    require_tensor(mat, "mat")
    border, layout, mode = options
    rows = {"warp_affine": 2, "warp_perspective": 3}[name]
    if mat.shape[1:] != (rows, 3):
        raise RuntimeError(f"{name}: mat must have shape (N, {rows}, 3), not {mat.shape}")
    return apply(
        warp_ops.warp,
        inp,
        mat,
        number("border_val", fill),
        size=two(out_shape, f"{name}: out_shape"),
        border=require_mode(border, warp_ops.BORDERS, f"{name}: border_mode"),
        layout=require_mode(layout, ("nchw", "nhwc"), f"{name}: format").upper(),
        mode=require_mode(mode, ("linear", "nearest", "cubic", "lanczos4"), f"{name}: interp_mode"),
    )


def warp_affine(
    inp: Tensor,
    mat: Tensor,
    out_shape: tuple[int, int] | int | Tensor,
    border_mode: str = "replicate",
    border_val: float = 0.0,
    format: str = "NHWC",
    interp_mode: str = "linear",
) -> Tensor:
    """Affine warp of images: ``out at (x, y) = inp at mat @ (x, y, 1)``.

    float32 and uint8 images of 1 to 3 channels in NHWC are read at multiples of 1/32 of a pixel, as in OpenCV; all others
    exactly.

    Args:
        inp: ``(N, H, W, C)`` or ``(N, C, H, W)``; float32, float16, int8 or uint8.
        mat: float32 matrices ``(N, 2, 3)``, from places in the result to places in the input.
        out_shape: (height, width) of the result.
        border_mode: replicate, constant, reflect, reflect_101 or wrap (see :func:`remap`).
        border_val: the value for constant.
        format: NHWC or NCHW.
        interp_mode: linear; for images that are read as in OpenCV also nearest, cubic and lanczos4.

    Returns:
        Images of ``out_shape`` in the input's format and dtype.

    Raises:
        TypeError: ``out_shape`` is no pair of numbers.
        RuntimeError: no such mode, or shapes or dtypes that do not fit.

    Example:
        >>> x = F.arange(4).reshape(1, 1, 2, 2)
        >>> F.vision.warp_affine(x, Tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]]), (2, 1), format="NCHW").flatten()
        Tensor([0.5 2.5], device=xpux:0)
    """
    return _warp("warp_affine", inp, mat, out_shape, (border_mode, format, interp_mode), border_val)


def warp_perspective(
    inp: Tensor,
    mat: Tensor,
    out_shape: tuple[int, int] | int | Tensor,
    mat_idx: Iterable[int] | Tensor | None = None,
    border_mode: str = "replicate",
    border_val: float = 0.0,
    format: str = "NCHW",
    interp_mode: str = "linear",
) -> Tensor:
    """Perspective warp of images: ``out at (x, y) = inp at (u / w, v / w)`` for ``(u, v, w) = mat @ (x, y, 1)``.

    float32 and uint8 images of 1 to 3 channels in NHWC are read at multiples of 1/32 of a pixel, as in OpenCV; all others
    exactly.

    Args:
        inp: ``(N, C, H, W)`` or ``(N, H, W, C)``; float32, float16, int8 or uint8.
        mat: float32 matrices ``(M, 3, 3)``, from places in the result to places in the input (the inverse of what
            ``cv2.warpPerspective`` takes).
        out_shape: (height, width) of the result.
        mat_idx: for each matrix the index of its image; default one image a matrix, in order.
        border_mode: replicate, constant, reflect, reflect_101 or wrap (see :func:`remap`).
        border_val: the value for constant, and where ``w`` is 0.
        format: NCHW or NHWC.
        interp_mode: linear; for images that are read as in OpenCV also nearest, cubic and lanczos4.

    Returns:
        M images of ``out_shape`` in the input's format and dtype; those of float16 are float32. Gradients flow to ``inp``
        and, for linear, to ``mat``.

    Raises:
        TypeError: ``out_shape`` is no pair of numbers, or ``mat_idx`` no sequence.
        IndexError: an index of ``mat_idx`` out of range; for one that is still to be computed, when something is read.
        RuntimeError: no such mode, or shapes or dtypes that do not fit.

    Example:
        >>> x = F.arange(16).reshape(1, 1, 4, 4)
        >>> F.vision.warp_perspective(x, Tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]]), (2, 2))
        Tensor([[[[ 5.  6.]
           [ 9. 10.]]]], device=xpux:0)
    """
    require_tensor(inp, "inp")
    require_tensor(mat, "mat")
    if inp.dtype == np.float32:
        mat = mat.astype("float32")
    if inp.dtype == np.float16:
        inp = inp.astype("float32")
    if mat_idx is not None:
        inp = _images_of(inp, mat, mat_idx)
    return _warp("warp_perspective", inp, mat, out_shape, (border_mode, format, interp_mode), border_val)


def _images_of(inp: Tensor, mat: Tensor, mat_idx: Any) -> Tensor:
    """The image of each matrix."""
    if not isinstance(mat_idx, Tensor):
        numbers = whole_numbers(mat_idx, "warp_perspective: mat_idx")
        if min(numbers, default=0) < 0:
            raise IndexError(f"warp_perspective: mat_idx {numbers} holds a negative index")
        mat_idx = Tensor(np.asarray(numbers, np.int32))
    if mat_idx.ndim != 1 or mat_idx.shape[0] != mat.shape[0]:
        raise RuntimeError(
            f"warp_perspective: mat_idx needs one index for each of {mat.shape[0]} matrices, its shape is {mat_idx.shape}"
        )
    return inp[mat_idx]
