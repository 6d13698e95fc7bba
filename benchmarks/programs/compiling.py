"""Runs a training program as it is, and tells as JSON what was compiled before each line that it printed."""

from __future__ import annotations

import builtins
import json
import os
import runpy
import sys

from megengine.graph import counters, execute
from megengine.graph.source import line

compiled = []
periods = []
note, show = execute.note_program, builtins.print


def noted(graph, node, key, recording):
    reason = note(graph, node, key, recording)
    file, number = line(graph.where[0])
    compiled.append(
        {"where": f"{os.path.basename(file)}:{number}", "ops": node.depth, "live": len(key.outputs), "reason": reason}
    )
    return reason


def printed(*args, **kwargs):
    periods.append(
        {"text": " ".join(map(str, args)), "compiled": list(compiled), "flushes": sum(counters.flushes.values())}
    )
    compiled.clear()


execute.note_program = noted
builtins.print = printed
runpy.run_path(sys.argv[1], run_name="__main__")
show(json.dumps({"periods": periods, "after": compiled}))
