"""Models from repositories, and objects from addresses."""

from __future__ import annotations

import builtins
import functools
import hashlib
import importlib
import os
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .._support.downloads import HTTPDownloadError, digest_prefix, download_from_url, file_digest
from ..distributed import synchronized
from ..logger import get_logger
from ..serialization import CheckpointError
from ..serialization import load as load_file
from .const import (
    DEFAULT_CACHE_DIR,
    DEFAULT_GIT_HOST,
    DEFAULT_PROTOCOL,
    ENV_MGE_HOME,
    ENV_XDG_CACHE_HOME,
    HUBCONF,
    HUBDEPENDENCY,
)
from .exceptions import InvalidProtocol, MissingHubconf
from .fetcher import GitHTTPSFetcher, GitSSHFetcher, LocalFetcher, RepoFetcherBase
from .tools import check_module_exists, load_module

__all__ = ["list", "load", "help", "load_serialized_obj_from_url", "pretrained", "import_module"]

logger = get_logger(__name__)

PROTOCOLS: dict[str, type[RepoFetcherBase]] = {"HTTPS": GitHTTPSFetcher, "SSH": GitSSHFetcher}
_loaded: dict[str, tuple[int, int]] = {}  # folders of repositories that modules were imported from, with their identity


def _get_megengine_home() -> Path:
    """``$MGE_HOME``, by default ``megengine`` within ``$XDG_CACHE_HOME``, by default within ``~/.cache``."""
    home = os.environ.get(ENV_MGE_HOME)
    return Path(home or os.path.join(os.environ.get(ENV_XDG_CACHE_HOME) or DEFAULT_CACHE_DIR, "megengine")).expanduser()


def _get_repo(git_host: str, repo_info: str, use_cache: bool, commit: str | None, protocol: str) -> str:
    """Path of the folder that has a repository's files."""
    if protocol not in PROTOCOLS:
        raise InvalidProtocol(f"protocol={protocol!r}: write {' or '.join(PROTOCOLS)}")
    fetcher = PROTOCOLS[protocol] if LocalFetcher.path_of(repo_info) is None else LocalFetcher
    cache = _get_megengine_home().absolute() / "hub"
    cache.mkdir(parents=True, exist_ok=True)
    return str(_fetch(fetcher, cache, git_host, repo_info, use_cache, commit))


@synchronized
def _fetch(fetcher: type[RepoFetcherBase], *arguments: Any) -> Path:
    return fetcher.fetch_into(*arguments)


@contextmanager
def _importable(repo: str) -> Iterator[None]:
    """Modules of a repository can be imported inside the block, and only they by the names that they have."""
    status = os.stat(repo)
    identity = (status.st_dev, status.st_ino)
    for other, known in [*_loaded.items()]:
        if other != repo or known != identity:  # a folder that was fetched anew is another one
            _forget_modules(other, repo)
    importlib.invalidate_caches()
    _loaded[repo] = identity
    sys.path.insert(0, repo)
    try:
        yield
    finally:
        sys.path.remove(repo)


def _forget_modules(other: str, repo: str) -> None:
    """Make modules of one repository importable anew from another that has such names, too."""
    for name, module in [*sys.modules.items()]:
        file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", None) or ()), None)
        top = name.partition(".")[0]
        if (
            file
            and file.startswith(other + os.sep)
            and any(os.path.exists(os.path.join(repo, top + e)) for e in ("", ".py"))
        ):
            del sys.modules[name]


def import_module(
    repo_info: str,
    git_host: str = DEFAULT_GIT_HOST,
    use_cache: bool = True,
    commit: str | None = None,
    protocol: str = DEFAULT_PROTOCOL,
) -> types.ModuleType:
    """A repository's ``hubconf.py`` as a module. This runs its code: name only repositories that you trust.

    A repository is kept in ``$MGE_HOME/hub``, by default ``~/.cache/megengine/hub``. A folder on this machine is used where it
    is, or with ``commit`` cloned there with git.

    Args:
        repo_info: ``"owner/name"``, or ``"owner/name:branch"`` with a branch or tag (default branch ``master``); or the path of
            a folder, beginning with ``/``, ``./``, ``../``, ``~`` or ``file://``.
        git_host: where the repository is. Default: ``github.com``
        use_cache: take what was fetched before; otherwise fetch again.
        commit: the commit wanted, by its hash.
        protocol: ``"HTTPS"``, for public repositories of GitHub, or ``"SSH"``.

    Raises:
        FetcherError: one of :mod:`megengine.hub.exceptions`; the message says where a repository can be put by hand.

    Example:
        >>> import pathlib
        >>> _ = pathlib.Path("hubconf.py").write_text("dependencies = ['numpy']")
        >>> megengine.hub.import_module("./").dependencies
        ['numpy']
    """
    repo = _get_repo(git_host, repo_info, use_cache, commit, protocol)
    with _importable(repo):
        return _hubconf(repo, repo_info)


def _hubconf(repo: str, repo_info: str) -> types.ModuleType:
    file = os.path.join(repo, HUBCONF)
    if not os.path.isfile(file):
        raise MissingHubconf(f"{repo_info} has no {HUBCONF}: {file} is missing")
    return load_module(HUBCONF, file)


def _entry(hubconf: types.ModuleType, repo_info: str, entry: str) -> Callable[..., Any]:
    found = getattr(hubconf, entry, None)
    if not callable(found):
        raise RuntimeError(
            f"{HUBCONF} of {repo_info} has no function {entry!r}; it has: {', '.join(_entries(hubconf)) or 'none'}"
        )
    return found  # type: ignore[no-any-return]


def _entries(hubconf: types.ModuleType) -> builtins.list[str]:
    return [name for name in dir(hubconf) if not name.startswith("__") and callable(getattr(hubconf, name))]


def _check_dependencies(hubconf: types.ModuleType, repo_info: str) -> None:
    missing = [name for name in getattr(hubconf, HUBDEPENDENCY, None) or () if not check_module_exists(name)]
    if missing:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing)} ({repo_info} needs these packages)")


def load(
    repo_info: str,
    entry: str,
    *args: Any,
    git_host: str = DEFAULT_GIT_HOST,
    use_cache: bool = True,
    commit: str | None = None,
    protocol: str = DEFAULT_PROTOCOL,
    **kwargs: Any,
) -> Any:
    """A model from a repository: what a function of its ``hubconf.py`` returns.

    This runs the repository's code: name only repositories that you trust.

    Args:
        repo_info: the repository, as for :func:`import_module`.
        entry: the function's name.
        args, kwargs: what the function is called with.
        git_host, use_cache, commit, protocol: as for :func:`import_module`.

    Raises:
        FetcherError: the repository cannot be had.
        RuntimeError: it has no such function, or needs packages that are not there.

    Example:
        >>> import pathlib
        >>> _ = pathlib.Path("hubconf.py").write_text('''
        ... import megengine.module as M
        ... def linear(width):
        ...     "One layer."
        ...     return M.Linear(width, 1)
        ... ''')
        >>> megengine.hub.load("./", "linear", width=3).weight.shape
        (1, 3)
    """
    repo = _get_repo(git_host, repo_info, use_cache, commit, protocol)
    with _importable(repo):  # the function may import more when it is called
        hubconf = _hubconf(repo, repo_info)
        function = _entry(hubconf, repo_info, entry)
        _check_dependencies(hubconf, repo_info)
        return function(*args, **kwargs)


def help(
    repo_info: str,
    entry: str,
    git_host: str = DEFAULT_GIT_HOST,
    use_cache: bool = True,
    commit: str | None = None,
    protocol: str = DEFAULT_PROTOCOL,
) -> str | None:
    """The docstring of a function that :func:`load` could call.

    Args:
        repo_info, entry, git_host, use_cache, commit, protocol: as for :func:`load`.

    Raises:
        FetcherError: the repository cannot be had.
        RuntimeError: it has no such function.

    Example:
        >>> import pathlib
        >>> _ = pathlib.Path("hubconf.py").write_text("def answer():\\n    'Always 42.'")
        >>> megengine.hub.help("./", "answer")
        'Always 42.'
    """
    return _entry(import_module(repo_info, git_host, use_cache, commit, protocol), repo_info, entry).__doc__


def load_serialized_obj_from_url(
    url: str, model_dir: str | os.PathLike[str] | None = None, *, sha256: str | None = None
) -> Any:
    """What :func:`megengine.save` saved, from an address. It is kept, and downloaded once.

    Args:
        url: an ``http`` or ``https`` address; or a file on this machine, as ``file://...`` or a path, which is read in place.
        model_dir: the folder to keep it in. Default: ``$MGE_HOME/serialized``, by default ``~/.cache/megengine/serialized``
        sha256: the SHA-256 that the file must have, in hexadecimal, or the first eight or more digits of it.

    Raises:
        HTTPDownloadError: it cannot be downloaded, or is another file; the message says where it can be put by hand.
        CheckpointError: it is damaged or no checkpoint.

    Example:
        >>> import pathlib
        >>> megengine.save({"weight": Tensor([1.0, 2.0])}, "model.pkl")
        >>> megengine.hub.load_serialized_obj_from_url(pathlib.Path("model.pkl").absolute().as_uri())["weight"]
        Tensor([1. 2.], device=xpux:0)
    """
    from urllib.parse import unquote, urlparse

    wanted = None if sha256 is None else digest_prefix(sha256)
    parts = urlparse(url)
    if parts.scheme in ("", "file"):
        path = Path(unquote(parts.path) if parts.scheme else url).expanduser()
        if wanted is not None and not (found := file_digest(path, "sha256")).startswith(wanted):
            raise HTTPDownloadError(f"{path} is another file: its SHA-256 is {found}, not {sha256}")
        return load_file(path)
    folder = _get_megengine_home() / "serialized" if model_dir is None else Path(model_dir).expanduser()
    # The hash keeps files of one name from different addresses apart.
    path = folder / f"{hashlib.sha256(url.encode()).hexdigest()[:6]}_{os.path.basename(parts.path)}"
    logger.info("load_serialized_obj_from_url: download to or using cached %s", path)
    if path.is_file() and wanted is not None and not file_digest(path, "sha256").startswith(wanted):
        logger.warning("%s does not have SHA-256 %s; downloading it again", path, sha256)
        path.unlink()
    if not path.is_file():
        _download(url, path, sha256)
    try:
        return load_file(path)
    except CheckpointError as error:
        kept = path.with_name(path.name + ".bad")
        os.replace(path, kept)
        error.add_note(f"it was downloaded from {url}, and is kept as {kept}; the next call downloads it again")
        raise


def _download(url: str, path: Path, sha256: str | None) -> None:
    try:
        download_from_url(url, path, sha256=sha256)
    except HTTPDownloadError as error:
        raise HTTPDownloadError(
            f"{error}\nWhat you can do: get the file in another way and put it at\n  {path}"
        ) from error


class pretrained:
    """Decorator for a function that makes a model: called with ``pretrained=True`` it loads weights into it.

    Args:
        url: where the model's ``state_dict`` is, as for :func:`load_serialized_obj_from_url`.
        sha256: the file's SHA-256, or the first eight or more digits of it. Default: not checked

    Example:
        >>> import pathlib
        >>> megengine.save(M.Linear(2, 1).state_dict(), "linear.pkl")
        >>> @megengine.hub.pretrained(pathlib.Path("linear.pkl").absolute().as_uri())
        ... def linear(**kwargs):
        ...     return M.Linear(2, 1, **kwargs)
        >>> linear(pretrained=True).bias.numpy()
        array([0.], dtype=float32)
    """

    def __init__(self, url: str, sha256: str | None = None) -> None:
        self.url = url
        self.sha256 = sha256

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def pretrained_model_func(pretrained: bool = False, **kwargs: Any) -> Any:
            model = func(**kwargs)
            if pretrained:
                model.load_state_dict(load_serialized_obj_from_url(self.url, sha256=self.sha256))
            return model

        return pretrained_model_func


def list(
    repo_info: str,
    git_host: str = DEFAULT_GIT_HOST,
    use_cache: bool = True,
    commit: str | None = None,
    protocol: str = DEFAULT_PROTOCOL,
) -> builtins.list[str]:
    """Names of the functions and classes in a repository's ``hubconf.py``.

    Args:
        repo_info, git_host, use_cache, commit, protocol: as for :func:`import_module`.

    Raises:
        FetcherError: the repository cannot be had.

    Example:
        >>> import pathlib
        >>> _ = pathlib.Path("hubconf.py").write_text("def resnet18(): ...")
        >>> megengine.hub.list("./")
        ['resnet18']
    """
    return _entries(import_module(repo_info, git_host, use_cache, commit, protocol))
