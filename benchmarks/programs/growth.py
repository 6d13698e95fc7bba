"""Memory of a process over many training steps: ``growth.py eager|trace STEPS``; JSON of (step, resident MiB, memory maps)."""

from __future__ import annotations

import json
import os
import sys

from step_megengine import make_step


def sample(number):
    with open("/proc/self/statm", encoding="ascii") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    with open("/proc/self/maps", encoding="utf-8") as file:
        return number, resident, sum(1 for _ in file)


how, steps = sys.argv[1], int(sys.argv[2])
step = make_step(how)
samples = []
for number in range(1, steps + 1):
    step()
    if number % (steps // 10) == 0:
        samples.append(sample(number))
print(json.dumps(samples))
