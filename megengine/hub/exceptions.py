"""What can go wrong with a repository."""

from __future__ import annotations

from .._support.downloads import HTTPDownloadError

__all__ = [
    "FetcherError", "GitCheckoutError", "GitPullError", "InvalidGitHost", "InvalidProtocol", "InvalidRepo",
    "MissingHubconf", "RepoDownloadError",
]  # fmt: skip


class FetcherError(Exception):
    """A repository cannot be had; the base of the others.

    Example:
        >>> try:
        ...     megengine.hub.list("no slash")
        ... except megengine.hub.exceptions.FetcherError as error:
        ...     print(error)
        repo_info='no slash': write "owner/name", "owner/name:branch" or the path of a folder
    """


class InvalidRepo(FetcherError):
    """What names the repository is no such name.

    Example:
        >>> issubclass(megengine.hub.exceptions.InvalidRepo, megengine.hub.exceptions.FetcherError)
        True
    """


class MissingHubconf(InvalidRepo, FileNotFoundError):
    """The repository has no ``hubconf.py``."""


class InvalidGitHost(FetcherError):
    """The host's name is no such name.

    Example:
        >>> megengine.hub.list("owner/name", git_host="no host")
        Traceback (most recent call last):
        megengine.hub.exceptions.InvalidGitHost: git_host='no host': write a name such as github.com, or an address
    """


class GitPullError(FetcherError):
    """A repository, or the branch or tag asked for, could not be fetched.

    Example:
        >>> issubclass(megengine.hub.exceptions.GitPullError, megengine.hub.exceptions.FetcherError)
        True
    """


class RepoDownloadError(GitPullError, HTTPDownloadError):
    """A repository's archive could not be downloaded. MegEngine raises an HTTPDownloadError where one expects a GitPullError."""


class GitCheckoutError(FetcherError):
    """A repository does not have the commit asked for.

    Example:
        >>> issubclass(megengine.hub.exceptions.GitCheckoutError, megengine.hub.exceptions.FetcherError)
        True
    """


class InvalidProtocol(FetcherError):
    """A protocol other than HTTPS and SSH.

    Example:
        >>> megengine.hub.list("owner/name", protocol="FTP")
        Traceback (most recent call last):
        megengine.hub.exceptions.InvalidProtocol: protocol='FTP': write HTTPS or SSH
    """
