"""Writes the pages of the API reference from the list of MegEngine's documented names and from what is importable."""

from __future__ import annotations

import functools
import importlib
import inspect
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LIST = HERE / "api" / "documented_api.txt"
TARGET = HERE / "api" / "_generated"

# Namespaces first that a newcomer looks for first; the others follow by name.
FIRST = [
    "megengine",
    "megengine.functional",
    "megengine.functional.nn",
    "megengine.module",
    "megengine.module.init",
    "megengine.autodiff",
    "megengine.optimizer",
    "megengine.random",
    "megengine.data",
    "megengine.data.dataset",
    "megengine.data.transform",
    "megengine.jit",
]


def read_list() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Namespace -> names that are here, and namespace -> names that are not."""
    here: dict[str, list[str]] = defaultdict(list)
    absent: dict[str, list[str]] = defaultdict(list)
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name = line.removeprefix("- ")
            (absent if line.startswith("- ") else here)[name.rpartition(".")[0]].append(name)
    return here, absent


def resolve(name: str) -> Any:
    """The object of a dotted name."""
    namespace, _, last = name.rpartition(".")
    return getattr(importlib.import_module(namespace), last)


@functools.cache
def documented_classes() -> dict[type, str]:
    """The documented classes with the names they are documented by."""
    values = {name: resolve(name) for names in read_list()[0].values() for name in names}
    return {value: name for name, value in values.items() if inspect.isclass(value)}


def bases(cls: type) -> list[str]:
    """The nearest documented base classes of a class, by their documented names."""
    places = documented_classes()
    found = [next((places[c] for c in base.__mro__ if c in places), "") for base in cls.__bases__]
    return [name for name in dict.fromkeys(found) if name]


def directive(name: str) -> str:
    """The autodoc directive for a name."""
    value = resolve(name)
    kind = "class" if inspect.isclass(value) else "function" if callable(value) else "data"
    options = "   :members:\n   :inherited-members: object, dict\n" if name == "megengine.Tensor" else ""
    if kind == "class" and bases(value):
        options += "   :show-inheritance:\n"
    return f".. auto{kind}:: {name}\n{options}"


def page(namespace: str, names: list[str], absent: list[str]) -> str:
    """The page of one namespace: its names, in sections by the file that defines them."""
    sections: dict[str, list[str]] = defaultdict(list)
    for name in names:
        sections[getattr(resolve(name), "__module__", namespace)].append(name)
    text = [f"# {namespace}\n", f"```{{eval-rst}}\n.. module:: {namespace}\n```\n"]
    for module, members in sections.items():
        if len(sections) > 1:
            text.append(f"## {module.rpartition('.')[2].lstrip('_').replace('_', ' ').capitalize()}\n")
        rst = "\n".join(directive(n) for n in sorted(members, key=lambda n: (n != "megengine.Tensor", n)))
        text.append(f"```{{eval-rst}}\n{rst}```\n")
    if absent:
        text.append("## Not here yet\n\n" + ", ".join(f"`{n.rpartition('.')[2]}`" for n in absent) + "\n")
    return "\n".join(text)


def write() -> None:
    """Writes a page for each namespace that is here, and the table of all of them."""
    here, absent = read_list()
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    order = sorted(here.keys() | absent.keys(), key=lambda n: (FIRST.index(n) if n in FIRST else len(FIRST), n))
    rows = ["| namespace | here | of |", "|---|---|---|"]
    for namespace in order:
        have, lack = len(here[namespace]), len(absent[namespace])
        link = f"[{namespace}](_generated/{namespace}.md)" if have else namespace
        rows.append(f"| {link} | {have} | {have + lack} |")
        if have:
            (TARGET / f"{namespace}.md").write_text(
                page(namespace, here[namespace], absent[namespace]), encoding="utf-8"
            )
    total = sum(map(len, here.values()))
    rows.append(f"| all | {total} | {total + sum(map(len, absent.values()))} |")
    (TARGET / "table.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    entries = [*(f"_generated/{n}" for n in order if here[n]), "utils", "graph", "onnx"]
    (TARGET / "contents.txt").write_text(
        "```{toctree}\n:hidden:\n\n" + "\n".join(entries) + "\n```\n", encoding="utf-8"
    )
