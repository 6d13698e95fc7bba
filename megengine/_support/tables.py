"""Plain text tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def text_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows below a header, columns as wide as their contents, numbers to the right.

    Args:
        header: names of the columns.
        rows: a value for each column; they are shown with ``str``.

    Example:
        >>> print(text_table(["name", "size"], [["weight", 6], ["bias", 12]]))
        name    size
        ------  ----
        weight     6
        bias      12
    """
    texts = [[str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *texts, strict=True)]
    right = [
        all(isinstance(value, int | float) or value == "" for value in column) for column in zip(*rows, strict=True)
    ] or [False] * len(header)
    lines = [list(header), ["-" * width for width in widths], *texts]
    return "\n".join(_line(line, widths, right) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    pairs = zip(cells, widths, right, strict=True)
    return "  ".join(c.rjust(width) if r else c.ljust(width) for c, width, r in pairs).rstrip()


def readable(num: float, suffix: str = "B") -> str:
    """A number with three decimals and a unit: of bytes by powers of 1024, of others by powers of 1000.

    Args:
        num: how many.
        suffix: what is counted. Default: ``"B"``, bytes

    Example:
        >>> readable(2048), readable(2048, "OPs")
        ('2.000 KiB', '2.048 KOPs')
    """
    scale, mark = (1024.0, "i") if suffix == "B" else (1000.0, "")
    units = ["", *(letter + mark for letter in "KMGTPEZY")]
    power = 0
    while abs(num) >= scale and power < len(units) - 1:
        num, power = num / scale, power + 1
    return f"{num:3.3f} {units[power]}{suffix}"
