"""Pictures as one HTML page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

from .tables import quantity, rows

if TYPE_CHECKING:
    from .picture import Picture

SCRIPTS = ("dagre.min.js", "layout.js", "svg.js", "graph.js", "start.js")
ROWS = 40
TABLES = ("op", "module", "line")


def render(pictures: Sequence[Picture], title: str) -> str:
    """The page.

    Raises:
        ValueError: there is nothing to show.
    """
    if not pictures:
        raise ValueError("there is no graph to show: nothing ran")
    parts = {
        "title": escape(title),
        "style": asset("base.css") + asset("graph.css"),
        "script": scripts(),
        "view": asset("graph.html"),
        "choice": _choice(pictures),
        "tables": "".join(_tables(picture, k) for k, picture in enumerate(pictures)),
        "graph": as_script([picture.data() for picture in pictures]),
    }
    return fill(asset("page.html"), parts)


def fill(template: str, parts: dict[str, str]) -> str:
    """A template with ``{{name}}`` replaced, each where it comes first, and nothing in what replaces it."""
    made, rest = [], template
    while "{{" in rest:
        before, _, rest = rest.partition("{{")
        name, _, rest = rest.partition("}}")
        made += [before, parts[name]]
    return "".join([*made, rest])


def as_script(graphs: list[dict[str, Any]]) -> str:
    """Graphs as JSON inside a script element."""
    # "</" would end the element, whatever quotes stand around it.
    return json.dumps({"graphs": graphs}, separators=(",", ":")).replace("</", "<\\/")


def scripts() -> str:
    """What draws them; the licence of the layouter goes with it."""
    licence = asset("dagre.LICENSE").replace("*/", "* /")
    return f"/*! dagre {licence}*/\n" + "\n".join(map(asset, SCRIPTS))


def asset(name: str) -> str:
    """A file of this package."""
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _choice(pictures: Sequence[Picture]) -> str:
    if len(pictures) == 1:
        return f"<h1>{escape(pictures[0].title)}</h1>"
    options = "".join(f'<option value="{k}">{escape(p.title)}</option>' for k, p in enumerate(pictures))
    return f'<select class="choice" aria-label="Graph">{options}</select>'


def _tables(picture: Picture, number: int) -> str:
    """Where the time goes, by op, module and line."""
    made = "".join(_table(picture, by) for by in TABLES)
    return f'<div class="costs" data-graph="{number}"{" hidden" if number else ""}>{made}</div>'


def _table(picture: Picture, by: str) -> str:
    found = rows(picture.nodes, by)
    name = {"op": "operator", "module": "module", "line": "line"}[by]
    measured = picture.measured
    head = "".join(f"<th>{h}</th>" for h in (name, "nodes", *(["ms"] if measured else []), "FLOP", "bytes", "share"))
    body = ""
    for row in found[:ROWS]:
        times = [f"{1e3 * (row.seconds or 0):.3f}"] if measured else []
        cells = "".join(f"<td>{c}</td>" for c in (row.nodes, *times, quantity(row.flops), quantity(row.bytes)))
        bar = f'<td class="bar" style="--share:{100 * row.share:.1f}%">{100 * row.share:.0f} %</td>'
        body += f'<tr data-find="{escape(row.name)}"><td>{escape(row.name)}</td>{cells}{bar}</tr>'
    more = f"<caption>{len(found) - ROWS} more rows cost less</caption>" if len(found) > ROWS else ""
    what = "time" if measured else "operations"
    return (
        f"<details{' open' if by == 'op' else ''}><summary>Where the {what} go{'es' if measured else ''}, by {name}</summary>"
        f"<table>{more}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details>"
    )
