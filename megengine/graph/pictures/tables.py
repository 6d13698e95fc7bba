"""What the parts of a graph cost, as rows and as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .nodes import Data, is_equation

BY: dict[str, Callable[[Data], str]] = {
    "op": lambda node: str(node["op"]),
    "module": lambda node: " › ".join(node["path"]) or "(no module)",
    "line": lambda node: node["where"] or "(no line)",
    "node": lambda node: f"{node['id']} {node['op']} {'×'.join(map(str, node['shape'])) or 'scalar'}",
}


class Row(NamedTuple):
    """What nodes of one kind cost together."""

    name: str
    nodes: int
    flops: float
    bytes: float
    seconds: float | None
    share: float


def rows(nodes: Sequence[Data], by: str = "op") -> list[Row]:
    """The kinds of nodes, dearest first: by measured time, by operations where none was measured.

    Raises:
        ValueError: rows by something else than ``op``, ``module``, ``line`` or ``node``.
    """
    name_of = BY.get(by)
    if name_of is None:
        raise ValueError(f"a table has rows by {', '.join(BY)}, not {by!r}")
    kinds: dict[str, list[Data]] = {}
    for node in filter(is_equation, nodes):
        kinds.setdefault(name_of(node), []).append(node)
    measured = any("seconds" in node for node in nodes)
    weight = "seconds" if measured else "flops"
    total = sum(node.get(weight, 0) for node in nodes) or 1
    made = []
    for name, several in kinds.items():
        flops, size, seconds = (sum(node.get(k, 0) for node in several) for k in ("flops", "bytes", "seconds"))
        share = (seconds if measured else flops) / total
        made.append(Row(name, len(several), flops, size, seconds if measured else None, share))
    return sorted(made, key=lambda row: -row.share)


def table(nodes: Sequence[Data], by: str, top: int) -> str:
    """The rows as text, with a last one for all of them."""
    found = rows(nodes, by)
    measured = bool(found) and found[0].seconds is not None
    head = [by, "nodes", *(["ms"] if measured else []), "FLOP", "share", "bytes"]
    if measured:
        head = [by, "nodes", "ms", "share", "FLOP", "bytes"]
    lines = [head, *(_cells(row, measured) for row in found[:top])]
    if len(found) > top:
        lines.append(_cells(_sum(f"{len(found) - top} more", found[top:]), measured))
    lines.append(_cells(_sum("total", found), measured))
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]).rstrip()
        for line in lines
    )


def _cells(row: Row, measured: bool) -> list[str]:
    share = f"{100 * row.share:.0f}%"
    flops, size = quantity(row.flops).strip(), quantity(row.bytes).strip()
    if measured:
        return [row.name, f"{row.nodes}", f"{1e3 * (row.seconds or 0):.3f}", share, flops, size]
    return [row.name, f"{row.nodes}", flops, share, size]


def _sum(name: str, several: Sequence[Row]) -> Row:
    numbers: list[Any] = [sum(getattr(row, k) or 0 for row in several) for k in Row._fields[1:]]
    return Row(name, *numbers)


def quantity(number: float) -> str:
    """A number as ``"1.2 G"``; what is below a thousand as it is, followed by a space."""
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g} {letter}"
    return f"{number:.0f} "


def duration(seconds: float) -> str:
    """A time as ``"1.2 ms"``."""
    for limit, unit in ((1, "s"), (1e-3, "ms")):
        if seconds >= limit:
            return f"{seconds / limit:.3g} {unit}"
    return f"{1e6 * seconds:.1f} µs"


def count(number: int, what: str) -> str:
    """A number of things."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
