"""Finding data files: the order of the places, damaged files, the package, downloads, and the message if nothing helps."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import re
import struct
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from megengine._support import downloads
from megengine.data.dataset import MNIST, FashionMNIST
from megengine.data.dataset.vision import debian
from megengine.data.dataset.vision.fashion_mnist import load_arrays
from megengine.data.dataset.vision.fetch import DataFile, DataNotFoundError, Unavailable, read_checked, write_beside
from megengine.data.dataset.vision.idx import parse_idx

COUNTS = {"train": 5, "t10k": 3}


def contents() -> dict[str, bytes]:
    """A data set of eight images, by the names of its uncompressed files."""
    made = {}
    for kind, count in COUNTS.items():
        pixels = (np.arange(count * 784) * 7 % 256).astype(np.uint8)
        made[f"{kind}-images-idx3-ubyte"] = struct.pack(">iiii", 2051, count, 28, 28) + pixels.tobytes()
        made[f"{kind}-labels-idx1-ubyte"] = struct.pack(">ii", 2049, count) + bytes(range(count))
    return made


def fill(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents().items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return folder


class Server(ThreadingHTTPServer):
    """Serves the files, or what a test asks for instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.behaviour = "right"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        if self.server.behaviour == "missing":
            return self.send_error(404)
        body = gzip.compress(contents()[name.removesuffix(".gz")])
        if self.server.behaviour == "other":
            body = gzip.compress(contents()[name.removesuffix(".gz")][::-1])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.behaviour == "cut":
            body = body[: len(body) // 2]
        for i in range(0, len(body), 100):
            self.wfile.write(body[i : i + 100])
        return None

    def log_message(self, format: str, *args: Any) -> None:
        pass


def clock(step: float) -> SimpleNamespace:
    """A module ``time`` by whose clock some seconds pass between two looks."""
    ticks = itertools.count(0.0, step)
    return SimpleNamespace(monotonic=lambda: next(ticks), sleep=time.sleep)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> type[FashionMNIST]:
    """FashionMNIST with a small content, and places within a temporary folder; no apt-get, no network."""

    class Tiny(FashionMNIST):
        url_path = f"http://127.0.0.1:{server.server_port}/"
        _mirrors: list[str] = []
        _variable = "MGE_TINY"
        _usual_folders = [str(tmp_path / "home"), str(tmp_path / "system")]
        _contents = [
            (len(content), hashlib.sha256(content).hexdigest())
            for content in (contents()[name.removesuffix(".gz")] for name in FashionMNIST.raw_file_name)
        ]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("MGE_TINY", raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return Tiny


FIRST = FashionMNIST.raw_file_name[0]

DAMAGE = {
    "truncated": (lambda good: good[: len(good) // 2], "truncated or damaged"),
    "empty": (lambda good: b"", "is damaged, or of another format (an IDX file starts with 4 bytes, but there are 0)"),
    "no gzip": (lambda good: b"<html>not found</html>", "is damaged, or of another format (no IDX file"),
    "flipped bit": (lambda good: good[:-6] + bytes([good[-6] ^ 1]) + good[-5:], "truncated or damaged"),
    "shorter": (lambda good: gzip.compress(gzip.decompress(good)[:-1]), "holds 3920 bytes, but there are 3919"),
    "longer": (lambda good: gzip.compress(gzip.decompress(good) + b"x"), "holds 3920 bytes, but there are 3921"),
    "other": (lambda good: gzip.compress(gzip.decompress(good)[::-1]), "is damaged, or of another format (no IDX file"),
}


def damage(folder: Path, how: str) -> None:
    path = folder / FIRST
    path.write_bytes(DAMAGE[how][0](path.read_bytes()))


# one file


def test_read_checked_gives_the_writable_content(tmp_path: Path) -> None:
    content = b"some content"
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    read = read_checked(tmp_path / "a.gz", DataFile("a.gz", len(content), hashlib.sha256(content).hexdigest()))
    assert read == content
    assert isinstance(read, bytearray)


def test_gzip_headers_do_not_matter(tiny: type[FashionMNIST], tmp_path: Path) -> None:
    folder = fill(tmp_path / "home")
    for path in folder.iterdir():
        content = gzip.decompress(path.read_bytes())
        with open(path, "wb") as raw, gzip.GzipFile("another name", "wb", 1, raw, mtime=12345) as file:
            file.write(content)
    assert len(tiny(download=False)) == 5


def test_write_beside_leaves_nothing_behind_when_interrupted(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "a"
    with pytest.raises(KeyboardInterrupt), write_beside(target) as beside:
        beside.write_bytes(b"half")
        raise KeyboardInterrupt
    assert list(target.parent.iterdir()) == []


def test_write_beside_keeps_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with write_beside(tmp_path / "a") as beside:
        beside.write_text("new")
        assert (tmp_path / "a").read_text() == "old"
    assert (tmp_path / "a").read_text() == "new"
    assert (tmp_path / "a.bad").read_text() == "old"


def test_write_beside_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match=r"cannot write to .*/file/folder"), write_beside(tmp_path / "file/folder/a"):
        raise AssertionError("not reached")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with 4 bytes"),
        (b"\0\0\x0a\x01\0\0\0\0", "0x00000a01"),
        (b"\0\0\x08\0", "0x00000800"),
        (b"\0\0\x08\x03\0\0", "no IDX file"),
        (b"\0\0\x08\x01\0\0\0\x05abc", "holds 5 bytes, but there are 3"),
    ],
)
def test_idx_files_are_checked(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_idx(content)


# folders


def test_samples(tiny: type[FashionMNIST], tmp_path: Path) -> None:
    fill(tmp_path / "home")
    train, test = tiny(), tiny(train=False)
    assert [len(train), len(test)] == [5, 3]
    image, label = train[4]
    assert image.shape == (28, 28, 1)
    assert image.dtype == np.uint8
    assert image.ravel()[:3].tolist() == [(4 * 784 * 7 + 7 * i) % 256 for i in range(3)]
    assert label == 4
    assert label.dtype == np.int32
    assert train.meta == {
        "images": {"magic": 2051, "imgs": 5, "height": 28, "width": 28},
        "labels": {"magic": 2049, "imgs": 5},
    }
    image[:] = 0
    assert train[4][0].sum() == 0


def test_places_are_searched_in_order(
    tiny: type[FashionMNIST], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    places = [tmp_path / name for name in ("root", "variable", "home", "system", "cache/megengine/Tiny")]
    for place in places:
        fill(place)
    monkeypatch.setenv("MGE_TINY", str(places[1]))
    for place in places:
        damage(place, "truncated")
    with pytest.raises(ValueError, match="was not found") as caught:
        tiny(str(places[0]), download=False)
    assert str(places[0]) in str(caught.value)
    assert str(places[1]) not in str(caught.value)
    log.clear()
    with pytest.raises(ValueError, match="was not found") as caught:
        tiny(download=False)
    listed = re.findall(r"^  \d\. (.*): ", str(caught.value), re.MULTILINE)
    assert listed == [f"environment variable MGE_TINY ({places[1]})", *map(str, places[2:])]
    assert [message.split()[0] for message in log] == [str(place / FIRST) for place in places[1:]]


@pytest.mark.parametrize("how", sorted(DAMAGE))
def test_a_damaged_file_is_named_and_the_next_place_serves(
    tiny: type[FashionMNIST], tmp_path: Path, log: list[str], how: str
) -> None:
    fill(tmp_path / "system")
    damage(fill(tmp_path / "home"), how)
    assert len(tiny()) == 5
    assert len(log) == 1
    assert log[0].startswith(str(tmp_path / "home" / FIRST))
    assert DAMAGE[how][1] in log[0]


def test_a_file_that_cannot_be_read_is_named(tiny: type[FashionMNIST], tmp_path: Path, log: list[str]) -> None:
    fill(tmp_path / "system")
    (tmp_path / "home" / FIRST).mkdir(parents=True)
    assert len(tiny()) == 5
    assert "cannot be read" in log[0]


def test_a_folder_that_was_asked_for_and_lacks_files_is_named_once(
    tiny: type[FashionMNIST], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    fill(tmp_path / "system")
    monkeypatch.setenv("MGE_TINY", str(tmp_path / "typo"))
    assert len(tiny()) == 5
    assert log == [f"environment variable MGE_TINY ({tmp_path / 'typo'}): no such folder; looking elsewhere"]


def test_files_may_lie_in_different_places(tiny: type[FashionMNIST], tmp_path: Path) -> None:
    (fill(tmp_path / "home") / FIRST).unlink()
    fill(tmp_path / "system")
    assert len(tiny(download=False)) == 5


# downloads


def test_missing_files_are_downloaded_once(tiny: type[FashionMNIST], tmp_path: Path, server: Server) -> None:
    assert len(tiny()) == 5
    assert server.asked == FashionMNIST.raw_file_name[:2]
    cache = tmp_path / "cache/megengine/Tiny"
    assert sorted(path.name for path in cache.iterdir()) == sorted(FashionMNIST.raw_file_name[:2])
    dataset = tiny()
    assert len(server.asked) == 2
    dataset.download()
    assert server.asked == FashionMNIST.raw_file_name


def test_a_given_root_is_where_downloads_go(tiny: type[FashionMNIST], tmp_path: Path) -> None:
    tiny(tmp_path / "new" / "root")
    assert (tmp_path / "new" / "root" / FIRST).is_file()
    assert not (tmp_path / "cache").exists()


def test_a_damaged_file_is_replaced_and_kept(tiny: type[FashionMNIST], tmp_path: Path, log: list[str]) -> None:
    root = fill(tmp_path / "root")
    damage(root, "other")
    damaged = (root / FIRST).read_bytes()
    assert len(tiny(root)) == 5
    assert str(root / FIRST) in log[0]
    assert (root / (FIRST + ".bad")).read_bytes() == damaged
    assert len(tiny(root, download=False)) == 5


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("missing", "download failed: Not Found"),
        ("cut", "download failed: the connection ended after "),
        ("other", "what was downloaded is another file"),
        ("slow", "download failed: not finished after 90 s"),
    ],
)
def test_failed_downloads_leave_nothing(
    tiny: type[FashionMNIST],
    tmp_path: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: str,
    reason: str,
) -> None:
    server.behaviour = behaviour
    with monkeypatch.context() as patch, pytest.raises(DataNotFoundError, match=re.escape(reason)):
        if behaviour == "slow":
            patch.setattr(downloads, "time", clock(100))
        tiny(timeout=90)
    assert list((tmp_path / "cache/megengine/Tiny").iterdir()) == []
    server.behaviour = "right"
    assert len(tiny()) == 5


def test_an_interrupted_download_leaves_nothing(
    tiny: type[FashionMNIST], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path, file: DataFile) -> bytearray:
        if path.suffix == ".part":
            raise KeyboardInterrupt
        return read_checked(path, file)

    monkeypatch.setattr("megengine.data.dataset.vision.fetch.read_checked", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tiny()
    assert list((tmp_path / "cache/megengine/Tiny").iterdir()) == []


def test_without_any_source_the_message_lists_all(
    tiny: type[FashionMNIST], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny, "url_path", "http://127.0.0.1:9/")
    fill(tmp_path / "home")
    damage(tmp_path / "home", "truncated")
    with pytest.raises(DataNotFoundError) as caught:
        tiny(tmp_path / "given")
    assert str(caught.value).replace(str(tmp_path), "TMP").splitlines() == [
        "train-images-idx3-ubyte.gz of Tiny was not found. Tried, in this order:",
        "  1. root (TMP/given): no such folder",
        "  2. environment variable MGE_TINY: not set",
        "  3. TMP/home: train-images-idx3-ubyte.gz is truncated or damaged "
        "(Compressed file ended before the end-of-stream marker was reached)",
        "  4. TMP/system: no such folder",
        "  5. TMP/cache/megengine/Tiny: no such folder",
        "  6. apt-get download dataset-fashion-mnist: there is no apt-get",
        "  7. http://127.0.0.1:9/: download failed: [Errno 111] Connection refused",
        "What you can do:",
        "  - put the four files into one folder and give it as root, or in the environment variable MGE_TINY",
        "  - install the package that has them: apt-get install dataset-fashion-mnist",
    ]


def test_a_store_that_cannot_be_written_is_named(tiny: type[FashionMNIST], tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(
        DataNotFoundError, match=r"127.0.0.1:\d+/: cannot write to .*cache/megengine/Tiny \(Not a directory\)"
    ):
        tiny()


# the package

APT_GET = """#!{python}
import pathlib, sys, time
arguments = sys.argv[1:]
print(" ".join(arguments), file=open("{folder}/calls", "a"))
private = any(a.startswith("Dir::State::lists=") for a in arguments)
if "{behaviour}" == "unknown" or "{behaviour}" == "no lists" and not private:
    sys.exit("E: Unable to locate package dataset-fashion-mnist")
if "{behaviour}" == "slow":
    time.sleep(3600)
if arguments[-1] != "update":
    if "--print-uris" in arguments:
        print("'http://somewhere/p.deb' p.deb 1000 SHA256:0")
    else:
        pathlib.Path("p.deb").write_text("package")
"""

DPKG_DEB = """#!{python}
import shutil, sys
assert sys.argv[1:] == ["-x", "p.deb", "root"], sys.argv
shutil.copytree("{folder}/package", "root" + "{system}")
"""


def install_apt(folder: Path, behaviour: str, system: str = FashionMNIST._package_folder) -> None:
    for name, program in (("apt-get", APT_GET), ("dpkg-deb", DPKG_DEB)):
        path = folder / "bin" / name
        path.write_text(program.format(python=sys.executable, folder=folder, behaviour=behaviour, system=system))
        path.chmod(0o755)
    fill(folder / "package")


@pytest.mark.parametrize("behaviour", ["right", "no lists"])
def test_the_package_gives_all_files(tiny: type[FashionMNIST], tmp_path: Path, server: Server, behaviour: str) -> None:
    install_apt(tmp_path, behaviour)
    assert len(tiny()) == 5
    assert len(tiny(train=False, download=False)) == 3
    assert server.asked == []
    cache = tmp_path / "cache/megengine/Tiny"
    assert sorted(path.name for path in cache.iterdir()) == sorted(FashionMNIST.raw_file_name)
    calls = (tmp_path / "calls").read_text().splitlines()
    updates = [call for call in calls if call.endswith("update")]
    assert len(updates) == (behaviour == "no lists")
    assert all(f"Dir::State::lists={cache}" in call for call in updates)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("unknown", "apt-get failed: E: Unable to locate package dataset-fashion-mnist"),
        ("slow", "apt-get was not finished after 90 s"),
        ("damaged", f"{FIRST} of the package is another file"),
    ],
)
def test_failures_of_the_package_are_told_and_the_download_serves(
    tiny: type[FashionMNIST],
    tmp_path: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: str,
    reason: str,
) -> None:
    install_apt(tmp_path, behaviour)
    if behaviour == "damaged":
        damage(tmp_path / "package", "other")
    if behaviour == "slow":
        monkeypatch.setattr(debian, "time", clock(100))
    server.behaviour = "missing"
    with pytest.raises(DataNotFoundError, match=re.escape(f"apt-get download dataset-fashion-mnist: {reason}")):
        tiny(timeout=90)
    server.behaviour = "right"
    assert len(tiny(timeout=90)) == 5
    assert list(tmp_path.rglob(".*")) == []


# the real data sets


def test_real_fashion_mnist() -> None:
    try:
        images, labels = load_arrays(train=False, download=False)
    except ValueError as error:
        pytest.skip(f"the data set is not on this machine: {error}")
    assert images.shape == (10000, 784)
    assert images.dtype == labels.dtype == np.uint8
    assert np.bincount(labels).tolist() == [1000] * 10
    assert images.mean() == pytest.approx(73.14656)
    dataset = FashionMNIST(train=False, download=False)
    assert (dataset[7][0].ravel() == images[7]).all()
    assert dataset[7][1] == labels[7]


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST])
def test_what_upstream_calls_its_files(kind: type[MNIST]) -> None:
    assert len(kind.raw_file_name) == len(kind.raw_file_md5) == len(kind._contents) == 4
    for url in (kind.url_path, *kind._mirrors):
        assert url.startswith("http")
        assert url.endswith("/")


def test_missing_data_without_download_is_a_value_error(tmp_path: Path) -> None:
    for kind in (MNIST, FashionMNIST):
        with pytest.raises(ValueError, match=r"download=True"):
            kind(tmp_path, download=False)
