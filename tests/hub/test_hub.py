"""Entry points of repositories, and objects from addresses."""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.hub as hub
import megengine.module as M
from megengine.hub.tools import cd, check_module_exists, load_module
from megengine.serialization import CheckpointError
from megengine.utils.http_download import HTTPDownloadError
from tests.hub.repositories import weight, write_repo

# entry points


def test_entries_help_and_load(tmp_path: Path) -> None:
    name = str(write_repo(tmp_path / "repo", 4))
    assert hub.list(name) == ["linear", "make"]
    assert hub.help(name, "linear") == "A layer whose weights are its repository's size."
    assert hub.import_module(name).size == 4
    assert hub.import_module(name, "github.com").__doc__ == "Entry points of a repository of models."
    model = hub.load(name, "linear", 3, bias=False)
    assert isinstance(model, M.Linear)
    assert model.weight.shape == (1, 3)
    assert weight(model) == 4


@pytest.mark.parametrize("entry", ["absent", "size", "dependencies"])
def test_an_entry_that_is_none(tmp_path: Path, entry: str) -> None:
    name = str(write_repo(tmp_path / "repo", 1))
    for function in (hub.load, hub.help):
        with pytest.raises(RuntimeError, match=f"has no function '{entry}'; it has: linear, make"):
            function(name, entry)


def test_missing_dependencies(tmp_path: Path) -> None:
    folder = write_repo(tmp_path / "repo", 1)
    with (folder / "hubconf.py").open("a") as file:
        file.write("\ndependencies = ['numpy', 'no_such_a', 'no_such.b']\n")
    assert "linear" in hub.list(str(folder))
    with pytest.raises(RuntimeError, match=r"Missing dependencies: no_such_a, no_such.b \("):
        hub.load(str(folder), "linear")


def test_repositories_with_packages_of_one_name(tmp_path: Path) -> None:
    first, second = (str(write_repo(tmp_path / str(size), size, scale=size)) for size in (2, 3))
    for _ in range(2):
        model = hub.load(first, "linear")
        assert weight(model) == 4
        assert weight(hub.load(second, "linear")) == 9
    assert weight(pickle.loads(pickle.dumps(model))) == 4


def test_modules_stay_between_calls(tmp_path: Path) -> None:
    name = str(write_repo(tmp_path / "repo", 1))
    assert hub.import_module(name).make is hub.import_module(name).make


def test_an_error_in_hubconf_is_raised_and_forgotten(tmp_path: Path) -> None:
    folder = write_repo(tmp_path / "repo", 1)
    text = (folder / "hubconf.py").read_text()
    (folder / "hubconf.py").write_text("raise ValueError('broken')")
    with pytest.raises(ValueError, match="broken"):
        hub.list(str(folder))
    (folder / "hubconf.py").write_text(text)
    assert hub.list(str(folder)) == ["linear", "make"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MGE_HOME": "{tmp}/a"}, "{tmp}/a/serialized"),
        ({"MGE_HOME": None, "XDG_CACHE_HOME": "{tmp}/b"}, "{tmp}/b/megengine/serialized"),
        ({"MGE_HOME": None, "XDG_CACHE_HOME": None, "HOME": "{tmp}/c"}, "{tmp}/c/.cache/megengine/serialized"),
    ],
)
def test_where_things_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str | None], expected: str
) -> None:
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value.format(tmp=tmp_path))
    with pytest.raises(HTTPDownloadError, match="put it at\n  " + expected.format(tmp=tmp_path)):
        hub.load_serialized_obj_from_url("http://127.0.0.1:9/model.pkl")


# objects


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path)
        if body is None:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def saved(tmp_path: Path) -> bytes:
    """A file with the state of a layer whose weights are 5."""
    layer = M.Linear(2, 1)
    layer.weight._reset(mge.Tensor([[5.0, 5.0]]))
    mge.save(layer.state_dict(), tmp_path / "saved")
    return (tmp_path / "saved").read_bytes()


def test_an_object_is_downloaded_once(server: Server, saved: bytes, home: Path) -> None:
    server.files["/dir/model.pkl"] = saved
    url = server.url("/dir/model.pkl?x=1")
    server.files["/dir/model.pkl?x=1"] = saved
    for _ in range(2):
        np.testing.assert_array_equal(hub.load_serialized_obj_from_url(url)["weight"], [[5, 5]])
    assert server.asked == ["/dir/model.pkl?x=1"]
    # MegEngine's name for it: a hash of the address, and the file's name
    name = hashlib.sha256(url.encode()).hexdigest()[:6] + "_model.pkl"
    assert [p.name for p in (home / "serialized").iterdir()] == [name]


def test_a_folder_for_it(server: Server, saved: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    server.files["/a.pkl"] = saved
    for folder in (tmp_path / "mine", "~/mine"):
        assert "weight" in hub.load_serialized_obj_from_url(server.url("/a.pkl"), folder)
    assert len(server.asked) == len(list((tmp_path / "mine").iterdir())) == 1


def test_files_of_one_name_from_two_addresses(server: Server, saved: bytes, tmp_path: Path) -> None:
    mge.save([1], tmp_path / "one")
    server.files |= {"/a/m.pkl": saved, "/b/m.pkl": (tmp_path / "one").read_bytes()}
    assert "weight" in hub.load_serialized_obj_from_url(server.url("/a/m.pkl"))
    assert hub.load_serialized_obj_from_url(server.url("/b/m.pkl")) == [1]


def test_checksums(server: Server, saved: bytes, home: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(saved).hexdigest()
    server.files["/m.pkl"] = saved
    url = server.url("/m.pkl")
    with pytest.raises(HTTPDownloadError, match="it is another file: its SHA-256 is"):
        hub.load_serialized_obj_from_url(url, sha256="0" * 64)
    assert list((home / "serialized").iterdir()) == []
    assert "weight" in hub.load_serialized_obj_from_url(url, sha256=digest[:8])
    (kept,) = (home / "serialized").iterdir()
    kept.write_bytes(saved[:-1])  # a damaged one is replaced
    assert "weight" in hub.load_serialized_obj_from_url(url, sha256=digest)
    assert kept.read_bytes() == saved
    with pytest.raises(ValueError, match="8 to 64 hexadecimal digits"):
        hub.load_serialized_obj_from_url(url, sha256="xyz")
    local = tmp_path / "saved"
    assert "weight" in hub.load_serialized_obj_from_url(local.as_uri(), sha256=digest)
    with pytest.raises(HTTPDownloadError, match="is another file"):
        hub.load_serialized_obj_from_url(local.as_uri(), sha256="0" * 8)


def test_files_on_this_machine_are_read_in_place(saved: bytes, home: Path, tmp_path: Path) -> None:
    (tmp_path / "a b.pkl").write_bytes(saved)
    for address in ((tmp_path / "a b.pkl").as_uri(), str(tmp_path / "a b.pkl"), os.path.relpath(tmp_path / "saved")):
        assert "weight" in hub.load_serialized_obj_from_url(address)
    assert not (home / "serialized").exists()
    with pytest.raises(FileNotFoundError, match="absent"):
        hub.load_serialized_obj_from_url((tmp_path / "absent").as_uri())


def test_a_damaged_file_says_what_to_do(server: Server, saved: bytes, home: Path) -> None:
    server.files["/m.pkl"] = saved[:-50]
    with pytest.raises(CheckpointError) as caught:
        hub.load_serialized_obj_from_url(server.url("/m.pkl"))
    (kept,) = (home / "serialized").iterdir()
    assert kept.suffix == ".bad" and str(kept.with_suffix("")) in str(caught.value)
    assert caught.value.__notes__ == [
        f"it was downloaded from {server.url('/m.pkl')}, and is kept as {kept}; the next call downloads it again"
    ]
    server.files["/m.pkl"] = saved
    assert "weight" in hub.load_serialized_obj_from_url(server.url("/m.pkl"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><title>Sign in</title>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "it is a Git LFS pointer"),
        (b'{"message": "Not Found"}', "it is a JSON file"),
    ],
)
def test_what_is_no_checkpoint_is_not_taken_again(
    content: bytes, message: str, server: Server, saved: bytes, home: Path
) -> None:
    server.files["/m.pkl"] = content
    for _ in range(2):
        with pytest.raises(CheckpointError, match=message):
            hub.load_serialized_obj_from_url(server.url("/m.pkl"))
    server.files["/m.pkl"] = saved
    assert "weight" in hub.load_serialized_obj_from_url(server.url("/m.pkl"))


@pytest.mark.parametrize(
    ("address", "message"),
    [("http://127.0.0.1:9/m.pkl", "Connection refused"), ("s3://bucket/m.pkl", "unknown url type: s3")],
)
def test_offline_and_what_the_message_says_to_do(saved: bytes, address: str, message: str) -> None:
    with pytest.raises(HTTPDownloadError, match=message) as caught:
        hub.load_serialized_obj_from_url(address)
    place = str(caught.value).splitlines()[-1].strip()
    Path(place).write_bytes(saved)
    assert "weight" in hub.load_serialized_obj_from_url(address)


def test_pretrained(server: Server, saved: bytes) -> None:
    server.files["/m.pkl"] = saved

    @hub.pretrained(server.url("/m.pkl"))
    def linear(width: int = 2) -> M.Linear:
        """A layer."""
        return M.Linear(width, 1)

    assert weight(linear()) != 5
    assert server.asked == []
    assert weight(linear(pretrained=True)) == 5
    assert weight(linear(pretrained=True, width=2)) == 5
    assert (linear.__name__, linear.__doc__) == ("linear", "A layer.")


def test_pretrained_checks_the_sum(server: Server, saved: bytes) -> None:
    server.files["/m.pkl"] = saved
    checked = hub.pretrained(server.url("/m.pkl"), sha256="0" * 8)(lambda: M.Linear(2, 1))
    with pytest.raises(HTTPDownloadError, match="it is another file"):
        checked(pretrained=True)


# tools


def test_cd_comes_back_after_an_error(tmp_path: Path) -> None:
    before = os.getcwd()
    with pytest.raises(ValueError, match="inside"), cd(tmp_path):
        assert os.path.samefile(os.getcwd(), tmp_path)
        raise ValueError("inside")
    assert os.getcwd() == before


def test_modules(tmp_path: Path) -> None:
    assert check_module_exists("megengine.hub")
    assert not check_module_exists("megengine.no_such")
    assert not check_module_exists("no_such.megengine")
    with pytest.raises(FileNotFoundError):
        load_module("a", str(tmp_path / "a.py"))
    with pytest.raises(ImportError, match="is no Python file"):
        load_module("a", str(tmp_path / "a.txt"))
