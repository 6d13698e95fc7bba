"""The error that a tool shows as a message, without a traceback."""

from __future__ import annotations

__all__ = ["UserError"]


class UserError(Exception):
    """Something the caller can put right: a bad option, a missing file, a diverging run.

    Args:
        message: what was wrong, with the value that was wrong.
        advice: what to do about it, one entry a line.
        exit_code: the exit status of the process that ends with this error.

    Example:
        >>> from megengine.tools.errors import UserError
        >>> raise UserError("--lr 0 is not positive", "give --lr 0.01")
        Traceback (most recent call last):
        megengine.tools.errors.UserError: --lr 0 is not positive
          give --lr 0.01
    """

    def __init__(self, message: str, *advice: str, exit_code: int = 1) -> None:
        super().__init__("\n  ".join([message, *advice]))
        self.exit_code = exit_code
