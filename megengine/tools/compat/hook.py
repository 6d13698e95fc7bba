"""Old names are put into a library when it is imported, and modules that are gone are found when the program imports them."""

from __future__ import annotations

import sys

from .graft import graft
from .own import nearest_own
from .table import AFTER, Removed
from .uses import note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

__all__ = ["install"]


class Grafting:
    """Comes first: has a module of the table loaded as ever, and then gives it its old names."""

    def __init__(self, entries: dict[str, list[Removed]]) -> None:
        self.entries = entries
        self.finding: set[str] = set()

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        if (name not in self.entries and name not in AFTER) or name in self.finding:
            return None
        self.finding.add(name)  # a package may load its native part under its own name
        try:
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)
                spec = None if find is None or finder is self else find(name, path, target)
                if spec is not None:
                    break
            else:
                return None
        finally:
            self.finding.discard(name)
        if spec.loader is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = Loading(spec.loader, self, name)
        return spec


class Loading:
    """A loader that steps aside when it has done its work."""

    def __init__(self, loader: Any, grafting: Grafting, name: str) -> None:
        self.loader, self.grafting, self.name = loader, grafting, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        create = getattr(self.loader, "create_module", None)
        return None if create is None else create(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.grafting.finding.add(self.name)
        try:
            self.loader.exec_module(module)
        finally:
            self.grafting.finding.discard(self.name)
        graft(sys.modules.get(self.name, module), self.grafting.entries.get(self.name, []))


class Gone:
    """Comes last: finds a module that is gone, where the program and not a library asks for it."""

    def __init__(self, modules: dict[str, Removed]) -> None:
        self.modules = modules

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        entry = self.modules.get(name)
        if entry is None:
            return None
        frame = sys._getframe(1)
        while frame is not None and (
            "importlib" in frame.f_code.co_filename or frame.f_globals.get("__package__") == __package__
        ):
            frame = frame.f_back  # type: ignore[assignment]
        if frame is not nearest_own(frame) or frame is None:
            return None
        note(entry, frame)
        if entry.old is None:
            raise ModuleNotFoundError(f"No module named {name!r}: gone since {entry.gone}; {entry.instead}", name=name)
        from importlib.machinery import ModuleSpec

        loader: Any = Made(entry)  # importlib asks for two methods and no class
        return ModuleSpec(name, loader, origin=f"mge run, as before {entry.gone}", is_package=name in PACKAGES)


PACKAGES = {"distutils", "distutils.command", "numpy.compat"}


class Made:
    """The loader of a module that is gone: the table makes it."""

    def __init__(self, entry: Removed) -> None:
        self.entry = entry

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        assert self.entry.old is not None
        self.entry.old(module)


def install(table: dict[str, Removed]) -> None:
    """Has every import from now on see the table, and gives what has been imported already its names.

    Args:
        table: full name -> entry.
    """
    entries: dict[str, list[Removed]] = {}
    modules: dict[str, Removed] = {}
    for entry in table.values():
        if entry.path:
            entries.setdefault(entry.module, []).append(entry)
        else:
            modules[entry.module] = entry
    for name in {*entries, *AFTER}:
        if name in sys.modules:
            graft(sys.modules[name], entries.get(name, []))
    sys.meta_path.insert(0, Grafting(entries))
    sys.meta_path.append(Gone(modules))
