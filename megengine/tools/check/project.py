"""Reading a project's files, and what is found in each."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..compat.table import Removed, find, load
from . import names
from .api import INSTANCE, fits, look_up
from .differences import about

__all__ = ["Finding", "Report", "read"]

# Attributes that objects of many kinds have: what is not known to be of the library is not reported.
COMMON = {
    "append",
    "ix",
    "get_value",
    "getdata",
    "assert_",
    "getoffset",
    "error",
    "fromstring",
    "async",
    "unescape",
    "iteritems",
}
ROUNDS = 4  # through how many files a name may be handed on
SKIPPED = {"__pycache__", "node_modules", "site-packages", "build", "dist"}


@dataclass(frozen=True)
class Finding:
    """One thing that a line uses.

    Attributes:
        line: the line.
        written: as the program writes it.
        state: ``"here"``, ``"differs"``, ``"missing"``, ``"gone"`` (from another library) or ``"unread"`` (the file).
        text: what to say about it; of ``"differs"``, one line an entry.
    """

    line: int
    written: str
    state: str
    text: str = ""


@dataclass
class Report:
    """What was found in each file, by path relative to the folder."""

    folder: Path
    files: dict[str, list[Finding]]

    def count(self, state: str) -> tuple[int, int]:
        """How many uses there are in a state, and of how many names."""
        found = [f.written for findings in self.files.values() for f in findings if f.state == state]
        return len(found), len(set(found))


def read(folder: Path) -> Report:
    """Reads every Python file of a folder, or one file.

    Args:
        folder: a folder or a file.
    """
    load()
    top = folder if folder.is_dir() else folder.parent
    project = _Project(top)
    paths = sorted(project.paths) if folder.is_dir() else [folder]
    return Report(top, {str(path.relative_to(top)): list(_findings(path, project)) for path in paths})


class _Project:
    """The project's own modules, so that what they import is known to those who import it from them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = list(_python_files(folder))
        self.trees: dict[Path, ast.Module | SyntaxError] = {}
        self.known: dict[Path, names.Scope] = {}
        for _ in range(ROUNDS):
            found = {p: names.exports(t, self.of(p)) for p in self.paths if isinstance(t := self.tree(p), ast.Module)}
            if found == self.known:
                break
            self.known = found

    def tree(self, path: Path) -> ast.Module | SyntaxError:
        if path not in self.trees:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # old escapes in strings are the program's own affair
                    self.trees[path] = ast.parse(path.read_bytes(), str(path))
            except (SyntaxError, ValueError) as error:
                self.trees[path] = error if isinstance(error, SyntaxError) else SyntaxError(str(error))
        return self.trees[path]

    def of(self, path: Path) -> names.Project:
        """What the names of modules mean, as seen from a file."""

        def own(module: str) -> names.Scope:
            found = self.find(module, path)
            return {} if found is None or found == path else {"__name__": None, **self.known.get(found, {})}

        return own

    def find(self, module: str, path: Path) -> Path | None:
        name = module.lstrip(".")
        parts = [part for part in name.split(".") if part]
        level = len(module) - len(name)
        if level:
            roots = [path.parents[level - 1]] if level <= len(path.parents) else []
        else:
            roots = [parent for parent in path.parents if parent == self.folder or self.folder in parent.parents]
        for root in roots:
            place = root.joinpath(*parts)
            for candidate in (place.with_suffix(".py") if parts else place / "__init__.py", place / "__init__.py"):
                if candidate.is_file():
                    return candidate
        return None


def _python_files(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(
            f for f in folders if f not in SKIPPED and not f.startswith(".") and not _is_environment(here, f)
        )
        yield from (Path(here, file) for file in sorted(files) if file.endswith(".py"))


def _is_environment(here: str, folder: str) -> bool:
    return os.path.exists(os.path.join(here, folder, "pyvenv.cfg"))


def _findings(path: Path, project: _Project) -> Iterator[Finding]:
    tree = project.tree(path)
    if isinstance(tree, SyntaxError):
        yield Finding(tree.lineno or 0, "", "unread", f"is not Python 3 ({tree.msg})")
        return
    seen = set()
    for use in names.uses(tree, project.of(path)):
        for finding in _of_use(use):
            if finding not in seen:
                seen.add(finding)
                yield finding


def _of_use(use: names.Use) -> Iterator[Finding]:
    if use.name.endswith(INSTANCE):
        return  # a variable; what made it is another use
    entry = _removed(use)
    ours = use.name.partition(".")[0] == "megengine" and f".numpy{INSTANCE}." not in use.name
    if entry is not None and (not ours or entry.kind == "call" or look_up(use.name).state == "missing"):
        write = entry.instead if entry.old is None and entry.kind == "name" else f"write {_advice(entry, use)}"
        said = f"since {entry.gone}: {write}"
        yield Finding(use.line, use.written, *(("missing", f"gone {said}") if ours else ("gone", said)))
    elif ours:
        yield _of_megengine(use)


def _of_megengine(use: names.Use) -> Finding:
    found = look_up(use.name)
    if f"{found.upto}{INSTANCE}" in use.name and found.state == "missing":
        return Finding(use.line, use.written, "unknown")  # of what a missing function would give
    if found.state == "missing":
        said = [*([found.upto] if found.upto != use.name else []), *([found.note] if found.note else [])]
        return Finding(use.line, use.written, "missing", "; ".join(said))
    if found.note:
        return Finding(use.line, use.written, "missing", found.note)
    if found.state == "here" and use.call is not None:
        refused = fits(found.value, use.call)
        if refused:
            return Finding(use.line, use.written, "missing", refused)
    if found.state == "here":
        differences = about(found.value, use.call)
        if differences:
            return Finding(use.line, use.written, "differs", "\n".join(d.text for d in differences))
    return Finding(use.line, use.written, "here")


def _removed(use: names.Use) -> Removed | None:
    """The entry of the table that a use falls under."""
    if f"{INSTANCE}." in use.name or use.name.startswith("."):  # of what a call gave; the call itself is another use
        method = use.name.rpartition(".")[2]
        return _methods().get(method) if method not in COMMON else None
    parts = use.name.split(".")
    for end in range(len(parts), 0, -1):
        entry = find(".".join(parts[:end]))
        if entry is None or (entry.path == "*" and entry.kind == "call"):
            continue
        if entry.path == "*" and not _is_missing(".".join(parts[:end])):
            continue
        if entry.kind != "call":
            return entry
        if entry.when is not None and use.call is not None and end == len(parts) and entry.when(use.call):
            return entry
    return None


def _is_missing(name: str) -> bool:
    """Whether NumPy's module lacks a name today; those of ``numpy.core`` are all private now."""
    import importlib

    module, _, last = name.rpartition(".")
    if module.startswith("numpy.core"):
        return True
    try:
        return not hasattr(importlib.import_module(module), last)
    except ImportError:
        return True


def _methods() -> dict[str, Removed]:
    found: dict[str, Removed] = {}
    for entry in load().values():
        if "." in entry.path and entry.kind == "name":
            found.setdefault(entry.path.rpartition(".")[2], entry)
    return found


def _advice(entry: Removed, use: names.Use) -> str:
    last = use.name.rpartition(".")[2]
    return f"np.{last}" if entry.path == "*" and not _is_missing(f"numpy.{last}") else entry.instead
