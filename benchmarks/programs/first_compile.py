"""The first step of a model's training, compiled when it is met: ``first_compile.py megengine|jax TASK``.

Prints as JSON the seconds that the step took after the model was made, and the CPU seconds of them.
"""

import importlib
import json
import sys
import time

who, task = sys.argv[1:]
how = ["eager"] if who == "megengine" else []
step = importlib.import_module(f"models_{who}").make_step(task, *how)
wall, cpu = time.perf_counter(), time.process_time()
step()
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
