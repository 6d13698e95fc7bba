"""Image datasets beyond their golden cases: downloads, archives, and files that are missing or damaged, by name."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from megengine.data import Collator, DataLoader, SequentialSampler
from megengine.data.dataset import CIFAR10, COCO, Cityscapes, ImageFolder, ImageNet, Objects365, PascalVOC
from megengine.data.dataset.vision.coco import has_valid_annotation
from megengine.data.dataset.vision.plain_pickle import load_plain_pickle
from megengine.data.dataset.vision.utils import calculate_md5, load_raw_data_from_url, untar
from megengine.data.transform import Normalize
from megengine.data.vectorise import batch_pipeline
from tests.data import golden_datasets as made

pytest.importorskip("cv2")


class Server(ThreadingHTTPServer):
    """Serves what a test puts into ``files``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def url(self, name: str = "") -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        if name not in self.server.files:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.files[name])))
        self.end_headers()
        self.wfile.write(self.server.files[name])
        return None

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def archive(entries: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# CIFAR


@pytest.fixture
def cifar(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> type[CIFAR10]:
    """CIFAR-10 with small batches, from a server on this machine; no network."""
    made.make_cifar10(str(tmp_path / "made"))
    server.files[CIFAR10.raw_file_name] = archive(contents(tmp_path / "made"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    class Small(CIFAR10):
        url_path = server.url()
        raw_file_md5 = hashlib.md5(server.files[CIFAR10.raw_file_name]).hexdigest()

    return Small


def test_cifar_is_downloaded_once_and_unpacked(cifar: type[CIFAR10], server: Server, tmp_path: Path) -> None:
    root = tmp_path / "cache" / "megengine" / "Small"
    train, test = cifar(), cifar(train=False)
    assert [len(train), len(test)] == [10, 2]
    assert server.asked == [cifar.raw_file_name]
    assert entries(root) == ["cifar-10-batches-py", cifar.raw_file_name]
    assert test.meta[b"label_names"] == [b"airplane", b"cat"]
    expected = CIFAR10(tmp_path / "made")
    assert all((one[0] == other[0]).all() for one, other in zip(train, expected, strict=False))


def test_cifar_goes_on_from_an_archive_that_is_there(cifar: type[CIFAR10], server: Server, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / cifar.raw_file_name).write_bytes(server.files[cifar.raw_file_name])
    assert len(cifar(tmp_path / "root")) == 10
    assert server.asked == []


def test_cifar_keeps_a_damaged_archive_aside(
    cifar: type[CIFAR10], server: Server, tmp_path: Path, log: list[str]
) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / cifar.raw_file_name).write_bytes(b"half of it")
    assert len(cifar(str(tmp_path / "root"))) == 10
    assert (tmp_path / "root" / (cifar.raw_file_name + ".bad")).read_bytes() == b"half of it"
    assert cifar.raw_file_name in log[0]


def test_cifar_refuses_another_archive(cifar: type[CIFAR10], server: Server, tmp_path: Path) -> None:
    server.files[cifar.raw_file_name] += b"x"
    with pytest.raises(
        RuntimeError, match="is not the expected file: it has MD5 [0-9a-f]{32}, not " + cifar.raw_file_md5
    ):
        cifar(tmp_path / "root")
    assert entries(tmp_path / "root") == []


def test_cifar_says_what_could_not_be_downloaded(cifar: type[CIFAR10], server: Server, tmp_path: Path) -> None:
    server.files.clear()
    with pytest.raises(RuntimeError, match=r"cannot download http://.*/cifar-10-python.tar.gz to .*: .*"):
        cifar(tmp_path / "root")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "there is no file .*data_batch_3"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "data_batch_3 is damaged"),
        (lambda path: path.write_bytes(b""), "data_batch_3 is damaged"),
        (
            lambda path: path.write_bytes(pickle.dumps({b"data": np.zeros((1, 3072), np.uint8)})),
            "data_batch_3 is no batch of CIFAR10: it has no 'labels'",
        ),
        (
            lambda path: path.write_bytes(pickle.dumps({b"data": np.zeros(5), b"labels": [1]})),
            "data_batch_3 is damaged",
        ),
        (lambda path: path.write_bytes(pickle.dumps(os.getcwd)), "data_batch_3 is damaged, .* it holds a posix.getcwd"),
    ],
    ids=["missing", "truncated", "empty", "no labels", "other shape", "code"],
)
def test_cifar_names_the_file_that_is_not_right(damage: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    made.make_cifar10(str(tmp_path))
    damage(tmp_path / "cifar-10-batches-py" / "data_batch_3")
    assert len(CIFAR10(tmp_path, train=False)) == 2
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        CIFAR10(tmp_path)


def test_cifar_is_loaded_in_whole_batches(tmp_path: Path) -> None:
    made.make_cifar10(str(tmp_path))
    dataset = CIFAR10(tmp_path)
    load = batch_pipeline(dataset, Normalize(128.0, 64.0), Collator())
    assert load is not None
    assert load([1, 2])[0].shape == (2, 32, 32, 3)
    (images, labels), *_ = DataLoader(dataset, SequentialSampler(dataset, 4))
    assert labels.tolist() == [0, 9, 1, 8]
    assert (images[2] == dataset[2][0]).all()


def test_pickles_of_python_2_are_read(tmp_path: Path) -> None:
    array = pickle.dumps(np.arange(3, dtype=np.uint8), 2).replace(b"numpy._core", b"numpy.core")
    (tmp_path / "old.pkl").write_bytes(b"\x80\x02}U\x04data" + array[2:-1] + b"s.")
    ((key, value),) = load_plain_pickle(tmp_path / "old.pkl").items()
    assert key == b"data"
    assert value.tolist() == [0, 1, 2]


# archives


def test_untar_leaves_nothing_of_a_damaged_archive(tmp_path: Path) -> None:
    whole = archive({"a/1": b"x" * 5000, "a/2": bytes(range(256)) * 400})
    (tmp_path / "a.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RuntimeError, match=r"a\.tar\.gz cannot be unpacked"):
        untar(tmp_path / "a.tar.gz", tmp_path / "to")
    assert entries(tmp_path / "to") == []


def test_untar_stays_within_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(archive({"../outside": b"x"}, "w:"))
    with pytest.raises(RuntimeError, match="outside"):
        untar(tmp_path / "a.tar", tmp_path / "to")
    assert entries(tmp_path) == ["a.tar", "to"]


def test_untar_adds_to_folders_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0").write_text("old")
    (tmp_path / "a.tar").write_bytes(archive({"a/1": b"new", "a/b/2": b"newer"}, "w:"))
    untar(tmp_path / "a.tar", remove=True)
    assert contents(tmp_path) == {"a/0": b"old", "a/1": b"new", "a/b/2": b"newer"}


def test_raw_data_that_is_there_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    load_raw_data_from_url(server.url("a"), "a", calculate_md5(tmp_path / "a"), tmp_path)
    assert server.asked == []


# pictures that are missing or damaged


def voc(root: Path) -> Any:
    made.make_voc(str(root))
    return PascalVOC(root, "train", order=("image", "boxes_category")), root / "JPEGImages" / "2007_000000.jpg"


def coco(root: Path) -> Any:
    made.make_json(str(root), False)
    return COCO(str(root / "train"), str(root / "instances.json")), root / "train" / "0003.jpg"


def cityscapes(root: Path) -> Any:
    made.make_cityscapes(str(root))
    mask = root / "gtFine" / "train" / "aachen" / "aachen_000000_000019_gtFine_labelIds.png"
    return Cityscapes(root, "train", "gtFine", order=("image", "mask")), mask


def folder(root: Path) -> Any:
    made.make_folder(str(root))
    return ImageFolder(root), root / "ant" / "e.webp"


@pytest.mark.parametrize("make", [voc, coco, cityscapes, folder])
def test_a_picture_that_is_missing_or_damaged_is_named(make: Callable[[Path], Any], tmp_path: Path) -> None:
    dataset, path = make(tmp_path)
    assert dataset[0][0].shape[2] == 3
    path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=f"{path.name} is damaged, or no picture \\(10 bytes\\)"):
        dataset[0]
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=f"{path.name} is damaged, or no picture \\(0 bytes\\)"):
        dataset[0]
    path.unlink()
    with pytest.raises(FileNotFoundError, match=f"there is no picture .*{path.name}"):
        dataset[0]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (None, FileNotFoundError, "there is no annotation .*2007_000000.xml"),
        ("<annotation><object>", ValueError, "2007_000000.xml is damaged"),
        ("<html/>", ValueError, "2007_000000.xml is damaged, or no annotation"),
        (
            "<annotation><object><name>cat</name></object></annotation>",
            ValueError,
            r"2007_000000.xml: object 0 \(cat\) has no <bndbox>",
        ),
        (made.OBJECT.format("dragon", 1, 2, 3, 4).join(["<annotation>", "</annotation>"]), ValueError, "dragon"),
    ],
    ids=["missing", "truncated", "other", "no box", "unknown class"],
)
def test_voc_names_the_annotation_that_is_not_right(
    text: str | None, error: type[Exception], message: str, tmp_path: Path
) -> None:
    made.make_voc(str(tmp_path))
    path = tmp_path / "Annotations" / "2007_000000.xml"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(error, match=message):
        PascalVOC(tmp_path, "train", order=("boxes", "boxes_category"))[0]


@pytest.mark.parametrize("kind", [COCO, Objects365])
@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "damaged, or no JSON"), (b"\xff\xfe".hex(), "damaged"), ('{"images": []}', "no 'annotations'")],
)
def test_json_that_is_not_right_is_named(kind: type[COCO], text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=rf"a\.json .*{message}|a\.json is {message}"):
        kind(tmp_path, tmp_path / "a.json")


# where MegEngine fails


def test_info_needs_no_image(tmp_path: Path) -> None:
    dataset, _ = voc(tmp_path / "voc")
    assert PascalVOC(dataset.root, "train", order=("info", "boxes"))[0][0] == [4, 5, "2007_000000"]
    dataset, _ = cityscapes(tmp_path / "city")
    info, mask = Cityscapes(dataset.root, "train", "gtFine", order=("info", "mask"))[1]
    assert info == [4, 5, dataset.images[1]]
    assert mask.shape == (4, 5, 1)


def test_images_are_removed_whatever_fields_are_asked_for(tmp_path: Path) -> None:
    made.make_json(str(tmp_path), True)
    dataset = COCO(tmp_path / "train", tmp_path / "instances.json", True)
    assert dataset.ids == [5, 7]
    assert all("bbox" not in each for of_image in dataset.img_to_anns.values() for each in of_image)
    assert COCO(tmp_path, tmp_path / "instances.json", True, order=("keypoints",)).ids == [7]


def test_annotations_without_keypoints_are_not_valid() -> None:
    assert not has_valid_annotation([], ("image",))
    assert not has_valid_annotation([{"bbox": [1, 2, 3, 4]}], ("keypoints",))
    assert has_valid_annotation([{"keypoints": [1, 1, 2] * 10}], ("keypoints",))
    assert not has_valid_annotation([{"keypoints": [1, 1, 2] * 9 + [0] * 24}], ("keypoints",))


def test_reading_a_sample_adds_no_image_to_the_annotations(tmp_path: Path) -> None:
    made.make_json(str(tmp_path), False)
    dataset = COCO(tmp_path / "train", tmp_path / "instances.json", order=("boxes",))
    before = dict(dataset.img_to_anns)
    assert dataset[3][0].shape == (0, 4)
    assert dict(dataset.img_to_anns) == before


def test_cityscapes_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for city in ("zurich", "aachen"):
        for scene in (2, 0, 1):
            made.write_picture(
                str(tmp_path / f"leftImg8bit/val/{city}/{city}_{scene}_leftImg8bit.png"), made.picture(scene)
            )
    names = [Path(path).name.removesuffix("_leftImg8bit.png") for path in Cityscapes(tmp_path, "val", "gtFine").images]
    assert names == [f"{city}_{scene}" for city in ("aachen", "zurich") for scene in range(3)]


# ImageNet from its archives


@pytest.fixture
def imagenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the three archives of two classes and three validation pictures."""
    import cv2
    import scipy.io

    def png(number: int) -> bytes:
        return cv2.imencode(".png", made.picture(number))[1].tobytes()

    root = tmp_path / "imagenet"
    root.mkdir()
    classes = {
        name: archive({f"{name}_{i}.JPEG": png(i) for i in range(count)}, "w:")
        for name, count in (("n02", 2), ("n01", 3))
    }
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")]
    synsets = np.array(
        [(1, "n02", "dog, hound", "barks", 0), (2, "n01", "cat", "purrs", 0), (3, "n00", "animal", "lives", 2)], fields
    )
    scipy.io.savemat(tmp_path / "meta.mat", {"synsets": synsets})
    devkit = {
        "ILSVRC2012_devkit_t12/data/meta.mat": (tmp_path / "meta.mat").read_bytes(),
        "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": b"2\n1\n2\n",
    }
    validation = {f"ILSVRC2012_val_{i:08}.JPEG": png(20 + i) for i in (3, 1, 2)}
    files = {
        "train": archive({f"{name}.tar": content for name, content in classes.items()}, "w:"),
        "val": archive(validation, "w:"),
        "devkit": archive(devkit),
    }
    raw = {part: (name, hashlib.md5(files[part]).hexdigest()) for part, (name, _) in ImageNet.raw_file_meta.items()}
    monkeypatch.setattr(ImageNet, "raw_file_meta", raw)
    for part, content in files.items():
        (root / raw[part][0]).write_bytes(content)
    return root


def test_imagenet_is_unpacked_from_its_archives(imagenet: Path) -> None:
    train, val = ImageNet(imagenet), ImageNet(imagenet, train=False, class_name=True)
    assert [int(label) for _, label in train.samples] == [0, 0, 0, 1, 1]
    assert [Path(path).relative_to(imagenet).parts for path, _ in val.samples] == [
        ("val", "n01", "ILSVRC2012_val_00000001.JPEG"),
        ("val", "n01", "ILSVRC2012_val_00000003.JPEG"),
        ("val", "n02", "ILSVRC2012_val_00000002.JPEG"),
    ]
    assert (val[2][0] == made.picture(22)).all()
    assert val.meta == ({1: "n02", 2: "n01"}, {"n02": ("dog", "hound"), "n01": ("cat",)})
    assert ImageNet(imagenet).meta == val.meta  # from meta.pkl
    assert entries(imagenet / "train") == ["n01", "n02"]
    (imagenet / "ILSVRC2012_img_train.tar").unlink()
    assert len(ImageNet(imagenet)) == 5


@pytest.mark.parametrize("part", ["train", "val", "devkit"])
def test_imagenet_names_a_damaged_archive_and_leaves_nothing(imagenet: Path, part: str) -> None:
    path = imagenet / ImageNet.raw_file_meta[part][0]
    path.write_bytes(path.read_bytes()[: min(700, path.stat().st_size // 2)])
    with pytest.raises(RuntimeError, match=f"{path.name} (is damaged: it ends too early|cannot be unpacked)"):
        ImageNet(imagenet, train=part == "train")
    assert not {"train", "val"} & set(entries(imagenet))


def test_imagenet_names_what_is_missing(imagenet: Path) -> None:
    (imagenet / "ILSVRC2012_img_val.tar").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"there is no folder .*/train, .* are missing: .*/ILSVRC2012_img_val.tar"
    ):
        ImageNet(imagenet)


def test_imagenet_with_pictures_needs_no_archive(tmp_path: Path) -> None:
    made.make_folder(str(tmp_path / "train"))
    dataset = ImageNet(tmp_path)
    assert len(dataset) == 5
    with pytest.raises(FileNotFoundError, match=r"there is no file .*/meta\.mat"):
        dataset.meta
    with pytest.raises(FileNotFoundError, match="ground_truth"):
        dataset.valid_ground_truth


def test_imagenet_that_does_not_fit_its_ground_truth_is_not_unpacked(imagenet: Path) -> None:
    ImageNet(imagenet)
    (imagenet / "ILSVRC2012_devkit_t12" / "data" / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n")
    with pytest.raises(RuntimeError, match="holds 3 pictures, but there are 1 classes"):
        ImageNet(imagenet, train=False)
    assert "val" not in entries(imagenet)
    assert not [name for name in entries(imagenet) if name.startswith(".")]
