"""Asks real MegEngine every case and writes ``data/<family>.jsonl``.

    python tests/golden/record.py [family ...]

Run it with the interpreter that has MegEngine 1.13.0. Each case runs in a forked child, because some calls of the
reference never return or end the process; those are recorded as ``hang`` and ``crash``.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from golden import cases as cases_package  # noqa: E402
from golden.runner import Attempt, describe, namespace  # noqa: E402
from golden.spec import Case, Wrong, text  # noqa: E402

SECONDS = 10
TIMES = int(os.environ.get("GOLDEN_TIMES", "3"))


def families() -> list[str]:
    """Names of all case files."""
    return sorted(m.name for m in pkgutil.iter_modules(cases_package.__path__))


def child(case: Case, sources: list[str], out: int) -> None:
    """Evaluate one after the other and write each record as soon as it is known.

    Stops after an error: the reference may report it once more, in the middle of a later expression.
    """
    import warnings

    from megengine.core._imperative_rt.core2 import sync

    warnings.simplefilter("ignore")
    names = namespace()
    for source in sources:
        record = Attempt(case, source, names).record()
        try:
            sync()
        except RuntimeError as error:
            record.setdefault("late_error", describe(error))
        os.write(out, json.dumps({"source": source, **record}).encode() + b"\n")
        if any("error" in key for key in record):
            return


def spawn(case: Case, sources: list[str]) -> tuple[list[dict[str, Any]], str]:
    """Run ``child`` in a fork; return its records and how it ended: ``done``, ``hang`` or ``crash``."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        if "GOLDEN_VERBOSE" not in os.environ:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            child(case, sources, write)
        except BaseException as error:
            print("recorder:", case.name, type(error).__name__, error, flush=True)
            os._exit(9)
        os._exit(0)
    os.close(write)
    data, end = b"", "done"
    last = time.time()
    while True:
        ready, _, _ = select.select([read], [], [], 1)
        if ready:
            chunk = os.read(read, 1 << 16)
            if not chunk:
                break
            data, last = data + chunk, time.time()
        elif time.time() - last > SECONDS:
            os.kill(pid, signal.SIGKILL)
            end = "hang"
            break
    os.close(read)
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 9:
        raise SystemExit(1)
    records = [json.loads(line) for line in data.splitlines()]
    if end == "done" and os.WIFSIGNALED(status):
        end = "crash"
    return records, end


def ask(case: Case) -> list[dict[str, Any]]:
    """All records of a case, in the order of its expressions."""
    sources = [text(e) for e in case.exprs]
    records: list[dict[str, Any]] = []
    while len(records) < len(sources):
        more, end = spawn(case, sources[len(records) :])
        records += more
        if end != "done" and len(records) < len(sources):
            records.append({"source": sources[len(records)], "error": {"class": end, "builtins": []}})
    return records


def settled(case: Case) -> list[dict[str, Any]]:
    """Ask several times and keep each expression's most frequent answer: a few of the reference's answers vary."""
    asked = [ask(case) for _ in range(TIMES)]
    records = []
    for answers in zip(*asked, strict=True):
        texts = [json.dumps(a) for a in answers]
        best = max(texts, key=texts.count)
        if texts.count(best) < TIMES:
            print("varies: %s %s %s" % (case.name, texts.count(best), answers[0]["source"]))
        records.append(json.loads(best))
    return records


def main(wanted: list[str]) -> None:
    for family in wanted or families():
        module = importlib.import_module("golden.cases." + family)
        names = [c.name for c in module.CASES]
        assert len(set(names)) == len(names), "repeated names in " + family
        start = time.time()
        path = HERE / "data" / (family + ".jsonl")
        beside = path.with_suffix(".tmp")
        count = 0
        with open(beside, "w") as file:
            for case in module.CASES:
                wrong = {e.expr for e in case.exprs if isinstance(e, Wrong)}
                for record in settled(case):
                    count += 1
                    if record["source"] in wrong:
                        # Nothing reads what is wrong, and some of it is uninitialised memory.
                        record = {"source": record["source"], "wrong": True}
                    file.write(json.dumps({"case": case.name, **record}, separators=(",", ":")) + "\n")
        os.replace(beside, path)
        print(
            "%-16s %3d cases %5d expressions %7d bytes %5.1f s"
            % (family, len(names), count, path.stat().st_size, time.time() - start)
        )


if __name__ == "__main__":
    import megengine

    assert megengine.__version__.startswith("1.13"), megengine.__version__
    main(sys.argv[1:])
