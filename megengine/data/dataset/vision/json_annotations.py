"""Data sets whose annotations are one JSON file with "images", "annotations" and "categories"."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...opencv import read_image
from .meta_vision import VisionDataset

__all__ = ["JsonAnnotations"]


class JsonAnnotations(VisionDataset):
    """Base of the data sets that are annotated as COCO is; a subclass says which kinds of fields it has.

    Args:
        root: folder of the pictures.
        ann_file: the JSON file.
        remove_images_without_annotations: leave out the images that have no usable annotation, and of the others those
            annotations that are of a crowd or whose box is empty.
        order: the kinds of a sample's fields.

    Raises:
        FileNotFoundError: if there is no JSON file.
        ValueError: if it is damaged.
    """

    supported_order: tuple[str, ...] = ("image", "boxes", "boxes_category", "info")
    _unused_image_keys: tuple[str, ...] = ()

    def __init__(
        self,
        root: Any,
        ann_file: str | os.PathLike[str],
        remove_images_without_annotations: bool = False,
        *,
        order: Sequence[str] | None = None,
    ) -> None:
        super().__init__(root, order=order, supported_order=self.supported_order)
        content = self._read(ann_file)
        self.imgs: dict[Any, dict[str, Any]] = {}
        for image in content["images"]:
            self.imgs[image["id"]] = {key: image[key] for key in image if key not in self._unused_image_keys}
        self.img_to_anns: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for annotation in content["annotations"]:
            self.img_to_anns[annotation["image_id"]].append(annotation)
        self.cats = {category["id"]: category for category in content["categories"]}
        self.ids = sorted(self.imgs)
        if remove_images_without_annotations:
            self._remove_images()
        self._forget(self._unused_annotation_keys())
        self.json_category_id_to_contiguous_id = {number: place + 1 for place, number in enumerate(sorted(self.cats))}
        self.contiguous_category_id_to_json_id = {v: k for k, v in self.json_category_id_to_contiguous_id.items()}

    def _read(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
        except FileNotFoundError:
            raise FileNotFoundError(f"{type(self).__name__}: there is no file {os.fspath(path)}") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{os.fspath(path)} is damaged, or no JSON: {error}") from error
        missing = [key for key in ("images", "annotations", "categories") if key not in content]
        if missing:
            raise ValueError(f"{os.fspath(path)} has no {missing[0]!r}: it is no annotation of {type(self).__name__}")
        return content

    def _unused_annotation_keys(self) -> Iterator[str]:
        """What the fields asked for do not need, so that it takes no memory."""
        if not {"boxes", "boxes_category"} & set(self.order):
            yield "bbox"

    def _forget(self, keys: Iterator[str]) -> None:
        for key in keys:
            for of_image in self.img_to_anns.values():
                for annotation in of_image:
                    annotation.pop(key, None)

    def _remove_images(self) -> None:
        kept = []
        for number in self.ids:
            usable = [
                each
                for each in self.img_to_anns.pop(number, [])
                if each["iscrowd"] == 0 and each["bbox"][2] > 0 and each["bbox"][3] > 0
            ]
            if self._is_usable(usable):
                kept.append(number)
                self.img_to_anns[number] = usable
            else:
                del self.imgs[number]
        self.ids = kept

    def _is_usable(self, annotations: list[dict[str, Any]]) -> bool:
        return bool(annotations)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        image, annotations = self.imgs[self.ids[index]], self.img_to_anns.get(self.ids[index], [])
        return tuple(self._field(kind, image, annotations) for kind in self.order)

    def _field(self, kind: str, image: dict[str, Any], annotations: list[dict[str, Any]]) -> Any:
        if kind == "image":
            return read_image(os.path.join(self.root, image["file_name"]))
        if kind == "boxes":
            boxes = np.array([each["bbox"] for each in annotations], np.float32).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]  # the file has width and height
            return boxes
        if kind == "boxes_category":
            places = self.json_category_id_to_contiguous_id
            return np.array([places[each["category_id"]] for each in annotations], np.int32)
        if kind == "info":
            return [image["height"], image["width"], image["file_name"]]
        raise NotImplementedError(f"{type(self).__name__} has no {kind!r}")

    def __len__(self) -> int:
        return len(self.ids)

    def get_img_info(self, index: int) -> dict[str, Any]:
        """What the JSON file says about an image.

        Args:
            index: which one.
        """
        return self.imgs[self.ids[index]]
