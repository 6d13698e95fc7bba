"""Functions of single images (H, W, C), which the transforms are made of."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...opencv import find_opencv, opencv

__all__ = ["crop", "flip", "pad", "resize", "to_bgr", "to_gray", "wrap_keepdims"]

INTER_NEAREST = 0
INTER_LINEAR = 1

# What every release of OpenCV takes.
_OPENCV_DTYPES = frozenset("bBhHifd")


def wrap_keepdims(func: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function of images keep the channel dimension, which OpenCV drops if there is one channel.

    Args:
        func: function whose first argument is an image.

    Returns:
        The function; it refuses an image that is not of shape (H, W, C), and its result is of such a shape.

    Raises:
        ValueError: when called, if the image has not three dimensions.

    Example:
        >>> from megengine.data.transform.vision.functional import wrap_keepdims
        >>> first_channel = wrap_keepdims(lambda image: image[:, :, 0])
        >>> first_channel(np.zeros((4, 5, 3))).shape
        (4, 5, 1)
    """

    @functools.wraps(func)
    def wrapper(image: Any, *args: Any, **kwargs: Any) -> Any:
        if len(image.shape) != 3:
            raise ValueError(f"an image must have 3 dimensions (H, W, C), not {len(image.shape)}")
        try:
            result = func(image, *args, **kwargs)
        except Exception as error:
            error.add_note(f"{func.__name__} of an image of shape {image.shape} and dtype {image.dtype}")
            raise
        return result[:, :, np.newaxis] if len(result.shape) == 2 else result

    return wrapper


def require_channels(what: str, image: np.ndarray, allowed: Sequence[int]) -> None:
    """Refuses an image that has not one of these numbers of channels.

    Raises:
        ValueError: it names who asks, and the image's shape.
    """
    if image.ndim != 3 or image.shape[2] not in allowed:
        numbers = " or ".join(map(str, allowed))
        raise ValueError(f"{what} takes images of {numbers} channels, not one of shape {image.shape}")


@wrap_keepdims
def to_gray(image: np.ndarray) -> np.ndarray:
    r"""Brightness of an image, :math:`0.114\,b + 0.587\,g + 0.299\,r`.

    Args:
        image: of shape (H, W, 3), channels blue, green, red; (H, W, 4), whose last channel does not count; or (H, W, 1),
            which is brightness already. Its dtype is uint8, uint16 or float32.

    Returns:
        The brightness, of shape (H, W, 1) and the same dtype.

    Raises:
        ValueError: if it has another number of channels.

    Example:
        >>> from megengine.data.transform.vision.functional import to_gray
        >>> to_gray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)).ravel()
        array([ 29, 150,  76], dtype=uint8)
    """
    require_channels("to_gray", image, (1, 3, 4))
    if image.shape[2] == 1:
        return image.copy()
    cv2 = opencv("to_gray")
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


@wrap_keepdims
def to_bgr(image: np.ndarray) -> np.ndarray:
    """An image of one channel as one of three equal channels.

    Args:
        image: of shape (H, W, 1); uint8, uint16 or float32.

    Returns:
        An image of shape (H, W, 3) and the same dtype.

    Raises:
        ValueError: if it has another number of channels.

    Example:
        >>> from megengine.data.transform.vision.functional import to_bgr
        >>> to_bgr(np.array([[[7]]], np.uint8))
        array([[[7, 7, 7]]], dtype=uint8)
    """
    require_channels("to_bgr", image, (1,))
    cv2 = opencv("to_bgr")
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)


@wrap_keepdims
def pad(input: np.ndarray, size: int | Sequence[int], value: Any) -> np.ndarray:
    """Puts a border of one colour around an image.

    Args:
        input: of shape (H, W, C).
        size: pixels added: one number for all four sides, (bottom, right), or (top, bottom, left, right).
        value: the colour, one number a channel; a single number is that of the first channel, the others are 0. A float
            makes the image float32.

    Returns:
        The larger image.

    Example:
        >>> from megengine.data.transform.vision.functional import pad
        >>> pad(np.ones((1, 2, 1), np.uint8), 1, 7)[:, :, 0]
        array([[7, 7, 7, 7],
               [7, 1, 1, 7],
               [7, 7, 7, 7]], dtype=uint8)
    """
    top, bottom, left, right = four_sides(size)
    height, width, _ = input.shape
    return crop(input, -left, -top, width + left + right, height + top + bottom, value)


def four_sides(size: int | Sequence[int]) -> tuple[int, int, int, int]:
    """The size of a border as (top, bottom, left, right).

    Example:
        >>> from megengine.data.transform.vision.functional import four_sides
        >>> four_sides(2), four_sides((3, 4))
        ((2, 2, 2, 2), (0, 3, 0, 4))
    """
    if isinstance(size, int):
        return size, size, size, size
    if isinstance(size, Sequence) and len(size) == 2:
        return 0, size[0], 0, size[1]
    if not isinstance(size, Sequence) or len(size) != 4:
        raise ValueError(f"size must be a number, (bottom, right) or (top, bottom, left, right), not {size!r}")
    top, bottom, left, right = size
    return top, bottom, left, right


def crop(image: np.ndarray, x: int, y: int, width: int, height: int, value: Any) -> np.ndarray:
    """Cuts a window out of images; where it reaches beyond an image it has one colour.

    Args:
        image: of shape (..., H, W, C).
        x: the window's left edge, negative if it is beyond the image's.
        y: its upper edge.
        width: its width.
        height: its height.
        value: the colour, as for :func:`pad`.

    Returns:
        A new array of shape (..., height, width, C).

    Raises:
        ValueError: if ``value`` has more than four numbers, or not one for each channel.

    Example:
        >>> from megengine.data.transform.vision.functional import crop
        >>> crop(np.arange(6).reshape(2, 3, 1), 1, 1, 3, 2, 9)[:, :, 0]
        array([[4, 5, 9],
               [9, 9, 9]])
    """
    rows, columns, channels = image.shape[-3:]
    top, left = min(max(0, -y), height), min(max(0, -x), width)
    bottom, right = max(top, min(height, rows - y)), max(left, min(width, columns - x))
    inside = image[..., y + top : y + bottom, x + left : x + right, :]
    dtype = np.dtype(np.float32) if np.asarray(value).dtype == np.float64 else image.dtype
    if isinstance(value, int | tuple | list) and _is_for_opencv(inside) and (cv2 := find_opencv()) is not None:
        inside = inside.astype(dtype, copy=False)
        window = cv2.copyMakeBorder(inside, top, height - bottom, left, width - right, cv2.BORDER_CONSTANT, value=value)
        return window.reshape(height, width, channels)
    window = np.empty((*image.shape[:-3], height, width, channels), dtype)
    if top or left or bottom < height or right < width:
        row = np.tile(colour(value, dtype, channels), (width, 1))  # NumPy copies rows faster than it repeats pixels
        window[..., :top, :, :] = row
        window[..., bottom:, :, :] = row
        window[..., top:bottom, :left, :] = row[:left]
        window[..., top:bottom, right:, :] = row[right:]
    window[..., top:bottom, left:right, :] = inside
    return window


def _is_for_opencv(image: np.ndarray) -> bool:
    return image.ndim == 3 and image.size > 0 and image.dtype.char in _OPENCV_DTYPES and image.shape[2] <= 4


def colour(value: Any, dtype: np.dtype[Any], channels: int) -> np.ndarray:
    """A colour as one number a channel, brought into the range of an integer dtype as OpenCV does.

    Example:
        >>> from megengine.data.transform.vision.functional import colour
        >>> colour(300, np.dtype("uint8"), 3)
        array([255,   0,   0], dtype=uint8)
    """
    given = np.atleast_1d(np.asarray(value))
    if given.ndim != 1 or given.size > 4:
        raise ValueError(f"a padding value must be one number or up to four, not {value!r}")
    numbers = np.zeros(max(4, channels), np.float64)
    numbers[: given.size] = given
    if channels > 4:
        if (numbers[:4] != numbers[0]).any():
            raise ValueError(
                f"an image of {channels} channels takes a padding value of four equal numbers, not {value!r}"
            )
        numbers[:] = numbers[0]
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        numbers = np.rint(numbers).clip(bounds.min, bounds.max)
    return numbers[:channels].astype(dtype)


@wrap_keepdims
def flip(image: np.ndarray, flipCode: int) -> np.ndarray:
    """Mirrors an image.

    Args:
        image: of shape (H, W, C).
        flipCode: 1 (or more) swaps left and right, 0 top and bottom, -1 (or less) both.

    Returns:
        A new image.

    Example:
        >>> from megengine.data.transform.vision.functional import flip
        >>> flip(np.array([[[1], [2], [3]]]), flipCode=1)[0, :, 0]
        array([3, 2, 1])
    """
    axes = 1 if flipCode > 0 else 0 if flipCode == 0 else (0, 1)
    if _is_for_opencv(image) and (cv2 := find_opencv()) is not None:
        return cv2.flip(image, flipCode)
    return np.ascontiguousarray(np.flip(image, axes))


@wrap_keepdims
def resize(input: np.ndarray, size: Sequence[int], interpolation: int | Sequence[int] = INTER_LINEAR) -> np.ndarray:
    """Resamples an image.

    Args:
        input: image or mask of shape (H, W, C).
        size: (height, width) of the result.
        interpolation: the method, one of ``cv2.INTER_*``, by default bilinear; of a sequence Python's ``random`` takes one.

    Returns:
        The image of the new size.

    Raises:
        ValueError: if ``size`` is not of two numbers.

    Example:
        >>> from megengine.data.transform.vision.functional import resize
        >>> resize(np.zeros((4, 4, 3), np.uint8), (2, 6)).shape
        (2, 6, 3)
    """
    if len(size) != 2:
        raise ValueError(f"size must be (height, width), not {size!r}")
    if isinstance(interpolation, Sequence):
        interpolation = random.choice(interpolation)
    return opencv("resize").resize(input, tuple(size)[::-1], interpolation=interpolation)
