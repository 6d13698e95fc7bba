"""Fetching repositories: an archive by HTTPS, or a clone by SSH or from a folder; whole or not there at all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .._support.downloads import reason, receive
from ..distributed import synchronized
from ..logger import get_logger
from ..version import __version__
from .const import DEFAULT_BRANCH_NAME, HUBCONF
from .exceptions import (
    FetcherError,
    GitCheckoutError,
    GitPullError,
    InvalidGitHost,
    InvalidRepo,
    RepoDownloadError,
)

__all__ = ["GitHTTPSFetcher", "GitSSHFetcher", "LocalFetcher", "RepoFetcherBase", "synchronized"]

logger = get_logger(__name__)

_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}(?::\d+)?", re.IGNORECASE)
_NAME = re.compile(r"[\w.-]+")
_REF = re.compile(r"[^\s:~^?*\[\\-][^\s:~^?*\[\\]*")  # git would take a leading dash for an option


class RepoFetcherBase:
    """What fetchers have in common: :meth:`fetch`, names of repositories, and folders that hold them."""

    @classmethod
    @synchronized
    def fetch(
        cls, git_host: str, repo_info: str, use_cache: bool = False, commit: str | None = None, silent: bool = True
    ) -> str:
        """Have a repository in a folder of the current folder.

        Args:
            git_host: name or address of the host.
            repo_info: ``"owner/name"``, or ``"owner/name:branch"`` with a branch or tag. Default branch: ``master``
            use_cache: take the folder as it is if it is there; otherwise fetch again.
            commit: the commit wanted.
            silent: show nothing of what git says.

        Returns:
            The folder's name.

        Raises:
            InvalidGitHost, InvalidRepo: not such names.
            GitPullError: it could not be fetched; the message says where it may be put by hand.
            GitCheckoutError: it does not have the commit.
        """
        return cls.fetch_into(Path.cwd(), git_host, repo_info, use_cache, commit, silent).name

    @classmethod
    def fetch_into(
        cls, cache: Path, git_host: str, repo_info: str, use_cache: bool, commit: str | None, silent: bool = True
    ) -> Path:
        """Have a repository in a folder of ``cache``; see :meth:`fetch`."""
        raise NotImplementedError

    @classmethod
    def _parse_repo_info(cls, repo_info: str) -> tuple[str, str, str]:
        repo, colon, branch = repo_info.partition(":")
        owner, slash, name = repo.partition("/")
        if not slash or not _NAME.fullmatch(owner) or not _NAME.fullmatch(name) or (colon and not branch):
            raise InvalidRepo(
                f'repo_info={repo_info!r}: write "owner/name", "owner/name:branch" or the path of a folder'
            )
        branch = branch or DEFAULT_BRANCH_NAME
        cls._check_ref(branch)
        return owner, name, branch

    @classmethod
    def _check_git_host(cls, git_host: str) -> None:
        if not _HOST.fullmatch(git_host):
            raise InvalidGitHost(f"git_host={git_host!r}: write a name such as github.com, or an address")

    @classmethod
    def _check_ref(cls, ref: str | None) -> None:
        if ref is not None and not _REF.fullmatch(ref):
            raise InvalidRepo(f"{ref!r} is no name of a branch, tag or commit")

    @classmethod
    def _gen_repo_dir(cls, repo_dir: str) -> str:
        """Name of the folder for a repository; the same as MegEngine's."""
        digest = hashlib.sha1(repo_dir.encode(), usedforsecurity=False).hexdigest()[:16]
        return f"{__version__.replace('.', '_')}_{digest}"

    @classmethod
    def _folder_of(cls, repo_info: str, commit: str | None) -> str:
        owner, name, branch = cls._parse_repo_info(repo_info)
        cls._check_ref(commit)
        raw = f"{owner}_{name}_{branch.replace('/', '_')}" + (f"_{commit}" if commit else "")
        return cls._gen_repo_dir(raw)


def _obtain(place: Path, use_cache: bool, fill: Callable[[Path], None]) -> Path:
    """Have ``fill`` make a folder, unless it is there and may be used."""
    if use_cache and place.is_dir():
        logger.debug("using %s", place)
        return place
    try:
        with _folder_beside(place) as beside:
            fill(beside)
    except FetcherError as error:
        raise type(error)(
            f"{error}\nWhat you can do:\n"
            f"  - get the repository in another way and put its files, those beside {HUBCONF}, into the folder\n"
            f"    {place}\n"
            "  - or give the path of a folder that has them as repo_info"
        ) from error
    return place


@contextmanager
def _folder_beside(place: Path) -> Iterator[Path]:
    """Gives a path for a new folder, which takes its place when the block ends without an error."""
    with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as work:
        yield Path(work) / "new"
        while True:
            try:
                os.rename(Path(work) / "new", place)
                return
            except OSError:  # a folder that is not empty is in the way; another process may just have put it there
                if not place.exists():
                    raise
                os.rename(place, tempfile.mkdtemp(dir=work) + "/old")


def _git(*arguments: str, silent: bool, folder: Path | None = None) -> str | None:
    """Runs git; what it complained about, or None."""
    if shutil.which("git") is None:
        return "there is no git"
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if silent else None,
        stderr=subprocess.PIPE if silent else None,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else (done.stderr or f"exit status {done.returncode}").strip()


def _clone(url: str, branch: str | None, commit: str | None, silent: bool, folder: Path) -> None:
    """Clones a repository at a branch, tag or commit, without its history."""
    shallow = [] if commit else ["--depth=1", *(["--branch", branch] if branch else [])]
    if problem := _git("clone", "--quiet", *shallow, "--", url, str(folder), silent=silent):
        wanted = f" at {branch}" if branch and not commit else ""
        raise GitPullError(f"git cannot clone {url}{wanted}: {problem}")
    if commit and (problem := _git("checkout", "--quiet", commit, "--", silent=silent, folder=folder)):
        raise GitCheckoutError(f"{url} has no commit {commit}: {problem}")
    shutil.rmtree(folder / ".git")


class GitSSHFetcher(RepoFetcherBase):
    """Clones repositories by SSH, with the keys that git finds.

    Example:
        >>> megengine.hub.fetcher.GitSSHFetcher.fetch("github.com", "no slash")
        Traceback (most recent call last):
        megengine.hub.exceptions.InvalidRepo: repo_info='no slash': write "owner/name", ...
    """

    @classmethod
    def fetch_into(
        cls, cache: Path, git_host: str, repo_info: str, use_cache: bool, commit: str | None, silent: bool = True
    ) -> Path:
        """Have a repository in a folder of ``cache``; see ``RepoFetcherBase.fetch``."""
        cls._check_git_host(git_host)
        owner, name, branch = cls._parse_repo_info(repo_info)
        url = f"git@{git_host}:{owner}/{name}.git"
        place = cache / cls._folder_of(repo_info, commit)
        return _obtain(place, use_cache, lambda folder: _clone(url, branch, commit, silent, folder))


class GitHTTPSFetcher(RepoFetcherBase):
    """Downloads the archive that GitHub makes of a public repository.

    Example:
        >>> megengine.hub.fetcher.GitHTTPSFetcher.fetch("github.com", "no slash")
        Traceback (most recent call last):
        megengine.hub.exceptions.InvalidRepo: repo_info='no slash': write "owner/name", ...
    """

    @classmethod
    def fetch_into(
        cls, cache: Path, git_host: str, repo_info: str, use_cache: bool, commit: str | None, silent: bool = True
    ) -> Path:
        """Have a repository in a folder of ``cache``; see ``RepoFetcherBase.fetch``."""
        cls._check_git_host(git_host)
        owner, name, branch = cls._parse_repo_info(repo_info)
        url = cls._git_archive_link(git_host, owner, name, branch, commit)
        place = cache / cls._folder_of(repo_info, commit)
        return _obtain(place, use_cache, lambda folder: _unpack_archive(url, folder))

    @classmethod
    def _git_archive_link(
        cls, git_host: str, repo_owner: str, repo_name: str, branch_info: str, commit: str | None
    ) -> str:
        return f"https://{git_host}/{repo_owner}/{repo_name}/archive/{commit or branch_info}.zip"


def _unpack_archive(url: str, folder: Path) -> None:
    """Downloads a zip file and unpacks the one folder that it holds."""
    archive = folder.with_name("archive.zip")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        receive(url, archive, url)
    except OSError as error:
        hint = "; is there such a branch, tag or commit?" if getattr(error, "code", None) == 404 else ""
        raise RepoDownloadError(f"cannot download {url}: {reason(error)}{hint}") from error
    unpacked = folder.with_name("unpacked")
    try:
        with zipfile.ZipFile(archive) as content:
            content.extractall(unpacked)
    except zipfile.BadZipFile as error:
        raise RepoDownloadError(f"what {url} gave is no zip file") from error
    held = list(unpacked.iterdir())
    if len(held) != 1 or not held[0].is_dir():
        raise RepoDownloadError(f"the archive {url} does not hold one folder, but {len(held)} entries")
    held[0].rename(folder)


class LocalFetcher(RepoFetcherBase):
    """Repositories on this machine: a folder is used where it is, a git repository at a commit is cloned."""

    @staticmethod
    def path_of(repo_info: str) -> Path | None:
        """The folder that is meant by ``file://...``, ``/...``, ``./...``, ``../...`` and ``~...``; None for other names."""
        if repo_info.startswith("file://"):
            from urllib.parse import unquote, urlparse

            return Path(unquote(urlparse(repo_info).path))
        if repo_info in (".", "..") or repo_info.startswith(("/", "./", "../", "~")) or os.path.isabs(repo_info):
            return Path(repo_info).expanduser().absolute()
        return None

    @classmethod
    def fetch_into(
        cls, cache: Path, git_host: str, repo_info: str, use_cache: bool, commit: str | None, silent: bool = True
    ) -> Path:
        """Path of a folder, or of a clone of it in ``cache``; ``git_host`` has no meaning."""
        path = cls.path_of(repo_info)
        if path is None or not path.is_dir():
            raise InvalidRepo(f"repo_info={repo_info!r}: there is no such folder")
        cls._check_ref(commit)
        bare = (path / "HEAD").is_file() and (path / "objects").is_dir()
        if commit is None and not bare:
            return path
        place = cache / cls._gen_repo_dir(f"{path}_{commit or 'HEAD'}")
        return _obtain(place, use_cache, lambda folder: _clone(path.as_uri(), None, commit, silent, folder))
