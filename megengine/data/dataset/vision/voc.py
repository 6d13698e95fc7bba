"""The Pascal VOC data set: objects in photographs, by boxes or by pixels."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...opencv import read_image
from .meta_vision import VisionDataset
from .utils import listed

__all__ = ["PascalVOC"]


def _colour(number: int) -> list[int]:
    """Blue, green and red of a class: the bits of its number, from the lowest, are dealt out to red, green and blue."""
    red, green, blue = (
        sum((number >> (3 * place + channel) & 1) << (7 - place) for place in range(3)) for channel in range(3)
    )
    return [blue, green, red]


class PascalVOC(VisionDataset):
    """Objects in photographs, in twenty classes, by boxes or by pixels.

    The fields of a sample, as ``order`` names them:

    * "image": a uint8 array of shape (H, W, 3) with the channels blue, green, red,
    * "boxes": a float32 array of shape (N, 4), each box (x0, y0, x1, y1) in pixels,
    * "boxes_category": an int32 array of shape (N,), places in ``class_names`` counted from 1,
    * "mask": a uint8 array of shape (H, W, 1): 0 background, then places in ``class_names`` counted from 1, 255 unclear,
    * "info": a list of height, width and name.

    Args:
        root: folder of one year, ``VOCdevkit/VOC2012`` say, which holds ``JPEGImages``, ``Annotations`` and ``ImageSets``.
        image_set: which list of ``ImageSets`` to read, such as "train", "val" and "trainval". Masks of a list with "aug" in its
            name are grey pictures in ``SegmentationClass_aug``.
        order: the fields; either boxes and their categories, or masks.

    Raises:
        ValueError: if ``order`` names both boxes and masks.
        NotImplementedError: if it names neither, or something else.
        RuntimeError: if there is no folder ``root``.
        FileNotFoundError: if a file is missing.

    Source: M. Everingham et al., "The Pascal visual object classes (VOC) challenge", 2010.

    Example:
        >>> from megengine.data.dataset import PascalVOC
        >>> PascalVOC.class_names[6], PascalVOC.class_colors[7]
        ('car', [128, 128, 128])
        >>> PascalVOC("/nowhere", "train", order=("image", "mask"))
        Traceback (most recent call last):
        RuntimeError: PascalVOC: there is no folder /nowhere
    """

    supported_order = ("image", "boxes", "boxes_category", "mask", "info")
    class_names = listed("""aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, motorbike,
        person, pottedplant, sheep, sofa, train, tvmonitor""")
    class_colors = [_colour(number) for number in range(21)]

    def __init__(self, root: Any, image_set: str, *, order: Sequence[str] | None = None) -> None:
        kinds = set(order or ())
        with_boxes = bool(kinds & {"boxes", "boxes_category"})
        if with_boxes and "mask" in kinds:
            raise ValueError("PascalVOC gives boxes and boxes_category or mask, not both")
        super().__init__(root, order=order, supported_order=self.supported_order)
        if not os.path.isdir(self.root):
            raise RuntimeError(f"PascalVOC: there is no folder {self.root}")
        if not with_boxes and "mask" not in kinds:
            raise NotImplementedError(f"order must name boxes, boxes_category or mask, but is {self.order!r}")
        self.image_set = image_set
        task = "Main" if with_boxes else "Segmentation"
        listing = os.path.join(self.root, "ImageSets", task, image_set.rstrip("\n") + ".txt")
        with open(listing, encoding="utf-8") as file:
            self.file_names = [name for line in file if (name := line.strip())]
        self.images = self._paths("JPEGImages", ".jpg")
        if with_boxes:
            self.annotations = self._paths("Annotations", ".xml")
        else:
            self.masks = self._paths("SegmentationClass_aug" if "aug" in image_set else "SegmentationClass", ".png")
        self.img_infos: dict[int, dict[str, Any]] = {}

    def _paths(self, folder: str, ending: str) -> list[str]:
        return [os.path.join(self.root, folder, name + ending) for name in self.file_names]

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        fields: dict[str, Any] = {}
        objects: list[dict[str, Any]] = []
        if "boxes" in self.order or "boxes_category" in self.order:
            objects = self._objects(index)
        for kind in self.order:
            if kind == "image":
                fields[kind] = read_image(self.images[index])
            elif kind == "boxes":
                fields[kind] = self._boxes(index, objects)
            elif kind == "boxes_category":
                fields[kind] = self._categories(index, objects)
            elif kind == "mask":
                fields[kind] = self._mask(index)
        if "info" in self.order:
            info = self.get_img_info(index, fields.get("image"))
            fields["info"] = [info["height"], info["width"], info["file_name"]]
        return tuple(fields[kind] for kind in self.order)

    def __len__(self) -> int:
        return len(self.images)

    def get_img_info(self, index: int, image: Any = None) -> dict[str, Any]:
        """Height, width and name of a picture.

        Args:
            index: which one.
            image: the picture, if it has been read already.

        Returns:
            A dict with the keys "height", "width" and "file_name".
        """
        if index not in self.img_infos:
            height, width = (read_image(self.images[index]) if image is None else image).shape[:2]
            self.img_infos[index] = {"height": height, "width": width, "file_name": self.file_names[index]}
        return self.img_infos[index]

    def _objects(self, index: int) -> list[dict[str, Any]]:
        path = self.annotations[index]
        try:
            return self.parse_voc_xml(ElementTree.parse(path).getroot())["annotation"]["object"]
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no annotation {path}") from None
        except (ElementTree.ParseError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged, or no annotation of Pascal VOC: {error!r}") from error

    def _object(self, index: int, number: int, each: Any) -> str:
        """How messages name an object of an annotation."""
        name = each.get("name") if isinstance(each, dict) else None
        return f"{self.annotations[index]}: object {number}" + (f" ({name})" if name else "")

    def _box(self, index: int, number: int, each: Any) -> list[float]:
        where = self._object(index, number, each)
        box = each.get("bndbox") if isinstance(each, dict) else None
        if not isinstance(box, dict):
            raise ValueError(f"{where} has no <bndbox>")
        edges = []
        for edge in ("xmin", "ymin", "xmax", "ymax"):
            if edge not in box:
                raise ValueError(f"{where} has no <{edge}> in its <bndbox>")
            try:
                edges.append(float(box[edge]))
            except (TypeError, ValueError):
                raise ValueError(f"{where} has {box[edge]!r} as <{edge}>, which is no number") from None
        return edges

    def _boxes(self, index: int, objects: list[dict[str, Any]]) -> np.ndarray:
        boxes = [self._box(index, number, each) for number, each in enumerate(objects)]
        return np.array(boxes, np.float32).reshape(-1, 4)

    def _categories(self, index: int, objects: list[dict[str, Any]]) -> np.ndarray:
        places = []
        for number, each in enumerate(objects):
            name = each.get("name") if isinstance(each, dict) else None
            if name is None:
                raise ValueError(f"{self._object(index, number, each)} has no <name>")
            if name not in self.class_names:
                raise ValueError(
                    f"{self._object(index, number, each)} has a name that is none of {type(self).__name__}.class_names"
                )
            places.append(self.class_names.index(name) + 1)
        return np.array(places, np.int32)

    def _mask(self, index: int) -> np.ndarray:
        if "aug" in self.image_set:
            return read_image(self.masks[index], gray=True)[:, :, np.newaxis]
        return self._trans_mask(read_image(self.masks[index]))[:, :, np.newaxis]

    def _trans_mask(self, mask: np.ndarray) -> np.ndarray:
        """Classes of the colours; other colours are unclear. Colours have only the upper two bits of a channel set."""
        table = np.full(64, 255, np.uint8)
        for number, (blue, green, red) in enumerate(self.class_colors):
            table[blue >> 6 | green >> 4 | red >> 2] = number
        blue, green, red = np.moveaxis(mask, 2, 0)
        classes = table[blue >> 6 | green >> 4 & 0b1100 | red >> 2 & 0b110000]
        classes[((blue | green | red) & 0b111111) != 0] = 255
        return classes

    def parse_voc_xml(self, node: Any) -> dict[str, Any]:
        """An annotation as nested dicts, by the tags.

        Args:
            node: an element of ``xml.etree``.

        Returns:
            A dict with the element's tag as key. Its value is the text, or a dict of the children; children of one tag make a
            list if there are several, and those of the tag "object" in an "annotation" always do.
        """
        children: dict[str, list[Any]] = defaultdict(list)
        for child in node:
            for tag, value in self.parse_voc_xml(child).items():
                children[tag].append(value)
        if not len(node):
            return {node.tag: node.text.strip()} if node.text else {}
        merged: dict[str, Any] = {tag: values[0] if len(values) == 1 else values for tag, values in children.items()}
        if node.tag == "annotation":
            merged["object"] = children["object"]
        return {node.tag: merged}
