"""The folder that a run leaves, made and tried out before anything is trained."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ..errors import UserError
from .checkpoint import CHECKPOINT

__all__ = ["default_folder", "make_run_folder", "check_writable"]


def default_folder(model: str) -> Path:
    """``runs/TIME-MODEL``, with a number behind it if that is taken."""
    base = Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{model}"
    path, number = base, 2
    while path.exists():
        path = base.with_name(f"{base.name}-{number}")
        number += 1
    return path


def make_run_folder(out: str | None, model: str) -> Path:
    """Makes the folder of a new run.

    Raises:
        UserError: if it cannot be made or written, or already holds a run.
    """
    path = Path(out) if out is not None else default_folder(model)
    if (path / CHECKPOINT).exists():
        raise UserError(
            f"--out {path} already holds a run", f"go on with it: mge train --resume {path}", "or choose another"
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the run folder {path}: {error.strerror}", "choose another: --out DIR") from error
    check_writable(path)
    return path


def check_writable(path: Path) -> None:
    """Raises UserError unless a file can be made in the folder."""
    try:
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(b"x")
    except OSError as error:
        raise UserError(
            f"cannot write in the run folder {path}: {error.strerror}", "choose another: --out DIR"
        ) from error
