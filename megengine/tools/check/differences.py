"""What behaves differently here, read from docs/differences.md: which calls each entry is about."""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["Difference", "about", "entries"]

HERE = Path(__file__).resolve().parent
# In an installed package, and in a checkout.
PLACES = [HERE / "differences.md", HERE.parents[2] / "docs" / "differences.md"]
SPACES = "functional functional.nn functional.vision functional.distributed functional.loss functional.metric module"
SPACES += " module.init optimizer autodiff random data data.transform data.dataset jit amp distributed utils utils.module_stats"
SPACES += " hub device dtr experimental experimental.weight_scaler serialization core.tensor.dtype"
SHORT = {"F": "functional", "M": "module", "random": "random", "amp": "amp", "jit": "jit", "hub": "hub", "data": "data"}


@dataclass(frozen=True)
class Difference:
    """One entry of the page.

    Attributes:
        text: what is different, and in which case.
        called: whether only calls are meant.
        keywords: keyword arguments without which a call is not meant.
    """

    text: str
    called: bool
    keywords: frozenset[str]


def _page() -> str:
    for path in PLACES:
        if path.exists():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(f"differences.md is in none of {', '.join(map(str, PLACES))}")


@cache
def entries() -> dict[int, list[Difference]]:
    """The entries by the object (its identity) that they are about."""
    found: dict[int, list[Difference]] = {}
    for subject, text in [*_rows(), *_paragraphs()]:
        for name, called, keywords in _snippets(subject):
            for value in _objects(name):
                one = Difference(text, called, keywords)
                if one not in found.setdefault(id(value), []):
                    found[id(value)].append(one)
    return found


def about(value: Any, call: ast.Call | None) -> list[Difference]:
    """The entries about an object that may concern a use of it.

    Args:
        value: a function or class of the package.
        call: how the program calls it, if it does; entries about a keyword argument concern calls that give it.
    """
    given = {k.arg for k in call.keywords} if call is not None else set()
    return [
        one for one in entries().get(id(value), []) if one.keywords <= given and (call is not None or not one.called)
    ]


# What MegEngine does not do at all, no program that runs there does: it cannot meet the difference.
NOT_DONE = re.compile(
    r"(fails?\b|refuse|hangs?\b|ends? the process|(an )?errors?\b|cannot be|documented and absent|`?\w*Error\b)"
)


def _rows() -> list[tuple[str, str]]:
    """The tables: where, and what MegEngine does against what is done here."""
    found = []
    for line in _page().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")] if line.startswith("| ") else []
        if len(cells) == 3 and cells[0] != "where" and not NOT_DONE.match(cells[1]):
            found.append((cells[0], f"{_plain(cells[0])}: in MegEngine {_plain(cells[1])}; here {_plain(cells[2])}"))
    return found


def _paragraphs() -> list[tuple[str, str]]:
    """The paragraphs about the design that name what they are about in bold, or in the sentence after it."""
    found = []
    for paragraph in re.split(r"\n\s*\n", _page()):
        match = re.match(r"\*\*(.+?)\*\*\s*(.*?[.;:])(?:\s|$)", paragraph, re.S)
        if match is not None:
            bold, first = (" ".join(text.split()) for text in match.groups())
            subject = bold if "`" in bold else first
            found.append((subject, _plain(f"{bold} {first}".removesuffix(":"))))
    return found


def _plain(text: str) -> str:
    return re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text).replace("`", "")


def _snippets(subject: str) -> list[tuple[str, bool, frozenset[str]]]:
    """The names in backquotes, each with whether it is called, and the keyword arguments that are written with it."""
    found = []
    for snippet in re.findall(r"`([^`]+)`", subject):
        match = re.match(r"([A-Za-z_][\w.]*)(?:\((.*)\))?$", snippet)
        if match is not None:
            found.append((match[1], match[2] is not None, frozenset(re.findall(r"(\w+)=", match[2] or ""))))
    return found


@cache
def _objects(name: str) -> list[Any]:
    """What a name on the page may mean: written in full, with F and M, or alone."""
    first, _, rest = name.partition(".")
    if rest and first in SHORT:
        places = [f"megengine.{SHORT[first]}.{rest}"]
    elif rest:
        places = [name if first == "megengine" else f"megengine.{name}"]
    else:
        places = [f"megengine.{name}", *(f"megengine.{space}.{name}" for space in SPACES.split())]
    found: list[Any] = []
    for place in places:
        module, _, last = place.rpartition(".")
        try:
            value = getattr(importlib.import_module(module), last, None)
        except ImportError:
            continue
        if (callable(value) or isinstance(value, type)) and not any(value is f for f in found):
            found.append(value)
    return found
