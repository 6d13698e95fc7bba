"""The checkpoint of a run: everything that going on needs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

import megengine

from ..errors import UserError

__all__ = ["CHECKPOINT", "Checkpoint", "find_checkpoint"]

CHECKPOINT = "checkpoint.mge"
FORMAT = "mge-train/1"


@dataclasses.dataclass
class Checkpoint:
    """The state after a number of whole epochs.

    The order of the images and every random draw of an epoch follow from the options' seed and the
    epoch's number, so this is the whole state of the random generators too.

    Args:
        epochs_done: finished epochs.
        options: of the run, as ``TrainOptions.to_dict`` gives them.
        model: the model's ``state_dict``.
        optimizer: the optimizer's ``state_dict``.
        history: of the run, as ``History.to_dict`` gives it.
    """

    epochs_done: int
    options: dict[str, Any]
    model: dict[str, np.ndarray]
    optimizer: dict[str, Any]
    history: dict[str, Any]

    def save(self, path: Path) -> None:
        """Writes the checkpoint; the one before it stays until the new one is whole."""
        content = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        megengine.save({"format": FORMAT, **content}, str(path))

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Reads a checkpoint.

        Raises:
            UserError: if there is none, or it is damaged, or it is not a checkpoint of ``mge train``.
        """
        try:
            content = megengine.load(str(path))
        except FileNotFoundError:
            raise UserError(f"there is no checkpoint {path}") from None
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror or error}") from error
        except Exception as error:
            # Damaged pickles raise nearly anything: EOFError, UnpicklingError, ValueError, MemoryError...
            raise UserError(
                f"the checkpoint {path} is damaged and cannot be read: {error or type(error).__name__}",
                "start again, or put back a copy of the file",
            ) from error
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise UserError(f"{path} is not a checkpoint of this version of `mge train`")
        return cls(**content)


def find_checkpoint(run: str) -> Path:
    """The checkpoint file of ``--resume RUN``, which may name the folder or the file.

    Raises:
        UserError: if neither is there.
    """
    path = Path(run)
    if path.is_dir():
        path = path / CHECKPOINT
    if not path.is_file():
        raise UserError(f"--resume {run}: there is no checkpoint {path}")
    return path
