"""Writes the tables of docs/onnx.md, from the rules that there are: `python docs/onnx_tables.py`."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent / "onnx.md"
MARKED = re.compile(r"<!-- (.+?) -->\n.*?<!-- end -->", re.DOTALL)
sys.path.insert(0, str(PAGE.parent.parent))

from megengine.graph.exchange.table import by_name  # noqa: E402
from megengine.onnx.module import OnnxModule  # noqa: F401, E402  # all rules are there
from megengine.onnx.reading import RULES as READ  # noqa: E402
from megengine.onnx.writing import RULES as WRITTEN  # noqa: E402


def by_file(rules: dict[str, Any]) -> dict[str, list[str]]:
    """The names of the rules by the file that holds them."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, rule in sorted(rules.items()):
        found[rule.__module__.rpartition(".")[2]].append(name)
    return dict(sorted(found.items()))


def listed(names: list[str]) -> str:
    """Names as code."""
    return ", ".join(f"`{name}`" for name in names)


def table(mark: str) -> str:
    """What stands under a mark."""
    if mark == "without":
        return listed(sorted(by_name().keys() - WRITTEN.keys()))
    rules, folder = (WRITTEN, "writing") if mark == "written" else (READ, "reading")
    rows = [f"| `{folder}/{file}.py` | {listed(names)} |" for file, names in by_file(rules).items()]
    head = f"{len(rules)} of {len(by_name())} ops" if mark == "written" else f"{len(rules)} operators"
    return "\n".join([f"| file | {head} |", "|---|---|", *rows])


def filled(page: str) -> str:
    """The page with the tables of now."""
    return MARKED.sub(lambda found: f"<!-- {found[1]} -->\n\n{table(found[1])}\n\n<!-- end -->", page)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
