"""OpenCV, which decodes and resamples pictures: an optional dependency, imported when first used."""

from __future__ import annotations

import importlib
import os
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from ..logger import get_logger
from .exif import is_webp, turned, webp_orientation
from .worker_info import get_worker_info

__all__ = ["find_opencv", "opencv", "read_image"]

logger = get_logger(__name__)

_JPEG = b"\xff\xd8\xff"
_told: set[str] = set()  # paths of pictures that a warning has named


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

    Of a JPEG file that ends too early, OpenCV decodes what is there; the rest is grey, and a warning is logged.

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
    image = _decoded(cv2, content, cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR, path)
    if image is None:
        raise ValueError(f"{path} is damaged, or no picture ({_seems(content)})")
    return image


def _decoded(cv2: Any, content: bytes, mode: int, path: str) -> Any:
    if not content:
        return None
    upright = 1
    if is_webp(content):
        mode |= cv2.IMREAD_IGNORE_ORIENTATION
        upright = webp_orientation(content)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), mode)
        if image is None and content.startswith(_JPEG):
            image = cv2.imread(os.fspath(path), mode)  # takes what it can, which decoding from memory does not
            if image is not None and path not in _told:
                _told.add(path)
                logger.warning("%s ends too early: what is missing of the picture is grey", path)
    except cv2.error as error:  # sizes beyond its limits, for instance
        raise ValueError(f"{path} cannot be decoded: {error}") from error
    return image if image is None else turned(image, upright)


def _seems(content: bytes) -> str:
    """What a file that is no picture looks like."""
    start = content[:256].lstrip().lower()
    if content.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer: fetch what it stands for with `git lfs pull`"
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page"
    return f"{len(content)} bytes"
