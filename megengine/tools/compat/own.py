"""Which code is the program's own, as against the standard library's and installed packages'.

Old names are there for the program alone: who asks is told by the file of the code that asks.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

__all__ = ["caller", "is_own", "nearest_own"]

ALSO = "MEGENGINE_RUN_ALSO"  # names of installed packages that belong to the program
PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _standard_library() -> tuple[str, ...]:
    folder = os.path.dirname(os.path.abspath(os.__file__))
    return folder + os.sep, os.path.realpath(folder) + os.sep, PACKAGE + os.sep


LIBRARIES = _standard_library()


class _Files(dict[str, "bool | None"]):
    """File -> whether it is the program's own, found out once a file; None of code that was made from text."""

    def __missing__(self, file: str) -> bool | None:
        answer = self[file] = None if file[:1] == "<" else _belongs(file)
        return answer


FILES = _Files()


def is_own(frame: FrameType) -> bool:
    """Whether the code of a frame is the program's own."""
    own = FILES[frame.f_code.co_filename]
    if own is None:  # made from text: it belongs to the module whose names it sees
        names = frame.f_globals
        file = names.get("__file__")
        own = names.get("__name__") == "__main__" if file is None else FILES[file]
    return bool(own)


def caller(depth: int = 2) -> FrameType | None:
    """The frame that is ``depth`` calls up, if its code is the program's own, else None."""
    try:
        frame = sys._getframe(depth)
    except ValueError:  # C code asks, with no Python code above it
        return None
    own = FILES[frame.f_code.co_filename]
    return frame if own or (own is None and is_own(frame)) else None


def nearest_own(frame: FrameType | None) -> FrameType | None:
    """The innermost frame from here outwards whose code is the program's own."""
    while frame is not None and not is_own(frame):
        frame = frame.f_back
    return frame


def _belongs(file: str) -> bool:
    path = os.path.abspath(file)
    also = [name for name in os.environ.get(ALSO, "").split(",") if name]
    parts = path.split(os.sep)
    if any(name in parts or f"{name}.py" in parts for name in also):
        return True
    if path.startswith(LIBRARIES) or "site-packages" in parts or "dist-packages" in parts:
        return False
    return not any(part.endswith((".egg", ".zip")) for part in parts[:-1]) and not _in_target(path)


def _in_target(path: str) -> bool:
    """Whether a file is in a folder into which packages were installed, as `pip install --target` makes."""
    roots = [root for entry in sys.path if path.startswith((root := os.path.abspath(entry)) + os.sep)]
    try:
        return bool(roots) and any(name.endswith(".dist-info") for name in os.listdir(max(roots, key=len)))
    except OSError:  # a path that is no folder holds no installed packages
        return False
