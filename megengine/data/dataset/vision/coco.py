"""The COCO data set: objects and people's keypoints in photographs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .json_annotations import JsonAnnotations
from .utils import listed

__all__ = ["COCO", "has_valid_annotation", "min_keypoints_per_image"]

min_keypoints_per_image = 10

_UNUSED_NUMBERS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}


def has_valid_annotation(anno: Sequence[dict[str, Any]], order: Sequence[str]) -> bool:
    """Whether the annotations of an image are of use for the fields asked for.

    Args:
        anno: the annotations, as in the JSON file.
        order: the kinds of a sample's fields.

    Returns:
        False if there are none, if the first one lacks a box or keypoints that are asked for, or if fewer than ten of the
        keypoints asked for are labelled.

    Example:
        >>> from megengine.data.dataset.vision.coco import has_valid_annotation
        >>> has_valid_annotation([{"bbox": [0, 0, 5, 5]}], ("image", "boxes"))
        True
        >>> has_valid_annotation([{"bbox": [0, 0, 5, 5]}], ("image", "keypoints"))
        False
    """
    if not anno or ({"boxes", "boxes_category"} & set(order) and "bbox" not in anno[0]):
        return False
    if "keypoints" not in order:
        return True
    if "keypoints" not in anno[0]:
        return False
    return sum(visible > 0 for each in anno for visible in each["keypoints"][2::3]) >= min_keypoints_per_image


class COCO(JsonAnnotations):
    """Objects in photographs, in eighty classes, and the keypoints of people.

    The fields of a sample, as ``order`` names them:

    * "image": a uint8 array of shape (H, W, 3) with the channels blue, green, red,
    * "boxes": a float32 array of shape (N, 4), each box (x0, y0, x1, y1) in pixels,
    * "boxes_category": an int32 array of shape (N,), places among the file's categories counted from 1,
    * "keypoints": a float32 array of shape (N, 17, 3), each (x, y, v): v is 0 not labelled, 1 hidden, 2 visible,
    * "info": a list of height, width and file name.

    Args:
        root: folder of the pictures, such as ``train2017``.
        ann_file: the JSON file, such as ``instances_train2017.json``.
        remove_images_without_annotations: leave out the images whose annotations are of no use, see
            ``has_valid_annotation``; and annotations of crowds and empty boxes.
        order: the fields; default ``("image",)``.

    Raises:
        FileNotFoundError: if there is no JSON file, or, when a sample is read, no picture.
        ValueError: if a file is damaged.

    Source: T.-Y. Lin et al., "Microsoft COCO: common objects in context", 2014.

    Example:
        >>> from megengine.data.dataset import COCO
        >>> COCO.class_names[:3], COCO.classes_originID["toothbrush"], COCO.keypoint_names[0]
        (('person', 'bicycle', 'car'), 90, 'nose')
        >>> COCO("train2017", "/nowhere/instances_train2017.json")
        Traceback (most recent call last):
        FileNotFoundError: COCO: there is no file /nowhere/instances_train2017.json
    """

    supported_order = ("image", "boxes", "boxes_category", "keypoints", "info")
    class_names = listed("""
        person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop
        sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack,
        umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball
        glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana,
        apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed,
        dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink,
        refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush
    """)
    classes_originID = dict(
        zip(class_names, (number for number in range(1, 91) if number not in _UNUSED_NUMBERS), strict=True)
    )
    keypoint_names = listed("""
        nose, left_eye, right_eye, left_ear, right_ear, left_shoulder, right_shoulder, left_elbow, right_elbow,
        left_wrist, right_wrist, left_hip, right_hip, left_knee, right_knee, left_ankle, right_ankle
    """)
    _unused_image_keys = ("license", "coco_url", "date_captured", "flickr_url")

    def _unused_annotation_keys(self) -> Iterator[str]:
        yield from super()._unused_annotation_keys()
        yield "segmentation"

    def _is_usable(self, annotations: list[dict[str, Any]]) -> bool:
        return has_valid_annotation(annotations, self.order)

    def _field(self, kind: str, image: dict[str, Any], annotations: list[dict[str, Any]]) -> Any:
        if kind != "keypoints":
            return super()._field(kind, image, annotations)
        points = [self._numbers(each, "keypoints", 3 * len(self.keypoint_names)) for each in annotations]
        return np.array(points, np.float32).reshape(-1, len(self.keypoint_names), 3)
