"""OpenCV, which decodes and resamples pictures: an optional dependency, imported when first used."""

from __future__ import annotations

import importlib
import os
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from .worker_info import get_worker_info

__all__ = ["find_opencv", "opencv", "read_image"]


@cache
def find_opencv() -> ModuleType | None:
    """OpenCV's module, or None where it is not installed.

    In a loader's worker it has that worker's share of the processors: the workers themselves keep them busy.

    Example:
        >>> from megengine.data.opencv import find_opencv
        >>> find_opencv().__name__
        'cv2'
    """
    try:
        cv2 = importlib.import_module("cv2")
    except ModuleNotFoundError as error:
        if error.name != "cv2":
            raise
        return None
    workers = get_worker_info()
    if workers is not None:
        cv2.setNumThreads(max(1, (os.cpu_count() or 1) // workers.worker))
    return cv2


def opencv(what: str) -> Any:
    """OpenCV's module for something that cannot do without.

    Args:
        what: who asks, for the message.

    Raises:
        ModuleNotFoundError: if OpenCV is not installed; it says how to install it.

    Example:
        >>> from megengine.data.opencv import opencv
        >>> opencv("this example").IMREAD_COLOR
        1
    """
    cv2 = find_opencv()
    if cv2 is None:
        raise ModuleNotFoundError(f"{what} needs OpenCV: pip install 'megengine-xla[vision]'", name="cv2")
    return cv2


def read_image(path: str, gray: bool = False) -> Any:
    """Decodes a picture file, turned upright as its EXIF data say.

    Args:
        path: the file.
        gray: read one channel; by default blue, green and red.

    Returns:
        A uint8 array of shape (H, W, 3), or (H, W) if ``gray``.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no picture, or damaged.

    Example:
        >>> from megengine.data.opencv import read_image
        >>> read_image("/nowhere/cat.jpg")
        Traceback (most recent call last):
        FileNotFoundError: there is no picture /nowhere/cat.jpg
    """
    cv2 = opencv("reading pictures")
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no picture {path}") from None
    mode = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR
    image = cv2.imdecode(np.frombuffer(content, np.uint8), mode) if content else None
    if image is None:
        raise ValueError(f"{path} is damaged, or no picture ({len(content)} bytes)")
    return image
