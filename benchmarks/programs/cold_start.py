"""One of the programs of cold/ from its start: ``cold_start.py megengine|torch NAME STEPS [same|own [SECONDS]]``.

The clock starts after the imports. What is printed is one line of JSON: seconds until the model was built and until each step
had ended, the values that the steps gave, the CPU seconds and the peak memory of all of it. ``same`` takes small sizes and the
same weights everywhere, for the contenders to be compared. After SECONDS no step is begun, once there have been two.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path

# name -> module, in both contenders' folders
MODULES = {
    "transformer": "sequences",
    "resnet50": "vision",
    "convnext": "vision",
    "flow_forward": "flow",
    "flow": "flow",
    "detector": "detector",
    "vit": "vision",
    "text": "sequences",
    "lstm": "sequences",
    "decoder": "sequences",
    "policy": "sequences",
    "batches": "loops",
    "turns": "loops",
    "chain": "loops",
    "diffusion": "diffusion",
}


def cpu():
    """CPU seconds of this process, of the processes that it started and waited for, and of those that still run."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(u.ru_utime + u.ru_stime for u in used)
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return seconds


def peak():
    """The most memory that this process had, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(contender, name, steps, same="own", limit="inf"):
    """Build the program and run it."""
    module = importlib.import_module(f"cold.{contender}.{MODULES[name]}")
    used, started = cpu(), time.perf_counter()
    model, step = getattr(module, name)(same == "same")
    built = time.perf_counter() - started
    if same == "same":
        importlib.import_module(f"cold.{contender}.training").fill(model)
    ends, values = [], []
    for number in range(int(steps)):
        if number > 1 and ends[-1] > float(limit):
            break
        values.append(step(number))
        ends.append(time.perf_counter() - started)
    print(json.dumps({"built": built, "ends": ends, "values": values, "cpu": cpu() - used, "peak": peak()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
