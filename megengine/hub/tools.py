"""Importing a file, and the current folder for a while."""

from __future__ import annotations

import importlib.util
import os
import types
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["cd", "check_module_exists", "load_module"]


def load_module(name: str, path: str) -> types.ModuleType:
    """Import a file as a module, each time anew.

    Args:
        name: the module's name.
        path: the file.

    Raises:
        FileNotFoundError: it is not there.
        ImportError: it is no Python file.

    Example:
        >>> with open("settings.py", "w") as file:
        ...     _ = file.write("depth = 18")
        >>> megengine.hub.tools.load_module("settings", "settings.py").depth
        18
    """
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_module_exists(module: str) -> bool:
    """Whether a module can be imported; it is not, but for the packages that hold it.

    Args:
        module: its dotted name.

    Example:
        >>> megengine.hub.tools.check_module_exists("json.decoder"), megengine.hub.tools.check_module_exists("no.such")
        (True, False)
    """
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that should hold it
        return False


@contextmanager
def cd(target: str | os.PathLike[str]) -> Iterator[None]:
    """Work in another folder inside the ``with`` block. The whole process does: threads are not spared.

    Args:
        target: the folder; ``~`` is expanded.

    Example:
        >>> import os
        >>> os.mkdir("inner")
        >>> with megengine.hub.tools.cd("inner"):
        ...     print(os.path.basename(os.getcwd()))
        inner
    """
    before = os.getcwd()
    os.chdir(os.path.expanduser(target))
    try:
        yield
    finally:
        os.chdir(before)
