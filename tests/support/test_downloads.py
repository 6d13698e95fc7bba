"""Downloads: resumed, checked, whole or not there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from megengine._support import downloads
from megengine.utils.http_download import HTTPDownloadError, download_from_url

BODY = bytes(range(256)) * 2000


class Server(ThreadingHTTPServer):
    """Serves BODY; each connection ends after ``portion`` bytes of it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.portion = len(BODY)
        self.tag: str | None = '"v1"'
        self.ranges = True
        self.chunked = False
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/model.pkl"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if "missing" in self.path:
            return self.send_error(404)
        begin = 0
        if wanted and self.server.ranges and self.headers["If-Range"] == self.server.tag:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if begin else 200)
        self.send_header("Connection", "close")
        if self.server.tag:
            self.send_header("ETag", self.server.tag)
        part = BODY[begin : begin + self.server.portion]
        if self.server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(f"{len(BODY):x}\r\n".encode() + part)
        else:
            self.send_header("Content-Length", str(len(BODY) - begin))
            self.end_headers()
            self.wfile.write(part)
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


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between connections."""
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)


def test_a_download_gives_the_md5(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "folder" / "model.pkl"
    assert download_from_url(server.url, target) == hashlib.md5(BODY).hexdigest()
    assert target.read_bytes() == BODY
    assert [p.name for p in target.parent.iterdir()] == ["model.pkl"]


def test_a_lost_connection_is_taken_up_where_it_ended(server: Server, tmp_path: Path, quick: None) -> None:
    server.portion = 200_000
    download_from_url(server.url, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY
    assert server.asked == [None, "bytes=200000-", "bytes=400000-"]


@pytest.mark.parametrize("how", ["no ranges", "no tag", "another version", "chunked"])
def test_what_cannot_be_resumed_begins_again_and_fails(
    server: Server, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    server.portion = 200_000
    server.ranges = how != "no ranges"
    server.chunked = how == "chunked"
    if how == "no tag":
        server.tag = None
    if how == "another version":
        monkeypatch.setattr(
            Server, "tag", property(lambda self: f'"v{len(self.asked)}"', lambda self, value: None), raising=False
        )
    (tmp_path / "a").write_text("old")
    with pytest.raises(HTTPDownloadError, match=r"cannot download http.* to .*/a: the connection ended"):
        download_from_url(server.url, tmp_path / "a")
    assert (tmp_path / "a").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_download_in_one_piece_after_a_broken_one(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.portion, server.ranges = 200_000, False
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: setattr(server, "portion", len(BODY)))
    download_from_url(server.url, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY


def test_the_checksum(server: Server, tmp_path: Path) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    for wanted in (digest, digest[:8].upper()):
        download_from_url(server.url, tmp_path / "a", sha256=wanted)
    with pytest.raises(HTTPDownloadError, match=f"it is another file: its SHA-256 is {digest}, not 12345678"):
        download_from_url(server.url, tmp_path / "b", sha256="12345678")
    assert not (tmp_path / "b").exists()
    for wrong in ("1234567", "g" * 8, "0" * 65):
        with pytest.raises(ValueError, match="write 8 to 64 hexadecimal digits"):
            download_from_url(server.url, tmp_path / "b", sha256=wrong)


def test_what_is_not_there(server: Server, tmp_path: Path) -> None:
    with pytest.raises(HTTPDownloadError, match="Not Found"):
        download_from_url(f"http://127.0.0.1:{server.server_port}/missing", tmp_path / "a")
    with pytest.raises(HTTPDownloadError, match="Connection refused"):
        download_from_url("http://127.0.0.1:9/model.pkl", tmp_path / "a")
    with pytest.raises(HTTPDownloadError, match="No such file"):
        download_from_url((tmp_path / "absent").as_uri(), tmp_path / "a")
    with pytest.raises(HTTPDownloadError, match="unknown url type: s3"):
        download_from_url("s3://bucket/model.pkl", tmp_path / "a")
    with pytest.raises(ValueError, match="unknown url type"):
        download_from_url("model.pkl", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HTTPDownloadError, match="File exists"):
        download_from_url(server.url, tmp_path / "file" / "a")


def test_an_interruption_leaves_nothing(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path, algorithm: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "file_digest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download_from_url(server.url, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_the_bar_counts_all_bytes_once(
    server: Server, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars: list[list[Any]] = []

    class Bar:
        def __init__(self, total: int | None, **settings: Any) -> None:
            bars.append([total, 0])

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: int) -> None:
            bars[-1][1] += count

    monkeypatch.setattr("tqdm.tqdm", Bar)
    server.portion = 300_000
    download_from_url(server.url, tmp_path / "a")
    assert bars == [[len(BODY), 300_000], [len(BODY), len(BODY)]]
