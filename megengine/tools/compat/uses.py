"""Which lines used what, over all processes of a program, and the report about it."""

from __future__ import annotations

import os
import sys
import tempfile

from .own import is_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from .table import Removed

__all__ = ["RUN", "new_run", "note", "report", "summary"]

RUN = "MEGENGINE_RUN"  # the process that reports, and the file in which all processes write: "PID:PATH"
_seen: set[tuple[str, int, str]] = set()
_quick: set[tuple[int, int, str]] = set()  # the same by code, which a loop comes to again and again
Use = tuple[str, int, str, str, str]  # file, line, name, since when, what to write instead
PLACES = 4  # how many files of one name the report names


def new_run() -> str:
    """What ``MEGENGINE_RUN`` is for a program that this process is about to become."""
    descriptor, path = tempfile.mkstemp(prefix="mge-run-")
    os.close(descriptor)
    return f"{os.getpid()}:{path}"


def note(entry: Removed, frame: FrameType | None, name: str | None = None, instead: str | None = None) -> None:
    """Remembers that a line of the program used an entry.

    Args:
        entry: what was used.
        frame: where; nothing is remembered of None.
        name: how the program calls it, if not by the entry's own name.
        instead: what to write, if not the entry's own advice.
    """
    if frame is not None:
        quick = (id(frame.f_code), frame.f_lineno, name or entry.shown)
        if quick in _quick:
            return
        _quick.add(quick)
    while (
        frame is not None and frame.f_code.co_filename[:1] == "<" and frame.f_back is not None and is_own(frame.f_back)
    ):
        frame = frame.f_back  # code made from text is where it was made
    if frame is None:
        return
    key = (_file(frame), frame.f_lineno, name or entry.shown)
    if key in _seen:
        return
    _seen.add(key)
    _, _, path = os.environ.get(RUN, "").partition(":")
    if path:
        line = "\t".join((key[0], str(key[1]), key[2], entry.gone, instead or entry.instead))
        with open(path, "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(line.replace("\n", " ") + "\n")


def _file(frame: FrameType) -> str:
    """The file of a frame's code, also after the program has changed its folder."""
    file, known = frame.f_code.co_filename, frame.f_globals.get("__file__") or ""
    return known if os.path.basename(known) == os.path.basename(file) else os.path.abspath(file)


def read(path: str) -> list[Use]:
    """The uses that all processes have noted, in the order of files and lines."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        found = {(f, int(line), *rest) for f, line, *rest in (text.rstrip("\n").split("\t") for text in file)}
    return sorted(found)  # type: ignore[arg-type]


def summary(uses: Iterable[Use], here: str) -> str:
    """The report: each name with what to write instead and the lines that used it.

    Args:
        uses: what :func:`read` gave.
        here: the folder to which paths are shown relative.
    """
    names: dict[tuple[str, str, str], dict[str, list[int]]] = {}
    for file, line, name, gone, instead in uses:
        inside = os.path.relpath(file, here) if file.startswith(here + os.sep) else file
        names.setdefault((name, gone, instead), {}).setdefault(inside, []).append(line)
    if not names:
        return ""
    count = "one name that is" if len(names) == 1 else f"{len(names)} names that are"
    lines = [f"mge run: the program used {count} gone today. Write instead:"]
    for (name, gone, instead), files in sorted(names.items(), key=lambda item: item[0][0].lower()):
        places = [f"{file}:{', '.join(map(str, numbers))}" for file, numbers in files.items()]
        more = f" and {len(places) - PLACES} more files" if len(places) > PLACES else ""
        lines.append(f"  {name} -> {instead}  ({gone})  {'; '.join(places[:PLACES])}{more}")
    return "\n".join(lines)


def report() -> None:
    """At the end of the process that was started by ``mge run``: writes the report and removes the file."""
    pid, _, path = os.environ.get(RUN, "").partition(":")
    if pid != str(os.getpid()):
        return
    try:
        uses = read(path)
    except FileNotFoundError:  # the program cleared the folder for temporary files
        return
    try:
        here = os.getcwd()
    except FileNotFoundError:  # it removed the folder that it ran in
        here = os.sep
    text = summary(uses, here)
    os.unlink(path)
    if text and sys.stderr is not None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
