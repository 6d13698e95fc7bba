"""The ``mge check`` command: what it prints, and how it ends."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import UserError
from .project import Finding, Report, read

__all__ = ["add_to", "text"]

DESCRIPTION = """Reads the Python files of a folder without running them and says, line by line, what of MegEngine's API they use
that is missing here or behaves differently, and which names they use that NumPy, Pillow, OpenCV, PyYAML, SciPy, pandas or Python
have taken away, with what to write instead. Exit status: 0 if nothing has to be done, 1 if something is missing or gone, 2 if
there is no such folder."""
WORDS = {"missing": "missing", "gone": "gone", "here": "here", "unread": "cannot be read"}


def add_to(commands: Any) -> None:
    """Adds ``check`` to the subcommands of ``mge``."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check", help="read an old project and say what has to change", description=DESCRIPTION
    )
    parser.add_argument("folder", type=Path, help="the project's folder, or one file")
    parser.add_argument("--all", action="store_true", help="show the lines too whose names are all here")
    parser.set_defaults(run=run, debug=False)


def run(arguments: argparse.Namespace) -> int:
    """Prints the report and returns the exit status."""
    if not arguments.folder.exists():
        raise UserError(f"there is no folder {str(arguments.folder)!r}", exit_code=2)
    report = read(arguments.folder)
    if not report.files:
        raise UserError(f"{str(arguments.folder)!r} holds no Python files", exit_code=2)
    print(text(report, everything=arguments.all), flush=True)
    return int(any(report.count(state)[0] for state in ("missing", "gone", "unread")))


def text(report: Report, everything: bool = False) -> str:
    """The report as it is printed.

    Args:
        report: what was read.
        everything: whether to show what is here, too.
    """
    shown = ("missing", "gone", "unread", *(("here",) if everything else ()))
    lines = []
    for file, findings in report.files.items():
        chosen = [f for f in findings if f.state in shown]
        if chosen:
            lines += [file, *_of_file(chosen), ""]
    return "\n".join([*lines, *_differences(report), *_summary(report)])


def _of_file(findings: list[Finding]) -> list[str]:
    """A line for each name and what is said about it, with the lines that use it, in their order."""
    grouped: dict[tuple[str, str, str], list[int]] = {}
    for finding in findings:
        grouped.setdefault((finding.written, finding.state, finding.text), []).append(finding.line)
    lines = []
    for (written, state, said), places in sorted(grouped.items(), key=lambda item: min(item[1])):
        gap = " " if state == "gone" else ": " if said else ""
        lines.append(f"  {_numbers(places)}: {written + ' ' if written else ''}{WORDS[state]}{gap}{said}")
    return lines


def _numbers(lines: list[int]) -> str:
    return ", ".join(map(str, sorted(set(lines))))


def _differences(report: Report) -> list[str]:
    """What behaves differently in some case, once each, with the lines that may meet the case."""
    grouped: dict[str, dict[str, list[int]]] = {}
    for file, findings in report.files.items():
        for finding in findings:
            for one in finding.text.split("\n") if finding.state == "differs" else ():
                grouped.setdefault(one, {}).setdefault(file, []).append(finding.line)
    if not grouped:
        return []
    lines = ["Behaves differently here, if the case is met (docs/differences.md):"]
    for said, files in grouped.items():
        places = "; ".join(f"{file}: {_numbers(numbers)}" for file, numbers in files.items())
        lines += [f"  {said}", f"      {places}"]
    return [*lines, ""]


def _summary(report: Report) -> list[str]:
    files = len(report.files)
    here, differs, missing, gone, unread = (report.count(s) for s in ("here", "differs", "missing", "gone", "unread"))
    uses, used = here[0] + differs[0] + missing[0], here[1] + differs[1] + missing[1]
    lines = [
        f"{files} {'file' if files == 1 else 'files'}. MegEngine: {uses} uses of {used} names; {here[1]} are here, "
        f"{differs[1]} behave differently in some case, {missing[1]} are missing."
    ]
    if gone[0]:
        lines.append(f"Other libraries: {gone[0]} uses of {gone[1]} names that are gone; `mge run` has them.")
    if unread[0]:
        lines.append(f"{unread[0]} {'file is' if unread[0] == 1 else 'files are'} not Python 3.")
    return lines
