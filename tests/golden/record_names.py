"""Writes ``names.txt``: what can be imported from MegEngine's public modules, with signatures.

    python tests/golden/record_names.py

Run it with the interpreter that has MegEngine 1.13.0. A line is a name that its module defines, with its signature if it is a
function or class (``...`` stands for a default that is an object), or ``name = other`` where a module has imported another's
name, or ``name = module`` for a module that ``import`` of its package alone makes reachable.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import types
from pathlib import Path
from typing import Any, Iterator

import megengine

# The compiled core and what is listed name by name elsewhere, and modules of versions to come.
SKIPPED = (
    "megengine.core", "megengine.traced_module", "megengine.utils.network", "megengine.utils.comp_graph_tools", "megengine.xla", "megengine.tools", "megengine.conftest",
)  # fmt: skip


def plain(default: Any) -> str:
    """A default as it is written down."""
    if isinstance(default, (bool, int, float, str, type(None))):
        return repr(default)
    if isinstance(default, (list, tuple)) and all(isinstance(v, (bool, int, float, str)) for v in default):
        return repr(default)
    return "..."


def signature(value: Any) -> str:
    """The parameters as a def writes them, without annotations; nothing where Python cannot tell."""
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return ""
    written, star = [], False
    for p in found:
        if p.name == "self":
            continue
        if p.kind is p.KEYWORD_ONLY and not star:
            written.append("*")
            star = True
        star = star or p.kind is p.VAR_POSITIONAL
        prefix = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        written.append(prefix + p.name + ("" if p.default is p.empty else "=" + plain(p.default)))
    return "(" + ", ".join(written) + ")"


def lines_of(module: types.ModuleType) -> Iterator[str]:
    name = module.__name__
    for key in sorted(dir(module)):
        value = getattr(module, key)
        if key.startswith("_"):
            continue
        home = getattr(value, "__module__", None)
        if isinstance(value, types.ModuleType) or any(value is m for m in sys.modules.values()):
            if value.__name__.startswith("megengine.") and not value.__name__.startswith(SKIPPED):
                yield f"{name}.{key} = {value.__name__}"
        elif inspect.isclass(value) or inspect.isroutine(value):
            if home == name:
                yield f"{name}.{key}{signature(value)}"
                if inspect.isclass(value):
                    yield from methods(f"{name}.{key}", value)
            elif isinstance(home, str) and home.startswith("megengine") and not home.startswith(SKIPPED):
                yield f"{name}.{key} = {home}.{value.__name__}"
        elif key in (getattr(module, "__all__", None) or []) or (key.isupper() and not hasattr(value, "__origin__")):
            yield f"{name}.{key}"


def methods(prefix: str, cls: type) -> Iterator[str]:
    """Public methods and properties that a class defines itself."""
    for key, value in sorted(vars(cls).items()):
        if key.startswith("_"):
            continue
        function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        taken = signature(function) if inspect.isroutine(function) else ""
        if isinstance(value, classmethod):
            taken = taken.replace("(cls, ", "(").replace("(cls)", "()")
        yield f"{prefix}.{key}{taken}"


def main() -> None:
    for info in pkgutil.walk_packages(megengine.__path__, "megengine."):
        if info.name.endswith("__main__") or info.name.startswith(SKIPPED):
            continue
        try:
            importlib.import_module(info.name)
        except Exception as error:
            print("not importable there:", info.name, error)
    found = [m for n, m in sorted(sys.modules.items()) if n.split(".")[0] == "megengine" and m is not None]
    public = [m for m in found if not m.__name__.startswith(SKIPPED) and "._" not in m.__name__]
    head = "# What MegEngine 1.13's modules have: written by record_names.py.\n"
    text = head + "".join(line + "\n" for m in public for line in lines_of(m))
    (Path(__file__).resolve().parent / "names.txt").write_text(text, encoding="utf-8")


main()
