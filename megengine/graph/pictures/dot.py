"""Pictures for Graphviz: modules are clusters, those below a depth one box each."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .nodes import Data, is_equation
from .tables import count, duration, quantity

if TYPE_CHECKING:
    from .picture import Picture

FEW = 150  # boxes that can be looked at together
COLORS = {"input": "#dbe7fb", "param": "#e9e0f7", "op": "#f4f4f5", "gradient": "#fbe6d9", "output": "#d8f0e6"}
MARKS = {"new": "#2b8a64", "changed": "#c2571a"}
HEAD = (
    '  graph [rankdir=TB, fontname="Helvetica", fontsize=12, labelloc=t, nodesep=0.25, ranksep=0.35, color="#c9c6bf"];\n'
    '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11, color="#b9b7b1", margin="0.12,0.06"];\n'
    '  edge [color="#9b9a9f", arrowsize=0.6];\n'
)


def text(pictures: Sequence[Picture], title: str, depth: int | None = None) -> str:
    """The pictures in the DOT language, one cluster each if there are several.

    Raises:
        ValueError: there is nothing to show.
    """
    if not pictures:
        raise ValueError("there is no graph to show: nothing ran")
    body = "".join(_Drawn(picture, k, len(pictures) > 1, depth).text() for k, picture in enumerate(pictures))
    return f"digraph {quoted(title)} {{\n{HEAD}{body}}}\n"


def svg(source: str) -> str:
    """What Graphviz draws of it.

    Raises:
        RuntimeError: there is no ``dot``, or it fails.
    """
    program = shutil.which("dot")
    if program is None:
        raise RuntimeError(
            "a .svg is drawn by Graphviz, whose program dot is not here: install it (apt install graphviz, brew install "
            "graphviz), or save a .html, whose button SVG saves what it shows"
        )
    done = subprocess.run([program, "-Tsvg"], input=source, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"Graphviz could not draw the graph: {done.stderr.strip()}")
    return done.stdout


def quoted(text: str) -> str:
    """A string of the DOT language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class _Drawn:
    """One picture: boxes by their path, cut off at a depth."""

    def __init__(self, picture: Picture, number: int, several: bool, depth: int | None) -> None:
        self.picture = picture
        self.prefix = f"g{number}"
        self.root = (picture.title,) if several else ()
        self.depth = _depth(picture.nodes) if depth is None else depth
        self.box_of = {node["id"]: self._box(node) for node in picture.nodes}

    def _box(self, node: Data) -> tuple[str, ...]:
        """The box that stands for a node: its group, if that is cut off, or its own."""
        path = tuple(node["path"])
        if len(path) > self.depth:
            return ("group", *path[: self.depth + 1])
        return ("node", *path, str(node["id"]))

    def text(self) -> str:
        members: dict[tuple[str, ...], list[Data]] = {}
        for node in self.picture.nodes:
            members.setdefault(self.box_of[node["id"]], []).append(node)
        tree: dict[str, object] = {}
        for box, nodes in members.items():
            place = tree
            for name in (*self.root, *box[1:-1]):
                place = place.setdefault(f"c{name}", {})  # type: ignore[assignment]
            line = _node(nodes[0]) if box[0] == "node" else _group(box[-1], nodes)
            place[f"b{self._name(box)}"] = f"{quoted(self._name(box))} {line}"
        return self._tree(tree, "  ", [0]) + "".join(sorted(self._edges()))

    def _name(self, box: tuple[str, ...]) -> str:
        return f"{self.prefix}/{'/'.join(box)}"

    def _tree(self, tree: dict[str, object], indent: str, clusters: list[int]) -> str:
        made = ""
        for name, inner in tree.items():
            if isinstance(inner, str):
                made += f"{indent}{inner}\n"
            else:
                clusters[0] += 1
                inside = self._tree(inner, indent + "  ", clusters)  # type: ignore[arg-type]
                head = f'label={quoted(name[1:])}; style="rounded,filled"; fillcolor="#faf9f6";'
                made += f"{indent}subgraph cluster_{self.prefix}_{clusters[0]} {{ {head}\n{inside}{indent}}}\n"
        return made

    def _edges(self) -> set[str]:
        found = set()
        for node in self.picture.nodes:
            to = self.box_of[node["id"]]
            for source in node["inputs"]:
                box = self.box_of[source]
                if box != to:
                    found.add(f"  {quoted(self._name(box))} -> {quoted(self._name(to))};\n")
        return found


def _depth(nodes: Sequence[Data]) -> int:
    """As many levels as can be looked at together."""
    deepest = max((len(node["path"]) for node in nodes), default=0)
    for depth in range(deepest, 0, -1):
        shown = {(*node["path"][: depth + 1], node["id"] if len(node["path"]) <= depth else "") for node in nodes}
        if len(shown) <= FEW:
            return depth
    return 0


def _node(node: Data) -> str:
    name = node["name"].rpartition(".")[2] if node["kind"] == "param" else node["name"]
    shape = "×".join(map(str, node["shape"])) or "scalar"
    lines = [name or node["op"], f"{shape} {node['dtype']}"]
    if "seconds" in node:
        lines.append(duration(node["seconds"]))
    if node["where"]:
        lines.append(node["where"].rpartition("/")[2])
    edge = f', color="{MARKS[node["mark"]]}", penwidth=2' if "mark" in node else ""
    fill = f'fillcolor="{COLORS[node["kind"]]}"{edge}'
    return (
        f"[label={quoted(chr(10).join(lines))}, {fill}, tooltip={quoted(str(node.get('attributes') or node['name']))}];"
    )


def _group(name: str, nodes: Sequence[Data]) -> str:
    lines = [
        name,
        count(sum(map(is_equation, nodes)), "operation"),
        f"{quantity(sum(n.get('flops', 0) for n in nodes))}FLOP",
    ]
    if any("seconds" in n for n in nodes):
        lines.append(duration(sum(n.get("seconds", 0) for n in nodes)))
    edge = next((f', color="{MARKS[n["mark"]]}", penwidth=2' for n in nodes if "mark" in n), "")
    return f'[label={quoted(chr(10).join(lines))}, fillcolor="#ecebe7", penwidth=1.6{edge}];'
