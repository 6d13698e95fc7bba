"""Files that a person made: data sets of MNIST's format and CIFAR's, annotations that lack something, pictures of all kinds."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from megengine.data.dataset import CIFAR10, CIFAR100, COCO, MNIST, Cityscapes, ImageFolder, Objects365, PascalVOC
from megengine.data.dataset.vision.mnist import parse_idx1, parse_idx3
from megengine.data.opencv import read_image
from megengine.data.transform import ColorJitter, ContrastTransform, HueTransform, Lighting, SaturationTransform

rng = np.random.default_rng(0)


def idx(values: np.ndarray) -> bytes:
    """An IDX file."""
    kinds = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D}
    header = struct.pack(f">HBB{values.ndim}I", 0, kinds[values.dtype.str[1:]], values.ndim, *values.shape)
    return header + values.astype(values.dtype.newbyteorder(">")).tobytes()


def fill(
    folder: Path, images: np.ndarray, labels: np.ndarray, name: Callable[[str], str], pack: Any = gzip.compress
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file, values in zip(MNIST.raw_file_name, (images, labels, images[:2], labels[:2]), strict=True):
        (folder / name(file)).write_bytes(pack(idx(values)))
    return folder


def nothing(content: bytes) -> bytes:
    return content


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        (lambda file: file, gzip.compress),
        (lambda file: file, nothing),
        (lambda file: file.removesuffix(".gz"), nothing),
        (lambda file: file.removesuffix(".gz"), gzip.compress),
        (lambda file: file.replace("-idx", ".idx").removesuffix(".gz"), nothing),
        (lambda file: file.replace("-idx", ".idx"), gzip.compress),
    ],
    ids=["gz", "named gz, plain", "plain", "named plain, gz", "dotted", "dotted gz"],
)
def test_files_of_mnists_format_under_their_usual_names(name: Any, pack: Any, tmp_path: Path) -> None:
    images = rng.integers(0, 256, (7, 28, 28), np.uint8)
    dataset = MNIST(fill(tmp_path, images, np.arange(7, dtype=np.uint8), name, pack), download=False)
    assert len(dataset) == 7 and len(MNIST(tmp_path, train=False)) == 2
    np.testing.assert_array_equal(dataset[3][0], images[3][..., None])
    assert dataset[3][1] == 3 and dataset[3][1].dtype == np.int32


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (rng.integers(0, 256, (3, 5, 9), np.uint8), np.array([47, 0, 61], np.uint8)),  # EMNIST has more classes
        (rng.integers(0, 256, (3, 64, 64, 3), np.uint8), np.array([1, 2, 3], np.uint8)),
        (rng.integers(-9, 9, (3, 4, 4)).astype(np.int16), np.array([1000, 2, -1], np.int32)),
        (rng.random((3, 4, 4)).astype(np.float32), np.array([0, 1, 0], np.int8)),
        (np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8)),
    ],
    ids=["another size", "colour", "wide integers", "floats", "none"],
)
def test_files_of_other_sizes_and_types(images: np.ndarray, labels: np.ndarray, tmp_path: Path) -> None:
    dataset = MNIST(fill(tmp_path, images, labels, lambda file: file), download=False)
    pixels, classes = dataset.arrays
    np.testing.assert_array_equal(pixels, images if images.ndim == 4 else images[..., None])
    np.testing.assert_array_equal(classes, labels)
    assert pixels.dtype == images.dtype and classes.dtype == np.int32
    assert dataset.meta["images"] | {"magic": 0} == {
        "magic": 0, "imgs": len(images), "height": images.shape[1], "width": images.shape[2],
    }  # fmt: skip


def test_a_class_of_the_programs_own_with_files_of_its_own(tmp_path: Path) -> None:
    class Letters(MNIST):
        raw_file_name = [f"letters-{name}" for name in MNIST.raw_file_name]
        raw_file_md5 = ["0" * 32] * 4
        url_path = "http://127.0.0.1:9/"
        _mirrors: list[str] = []

    images = rng.integers(0, 256, (4, 28, 28), np.uint8)
    fill(tmp_path, images, np.arange(4, dtype=np.uint8), lambda file: f"letters-{file}")
    assert len(Letters(tmp_path)) == 4


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-4]), "is truncated or damaged"),
        (lambda path: path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-4])), "holds 3136 bytes"),
        (lambda path: path.write_bytes(b""), "there are 0"),
        (lambda path: path.write_bytes(b"<!DOCTYPE html>"), "no IDX file"),
        (lambda path: path.write_bytes(idx(np.zeros(4, np.uint8))), r"images have the shape .*, not \(4,\)"),
    ],
    ids=["truncated gzip", "truncated content", "empty", "web page", "labels for images"],
)
def test_a_file_that_is_not_whole_is_named(damage: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    fill(tmp_path, rng.integers(0, 256, (4, 28, 28), np.uint8), np.arange(4, dtype=np.uint8), lambda file: file)
    damage(tmp_path / MNIST.raw_file_name[0])
    with pytest.raises(ValueError, match=f"(?s){tmp_path}.*{MNIST.raw_file_name[0]} .*{message}"):
        MNIST(tmp_path, download=False)


def test_labels_that_are_not_as_many_as_images(tmp_path: Path) -> None:
    fill(tmp_path, np.zeros((4, 2, 2), np.uint8), np.arange(3, dtype=np.uint8), lambda file: file)
    with pytest.raises(ValueError, match=r"train-images.* has 4 images, but train-labels.* has 3 labels"):
        MNIST(tmp_path, download=False)


def test_single_idx_files(tmp_path: Path) -> None:
    images, labels = rng.integers(0, 256, (4, 3, 2), np.uint8), np.arange(4, dtype=np.uint8)
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx(images)))
    (tmp_path / "b").write_bytes(idx(labels))
    header, pixels = parse_idx3(tmp_path / "a.gz")
    assert header == {"magic": 2051, "imgs": 4, "height": 3, "width": 2} and pixels.shape == (4, 3, 2, 1)
    header, classes = parse_idx1(str(tmp_path / "b"))
    assert header == {"magic": 2049, "imgs": 4} and classes.tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"b has the shape \(4,\)"):
        parse_idx3(tmp_path / "b")


# CIFAR


def cifar_archive(root: Path, files: dict[str, Any], folder: str, archive: str) -> None:
    with tarfile.open(root / archive, "w:gz") as tar:
        for name, content in files.items():
            data = pickle.dumps(content)
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("keys", [lambda key: key, lambda key: key.encode()], ids=["str", "bytes"])
def test_an_archive_of_ones_own_is_unpacked(keys: Callable[[str], Any], tmp_path: Path) -> None:
    planes = rng.integers(0, 256, (3, 3072), np.uint8)
    batch = {keys("data"): planes, keys("fine_labels"): [1, 2, 3], keys("coarse_labels"): [0, 0, 1]}
    cifar_archive(tmp_path, {"train": batch, "test": batch}, "cifar-100-python", "cifar-100-python.tar.gz")
    dataset = CIFAR100(tmp_path)
    assert len(dataset) == 3 and dataset[2][1:] == (3, 1)
    np.testing.assert_array_equal(dataset[1][0], planes[1].reshape(3, 32, 32)[::-1].transpose(1, 2, 0))
    assert not list(tmp_path.glob("*.bad"))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([1, 2], "data_batch_1 is no batch of CIFAR10: it holds a list"),
        ({"labels": [1]}, "data_batch_1 is no batch of CIFAR10: it has no 'data'"),
        ({"data": np.zeros((1, 3072), np.uint8)}, "data_batch_1 is no batch of CIFAR10: it has no 'labels'"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}, "data_batch_1 has 2 images, but 1 labels"),
        ({"data": np.zeros((2, 5), np.uint8), "labels": [1]}, "data_batch_1 is damaged"),
    ],
)
def test_a_batch_that_is_not_right_is_named(batch: Any, message: str, tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in CIFAR10.train_batch:
        (folder / name).write_bytes(pickle.dumps(batch))
    with pytest.raises(ValueError, match=message):
        CIFAR10(tmp_path)


# annotations in JSON


def coco(folder: Path, change: Callable[[dict[str, Any]], Any] = lambda content: None, text: str | None = None) -> Path:
    content = {
        "images": [
            {"id": 1, "file_name": "a.jpg", "height": 4, "width": 6},
            {"id": 2, "file_name": "b.jpg", "height": 4, "width": 6},
        ],
        "annotations": [
            {"id": 7, "image_id": 1, "category_id": 5, "bbox": [1, 1, 2, 2], "iscrowd": 0},
            {"id": 8, "image_id": 2, "category_id": 9, "bbox": [0, 0, 3, 2], "iscrowd": 0},
        ],
        "categories": [{"id": 5, "name": "cat"}, {"id": 9, "name": "dog"}],
    }  # fmt: skip
    change(content)
    path = folder / "own.json"
    path.write_text(json.dumps(content) if text is None else text, encoding="utf-8")
    return path


def without(part: str, number: int, key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content[part][number].pop(key)


def with_(part: str, number: int, key: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content[part][number].update({key: value})


BROKEN = [
    (without("images", 1, "id"), r"images\[1\] has no 'id'"),
    (without("annotations", 0, "image_id"), r"annotations\[0\] has no 'image_id'"),
    (without("categories", 1, "id"), r"categories\[1\] has no 'id'"),
    (without("annotations", 1, "bbox"), r"annotation 8 of image 2 \(b.jpg\) has no 'bbox'"),
    (without("annotations", 1, "category_id"), r"annotation 8 of image 2 \(b.jpg\) has no 'category_id'"),
    (without("annotations", 1, "iscrowd"), r"annotation 8 of image 2 \(b.jpg\) has no 'iscrowd'"),
    (without("images", 1, "height"), r"image 2 has no 'height'"),
    (without("images", 1, "file_name"), r"image 2 has no 'file_name'"),
    (with_("images", 1, "id", "2"), r"images\[1\] has '2' as 'id', a string, but that of images\[0\] is a number"),
    (with_("annotations", 1, "image_id", "2"), r"annotations\[1\] has '2' as 'image_id', a string, but that of 'images' is"),
    (with_("categories", 1, "id", None), r"categories\[1\] has None as 'id'"),
    (with_("annotations", 1, "category_id", 4), r"annotation 8 of image 2 \(b.jpg\) is of category 4, which is none"),
    (with_("annotations", 1, "bbox", [1, 2, 3]), r"annotation 8 .* has \[1, 2, 3\] as 'bbox', not 4 numbers"),
    (with_("annotations", 1, "bbox", None), r"annotation 8 .* has None as 'bbox'"),
    (lambda content: content["annotations"].__setitem__(1, [1]), r"annotations\[1\] is a list, not an object"),
    (lambda content: content.update(images={"1": {}}), r"'images' is a dict, not a list"),
]  # fmt: skip


@pytest.mark.parametrize("kind", [COCO, Objects365])
@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_an_entry_that_lacks_something_is_named(kind: Any, change: Any, message: str, tmp_path: Path) -> None:
    path = coco(tmp_path, change)
    with pytest.raises(ValueError, match=f"{path.name}: {message}") as caught:
        dataset = kind(tmp_path, path, True, order=("boxes", "boxes_category", "info"))
        for position in range(len(dataset)):
            dataset[position]
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is damaged, or no JSON"),
        ('{"images": [', "is damaged, or no JSON"),
        ("[1]", "holds a JSON list"),
        ("{}", "has no 'images'"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_annotation_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"own.json.*{message}"):
        COCO(tmp_path, coco(tmp_path, text=text))


def test_what_is_not_asked_for_may_be_absent(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for annotation in content["annotations"]:
            del annotation["iscrowd"], annotation["bbox"], annotation["id"]
        content["images"].append({"id": 3, "file_name": "c.jpg", "height": 1, "width": 2})

    path = coco(tmp_path, change)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # the mark of some editors
    dataset = COCO(tmp_path, path, order=("boxes_category", "info"))
    assert [dataset[k][1][2] for k in range(3)] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [dataset[k][0].tolist() for k in range(3)] == [[1], [2], []]


def test_ids_may_be_strings_and_annotations_may_be_none(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for image in content["images"]:
            image["id"] = f"picture-{image['id']}"
        content["annotations"] = []

    dataset = COCO(tmp_path, coco(tmp_path, change), order=("boxes", "boxes_category", "info"))
    assert len(dataset) == 2 and dataset[0][0].shape == (0, 4)
    assert len(COCO(tmp_path, tmp_path / "own.json", True, order=("boxes",))) == 0


# annotations in XML, folders


OBJECT = "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("<name>cat</name>", ""), "object 1 has no <name>"),
        (lambda text: text.replace("<name>cat</name>", "<name></name>"), "object 1 has no <name>"),
        (lambda text: text.replace("<ymin>2</ymin>", ""), r"object 1 \(cat\) has no <ymin> in its <bndbox>"),
        (lambda text: text.replace("<xmax>3</xmax>", "<xmax>wide</xmax>"), r"object 1 \(cat\) has 'wide' as <xmax>"),
        (
            lambda text: text.replace("cat", "unicorn"),
            r"object 1 \(unicorn\) has a name that is none of PascalVOC.class_names",
        ),
        (lambda text: text[: text.index("<bndbox>")] + "</object>", r"object 1 \(cat\) has no <bndbox>"),
    ],
)
def test_an_object_of_pascal_voc_that_lacks_something_is_named(change: Any, message: str, tmp_path: Path) -> None:
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "ImageSets/Main/train.txt").write_text("one\n\n")
    (tmp_path / "Annotations/one.xml").write_text(f"<annotation>{OBJECT}{change(OBJECT)}</annotation>")
    dataset = PascalVOC(tmp_path, "train", order=("boxes", "boxes_category"))
    assert len(dataset) == 1
    with pytest.raises(ValueError, match=f"one.xml: {message}"):
        dataset[0]


def test_what_else_lies_in_the_folders_of_cityscapes(tmp_path: Path) -> None:
    city = tmp_path / "leftImg8bit/train/ulm"
    city.mkdir(parents=True)
    cv2.imwrite(str(city / "ulm_0_leftImg8bit.png"), np.zeros((2, 3, 3), np.uint8))
    (city / "Thumbs.db").touch()
    (city.parent / ".DS_Store").touch()
    dataset = Cityscapes(tmp_path, "train", "gtFine", order=("image", "mask"))
    assert len(dataset) == 1
    with pytest.raises(FileNotFoundError, match=r"there is no picture .*gtFine/train/ulm/ulm_0_gtFine_labelIds.png"):
        dataset[0]
    with pytest.raises(FileNotFoundError, match="there is no folder .*leftImg8bit/val"):
        Cityscapes(tmp_path, "val", "gtFine")


# pictures


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Red, green, blue blocks, large enough for several rows of JPEG's blocks."""
    return np.kron(np.random.default_rng(1).integers(0, 256, (12, 9, 3), np.uint8), np.ones((8, 8, 1), np.uint8))


def folder_of(tmp_path: Path, name: str, content: bytes) -> ImageFolder:
    (tmp_path / "cats").mkdir(exist_ok=True)
    (tmp_path / "cats" / name).write_bytes(content)
    return ImageFolder(tmp_path)


def encoded(image: Image.Image, kind: str, **settings: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


@pytest.mark.parametrize(("part", "progressive"), [(0.5, False), (0.9, False), (0.5, True)])
def test_a_jpeg_that_ends_too_early(
    picture: np.ndarray, part: float, progressive: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = encoded(Image.fromarray(picture), "JPEG", quality=95, progressive=progressive)
    dataset = folder_of(tmp_path, "a.jpg", whole[: int(len(whole) * part)])
    import logging

    logger = logging.getLogger("megengine")
    logger.addHandler(caplog.handler)
    try:
        for _ in range(2):
            image, _ = dataset[0]
    finally:
        logger.removeHandler(caplog.handler)
    np.testing.assert_array_equal(image, cv2.imread(str(tmp_path / "cats/a.jpg")))
    assert [r.getMessage() for r in caplog.records] == [
        f"{tmp_path}/cats/a.jpg ends too early: what is missing of the picture is grey"
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jpg", b"", "0 bytes"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "4 bytes"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "8 bytes"),
        ("a.jpg", b"\n<!DOCTYPE html><html>", "it is a web page"),
        ("a.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "it is a Git LFS pointer"),
        ("._a.jpg", b"\0\5\x16\7", "4 bytes"),
    ],
)
def test_what_is_no_picture_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"cats/{name.replace('.', '[.]')} is damaged, or no picture \({message}"):
        folder_of(tmp_path, name, content)[0]


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """The image that a picture with this orientation shows, by Pillow's own table."""
    transpose = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }  # fmt: skip
    shown = Image.fromarray(image)
    return np.asarray(shown.transpose(transpose[orientation]) if orientation in transpose else shown)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["WEBP", "PNG", "JPEG"])
def test_pictures_are_turned_as_their_exif_data_say(
    picture: np.ndarray, kind: str, orientation: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    how = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(encoded(Image.fromarray(picture), kind, exif=exif, **how))
    image = read_image(str(path))
    expected = upright(picture, orientation)[..., ::-1]
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= (6 if kind == "JPEG" else 0)
    assert read_image(str(path), gray=True).shape == expected.shape[:2]


def test_exif_of_webp_with_the_mark_of_jpeg_or_nonsense(picture: np.ndarray, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    whole = encoded(Image.fromarray(picture), "WEBP", exif=exif, lossless=True)
    place = whole.index(b"EXIF") + 8
    size = struct.unpack_from("<I", whole, place - 4)[0]

    def with_exif(content: bytes) -> bytes:
        tail = content + b"\0" * (len(content) & 1)
        made = whole[: place - 4] + struct.pack("<I", len(content)) + tail
        return made[:4] + struct.pack("<I", len(made) - 8) + made[8:]

    (tmp_path / "marked.webp").write_bytes(with_exif(b"Exif\0\0" + whole[place : place + size]))
    np.testing.assert_array_equal(read_image(str(tmp_path / "marked.webp")), upright(picture, 6)[..., ::-1])
    for number, nonsense in enumerate((b"", b"MM", b"II*\0\xff\xff\xff\x7f", b"MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0")):
        (tmp_path / f"{number}.webp").write_bytes(with_exif(nonsense))
        np.testing.assert_array_equal(read_image(str(tmp_path / f"{number}.webp")), picture[..., ::-1])


def test_pictures_of_all_modes_have_three_channels_of_bytes(picture: np.ndarray, tmp_path: Path) -> None:
    image = Image.fromarray(picture)
    alpha = np.concatenate([picture, picture[..., :1] | 1], 2)  # WebP keeps no colours where nothing is seen
    gray = np.ascontiguousarray(picture[..., 0])
    pictures = {
        "rgba.png": encoded(Image.fromarray(alpha), "PNG"),
        "rgba.webp": encoded(Image.fromarray(alpha), "WEBP", lossless=True),
        "la.png": encoded(Image.fromarray(np.ascontiguousarray(alpha[..., 2:])), "PNG"),
        "l.png": encoded(image.convert("L"), "PNG"),
        "p.png": encoded(image.convert("P"), "PNG", transparency=3),
        "one.png": encoded(image.convert("1"), "PNG"),
        "i16.png": encoded(Image.fromarray(gray.astype(np.uint16) * 257), "PNG"),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG"),
        "p.bmp": encoded(image.convert("P"), "BMP"),
    }
    for name, content in pictures.items():
        folder_of(tmp_path, name, content)
    read = {Path(path).name: read_image(path) for path, _ in ImageFolder(tmp_path).samples}
    assert sorted(read) == sorted(pictures)
    assert {(x.shape, x.dtype.name) for x in read.values()} == {((96, 72, 3), "uint8")}
    for name in ("rgba.png", "rgba.webp"):
        np.testing.assert_array_equal(read[name], picture[..., ::-1])
    np.testing.assert_array_equal(read["i16.png"], np.repeat(gray[..., None], 3, 2))


# colour transforms


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_colours_of_images_with_alpha(dtype: str) -> None:
    """As in MegEngine 1.13: brightness is that of the colours; contrast and saturation change alpha as well, hue drops it."""
    image = rng.integers(0, 256, (5, 6, 4)).astype(dtype)
    values = image.astype("float64")
    gray = values[..., :3] @ [0.114, 0.587, 0.299]
    tolerance = 1.01 if dtype != "float32" else 1e-2

    def factor(value: float) -> float:
        np.random.seed(3)
        return float(np.random.uniform(max(0, 1 - value), 1 + value))

    a = factor(0.4)
    np.random.seed(3)
    saturated = SaturationTransform(0.4).apply(image)
    expected = np.clip(values * a + gray[..., None] * (1 - a), 0, 255)
    assert saturated.shape == image.shape and saturated.dtype == dtype
    np.testing.assert_allclose(saturated, expected, atol=tolerance)
    np.random.seed(3)
    contrasted = ContrastTransform(0.4).apply(image)
    np.testing.assert_allclose(contrasted, np.clip(values * a + gray.mean() * (1 - a), 0, 255), atol=tolerance)
    np.random.seed(3)
    turned = HueTransform(0.3).apply(image)
    np.random.seed(3)
    np.testing.assert_array_equal(turned, HueTransform(0.3).apply(np.ascontiguousarray(image[..., :3])))
    assert ColorJitter(0.4, 0.4, 0.4, 0.2).apply(image).shape == (5, 6, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_lighting_leaves_alpha_as_it_is(dtype: Any) -> None:
    image = rng.integers(0, 256, (5, 6, 4)).astype(dtype)
    np.random.seed(3)
    lit = Lighting(0.5).apply(image)
    np.random.seed(3)
    np.testing.assert_array_equal(lit[..., :3], Lighting(0.5).apply(np.ascontiguousarray(image[..., :3])))
    np.testing.assert_array_equal(lit[..., 3], image[..., 3])
    assert lit.dtype == dtype and (lit[..., :3] != image[..., :3]).any()


def test_colours_of_gray_images() -> None:
    image = rng.integers(0, 256, (5, 6, 1), np.uint8)
    np.testing.assert_array_equal(HueTransform(0.5).apply(image), image)
    np.testing.assert_allclose(SaturationTransform(0.5).apply(image).astype(int), image, atol=1)
    assert ContrastTransform(0.5).apply(image).shape == image.shape
    assert ColorJitter(0.4, 0.4, 0.4, 0.2).apply(image).shape == image.shape


@pytest.mark.parametrize("transform", [SaturationTransform(0.5), ContrastTransform(0.5), HueTransform(0.5)])
@pytest.mark.parametrize("channels", [2, 5])
def test_colours_of_other_images_are_refused(transform: Any, channels: int) -> None:
    with pytest.raises(
        ValueError, match=rf"takes images of 1 or 3 or 4 channels, not one of shape \(5, 6, {channels}\)"
    ):
        transform.apply(np.zeros((5, 6, channels), np.uint8))
