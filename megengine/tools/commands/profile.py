"""``mge profile``: where a program's time goes, as a table and a page."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UserError

__all__ = ["add_to"]

DESCRIPTION = """Runs a Python program and says where its time goes: first its compiled programs, by how long they ran, then the
operations inside of the longest ones, each of which is timed again on made-up numbers. A page with the graphs is written too."""
MEASURED = 3


def add_to(commands: Any) -> None:
    """Adds ``profile`` to the subcommands of ``mge``."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "profile",
        help="say where a program's time goes",
        description=DESCRIPTION,
        usage="mge profile [-o PAGE] [--trace FILE] [--by op|module|line] [--top N] program.py [its arguments ...]",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="PAGE", help="the page; default program.profile.html")
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="also write what ran when, for https://ui.perfetto.dev (JSON)"
    )
    parser.add_argument("--by", choices=("op", "module", "line", "node"), default="op", help="rows of the tables")
    parser.add_argument("--top", type=int, default=12, metavar="N", help="rows of a table (default 12)")
    parser.add_argument("target", type=Path, metavar="program.py")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the program")
    parser.set_defaults(run=run, debug=False)


def run(arguments: argparse.Namespace) -> int:
    """Prints the tables, writes the page, and returns the exit status."""
    from megengine.graph.profile import run_times

    from .programs import watched

    output = arguments.output or Path(f"{arguments.target.stem}.profile.html")
    if output.suffix.lower() != ".html":
        raise UserError(f"-o {output} does not end in .html", exit_code=2)
    started = time.perf_counter()
    with _traced(arguments.trace), run_times() as times:
        seen = watched(arguments.target, arguments.arguments)
    whole = time.perf_counter() - started
    ran = sorted(seen.distinct(), key=lambda pair: -sum(times.get(pair[0].program, [0.0])))
    print(_programs(ran, times, whole))
    for one, _ in ran[:MEASURED]:
        timing = one.measure()
        print(f"\n{one.title}: {1e3 * timing.whole:.3f} ms when compiled, by {arguments.by}")
        print(one.table(arguments.by, arguments.top))
    seen.ran.sort(key=[one for one, _ in ran].index)
    print(f"\nwritten to {seen.save(output)}")
    return 0


def _programs(ran: list[tuple[Any, int]], times: dict[Any, list[float]], whole: float) -> str:
    """A row for each program, and one for the time outside of them."""
    lines = [("program", "runs", "ms a run", "seconds", "share")]
    inside = 0.0
    for one, count in ran:
        seconds = times.get(one.program, [])
        total = sum(seconds)
        inside += total
        middle = sorted(seconds)[len(seconds) // 2] if seconds else 0.0
        lines.append((one.title, str(count), f"{1e3 * middle:.3f}", f"{total:.3f}", f"{100 * total / whole:.0f}%"))
    rest = whole - inside
    lines.append(("Python, imports, compiling", "", "", f"{rest:.3f}", f"{100 * rest / whole:.0f}%"))
    lines.append(("the whole run", "", "", f"{whole:.3f}", "100%"))
    widths = [max(len(line[k]) for line in lines) for k in range(5)]
    return "\n".join(
        "  ".join([a.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))])
        for a, *rest in lines
    )


@contextmanager
def _traced(path: Path | None) -> Iterator[None]:
    """Writes a trace of what runs inside, if a file is given."""
    if path is None:
        yield
        return
    from megengine._support.files import write_atomically
    from megengine.graph.profile import Recorder

    recorder = Recorder(kernels=True, backtrace=False, modules=True)
    recorder.start()
    try:
        yield
    finally:
        write_atomically(path, json.dumps({"traceEvents": recorder.stop()}))
        print(f"the trace was written to {path}: open it at https://ui.perfetto.dev")
