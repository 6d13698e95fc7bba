"""Data sets whose annotations are one JSON file with "images", "annotations" and "categories"."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ...opencv import read_image
from .meta_vision import VisionDataset

__all__ = ["AnnotationError", "JsonAnnotations"]


class AnnotationError(ValueError, KeyError):
    """An entry of a file of annotations lacks something, or has something else in its place; the message names both."""

    __str__ = ValueError.__str__


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
        ValueError: if it is damaged, or an entry lacks something.
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
        self._path = os.fspath(ann_file)
        content = self._read(ann_file)
        self.imgs: dict[Any, dict[str, Any]] = {}
        for number, image in self._entries(content, "images", "id"):
            self.imgs[number] = {key: image[key] for key in image if key not in self._unused_image_keys}
        self.img_to_anns: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for number, annotation in self._entries(content, "annotations", "image_id", kinds=self.imgs):
            self.img_to_anns[number].append(annotation)
        self.cats = dict(self._entries(content, "categories", "id"))
        self.ids = sorted(self.imgs)
        if remove_images_without_annotations:
            self._remove_images()
        self._forget(self._unused_annotation_keys())
        self.json_category_id_to_contiguous_id = {number: place + 1 for place, number in enumerate(sorted(self.cats))}
        self.contiguous_category_id_to_json_id = {v: k for k, v in self.json_category_id_to_contiguous_id.items()}

    def _read(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        try:
            with open(path, encoding="utf-8-sig") as file:  # some editors put a mark at the start
                content = json.load(file)
        except FileNotFoundError:
            raise FileNotFoundError(f"{type(self).__name__}: there is no file {os.fspath(path)}") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{os.fspath(path)} is damaged, or no JSON: {error}") from error
        if not isinstance(content, dict):
            what = f"a JSON {type(content).__name__}, not an object"
            raise ValueError(f"{os.fspath(path)} is no annotation of {type(self).__name__}: it holds {what}")
        missing = [key for key in ("images", "annotations", "categories") if key not in content]
        if missing:
            raise ValueError(f"{os.fspath(path)} has no {missing[0]!r}: it is no annotation of {type(self).__name__}")
        return content

    def _entries(
        self, content: dict[str, Any], part: str, key: str, kinds: Iterable[Any] = ()
    ) -> Iterator[tuple[Any, dict[str, Any]]]:
        """The entries of one part of the file with what ``key`` says, numbers or strings, and all of one kind.

        Args:
            content: the file.
            part: which of its lists.
            key: what each entry has.
            kinds: what the entries name, whose kind theirs should be.
        """
        if not isinstance(content[part], list):
            raise AnnotationError(f"{self._path}: {part!r} is a {type(content[part]).__name__}, not a list")
        first = next(iter(kinds), None)
        kind, where = (type(first), "'images'") if first is not None else (None, "")
        for place, entry in enumerate(content[part]):
            if not isinstance(entry, dict):
                raise AnnotationError(f"{self._path}: {part}[{place}] is a {type(entry).__name__}, not an object")
            if key not in entry:
                raise AnnotationError(f"{self._path}: {part}[{place}] has no {key!r}")
            number = entry[key]
            if not isinstance(number, (int, str)) or isinstance(number, bool):
                raise AnnotationError(
                    f"{self._path}: {part}[{place}] has {number!r} as {key!r}, neither a number nor a string"
                )
            if kind is None:
                kind, where = type(number), f"{part}[{place}]"
            elif type(number) is not kind:
                names = {int: "a number", str: "a string"}
                raise AnnotationError(
                    f"{self._path}: {part}[{place}] has {number!r} as {key!r}, {names[type(number)]}, "
                    f"but that of {where} is {names[kind]}"
                )
            yield number, entry

    def _of(self, entry: dict[str, Any], key: str, what: str = "") -> Any:
        """What an annotation or image says, or an error that names it."""
        if key in entry:
            return entry[key]
        raise AnnotationError(f"{self._path}: {self._named(entry)} has no {key!r}{what}")

    def _named(self, entry: dict[str, Any]) -> str:
        """How messages name an annotation or image."""
        if "image_id" not in entry:
            return f"image {entry.get('id')!r}"
        image = self.imgs.get(entry["image_id"], {}).get("file_name")
        of = f"image {entry['image_id']!r}" + (f" ({image})" if image else "")
        if "id" in entry:
            return f"annotation {entry['id']!r} of {of}"
        place = next((k for k, each in enumerate(self.img_to_anns[entry["image_id"]]) if each is entry), 0)
        return f"annotation number {place} of {of}"

    def _numbers(self, entry: dict[str, Any], key: str, count: int | None = None) -> list[float]:
        """A list of numbers that an annotation has."""
        values = self._of(entry, key)
        right = isinstance(values, list) and all(isinstance(v, (int, float)) for v in values)
        if not right or (count is not None and len(values) != count):
            wanted = f"{count} numbers" if count is not None else "a list of numbers"
            raise AnnotationError(f"{self._path}: {self._named(entry)} has {values!r} as {key!r}, not {wanted}")
        return values

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
                for each in self.img_to_anns.get(number, [])
                if self._of(each, "iscrowd") == 0 and min(self._numbers(each, "bbox", 4)[2:]) > 0
            ]
            self.img_to_anns.pop(number, None)
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
            return read_image(os.path.join(self.root, self._of(image, "file_name")))
        if kind == "boxes":
            boxes = np.array([self._numbers(each, "bbox", 4) for each in annotations], np.float32).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]  # the file has width and height
            return boxes
        if kind == "boxes_category":
            return np.array([self._category(each) for each in annotations], np.int32)
        if kind == "info":
            return [self._of(image, key) for key in ("height", "width", "file_name")]
        raise NotImplementedError(f"{type(self).__name__} has no {kind!r}")

    def _category(self, annotation: dict[str, Any]) -> int:
        number = self._of(annotation, "category_id")
        place = self.json_category_id_to_contiguous_id.get(number)
        if place is None:
            raise AnnotationError(
                f"{self._path}: {self._named(annotation)} is of category {number!r}, which is none of the file's"
            )
        return place

    def __len__(self) -> int:
        return len(self.ids)

    def get_img_info(self, index: int) -> dict[str, Any]:
        """What the JSON file says about an image.

        Args:
            index: which one.
        """
        return self.imgs[self.ids[index]]
