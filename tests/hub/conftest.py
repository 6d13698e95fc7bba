"""A cache of its own for every test, and a repository to load from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.repositories import git, write_repo


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The hub's own folder, and the process's list of modules as it was before."""
    monkeypatch.setenv("MGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "*")
    before, path = set(sys.modules), [*sys.path]
    yield tmp_path / "home"
    assert sys.path == path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "zoo":
            del sys.modules[name]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A git repository: weight 1 at tag ``v1``, 2 on branch ``feature/two``, 3 on master."""
    folder = write_repo(tmp_path / "shelf" / "repo.git", 1)
    git(folder, "init", "--quiet")
    for size, names in ((1, ["tag", "v1"]), (2, ["branch", "feature/two"]), (3, ["tag", "v3"])):
        write_repo(folder, size)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", str(size))
        git(folder, *names)
    return folder
