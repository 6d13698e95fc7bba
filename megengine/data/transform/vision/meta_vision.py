"""The base of vision transforms: a sample is a tuple whose fields are transformed by kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...vectorise import batch_function, vectorised
from ..meta_transform import Transform, apply_whole

__all__ = ["VisionTransform", "apply_fields_whole", "no_image"]


def no_image(transform: Any, image: Any) -> str:
    """What is wrong with what a transform was given as an image; an empty text for an array of shape (H, W, C).

    Example:
        >>> from megengine.data.transform import Resize
        >>> no_image(Resize(8), np.zeros((28, 28)))
        'Resize takes images of shape (H, W, C), not (28, 28): give it the channel, image[..., np.newaxis]'
    """
    name = type(transform).__name__
    if isinstance(image, np.ndarray):
        if image.ndim == 3:
            return ""
        hint = ": give it the channel, image[..., np.newaxis]" if image.ndim == 2 else ""
        return f"{name} takes images of shape (H, W, C), not {image.shape}{hint}"
    what = f"a {type(image).__name__}"
    if image is None:
        what = "None: cv2.imread gives it for a file that it cannot read"
    elif isinstance(image, str):
        what = f"the text {image!r}: read the file first, as with cv2.imread"
    elif hasattr(image, "__array_interface__"):
        what += ": write np.asarray(image)"
    return f"{name} takes images as NumPy arrays of shape (H, W, C), not {what}"


def apply_fields_whole(transform: VisionTransform, sample: Any) -> Any:
    """The batch function of :meth:`VisionTransform.apply`: that of each field's kind."""
    fields = list(sample) if isinstance(sample, tuple) else [sample]
    for place, kind in zip(range(len(fields)), transform.order, strict=False):
        single = transform._get_apply(kind)
        if single is not None:
            whole = batch_function(single)
            fields[place] = NotImplemented if whole is None else whole(fields[place])
            if fields[place] is NotImplemented:
                return NotImplemented
    return tuple(fields) if len(fields) != 1 else fields[0]


class VisionTransform(Transform):
    """Base of all vision transforms.

    :meth:`apply` calls for each field of a sample the method of its kind: ``_apply_image`` for an "image", and so on. A
    subclass defines those of the kinds that it supports.

    Args:
        order: the kinds of a sample's fields; default ``("image",)``. Further fields are passed on as they are, as are kinds
            that end with "category" or "info" and have no method. The kinds known here are

            * "image": of shape (H, W, C),
            * "coords": points (x, y), of shape (N, 2),
            * "boxes": boxes by their upper left and lower right points, of shape (N, 4),
            * "mask": classes of pixels, of shape (H, W, 1),
            * "keypoints": points and their visibility (x, y, v), of shape (N, K, 3),
            * "polygons": a list of instances, each a list of polygons of shape (K, 2).

    Raises:
        ValueError: if ``order`` is not a sequence, or names the kind "batch".
        NotImplementedError: if ``order`` names a kind without a method.

    Example:
        >>> from megengine.data.transform import VisionTransform
        >>> class Invert(VisionTransform):
        ...     def _apply_image(self, image):
        ...         return 255 - image
        >>> Invert(order=("image", "image_category")).apply((np.array([[[5]]]), 3))
        (array([[[250]]]), 3)
    """

    def __init__(self, order: Sequence[str] | None = None) -> None:
        super().__init__()
        if order is None:
            order = ("image",)
        elif not isinstance(order, Sequence):
            raise ValueError(f"order must be a sequence of kinds, not {order!r}")
        for kind in order:
            if kind == "batch":
                raise ValueError("order cannot name the kind 'batch'")
            if not kind.endswith(("category", "info")) and self._get_apply(kind) is None:
                raise NotImplementedError(f"{type(self).__name__} knows no kind {kind!r}")
        self.order = order

    @vectorised(apply_whole)
    def apply_batch(self, inputs: Sequence[Any]) -> Any:
        """Applies the transform to each sample of a sequence and returns a tuple."""
        return tuple([self.apply(sample) for sample in inputs])  # a generator would hide a StopIteration

    @vectorised(apply_fields_whole)
    def apply(self, input: Any) -> Any:
        """Applies the transform to one sample: a tuple of fields, or a single field."""
        fields = list(input) if isinstance(input, tuple) else [input]
        for place, kind in zip(range(len(fields)), self.order, strict=False):
            function = self._get_apply(kind)
            if function is not None:
                try:
                    fields[place] = function(fields[place])
                except (AttributeError, LookupError, TypeError, ValueError) as error:
                    ours = type(self).__module__.partition(".")[0] == __name__.partition(".")[0]
                    said = no_image(self, fields[place]) if ours and kind == "image" else ""
                    if said and said not in str(error):
                        error.add_note(said)
                    raise
        return tuple(fields) if len(fields) != 1 else fields[0]

    def _get_apply(self, key: str) -> Callable[[Any], Any] | None:
        return getattr(self, f"_apply_{key}", None)

    def _get_image(self, input: Any) -> Any:
        fields = input if isinstance(input, tuple) else (input,)
        return fields[self.order.index("image")]

    def _shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """The shape of an image of shape (H, W, C) after the transform, or None if it is not known before."""
        return None

    def _unsupported(self, kind: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} does not transform {kind}")

    def _apply_image(self, image: Any) -> Any:
        raise self._unsupported("an image")

    def _apply_coords(self, coords: Any) -> Any:
        raise self._unsupported("coords")

    def _apply_mask(self, mask: Any) -> Any:
        raise self._unsupported("a mask")

    def _apply_boxes(self, boxes: Any) -> Any:
        """The box around the transformed corners of each box."""
        x0, y0, x1, y1 = np.asarray(boxes).reshape(-1, 4).T
        corners = np.stack([x0, y0, x1, y0, x0, y1, x1, y1], axis=1).reshape(-1, 2)
        moved = self._apply_coords(corners).reshape(-1, 4, 2)
        return np.concatenate((moved.min(axis=1), moved.max(axis=1)), axis=1)

    def _apply_keypoints(self, keypoints: Any) -> Any:
        """The keypoints with moved points and unchanged visibility."""
        points, visibility = keypoints[..., :2], keypoints[..., 2:]
        return np.concatenate(([self._apply_coords(instance) for instance in points], visibility), axis=-1)

    def _apply_polygons(self, polygons: Any) -> Any:
        """The polygons with moved points."""
        return [[self._apply_coords(points) for points in instance] for instance in polygons]
