"""Repositories of models to load from."""

from __future__ import annotations

import subprocess
from pathlib import Path

HUBCONF = '''
"""Entry points of a repository of models."""
dependencies = ["numpy", "megengine"]
from zoo.net import make

size = {size}


def linear(width=1, **kwargs):
    """A layer whose weights are its repository's size."""
    return make(width, size, **kwargs)
'''
NET = """
import megengine.functional as F
import megengine.module as M


def make(width, size, bias=True):
    from zoo.late import scale
    layer = M.Linear(width, 1, bias=bias)
    layer.weight._reset(F.full((1, width), float(size * scale)))
    return layer
"""


def write_repo(folder: Path, size: int, scale: int = 1) -> Path:
    """Files of a repository whose model has weights of ``size * scale``."""
    (folder / "zoo").mkdir(parents=True, exist_ok=True)
    (folder / "zoo" / "__init__.py").touch()
    (folder / "zoo" / "net.py").write_text(NET)
    (folder / "zoo" / "late.py").write_text(f"scale = {scale}")
    (folder / "hubconf.py").write_text(HUBCONF.format(size=size))
    return folder


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=master", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def weight(model: object) -> float:
    return float(model.weight.numpy()[0, 0])  # type: ignore[attr-defined]
