"""What was measured, as tables in a Markdown file of which each run replaces its own sections."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HEADER = "| what | here | against | there | ratio | target | met |\n|---|---|---|---|---|---|---|"
INTRODUCTION = """\
# Benchmarks

What this package needs to do the same work as MegEngine 1.13, PyTorch and hand-written JAX: the time of a whole program,
from the start of the interpreter, and of its parts (a training step, recording it, loading data, drawing random numbers,
saving and loading, models, single operators), the memory that training takes, and how many programs it compiles. Every
contender does the same arithmetic in float32, with its own default number of threads; where they train, they start from
the same weights and their losses agree.

**How to read the tables.** A line compares *here*, this package, with *there*, the contender under *against*. *Ratio* is
here divided by there: 0.5 means half of the contender's time, and above 1 the contender is faster. Lines with a *target*
say whether it is *met*; those that are not are in bold. A line without a contender is a figure of this package alone. The
section [Targets](#targets) collects all lines that have one; the sections after it say what was measured in each, with
the command and the machine.

**How it is measured.** Contenders take turns in one run, each in a process of its own. Times are medians over the rounds,
and a ratio is the median of the rounds' ratios, so it may differ slightly from the quotient of the two medians. A section
that was measured while other processes kept the machine busy says so: its figures are not to be relied on.

`make bench` measures on your machine and writes this file (`python -m benchmarks.run`); `python -m benchmarks.run --help`
names what it can compare with.
"""
SUMMARY = "Targets"
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass
class Row:
    """One line of a table.

    Attributes:
        what: what was measured.
        here: the figure of this package.
        against, there: the other contender, and its figure.
        ratio: here divided by there.
        target: in words.
        met: whether the target was met; None without one.
    """

    what: str
    here: str
    against: str = ""
    there: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        return f"| {' | '.join((self.what, self.here, self.against, self.there, self.ratio, self.target, met))} |"


def compared(
    what: str, other: str, here: Sequence[float], there: Sequence[float], unit: str, at_most: float | None = None
) -> Row:
    """A comparison of times taken in turns, with the most that their ratio should be."""
    ratio = statistics.median(x / y for x, y in zip(here, there, strict=True))
    return Row(
        what,
        figure(statistics.median(here), unit),
        other,
        figure(statistics.median(there), unit),
        f"{ratio:.3f}",
        "" if at_most is None else f"ratio ≤ {at_most:.3g}",
        None if at_most is None else ratio <= at_most,
    )


def alone(what: str, value: float, unit: str, at_most: float | None = None) -> Row:
    """A figure of this package, with the most that it should be."""
    if at_most is None:
        return Row(what, figure(value, unit))
    return Row(what, figure(value, unit), target=f"≤ {figure(at_most, unit)}", met=value <= at_most)


def figure(value: float, unit: str) -> str:
    """Three significant digits and a unit."""
    digits = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return f"{digits} {unit}".rstrip()


@dataclass
class Section:
    """The results of one benchmark.

    Attributes:
        title: heading.
        about: what is measured and how, one paragraph.
        rows: the table.
        notes: lines below the table.
        timed: whether the figures depend on what else the machine does.
        context: command and machine, filled in by the runner.
    """

    title: str
    about: str
    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    timed: bool = True
    context: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        notes = "".join(f"- {note}\n" for note in [*self.notes, *self.context])
        table = "\n".join([HEADER, *map(str, self.rows)])
        return f"{self.about}\n\n{table}\n\n{notes}"


def refresh(text: str, section: Section, order: Iterable[str]) -> str:
    """A results file with one section replaced or added.

    Args:
        text: the file so far, may be empty.
        section: what is new.
        order: titles of all sections, in the order they stand.
    """
    pieces = _SECTION.split(text)
    bodies = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    bodies[section.title] = str(section)
    titles = [title for title in order if title in bodies]
    rows = [line for title in titles for line in _with_target(title, bodies[title])]
    parts = [INTRODUCTION, f"## {SUMMARY}\n\n{HEADER}\n" + "\n".join(rows)]
    return "\n\n".join(p.strip() for p in [*parts, *(f"## {t}\n\n{bodies[t].strip()}" for t in titles)]) + "\n"


def _with_target(title: str, body: str) -> list[str]:
    """The lines of a section that have a target, each under the name of the section."""
    lines = [line for line in body.splitlines() if line.endswith(("| yes |", "| **no** |"))]
    return [line.replace("| ", f"| {title}: ", 1) for line in lines]


def write(path: Path, text: str) -> None:
    """Replace a file in one go."""
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
