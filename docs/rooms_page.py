"""Draws the rooms of the package and writes their table: `python docs/rooms_page.py`, after a change of imports or rooms."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence, Set
from html import escape
from itertools import pairwise
from math import fsum
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from docs.rooms import ROOMS, direct, uses  # noqa: E402

PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "_static" / "rooms.svg"
BEGIN, END = "<!-- rooms -->\n", "<!-- end -->"

# Boxes in rows, and arrows that pass a row through a gap of their own between its boxes.
Node = str | tuple[str, str, int]  # a room, or where an arrow from one room to another passes a row
WIDTH, HEIGHT, GAP, STEP = 116, 32, 26, 66
INK, FILL, GRAPH_FILL = "#333", "#f3f4f6", "#dbeafe"


def rows(arrows: Mapping[str, Set[str]]) -> list[list[str]]:
    """Rooms by their distance from those that no room uses: each arrow goes down at least one row."""
    depth = {room.name: 0 for room in ROOMS}
    for room in ROOMS:
        for target in arrows[room.name]:
            depth[target] = max(depth[target], depth[room.name] + 1)
    return [[room.name for room in ROOMS if depth[room.name] == k] for k in range(1 + max(depth.values()))]


def layered(arrows: Mapping[str, Set[str]]) -> tuple[list[list[Node]], list[list[Node]]]:
    """The rows, and the nodes that each arrow goes through, ordered so that few arrows cross."""
    levels: list[list[Node]] = [[*row] for row in rows(arrows)]
    row_of = {node: k for k, level in enumerate(levels) for node in level}
    paths: list[list[Node]] = []
    for room in ROOMS:
        for target in sorted(arrows[room.name]):
            between: list[Node] = [(room.name, target, k) for k in range(row_of[room.name] + 1, row_of[target])]
            for k, node in enumerate(between, row_of[room.name] + 1):
                levels[k].append(node)
            paths.append([room.name, *between, target])
    above: dict[Node, list[Node]] = {}
    below: dict[Node, list[Node]] = {}
    for a, b in (pair for path in paths for pair in pairwise(path)):
        below.setdefault(a, []).append(b)
        above.setdefault(b, []).append(a)
    for sweep in range(24):
        down = sweep % 2 == 0
        for level in levels if down else reversed(levels):
            place = {node: (k + 0.5) / len(row) for row in levels for k, node in enumerate(row)}
            near = above if down else below
            middle = {n: fsum(place[m] for m in near[n]) / len(near[n]) if n in near else place[n] for n in level}
            level.sort(key=middle.__getitem__)
    return levels, paths


def positions(levels: Sequence[Sequence[Node]], paths: Sequence[Sequence[Node]]) -> dict[Node, float]:
    """The middle of each node, drawn towards its neighbours as far as the others in its row let it."""
    half = {node: (WIDTH if isinstance(node, str) else 0) / 2 + GAP / 2 for level in levels for node in level}
    x: dict[Node, float] = {}
    for level in levels:
        at = -sum(half[node] for node in level)
        for node in level:
            x[node] = at + half[node]
            at += 2 * half[node]
    near: dict[Node, list[Node]] = {node: [] for node in x}
    for a, b in (pair for path in paths for pair in pairwise(path)):
        near[a].append(b)
        near[b].append(a)
    for _ in range(60):
        for level in levels:
            for k, node in enumerate(level):
                wanted = fsum(x[m] for m in near[node]) / len(near[node]) if near[node] else x[node]
                if k:
                    wanted = max(wanted, x[level[k - 1]] + half[level[k - 1]] + half[node])
                if k + 1 < len(level):
                    wanted = min(wanted, x[level[k + 1]] - half[level[k + 1]] - half[node])
                x[node] = wanted
    left = min(x[node] - half[node] for node in x)
    return {node: round(value - left, 1) for node, value in x.items()}


def picture(arrows: Mapping[str, Set[str]]) -> str:
    """The picture as SVG."""
    levels, paths = layered(arrows)
    x = positions(levels, paths)
    y = {node: 20 + STEP * k for k, level in enumerate(levels) for node in level}
    width = round(max(value for value in x.values()) + WIDTH / 2 + GAP / 2)
    height = STEP * (len(levels) - 1) + HEIGHT + 40
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{INK}"/></marker></defs>',
        f'<rect width="{width}" height="{height}" rx="6" fill="white"/>',
    ]
    for path in paths:
        lines.append(
            f'<path d="{curve(path, x, y)}" fill="none" stroke="{INK}" stroke-opacity="0.6" marker-end="url(#tip)"/>'
        )
    for room in ROOMS:
        middle, top = x[room.name], y[room.name]
        fill = GRAPH_FILL if room.files.startswith("graph/") else FILL
        lines.append(
            f'<g><title>{escape(room.sentence)}</title><rect x="{middle - WIDTH / 2:g}" y="{top}" width="{WIDTH}" '
            f'height="{HEIGHT}" rx="5" fill="{fill}" stroke="{INK}"/><text x="{middle:g}" y="{top + 21}" '
            f'text-anchor="middle" fill="{INK}">{room.name}</text></g>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def curve(path: Sequence[Node], x: Mapping[Node, float], y: Mapping[Node, int]) -> str:
    """An arrow from the lower edge of its first box to the upper edge of its last one."""
    text = f"M{x[path[0]]:g} {y[path[0]] + HEIGHT}"
    for before, node in pairwise(path):
        start, end = y[before] + HEIGHT, y[node]
        middle = (start + end) / 2
        text += f"C{x[before]:g} {middle:g} {x[node]:g} {middle:g} {x[node]:g} {end}"
        if not isinstance(node, str):
            text += f"V{end + HEIGHT}"
    return text


def table(arrows: Mapping[str, Set[str]]) -> str:
    """The table below the picture."""
    order = [room.name for room in ROOMS]
    lines = ["| room | what it is for, and where it is | builds on |", "|---|---|---|"]
    for room in ROOMS:
        folders: dict[str, list[str]] = {}
        for entry in room.files.split():
            folder, slash, name = entry.removesuffix(".py").removesuffix("/").rpartition("/")
            folders.setdefault(folder + slash, []).append(name + "/" * entry.endswith("/"))
        places = "; ".join(
            f"`{folder}`: {', '.join(names)}" if folder else ", ".join(names) for folder, names in folders.items()
        )
        builds_on = ", ".join(sorted(arrows[room.name], key=order.index))
        lines.append(f"| {room.name} | {room.sentence} *{places}* | {builds_on} |")
    return "\n".join(lines).replace("__init__", "\\_\\_init\\_\\_")


def filled(text: str, arrows: Mapping[str, Set[str]]) -> str:
    """The page with its table as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(arrows)}\n\n{END}{after}"


if __name__ == "__main__":
    now = direct(uses())
    PICTURE.write_text(picture(now), encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), now), encoding="utf-8")
