"""Which line of the user's program recorded an op: kept as (code, instruction offset), turned into a line when asked."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from sys import _getframe
from types import CodeType, FrameType

Source = tuple[CodeType, int]
Line = tuple[str, int]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_TOOLS = _PACKAGE + "tools" + os.sep
_GRAPH = _PACKAGE + "graph" + os.sep
_TENSOR = _PACKAGE + "tensor" + os.sep
# fmt: off
_READERS = frozenset([
    "numpy", "item", "tolist", "realize", "_single", "_concrete", "__bool__", "__int__", "__index__", "__float__", "__complex__",
    "__array__", "__array_ufunc__", "__array_function__", "__contains__", "__repr__", "__str__", "__format__", "__getnewargs__",
    "__reduce_ex__", "__dlpack__", "__dlpack_device__",
])
# fmt: on
_is_user: dict[str, bool] = {}


def _classify(filename: str) -> bool:
    path = os.path.abspath(filename)
    user = _is_user[filename] = not path.startswith(_PACKAGE) or path.startswith(_TOOLS)
    return user


def is_user_file(filename: str) -> bool:
    """Whether a file is the user's, not this package's."""
    known = _is_user.get(filename)
    return _classify(filename) if known is None else known


_warned: dict[tuple[str, Line], object] = {}


def warn_once(topic: str, message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the user's line, once for each line and topic however the message varies."""
    place = line(here(2))
    mine = object()
    if _warned.setdefault((topic, place), mine) is mine:
        warnings.warn_explicit(message, category, *place)


def here(depth: int = 1) -> Source:
    """The nearest frame outside this package, from ``depth`` callers up."""
    frame: FrameType | None = _getframe(depth)
    known = _is_user
    while frame is not None:
        code = frame.f_code
        user = known.get(code.co_filename)
        if user is None:
            user = _classify(code.co_filename)
        if user:
            return code, frame.f_lasti
        frame = frame.f_back
    return _getframe(depth).f_code, 0


def asked_by_user() -> bool:
    """Whether a tensor's value is asked for by the user's program, not by a function of this package that needs it to go on."""
    frame: FrameType | None = _getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_GRAPH):
        frame = frame.f_back
    while frame is not None and frame.f_code.co_filename.startswith(_TENSOR) and frame.f_code.co_name in _READERS:
        frame = frame.f_back
    return frame is None or is_user_file(frame.f_code.co_filename)


def line(where: Source) -> Line:
    """File name and line number of a place; offsets of one call change when the interpreter has warmed up, lines do not."""
    code, offset = where
    return code.co_filename, _number(code, offset)  # equal code may be in several files


@lru_cache(maxsize=4096)
def _number(code: CodeType, offset: int) -> int:
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            return number
    return code.co_firstlineno


def text(where: Source) -> str:
    """A place as ``file.py:42``, relative to the working directory where that is shorter."""
    filename, number = line(where)
    if os.path.isabs(filename):
        relative = os.path.relpath(filename)
        filename = min(filename, relative, key=len)
    return f"{filename}:{number}"
