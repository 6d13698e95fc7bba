"""Cases of image datasets, on small files made here, that real MegEngine 1.13.0 and this package are both asked.

It runs on Python 3.10 with NumPy 1 as well, which is what real MegEngine needs.
"""

from __future__ import annotations

import json
import os
import pickle
import tempfile
import xml.etree.ElementTree as ElementTree

import numpy as np

from megengine.data.dataset.vision import (
    CIFAR10,
    CIFAR100,
    COCO,
    Cityscapes,
    ImageFolder,
    ImageNet,
    Objects365,
    PascalVOC,
    VisionDataset,
)


def picture(number, height=4, width=5, channels=3):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    return ((37 * x + 11 * y * y + 71 * c + 5 * x * y + 23 * number) % 256).astype(np.uint8)


def write_picture(path, pixels):
    """PNG whatever the name's ending, as all releases of OpenCV decode it alike; they look at the content."""
    import cv2

    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(cv2.imencode(".png", pixels)[1].tobytes())


def write_text(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def write_pickle(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        pickle.dump(value, file, 2)


def make_cifar10(root):
    for number, name in enumerate([*CIFAR10.train_batch, *CIFAR10.test_batch]):
        data = (np.arange(2 * 3072) * 7 % 251 + number).astype(np.uint8).reshape(2, 3072)
        labels = [number, 9 - number]
        write_pickle(f"{root}/cifar-10-batches-py/{name}", {b"data": data, b"labels": labels, b"batch_label": name})
    write_pickle(f"{root}/cifar-10-batches-py/batches.meta", {b"label_names": [b"airplane", b"cat"]})


def make_cifar100(root):
    for number, name in enumerate(("train", "test")):
        data = (np.arange(3 * 3072) * 5 % 253 + number).astype(np.uint8).reshape(3, 3072)
        labels = {b"fine_labels": [99, 0, number], b"coarse_labels": [19, 1, 2]}
        write_pickle(f"{root}/cifar-100-python/{name}", {b"data": data, **labels})
    write_pickle(f"{root}/cifar-100-python/meta", {b"fine_label_names": [b"apple"]})


OBJECT = """<object><name>{}</name><difficult>0</difficult>
  <part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>
  <bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"""


def make_voc(root):
    objects = [
        [("person", 1, 2, 3.5, 4), ("tvmonitor", 0, 0, 4, 3)],
        [("aeroplane", 2, 1, 5, 4)],
        [],
    ]
    for number, of_image in enumerate(objects):
        name = f"2007_00000{number}"
        write_picture(f"{root}/JPEGImages/{name}.jpg", picture(number))
        boxes = "".join(OBJECT.format(*each) for each in of_image)
        text = (
            f"<annotation>\n <filename>{name}.jpg</filename><size><width>5</width></size><empty/>{boxes}</annotation>"
        )
        write_text(f"{root}/Annotations/{name}.xml", text)
        classes = np.arange(20).reshape(4, 5) + number
        colours = np.array(PascalVOC.class_colors, np.uint8)[np.minimum(classes, 20)]
        colours[0, 0] = (192, 224, 224)  # the border between objects
        colours[1, 1] = (0, 0, 129)
        colours[2, 2] = (64, 64, 64)
        write_picture(f"{root}/SegmentationClass/{name}.png", colours)
        write_picture(f"{root}/SegmentationClass_aug/{name}.png", classes.astype(np.uint8))
    names = "".join(f"2007_00000{number}\n" for number in range(3))
    write_text(f"{root}/ImageSets/Main/train.txt", names)
    write_text(f"{root}/ImageSets/Segmentation/val.txt", names)
    write_text(f"{root}/ImageSets/Segmentation/trainaug.txt", names)


def annotation(image, box, category, crowd=0, points=None):
    made = {
        "image_id": image,
        "bbox": box,
        "category_id": category,
        "iscrowd": crowd,
        "area": 3,
        "segmentation": [[1, 2]],
    }
    return made if points is None else {**made, "keypoints": points}


def points(labelled):
    return [value for i in range(17) for value in ([i, 2 * i, 1 + i % 2] if i < labelled else [0, 0, 0])]


def make_json(root, with_points):
    images = [
        {"id": number, "height": 4, "width": 5, "file_name": f"{number:04}.jpg", "license": 1, "flickr_url": "x"}
        for number in (7, 3, 12, 5, 8)
    ]
    for image in images:
        write_picture(f"{root}/train/{image['file_name']}", picture(image["id"]))
    of_whom = points if with_points else lambda labelled: None
    annotations = [
        annotation(7, [1, 1, 2.5, 3], 90, points=of_whom(12)),
        annotation(7, [0, 0, 4, 1], 3, points=of_whom(3)),
        annotation(3, [2, 1, 0, 3], 3, points=of_whom(17)),
        annotation(12, [1, 2, 3, 2], 18, crowd=1, points=of_whom(17)),
        annotation(5, [1.25, 2, 3, 2], 18, points=of_whom(4)),
    ]
    categories = [{"id": number, "name": f"thing {number}"} for number in (90, 3, 18)]
    write_text(
        f"{root}/instances.json", json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )


def make_cityscapes(root):
    for number, scene in enumerate(("aachen/aachen_000000_000019", "aachen/aachen_000001_000019")):
        write_picture(f"{root}/leftImg8bit/train/{scene}_leftImg8bit.png", picture(number))
        write_picture(
            f"{root}/gtFine/train/{scene}_gtFine_labelIds.png", np.arange(20 * number, 20 * number + 20).reshape(4, 5)
        )


def make_folder(root):
    for number, name in enumerate(("dog/b.jpg", "dog/a.PNG", "cat/deep/er/c.bmp", "cat/d.jpeg", "ant/e.webp")):
        write_picture(f"{root}/{name}", picture(number))
    write_text(f"{root}/dog/readme.txt", "no picture")
    os.makedirs(f"{root}/empty")
    write_text(f"{root}/readme.txt", "no class")


def make_imagenet(root):
    make_folder(f"{root}/train")
    write_picture(f"{root}/val/n01/x.JPEG", picture(9))
    write_text(f"{root}/ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", "3\n1\n")
    write_pickle(
        f"{root}/ILSVRC2012_devkit_t12/meta.pkl", ({1: "n01", 3: "n02"}, {"n01": ("tench",), "n02": ("a", "b")})
    )


def on_files(make, ask):
    with tempfile.TemporaryDirectory() as root:
        make(root)
        return ask(root)


def samples(dataset):
    return [len(dataset), [dataset[i] for i in range(len(dataset))]]


def without_root(dataset, root):
    return [(path.replace(root, ""), label) for path, label in dataset.samples]


VOC_ORDER = ("image", "boxes", "boxes_category", "info")
JSON_ORDER = ("info", "boxes_category", "boxes", "image")

ASKED = {
    "cifar10_train": (make_cifar10, lambda root: list(CIFAR10(root)[9])),
    "cifar10_test": (make_cifar10, lambda root: samples(CIFAR10(root, train=False, download=False))),
    "cifar10_meta": (make_cifar10, lambda root: CIFAR10(root).meta),
    "cifar10_missing": (lambda root: None, lambda root: CIFAR10(root, download=False)),
    "cifar10_nowhere": (lambda root: None, lambda root: CIFAR10(root + "/no", download=False)),
    "cifar100_train": (make_cifar100, lambda root: samples(CIFAR100(root))),
    "cifar100_meta": (make_cifar100, lambda root: CIFAR100(root, train=False).meta),
    "voc_boxes": (make_voc, lambda root: samples(PascalVOC(root, "train", order=VOC_ORDER))),
    "voc_boxes_only": (make_voc, lambda root: samples(PascalVOC(root, "train", order=("boxes",)))),
    "voc_mask": (make_voc, lambda root: samples(PascalVOC(root, "val", order=("image", "mask", "info")))),
    "voc_mask_aug": (make_voc, lambda root: samples(PascalVOC(root, "trainaug\n", order=("mask",)))),
    "voc_info": (make_voc, lambda root: PascalVOC(root, "train", order=("boxes",)).get_img_info(1)),
    "voc_xml": (
        make_voc,
        lambda root: [
            PascalVOC(root, "train", order=("boxes",)).parse_voc_xml(
                ElementTree.parse(f"{root}/Annotations/2007_00000{number}.xml").getroot()
            )
            for number in range(3)
        ],
    ),
    "voc_both": (make_voc, lambda root: PascalVOC(root, "train", order=("boxes", "mask"))),
    "voc_neither": (make_voc, lambda root: PascalVOC(root, "train", order=("image",))),
    "voc_unknown": (make_voc, lambda root: PascalVOC(root, "train", order=("boxes", "smell"))),
    "voc_nowhere": (make_voc, lambda root: PascalVOC(root + "/no", "train", order=("boxes",))),
    "voc_no_list": (make_voc, lambda root: PascalVOC(root, "val", order=("boxes",))),
    "cityscapes_first": (
        make_cityscapes,
        lambda root: sorted(
            (m.tolist(), i.tolist())
            for i, m in (Cityscapes(root, "train", "gtFine", order=("image", "mask"))[k] for k in (0, 1))
        ),
    ),
    "cityscapes_len": (make_cityscapes, lambda root: len(Cityscapes(root, "train", "gtFine"))),
    "cityscapes_nowhere": (make_cityscapes, lambda root: Cityscapes(root + "/no", "train", "gtFine")),
    "cityscapes_no_set": (make_cityscapes, lambda root: Cityscapes(root, "val", "gtFine")),
    "cityscapes_unknown": (make_cityscapes, lambda root: Cityscapes(root, "train", "gtFine", order=("boxes",))),
    "folder": (make_folder, lambda root: samples(ImageFolder(root))),
    "folder_samples": (make_folder, lambda root: without_root(ImageFolder(root), root)),
    "folder_names": (make_folder, lambda root: without_root(ImageFolder(root, class_name=True), root)),
    "folder_valid": (
        make_folder,
        lambda root: without_root(ImageFolder(root, check_valid_func=lambda path: path.endswith("jpg")), root),
    ),
    "folder_classes": (make_folder, lambda root: ImageFolder(root).class_dict),
    "folder_nowhere": (make_folder, lambda root: ImageFolder(root + "/no")),
    "imagenet_train": (make_imagenet, lambda root: without_root(ImageNet(root), root)),
    "imagenet_val": (make_imagenet, lambda root: samples(ImageNet(root, train=False, class_name=True))),
    "imagenet_truth": (make_imagenet, lambda root: ImageNet(root).valid_ground_truth),
    "imagenet_meta": (make_imagenet, lambda root: ImageNet(root).meta),
    "imagenet_raw": (make_imagenet, lambda root: ImageNet(root).check_raw_file()),
    "imagenet_nowhere": (make_imagenet, lambda root: ImageNet(root + "/no")),
    "imagenet_empty": (lambda root: os.makedirs(f"{root}/ILSVRC2012_devkit_t12"), lambda root: ImageNet(root)),
}
for _name, _kind in (("coco", COCO), ("objects365", Objects365)):
    for _remove in (False, True):
        ASKED[f"{_name}_{_remove}"] = (
            lambda root: make_json(root, False),
            lambda root, kind=_kind, remove=_remove: samples(
                kind(root + "/train", root + "/instances.json", remove, order=JSON_ORDER)
            ),
        )
    ASKED[_name + "_image"] = (
        lambda root: make_json(root, False),
        lambda root, kind=_kind: samples(kind(root + "/train", root + "/instances.json")),
    )
    ASKED[_name + "_info"] = (
        lambda root: make_json(root, False),
        lambda root, kind=_kind: kind(root, root + "/instances.json", order=("image", "boxes")).get_img_info(1),
    )
    ASKED[_name + "_categories"] = (
        lambda root: make_json(root, False),
        lambda root, kind=_kind: [
            kind(root, root + "/instances.json").json_category_id_to_contiguous_id,
            kind(root, root + "/instances.json").contiguous_category_id_to_json_id,
            kind(root, root + "/instances.json").cats,
        ],
    )
    ASKED[_name + "_unknown"] = (
        lambda root: make_json(root, False),
        lambda root, kind=_kind: kind(root, root + "/instances.json", order=("mask",)),
    )
    ASKED[_name + "_nowhere"] = (lambda root: None, lambda root, kind=_kind: kind(root, root + "/instances.json"))
for _remove in (False, True):
    ASKED[f"coco_keypoints_{_remove}"] = (
        lambda root: make_json(root, True),
        lambda root, remove=_remove: samples(
            COCO(root + "/train", root + "/instances.json", remove, order=("keypoints", "boxes", "info"))
        ),
    )

TABLES = {
    "coco_names": lambda: [COCO.class_names, COCO.classes_originID, COCO.keypoint_names, COCO.supported_order],
    "objects365_names": lambda: [Objects365.class_names, Objects365.supported_order],
    "cityscapes_names": lambda: [Cityscapes.class_names, Cityscapes.supported_order],
    "voc_names": lambda: [PascalVOC.class_names, PascalVOC.class_colors, PascalVOC.supported_order],
    "cifar_files": lambda: [
        (kind.raw_file_name, kind.raw_file_md5, kind.raw_file_dir, kind.train_batch, kind.test_batch, kind.meta_info)
        for kind in (CIFAR10, CIFAR100)
    ],
    "imagenet_files": lambda: [
        ImageNet.raw_file_meta,
        ImageNet.default_train_dir,
        ImageNet.default_val_dir,
        ImageNet.default_devkit_dir,
    ],
    "bases": lambda: [
        issubclass(ImageNet, ImageFolder),
        issubclass(CIFAR100, CIFAR10),
        issubclass(COCO, VisionDataset),
    ],
}

CASES = {name: lambda asked=asked: on_files(*asked) for name, asked in ASKED.items()}
CASES.update(TABLES)
