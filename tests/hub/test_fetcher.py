"""Where repositories come from: archives, clones, folders."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import megengine.hub as hub
from megengine.hub.exceptions import (
    GitCheckoutError,
    GitPullError,
    InvalidGitHost,
    InvalidProtocol,
    InvalidRepo,
    MissingHubconf,
)
from megengine.hub.fetcher import GitHTTPSFetcher, GitSSHFetcher
from megengine.utils.http_download import HTTPDownloadError
from tests.hub.repositories import git, weight, write_repo


def entries(folder: Path) -> list[str]:
    """Names in a folder, hidden ones too."""
    return sorted(p.name for p in folder.iterdir())


# archives


class Archives(ThreadingHTTPServer):
    """Serves an archive at OWNER/NAME/archive/REF.zip, as GitHub does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.archives: dict[str, bytes] = {}


class Handler(BaseHTTPRequestHandler):
    server: Archives

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = self.server.archives.get(self.path)
        if body is None:
            return self.send_error(404)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, format: str, *args: Any) -> None:
        pass


def archive(folder: Path, top: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for path in sorted(folder.rglob("*.py")):
            file.write(path, f"{top}{path.relative_to(folder)}")
    return stream.getvalue()


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archives]:
    with Archives() as server:
        link = GitHTTPSFetcher._git_archive_link

        def local(git_host: str, *rest: Any) -> str:
            assert git_host == "github.com"
            return link(f"127.0.0.1:{server.server_port}", *rest).replace("https://", "http://")

        monkeypatch.setattr(GitHTTPSFetcher, "_git_archive_link", local)
        for size, ref in ((1, "master"), (2, "feature/two"), (3, "0123abc")):
            body = archive(write_repo(tmp_path / f"files{size}", size), f"models-{ref.replace('/', '-')}/")
            server.archives[f"/owner/models/archive/{ref}.zip"] = body
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_address_of_an_archive() -> None:
    link = GitHTTPSFetcher._git_archive_link
    assert link("github.com", "a", "b", "v1", None) == "https://github.com/a/b/archive/v1.zip"
    assert link("github.com", "a", "b", "v1", "0123") == "https://github.com/a/b/archive/0123.zip"


def test_an_archive_is_fetched_once(github: Archives, home: Path) -> None:
    for _ in range(2):
        assert weight(hub.load("owner/models", "linear")) == 1
    assert github.asked == ["/owner/models/archive/master.zip"]
    assert hub.list("owner/models", use_cache=False) == ["linear", "make"]
    assert len(github.asked) == 2
    assert len(entries(home / "hub")) == 1


def test_branches_and_commits_are_kept_apart(github: Archives, home: Path) -> None:
    for _ in range(2):
        assert weight(hub.load("owner/models", "linear")) == 1
        assert weight(hub.load("owner/models:feature/two", "linear")) == 2
        assert weight(hub.load("owner/models", "linear", commit="0123abc")) == 3
    assert len(github.asked) == len(entries(home / "hub")) == 3


def test_folders_have_the_names_that_megengine_gives_them(github: Archives, home: Path) -> None:
    hub.list("owner/models")
    (folder,) = entries(home / "hub")
    assert folder == GitHTTPSFetcher._folder_of("owner/models", None)
    # as MegEngine 1.13.0 computes them
    assert GitHTTPSFetcher._folder_of("MegEngine/Models", None) == "1_13_0_ccdf35d8fac159a0"
    assert GitSSHFetcher._folder_of("MegEngine/Models:feature/x", "abc123") == "1_13_0_fe0fae34a1fcbd82"


def test_a_changed_repository_is_imported_anew(github: Archives, tmp_path: Path) -> None:
    assert weight(hub.load("owner/models", "linear")) == 1
    changed = archive(write_repo(tmp_path / "files1", 5, scale=2), "models-master/")
    github.archives["/owner/models/archive/master.zip"] = changed
    assert weight(hub.load("owner/models", "linear")) == 1
    assert weight(hub.load("owner/models", "linear", use_cache=False)) == 10
    assert weight(hub.load("owner/models", "linear")) == 10


BAD = {
    "missing": (None, "Not Found; is there such a branch"),
    "no zip": (b"<html>", "is no zip file"),
    "two folders": (b"two", "does not hold one folder, but 2 entries"),
    "files": (b"files", "does not hold one folder, but 2 entries"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_failed_fetch_keeps_what_was_there(github: Archives, tmp_path: Path, home: Path, how: str) -> None:
    hub.list("owner/models")
    address = "/owner/models/archive/master.zip"
    body, message = BAD[how]
    if body == b"two":
        (tmp_path / "two/a").mkdir(parents=True)
        (tmp_path / "two/b").mkdir()
        (tmp_path / "two/a/x.py").touch()
        (tmp_path / "two/b/x.py").touch()
        body = archive(tmp_path / "two", "")
    elif body == b"files":
        body = archive(tmp_path / "files1", "")
    if body is None:
        del github.archives[address]
    else:
        github.archives[address] = body
    for expected in (GitPullError, HTTPDownloadError):
        with pytest.raises(expected, match=message) as caught:
            hub.list("owner/models", use_cache=False)
    folder = home / "hub" / GitHTTPSFetcher._folder_of("owner/models", None)
    assert f"    {folder}\n" in str(caught.value)
    assert entries(home / "hub") == [folder.name]
    assert hub.list("owner/models") == ["linear", "make"]


def test_offline_and_what_the_message_says_to_do(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GitHTTPSFetcher, "_git_archive_link", lambda *parts: "http://127.0.0.1:9/a.zip")
    with pytest.raises(GitPullError, match="Connection refused") as caught:
        hub.load("owner/models", "linear")
    folder = next(line.strip() for line in str(caught.value).splitlines() if line.startswith("    "))
    write_repo(Path(folder), 7)
    assert weight(hub.load("owner/models", "linear")) == 7
    assert weight(hub.load(folder, "linear")) == 7


def test_an_interrupted_fetch_leaves_nothing(github: Archives, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: zipfile.ZipFile, path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "extractall", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hub.list("owner/models")
    assert entries(home / "hub") == []


def test_fetch_itself_works_in_the_current_folder(
    github: Archives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    name = GitHTTPSFetcher.fetch("github.com", "owner/models", silent=False)
    assert (tmp_path / "here" / name / "hubconf.py").is_file()


# clones


@pytest.fixture
def ssh(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """git takes the repository's folder for what git@example.com:shelf/repo.git names."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{repo.parent.parent.as_uri()}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "git@example.com:")
    return repo


def test_clones(ssh: Path, home: Path) -> None:
    commit = git(ssh, "rev-parse", "v1")
    for _ in range(2):
        for name, at, size in (("", None, 3), (":v1", None, 1), (":feature/two", None, 2), ("", commit, 1)):
            model = hub.load("shelf/repo" + name, "linear", git_host="example.com", protocol="SSH", commit=at)
            assert weight(model) == size
    assert len(entries(home / "hub")) == 4
    assert not list(home.rglob(".git"))


@pytest.mark.parametrize(
    ("name", "commit", "error", "message"),
    [
        ("shelf/absent", None, GitPullError, "git cannot clone git@example.com:shelf/absent.git at master: "),
        ("shelf/repo:absent", None, GitPullError, "(?s)at absent: .*Remote branch absent not found"),
        ("shelf/repo", "0" * 40, GitCheckoutError, "git@example.com:shelf/repo.git has no commit 0000"),
    ],
)
def test_failed_clones_leave_nothing(
    ssh: Path, home: Path, name: str, commit: str | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        hub.load(name, "linear", git_host="example.com", protocol="SSH", commit=commit)
    assert f"    {home / 'hub' / GitSSHFetcher._folder_of(name, commit)}\n" in str(caught.value)
    assert entries(home / "hub") == []


def test_without_git(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitPullError, match="there is no git"):
        hub.load("owner/models", "linear", protocol="SSH")


def test_what_git_says_is_shown_on_demand(ssh: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(GitPullError):
        GitSSHFetcher.fetch_into(tmp_path, "example.com", "shelf/repo:absent", False, None, silent=False)
    assert "absent not found" in capfd.readouterr().err


# folders


def test_a_folder_is_used_where_it_is(repo: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo.parent)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (str(repo), repo.as_uri(), "./repo.git", "../shelf/repo.git", "~/shelf/repo.git"):
        assert weight(hub.load(name, "linear")) == 3
    monkeypatch.chdir(repo)
    assert hub.list(".") == ["linear", "make"]
    assert entries(home / "hub") == []


def test_a_folder_at_a_commit_is_cloned(repo: Path, home: Path) -> None:
    for name in (str(repo), repo.as_uri()):
        assert weight(hub.load(name, "linear", commit="v1")) == 1
    assert weight(hub.load(str(repo), "linear")) == 3
    assert len(entries(home / "hub")) == 1
    with pytest.raises(GitCheckoutError, match="has no commit absent"):
        hub.load(str(repo), "linear", commit="absent")


def test_a_bare_repository_is_cloned(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(repo), "bare")
    assert weight(hub.load(str(tmp_path / "bare"), "linear")) == 3


def test_a_folder_without_hubconf_or_no_folder(tmp_path: Path) -> None:
    for expected in (MissingHubconf, FileNotFoundError):
        with pytest.raises(expected, match=r"has no hubconf.py: .*hubconf.py is missing"):
            hub.list(str(tmp_path))
    with pytest.raises(InvalidRepo, match="there is no such folder"):
        hub.list(str(tmp_path / "absent"))


# names


@pytest.mark.parametrize("name", ["name", "owner/name/more", "owner/name:", "/:x", "owner/na me", "owner/name:a:b", ""])
def test_wrong_names_of_repositories(name: str) -> None:
    with pytest.raises(InvalidRepo):
        hub.list(name)


@pytest.mark.parametrize("ref", ["--upload-pack=x", "a b", "a~1", "HEAD^"])
def test_wrong_names_of_branches(ref: str) -> None:
    with pytest.raises(InvalidRepo, match="is no name of a branch, tag or commit"):
        hub.list(f"owner/name:{ref}")
    with pytest.raises(InvalidRepo, match="is no name of a branch, tag or commit"):
        hub.list("owner/name", commit=ref)


@pytest.mark.parametrize("host", ["no host", "-x.com", "a/b", ""])
def test_wrong_hosts(host: str) -> None:
    for protocol in ("HTTPS", "SSH"):
        with pytest.raises(InvalidGitHost, match="write a name such as github.com"):
            hub.list("owner/name", git_host=host, protocol=protocol)


def test_protocols() -> None:
    with pytest.raises(InvalidProtocol, match="protocol='https': write HTTPS or SSH"):
        hub.list("owner/name", protocol="https")
